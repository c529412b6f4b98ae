//go:build !js

package wschannel

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A countingContext counts who wants to be told of its end.
type countingContext struct {
	context.Context
	registered, active *atomic.Int32
}

func newCountingContext(t *testing.T) (countingContext, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	return countingContext{ctx, new(atomic.Int32), new(atomic.Int32)}, cancel
}

// Value hides from the context package that it could register without asking.
func (c countingContext) Value(any) any { return nil }

// AfterFunc is what context.AfterFunc calls.
func (c countingContext) AfterFunc(f func()) (stop func() bool) {
	c.registered.Add(1)
	c.active.Add(1)
	stopped := context.AfterFunc(c.Context, f)
	return func() bool {
		c.active.Add(-1)
		return stopped()
	}
}

func (c countingContext) want(t *testing.T, when string, registered, active int32) {
	t.Helper()
	if r, a := c.registered.Load(), c.active.Load(); r != registered || a != active {
		t.Errorf("%s: registered %d times, %d are left; want %d and %d", when, r, a, registered, active)
	}
}

// A ctx is registered once, however often it is used, until another one comes
// or the channel is over.
func TestContextIsRegisteredOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, nil)
		receive, cancelReceive := newCountingContext(t)
		send, cancelSend := newCountingContext(t)
		defer cancelReceive()
		defer cancelSend()
		derived := context.WithValue(receive, t, "a ctx with the same Done")
		for i := range 100 {
			go p.conn.Write(p.frame(textFrame, "in"))
			ctx := context.Context(receive)
			if i%2 == 1 {
				ctx = derived
			}
			if _, err := c.Receive(ctx); err != nil {
				t.Fatal(err)
			}
			sent := async(func() error { return c.SendText(send, "out") })
			p.expect(textFrame, "out")
			synctest.Wait()
			if err := <-sent; err != nil {
				t.Fatal(err)
			}
		}
		receive.want(t, "after 100 receives", 1, 1)
		send.want(t, "after 100 sends", 1, 1)

		// A message that is here already needs no registration.
		other, cancel := newCountingContext(t)
		defer cancel()
		go p.conn.Write(append(p.frame(textFrame, "a"), p.frame(textFrame, "b")...))
		wantMessage(t, c, "a")
		receive.want(t, "after a receive with another ctx", 1, 0)
		if m, err := c.Receive(other); err != nil || string(m.Data) != "b" {
			t.Fatalf("Receive: %q %v", m.Data, err)
		}
		other.want(t, "after a receive that did not wait", 0, 0)

		sent := async(func() error { return c.SendText(t.Context(), "out") })
		p.expect(textFrame, "out")
		<-sent
		send.want(t, "after a send with another ctx", 1, 0)

		go p.conn.Write(p.frame(textFrame, "c"))
		if _, err := c.Receive(receive); err != nil {
			t.Fatal(err)
		}
		sent = async(func() error { return c.SendText(send, "out") })
		p.expect(textFrame, "out")
		<-sent
		receive.want(t, "before the end", 2, 1)
		send.want(t, "before the end", 2, 1)
		c.CloseNow()
		receive.want(t, "after the end", 2, 0)
		send.want(t, "after the end", 2, 0)
		c.Receive(receive)
		c.SendText(send, "")
		receive.want(t, "long after the end", 2, 0)
		send.want(t, "long after the end", 2, 0)
	})
}

// Also a ctx that is first used after the end, when there may be messages left.
func TestContextIsNotRegisteredAfterTheEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, nil)
		p.send(textFrame, "left")
		p.conn.Close()
		<-c.Done()
		ctx, cancel := newCountingContext(t)
		defer cancel()
		if m, err := c.Receive(ctx); err != nil || string(m.Data) != "left" {
			t.Errorf("Receive: %q %v", m.Data, err)
		}
		if _, err := c.Receive(ctx); err != c.Err() {
			t.Errorf("Receive: %v", err)
		}
		c.NextReader(ctx)
		c.SendText(ctx, "")
		ctx.want(t, "after the end", 0, 0)
	})
}

// A deadlineTeller tells when a deadline is set that has passed: that is how
// the engine wakes a reader or a writer.
type deadlineTeller struct {
	net.Conn
	reads, writes atomic.Int32
}

func (c *deadlineTeller) SetReadDeadline(at time.Time) error {
	if at.Equal(past) {
		c.reads.Add(1)
	}
	return c.Conn.SetReadDeadline(at)
}

func (c *deadlineTeller) SetWriteDeadline(at time.Time) error {
	if at.Equal(past) {
		c.writes.Add(1)
	}
	return c.Conn.SetWriteDeadline(at)
}

// A ctx that is done after its receive or send has returned disturbs nobody.
func TestContextThatEndsLater(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		near, far := net.Pipe()
		conn := &deadlineTeller{Conn: near}
		c := newOn(t, conn, role, nil)
		p := newPeer(t, far, RoleClient+RoleServer-role)
		for range 10 {
			ctx, cancel := context.WithCancel(t.Context())
			go p.conn.Write(p.frame(textFrame, "a"))
			if m, err := c.Receive(ctx); err != nil || string(m.Data) != "a" {
				t.Fatalf("Receive: %q %v", m.Data, err)
			}
			sent := async(func() error { return c.SendText(ctx, "out") })
			p.expect(textFrame, "out")
			if err := <-sent; err != nil {
				t.Fatal(err)
			}
			// Nobody is receiving.
			cancel()
			synctest.Wait()

			// Somebody is, with another ctx and with none.
			for _, other := range []context.Context{t.Context(), context.Background()} {
				ctx, cancel := context.WithCancel(t.Context())
				go p.conn.Write(p.frame(textFrame, "b"))
				if _, err := c.Receive(ctx); err != nil {
					t.Fatal(err)
				}
				received := async(func() error { _, err := c.Receive(other); return err })
				sent := async(func() error { return c.SendText(other, "out") })
				synctest.Wait()
				cancel()
				synctest.Wait()
				p.expect(textFrame, "out")
				if err := <-sent; err != nil {
					t.Fatal(err)
				}
				p.send(textFrame, "c")
				if err := <-received; err != nil {
					t.Fatal(err)
				}
			}
		}
		if r, w := conn.reads.Load(), conn.writes.Load(); r != 0 || w != 0 {
			t.Errorf("readers were woken %d times, writers %d times", r, w)
		}
	})
}
