package wschannel

import (
	"errors"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/wschannel/wschannel/status"
)

// rideEnds are the ways in which a channel on a loop ends.
var rideEnds = []struct {
	name  string
	end   func(t *testing.T, c *Channel, p *peer)
	want  CloseError // but for its Cause
	cause error      // nil for none
}{
	{"the peer closes", func(t *testing.T, c *Channel, p *peer) {
		p.sendClose(4000, "bye")
		p.expectClose(4000, "bye")
	}, CloseError{Code: 4000, Reason: "bye", Remote: true}, nil},
	{"the peer closes without a code", func(t *testing.T, c *Channel, p *peer) {
		p.send(closeFrame, "")
		p.expect(closeFrame, "")
	}, CloseError{Code: 1005, Remote: true}, nil},
	{"the peer hangs up", func(t *testing.T, c *Channel, p *peer) { p.conn.Close() },
		CloseError{Code: 1006}, errLoss},
	{"the peer resets", func(t *testing.T, c *Channel, p *peer) {
		if tcp, ok := p.conn.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
		p.conn.Close()
	}, CloseError{Code: 1006}, errLoss},
	{"the peer shuts down its side", func(t *testing.T, c *Channel, p *peer) {
		p.conn.(interface{ CloseWrite() error }).CloseWrite()
		p.expectEnd()
	}, CloseError{Code: 1006}, errLoss},
	{"the peer shuts down its side in a frame", func(t *testing.T, c *Channel, p *peer) {
		frame := p.frame(textFrame, "hello")
		p.write(frame[:len(frame)-1])
		p.conn.(interface{ CloseWrite() error }).CloseWrite()
	}, CloseError{Code: 1006}, errLoss},
	{"violation", func(t *testing.T, c *Channel, p *peer) {
		p.send(textFrame, "\xff")
	}, CloseError{Code: 1007}, errLoss},
	{"violation in a header", func(t *testing.T, c *Channel, p *peer) {
		frame := p.frame(0xF1, "hello")
		p.write(frame[:len(frame)-5])
	}, CloseError{Code: 1002}, errLoss},
	{"Close", func(t *testing.T, c *Channel, p *peer) {
		go c.Close()
		p.expectClose(1000, "")
		p.sendClose(1000, "")
	}, CloseError{Code: 1000}, nil},
	{"CloseWith, unanswered", func(t *testing.T, c *Channel, p *peer) {
		go c.CloseWith(4000, "enough")
		p.expectClose(4000, "enough")
	}, CloseError{Code: 4000, Reason: "enough"}, nil},
	{"CloseNow", func(t *testing.T, c *Channel, p *peer) { c.CloseNow() }, CloseError{Code: 1006}, nil},
}

// errLoss stands for any cause.
var errLoss = errors.New("some cause")

func wantRideEnd(t *testing.T, c *Channel, want CloseError, cause error, over chan error) {
	t.Helper()
	err := within(t, "onDone", over)
	end, ok := err.(*CloseError)
	if !ok || err != c.Err() {
		t.Fatalf("onDone: %v, Err: %v", err, c.Err())
	}
	if end.Code != want.Code || end.Remote != want.Remote || want.Reason != "" && end.Reason != want.Reason {
		t.Errorf("ended with %v, want %v", end, &want)
	}
	if (end.Cause == nil) != (cause == nil) {
		t.Errorf("the cause is %v", end.Cause)
	}
}

// However a channel ends, what came before the peer's end is called back, then the
// end, once; and the socket is closed.
func TestRideEnds(t *testing.T) {
	before := footprint()
	for _, way := range rideEnds {
		for _, idle := range []bool{true, false} {
			riding(t, func(t *testing.T, connect connector, role Role, listen listenFunc) {
				c, p := withPeer(t, connect, role, &Options{CloseTimeout: 50 * time.Millisecond})
				onMessage, messages, onDone, over := collect()
				listen(c, onMessage, onDone)
				wantRiding(t, c)
				if !idle {
					p.send(textFrame, "one")
					p.send(binaryFrame, "two")
					if way.want.Code == 1006 || way.cause == nil && !way.want.Remote {
						wantTold(t, messages, Text, "one")
						wantTold(t, messages, Binary, "two")
					}
				}
				way.end(t, c, p)
				wantRideEnd(t, c, way.want, way.cause, over)
				if !idle && way.want.Code != 1006 && (way.cause != nil || way.want.Remote) {
					wantTold(t, messages, Text, "one")
					wantTold(t, messages, Binary, "two")
				}
				if len(messages) > 0 || len(over) > 0 {
					t.Errorf("%s: called back after the end", way.name)
				}
				if err := receiveError(c); err != c.Err() && err != ErrConcurrentReceive {
					t.Errorf("%s: Receive: %v", way.name, err)
				}
				p.conn.Close()
			})
		}
	}
	eventually(t, "goroutines and descriptors to go", func() bool {
		after := footprint()
		return after.goroutines <= before.goroutines && after.descriptors <= before.descriptors
	})
}

// A callback may end the channel in any way; it returns, and onDone follows.
func TestRideEndedInACallback(t *testing.T) {
	for _, way := range []struct {
		name  string
		end   func(c *Channel) error
		code  status.Code
		frame bool // the peer is told
	}{
		{"Close", (*Channel).Close, 1000, true},
		{"CloseWith", func(c *Channel) error { return c.CloseWith(4000, "enough") }, 4000, true},
		{"CloseNow", (*Channel).CloseNow, 1006, false},
		{"Close twice", func(c *Channel) error { return errors.Join(c.Close(), c.Close()) }, 1000, true},
	} {
		t.Run(way.name, func(t *testing.T) {
			riding(t, func(t *testing.T, connect connector, role Role, listen listenFunc) {
				c, p := withPeer(t, connect, role, nil)
				_, _, onDone, over := collect()
				returned := make(chan error, 10)
				listen(c, func(Type, []byte) { returned <- way.end(c) }, onDone)
				wantRiding(t, c)
				p.write(append(p.frame(textFrame, "one"), p.frame(textFrame, "two")...))
				if err := within(t, "the callback", returned); err != nil {
					t.Errorf("in the callback: %v", err)
				}
				if way.frame {
					first, body, err := p.read()
					if err != nil || first != closeFrame {
						t.Fatalf("the peer read %#x, %v", first, err)
					}
					p.send(closeFrame, body)
				}
				within(t, "onDone", over)
				if c.CloseCode() != way.code || len(returned) > 0 {
					t.Errorf("ended with %v, called back %d times more", c.Err(), len(returned))
				}
			})
		})
	}
}

// Pings are answered and can be sent, also in a callback.
func TestRidePings(t *testing.T) {
	riding(t, func(t *testing.T, connect connector, role Role, listen listenFunc) {
		near, far := connect(t)
		c, other := newOn(t, near, role, nil), newOn(t, far, RoleClient+RoleServer-role, nil)
		pinged := make(chan error, 1)
		listen(c, func(Type, []byte) { _, err := c.Ping(t.Context()); pinged <- err }, nil)
		other.Listen(nil, nil)
		wantRiding(t, c)
		wantRiding(t, other)
		for range 3 {
			if _, err := other.Ping(t.Context()); err != nil {
				t.Fatalf("Ping: %v", err)
			}
			if err := other.SendText(t.Context(), "ping yourself"); err != nil {
				t.Fatal(err)
			}
			if err := within(t, "Ping in a callback", pinged); err != nil {
				t.Fatalf("Ping in a callback: %v", err)
			}
		}
	})
}

// A peer from which nothing comes is dead.
func TestRideDeadPeer(t *testing.T) {
	riding(t, func(t *testing.T, connect connector, role Role, listen listenFunc) {
		c, p := withPeer(t, connect, role, &Options{PingInterval: 20 * time.Millisecond, PingTimeout: 40 * time.Millisecond})
		_, _, onDone, over := collect()
		listen(c, nil, onDone)
		if first, _, err := p.read(); first != pingFrame || err != nil {
			t.Fatalf("the peer read %#x, %v", first, err)
		}
		if err := within(t, "onDone", over); !errors.Is(err, os.ErrDeadlineExceeded) || c.CloseCode() != 1006 {
			t.Errorf("onDone: %v", err)
		}
	})
}

// A callback that ends its goroutine ends the listening, and nothing else.
func TestRideGoexit(t *testing.T) {
	riding(t, func(t *testing.T, connect connector, role Role, listen listenFunc) {
		c, p := withPeer(t, connect, role, nil)
		for range 20 {
			exits := make(chan bool, 1)
			onDone := func(err error) { t.Errorf("onDone: %v", err) }
			listen(c, func(Type, []byte) { exits <- true; runtime.Goexit() }, onDone)
			wantRiding(t, c)
			p.write(append(p.frame(textFrame, "one"), p.frame(textFrame, "two")...))
			within(t, "the callback", exits)
			eventually(t, "the right to receive", func() bool { return !c.engine.reading.isClaimed() })
			onMessage, messages, _, _ := collect()
			stop := listen(c, onMessage, onDone)
			wantTold(t, messages, Text, "two")
			p.send(textFrame, "three")
			wantTold(t, messages, Text, "three")
			stop()
			eventually(t, "the right to receive", func() bool { return !c.engine.reading.isClaimed() })
		}
	})
}

// Listening that begins while the channel is being closed from elsewhere, received
// from, sent on and woken, in any order, comes to its end.
func TestRideBeginsAtTheEnd(t *testing.T) {
	before := footprint()
	for i := range 200 {
		near, far := sockets[i%2].connect(t)
		c := newOn(t, near, RoleServer, &Options{CloseTimeout: 100 * time.Millisecond, PingInterval: -1})
		p := newPeer(t, far, RoleClient)
		over := make(chan error, 1)
		go c.SendText(t.Context(), "hello")
		if i%3 == 0 {
			p.send(textFrame, "one")
		}
		listening := async(func() bool {
			c.ListenView(func(v View) { c.Send(t.Context(), Message(v)) }, func(err error) { over <- err })
			return true
		})
		switch i % 5 {
		case 0:
			go c.CloseNow()
		case 1:
			go c.Close()
		case 2:
			go p.conn.Close()
		case 3:
			go c.engine.wakeReader()
			go c.CloseWith(4000, "")
		case 4:
			go c.engine.link.Load().Close()
		}
		within(t, "Listen", listening)
		if i%5 == 4 {
			p.conn.Close() // the socket may have moved before the old one was closed
		}
		if err := within(t, "onDone", over); err != c.Err() || err == nil {
			t.Fatalf("%d: onDone: %v, Err: %v", i, err, c.Err())
		}
		p.conn.Close()
		near.Close()
	}
	eventually(t, "goroutines and descriptors to go", func() bool {
		after := footprint()
		return after.goroutines <= before.goroutines && after.descriptors <= before.descriptors
	})
}

// Whoever closes the connection of a channel behind its back has lost it.
func TestRideClosedBehindItsBack(t *testing.T) {
	c, _ := withPeer(t, tcpPair, RoleServer, nil)
	over := make(chan error, 1)
	c.ListenView(nil, func(err error) { over <- err })
	wantRiding(t, c)
	c.Underlying().Close()
	if err := within(t, "onDone", over); !errors.Is(err, ErrClosed) || c.CloseCode() != status.AbnormalClosure {
		t.Errorf("ended with %v", err)
	}
}

// What was sent out of band is no reason to miss what is behind it.
func TestRideOutOfBand(t *testing.T) {
	c, p := withPeer(t, tcpPair, RoleServer, nil)
	onMessage, messages, _, _ := collect()
	c.ListenView(func(v View) { onMessage(v.Type, v.Data) }, nil)
	wantRiding(t, c)
	raw, err := p.conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		p.send(textFrame, "before")
		raw.Write(func(fd uintptr) bool {
			if err := syscall.Sendto(int(fd), []byte("!"), syscall.MSG_OOB, nil); err != nil {
				t.Error(err)
			}
			return true
		})
		p.send(textFrame, "behind")
		wantTold(t, messages, Text, "before")
		wantTold(t, messages, Text, "behind")
	}
}
