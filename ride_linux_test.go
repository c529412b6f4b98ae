package wschannel

import (
	"fmt"
	"net"
	"runtime"
	"syscall"
	"testing"
)

// sockets are what a loop can look after.
var sockets = []struct {
	name    string
	connect connector
}{{"TCP", tcpPair}, {"unix", unixPair}}

// riding runs f for each form of listening on each kind of socket.
func riding(t *testing.T, f func(t *testing.T, connect connector, role Role, listen listenFunc)) {
	for i, form := range formsOfListening {
		for j, on := range sockets {
			role := Role(1 + (i+j)%2)
			t.Run(form.name+" on "+on.name, func(t *testing.T) { f(t, on.connect, role, form.listen) })
		}
	}
}

// wantRiding waits until a loop looks after c, and it waits for something to come.
func wantRiding(t testing.TB, c *Channel) {
	t.Helper()
	eventually(t, "the loop", func() bool {
		e := &c.engine
		return e.link.Load().loop != nil && e.seat.isHeld() && receiverWaits(c)()
	})
}

// writePart writes a part of what c is to read, and waits until it has.
func writePart(t testing.TB, c *Channel, p *peer, b []byte) {
	t.Helper()
	before := c.engine.heard.Load()
	p.write(b)
	eventually(t, "the part to be read", func() bool { return c.engine.heard.Load() != before })
}

// collect returns callbacks that send on what they are called with.
func collect() (onMessage func(Type, []byte), messages chan string, onDone func(error), over chan error) {
	messages, over = make(chan string, 1000), make(chan error, 1)
	return func(typ Type, data []byte) { messages <- told(typ, string(data)) }, messages, func(err error) { over <- err }, over
}

func wantTold(t testing.TB, messages chan string, typ Type, want string) {
	t.Helper()
	if got := within(t, "a message", messages); got != told(typ, want) {
		t.Fatalf("got %.60q, want %.60q", got, told(typ, want))
	}
}

// A hundred listeners that wait are no goroutine.
func TestRidersHoldNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	var all []*Channel
	for i := range 100 {
		near, _ := sockets[i%2].connect(t)
		c := newOn(t, near, RoleServer, nil)
		formsOfListening[i/2%2].listen(c, nil, nil)
		all = append(all, c)
	}
	for _, c := range all {
		wantRiding(t, c)
	}
	eventually(t, "all but the loops to go", func() bool {
		return runtime.NumGoroutine() <= before+runtime.GOMAXPROCS(0)
	})
	for _, c := range all {
		c.CloseNow()
	}
	eventually(t, "the loops to go", func() bool { return runtime.NumGoroutine() <= before })
}

// Messages of all sizes are called back in order and whole.
func TestRideOrder(t *testing.T) {
	riding(t, func(t *testing.T, connect connector, role Role, listen listenFunc) {
		near, far := connect(t)
		c, other := newOn(t, near, role, nil), newOn(t, far, RoleClient+RoleServer-role, nil)
		listen(c, func(typ Type, data []byte) {
			if err := c.Send(t.Context(), Message{typ, data}); err != nil {
				t.Errorf("Send: %v", err)
			}
		}, nil)
		message := func(i int) string {
			size := []int{0, 1, 10, 125, 126, 1000, 5000, 40_000, 100_000, 300_000}[i%10]
			return fmt.Sprint(i, " ", letters(size))
		}
		sent := async(func() error {
			for i := range 500 {
				if err := other.SendText(t.Context(), message(i)); err != nil {
					return err
				}
			}
			return nil
		})
		for i := range 500 {
			wantMessage(t, other, message(i))
		}
		if err := within(t, "the sender", sent); err != nil {
			t.Error(err)
		}
	})
}

// ridden is a message in fragments, with a control frame in between.
func ridden(p *peer, long int) (frames []byte, message string) {
	a, b := letters(5), letters(long)
	frames = p.frame(textBegin, a)
	frames = append(frames, p.frame(pongFrame, "unsolicited")...)
	return append(frames, p.frame(lastFragment, b)...), a + b
}

// cuts are where a run of frames is cut in two: everywhere, if it is not long.
func cuts(frames []byte) (at []int) {
	for i := 1; i < len(frames); i++ {
		if n := len(frames); n < 200 || i < 60 || i > n-3 || i%32768 == 0 || i == n/2 {
			at = append(at, i)
		}
	}
	return at
}

// However a message is cut, it is called back whole.
func TestRidePieces(t *testing.T) {
	riding(t, func(t *testing.T, connect connector, role Role, listen listenFunc) {
		c, p := withPeer(t, connect, role, nil)
		onMessage, messages, onDone, _ := collect()
		listen(c, onMessage, onDone)
		wantRiding(t, c)
		for _, long := range []int{100, 200_000} {
			frames, message := ridden(p, long)
			for _, at := range cuts(frames) {
				writePart(t, c, p, frames[:at])
				if len(messages) > 0 {
					t.Fatalf("cut at %d: called back with a part", at)
				}
				p.write(frames[at:])
				wantTold(t, messages, Text, message)
			}
		}
		wantRiding(t, c)
	})
}

// Who stops in the middle of a message loses nothing: whoever receives goes on.
func TestRideStopped(t *testing.T) {
	riding(t, func(t *testing.T, connect connector, role Role, listen listenFunc) {
		c, p := withPeer(t, connect, role, nil)
		ends := make(chan error, 1000)
		unwanted := func(err error) { ends <- err }
		for _, long := range []int{100, 200_000} {
			frames, message := ridden(p, long)
			for i, at := range cuts(frames) {
				onMessage, messages, _, _ := collect()
				stop := listen(c, onMessage, unwanted)
				if i%4 > 0 {
					wantRiding(t, c)
				}
				writePart(t, c, p, frames[:at])
				stop()
				switch i % 3 {
				case 0:
					p.write(frames[at:])
					wantMessage(t, c, message)
				case 1:
					received := async(func() string { m, err := c.Receive(t.Context()); return fmt.Sprint(string(m.Data), err) })
					p.write(frames[at:])
					if got := within(t, "Receive", received); got != message+"<nil>" {
						t.Fatalf("cut at %d: received %.60q", at, got)
					}
				case 2: // somebody else listens
					other, messages, _, _ := collect()
					stop := listen(c, other, unwanted)
					p.write(frames[at:])
					wantTold(t, messages, Text, message)
					stop()
					eventually(t, "the right to receive", func() bool { return !c.engine.reading.isClaimed() })
				}
				if len(messages) > 0 {
					t.Fatalf("cut at %d: called back after stop", at)
				}
			}
		}
		p.sendClose(1000, "")
		wantCloseError(t, "Receive", within(t, "the end", async(func() error { return receiveError(c) })), CloseError{Code: 1000, Remote: true})
		if len(ends) > 0 {
			t.Errorf("onDone: %v", <-ends)
		}
	})
}

// Listening that is stopped in its callback, and begun again there and elsewhere,
// loses nothing.
func TestRideAgain(t *testing.T) {
	riding(t, func(t *testing.T, connect connector, role Role, listen listenFunc) {
		c, p := withPeer(t, connect, role, nil)
		messages, over := make(chan string, 100), make(chan error, 1)
		returned := make(chan bool, 100)
		var stop func()
		begun := make(chan bool, 1)
		begin := func() {
			stop = listen(c, func(typ Type, data []byte) {
				<-begun
				stop()
				messages <- string(data)
				defer func() { returned <- true }()
			}, func(err error) { over <- err })
			begun <- true
		}
		for i := range 50 {
			begin()
			if i%2 == 0 {
				wantRiding(t, c)
			}
			p.write(append(p.frame(textFrame, "one"), p.frame(textFrame, "two")...))
			if got := within(t, "a message", messages); got != "one" {
				t.Fatalf("got %q", got)
			}
			within(t, "the callback", returned)
			eventually(t, "the right to receive", func() bool { return !c.engine.reading.isClaimed() })
			if i%3 == 0 {
				wantMessage(t, c, "two")
				continue
			}
			begin()
			if got := within(t, "a message", messages); got != "two" {
				t.Fatalf("got %q", got)
			}
			within(t, "the callback", returned)
			eventually(t, "the right to receive", func() bool { return !c.engine.reading.isClaimed() })
		}
		if len(over) > 0 {
			t.Errorf("onDone: %v", <-over)
		}
	})
}

// A listener that was stopped, and is about to look for a message, leaves alone
// what the next receiver has begun.
func TestRideStoppedBesideAReader(t *testing.T) {
	c, p := withPeer(t, tcpPair, RoleServer, nil)
	stop := c.ListenView(nil, nil)
	wantRiding(t, c)
	stop()
	eventually(t, "the listener to leave", func() bool { return !c.engine.seat.isHeld() })
	p.send(textFrame, "one")
	p.send(textFrame, "two")
	body := wantReader(t, c, Text)
	l := &listener{c: c, views: true}
	right := &c.engine.reading
	eventually(t, "the right to read", right.try)
	polled := async(func() error { return l.poll(&arrivals{}, true) })
	eventually(t, "the listener to wait", func() bool { return right.state.Load()%rightNotes >= rightWaiter })
	l.state.Store(listenerStopped)
	right.release()
	if err := within(t, "poll", polled); err != errStopped {
		t.Errorf("the listener received: %v", err)
	}
	wantRead(t, body, "one")
	wantMessage(t, c, "two")
}

// A listener that was stopped leaves at once, although the next receiver has begun
// to wait.
func TestRideStoppedBehindAReceiver(t *testing.T) {
	riding(t, func(t *testing.T, connect connector, role Role, listen listenFunc) {
		c, p := withPeer(t, connect, role, nil)
		stop := listen(c, nil, nil)
		wantRiding(t, c)
		e := &c.engine
		if !e.reading.try() {
			t.Fatal("somebody reads while the listener waits")
		}
		stop()
		eventually(t, "the listener to leave", func() bool { return !e.seat.isHeld() })
		if e.reading.anybody() {
			t.Error("the listener has left and is there")
		}
		e.reading.release()
		p.send(textFrame, "hello")
		wantMessage(t, c, "hello")
	})
}

// What is no plain socket is listened to by a goroutine.
func TestRideNot(t *testing.T) {
	for _, on := range connectors {
		t.Run(on.name, func(t *testing.T) {
			near, far := on.connect(t)
			c := newOn(t, near, RoleServer, nil)
			p := newPeer(t, far, RoleClient)
			onMessage, messages, onDone, over := collect()
			c.ListenView(func(v View) { onMessage(v.Type, v.Data) }, onDone)
			for range 3 {
				wrote := async(func() error { _, err := p.conn.Write(p.frame(textFrame, "hello")); return err })
				wantTold(t, messages, Text, "hello")
				within(t, "the peer", wrote)
			}
			plain := on.name == "TCP" || on.name == "unix"
			if rides := c.engine.link.Load().loop != nil; rides != plain {
				t.Errorf("on a loop: %v", rides)
			}
			c.CloseNow()
			if err := within(t, "onDone", over); err != c.Err() {
				t.Errorf("onDone: %v, Err: %v", err, c.Err())
			}
		})
	}
}

// What a channel runs on says the same before it is on a loop, on it, and when it
// is over.
func TestRideUnderlying(t *testing.T) {
	riding(t, func(t *testing.T, connect connector, role Role, listen listenFunc) {
		c, p := withPeer(t, connect, role, nil)
		before := c.Underlying()
		local, remote := before.LocalAddr().String(), before.RemoteAddr().String()
		_, _, onDone, over := collect()
		listen(c, nil, onDone)
		wantRiding(t, c)
		now := c.Underlying()
		if now == before {
			t.Fatal("not on a loop")
		}
		raw, err := now.(syscall.Conn).SyscallConn()
		if err == nil {
			err = raw.Control(func(fd uintptr) {
				if typ, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_TYPE); err != nil || typ != syscall.SOCK_STREAM {
					t.Errorf("the descriptor is of type %d, %v", typ, err)
				}
			})
		}
		if err != nil {
			t.Error(err)
		}
		wantAddresses := func(when string, conn net.Conn) {
			t.Helper()
			if l, r := conn.LocalAddr().String(), conn.RemoteAddr().String(); l != local || r != remote {
				t.Errorf("%s: %q and %q, want %q and %q", when, l, r, local, remote)
			}
		}
		wantAddresses("on a loop", now)
		wantAddresses("the old one", before)
		p.conn.Close()
		within(t, "onDone", over)
		wantAddresses("over", c.Underlying())
	})
}
