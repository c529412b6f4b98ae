//go:build !js

package wschannel

import (
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel/status"
)

// A halfBroken connection can be read; writing to it takes a while and fails.
type halfBroken struct {
	net.Conn
	fail   chan struct{}
	writes atomic.Int32
}

func (c *halfBroken) Write([]byte) (int, error) {
	c.writes.Add(1)
	<-c.fail
	return 0, syscall.EPIPE
}

// A failing write is the end, but what the peer had sent before it went away is
// looked for first.
func TestWritingFails(t *testing.T) {
	closed := CloseError{Code: 4000, Reason: "bye", Remote: true}
	long := strings.Repeat("x", 10_000)
	for _, tt := range []struct {
		name     string
		receiver bool
		peer     func(p *peer)
		after    time.Duration
		received []string
		want     *CloseError // nil: lost because of the write
	}{
		{"receiver, silence", true, func(p *peer) {}, salvageTime, nil, nil},
		{"receiver, message", true, func(p *peer) { p.send(textFrame, "last") }, salvageTime, []string{"last"}, nil},
		{"receiver, hang-up", true, func(p *peer) { p.conn.Close() }, 0, nil, nil},
		{"receiver, close", true, func(p *peer) {
			p.send(textFrame, "last")
			p.sendClose(4000, "bye")
		}, 0, []string{"last"}, &closed},
		{"nobody, silence", false, func(p *peer) {}, salvageTime, nil, nil},
		{"nobody, hang-up", false, func(p *peer) {
			p.send(textFrame, "last")
			p.conn.Close()
		}, 0, []string{"last"}, nil},
		{"nobody, close", false, func(p *peer) {
			p.send(textFrame, "last")
			time.Sleep(salvageTime - 1)
			p.sendClose(4000, "bye")
		}, salvageTime - 1, []string{"last"}, &closed},
		{"nobody, more than the receive buffer", false, func(p *peer) {
			p.send(textFrame, long)
			p.send(textFrame, "last")
		}, salvageTime, []string{long, "last"}, nil},
		{"nobody, close behind more than the receive buffer", false, func(p *peer) {
			p.send(textFrame, long)
			time.Sleep(salvageTime - 1) // which is for silence
			p.send(textFrame, "last")
			time.Sleep(salvageTime - 1)
			p.sendClose(4000, "bye")
		}, 2 * (salvageTime - 1), []string{long, "last"}, &closed},
		{"nobody, message beyond the limit", false, func(p *peer) {
			p.send(textFrame, "last")
			go p.conn.Write(p.frame(binaryFrame, strings.Repeat("x", 2<<20)))
		}, 0, []string{"last"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, role Role) {
				near, far := net.Pipe()
				conn := &halfBroken{Conn: near, fail: make(chan struct{})}
				c := newOn(t, conn, role, silentWith(1000))
				p := newPeer(t, far, RoleClient+RoleServer-role)
				failing := async(func() error { return c.SendText(t.Context(), "fails") })
				synctest.Wait()
				waiting := async(func() error { return c.SendText(t.Context(), noRoom) })
				var got []string
				var received <-chan error
				if tt.receiver {
					received = async(func() error {
						for {
							m, err := c.Receive(t.Context())
							if err != nil {
								return err
							}
							got = append(got, string(m.Data))
						}
					})
				}
				if synctest.Wait(); tt.receiver {
					p.send(pingFrame, "its pong waits too")
				}
				close(conn.fail)
				began := time.Now()
				synctest.Wait() // the first cause wins
				tt.peer(p)
				err := <-failing
				wantAfter(t, "Send returned", began, tt.after)
				if w := <-waiting; w != err || c.Err() != err {
					t.Errorf("Send: %v, a Send that waited: %v, Err: %v", err, w, c.Err())
				}
				if tt.receiver {
					if r := <-received; r != err {
						t.Errorf("Send: %v, Receive: %v", err, r)
					}
					if strings.Join(got, "|") != strings.Join(tt.received, "|") {
						t.Errorf("received %q, want %q", got, tt.received)
					}
				} else {
					for _, m := range tt.received {
						wantMessage(t, c, m)
					}
				}
				if n := conn.writes.Load(); n != 1 {
					t.Errorf("%d writes, behind one that may have been cut in half", n-1)
				}
				if tt.want != nil {
					wantCloseError(t, "Send", err, *tt.want)
					wantOver(t, c, *tt.want)
				} else {
					wantLost(t, c, err, syscall.EPIPE)
				}
			})
		})
	}
}

// A peer that goes on sending for ever is not read for ever.
func TestWritingFailsBesideAFlood(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		near, far := net.Pipe()
		conn := &halfBroken{Conn: near, fail: make(chan struct{})}
		close(conn.fail)
		c := newOn(t, conn, role, silentWith(1000))
		p := newPeer(t, far, RoleClient+RoleServer-role)
		taken := make(chan int)
		go func() {
			message := p.frame(binaryFrame, strings.Repeat("x", 1<<20))
			sum := 0
			for n, err := 0, error(nil); err == nil; sum += n {
				n, err = p.conn.Write(message)
			}
			taken <- sum
		}()
		err := c.SendText(t.Context(), "fails")
		if n := <-taken; n > salvageLimit {
			t.Errorf("%d bytes were read, at most %d may be", n, salvageLimit)
		}
		wantMessage(t, c, strings.Repeat("x", 1<<20))
		if end := c.Err(); end != err || !errors.Is(end, syscall.EPIPE) {
			t.Errorf("Send: %v, Err: %v", err, end)
		}
	})
}

// Nor is one that sends a little, but never stops: sending has failed all the
// same, and whoever sends waits for the end.
func TestWritingFailsBesideATrickle(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		near, far := net.Pipe()
		conn := &halfBroken{Conn: near, fail: make(chan struct{})}
		close(conn.fail)
		c := newOn(t, conn, role, silentWith(1000))
		p := newPeer(t, far, RoleClient+RoleServer-role)
		trickled := async(func() error {
			for range 1000 {
				time.Sleep(salvageTime / 2)
				if _, err := p.conn.Write(p.frame(textFrame, "x")); err != nil {
					return err
				}
			}
			return nil
		})
		began := time.Now()
		err := c.SendText(t.Context(), "fails")
		wantAfter(t, "Send returned", began, salvageMost)
		if end := c.Err(); end != err || !errors.Is(end, syscall.EPIPE) {
			t.Errorf("Send: %v, Err: %v", err, end)
		}
		wantMessage(t, c, "x")
		<-trickled
	})
}

// A close while a failing write is looked after sends nothing any more: a frame
// may have been cut in half.
func TestCloseAfterWritingFailed(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		near, far := net.Pipe()
		conn := &halfBroken{Conn: near, fail: make(chan struct{}, 1)}
		c := newOn(t, conn, role, nil)
		newPeer(t, far, RoleClient+RoleServer-role)
		sent := async(func() error { return c.SendText(t.Context(), "fails") })
		began := time.Now()
		conn.fail <- struct{}{} // another write would wait for ever
		synctest.Wait()
		if err := c.Close(); err == nil || err.Error() != "wschannel: close not completed: broken pipe" {
			t.Errorf("Close: %v", err)
		}
		wantAfter(t, "Close returned", began, 0)
		wantCloseError(t, "Send", <-sent, ownClose)
		wantOver(t, c, ownClose)
	})
}

// A connection that somebody else has closed is lost, not closed by this side:
// programs mute net.ErrClosed.
func TestConnectionClosedUnderneath(t *testing.T) {
	for _, on := range connectors[1:4] {
		t.Run(on.name, func(t *testing.T) {
			eachRole(t, func(t *testing.T, role Role) {
				for _, how := range []string{"Receive", "Send", "nobody"} {
					c, _ := withPeer(t, on.connect, role, nil)
					received := make(chan error, 1)
					if how == "Receive" {
						go func() { received <- receiveError(c) }()
						eventually(t, "a receiver", receiverWaits(c))
					}
					c.Underlying().Close()
					switch how {
					case "Receive":
						within(t, "Receive", received)
					case "Send":
						if err := c.SendText(t.Context(), "x"); err != c.Err() {
							t.Errorf("Send: %v, Err: %v", err, c.Err())
						}
					}
					within(t, "the end", c.Done())
					end := c.Err().(*CloseError)
					if end.Code != status.AbnormalClosure || end.Cause == nil || end.Remote || end.Clean() {
						t.Errorf("%s: %+v", how, end)
					}
					if errors.Is(end, net.ErrClosed) || errors.Is(end, ErrLocalClose) || !errors.Is(end, ErrClosed) {
						t.Errorf("%s: %v looks like a local close", how, end)
					}
					if !strings.Contains(end.Error(), "use of closed network connection") {
						t.Errorf("%s: %v", how, end)
					}
				}
			})
		})
	}
}

// The timer of salvaging may fire while it is being stopped. It must not set itself
// again then: a channel that is over would be held for as long as it goes on.
func TestSalvagingEndsWithTheChannel(t *testing.T) {
	near, far := tcpPair(t)
	defer near.Close()
	c := newOn(t, far, RoleServer, silent)
	e := &c.engine
	began := e.now()
	if wait := e.salvageWait(began); wait <= 0 || wait > salvageTime {
		t.Errorf("open: waits for %v, want up to %v", wait, salvageTime)
	}
	c.CloseNow()
	<-c.Done()
	if wait := e.salvageWait(began); wait > 0 {
		t.Errorf("over: waits for %v, want none", wait)
	}
}
