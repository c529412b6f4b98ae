//go:build !js

package wschannel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel/status"
)

// A tallied connection counts the writes that reach it.
type tallied struct {
	net.Conn
	writes atomic.Int32
}

func (c *tallied) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// SyscallConn makes its writes count as exact, as those of a pipe are.
func (c *tallied) SyscallConn() (syscall.RawConn, error) { return nil, errors.ErrUnsupported }

// talliedPeer is withPeer on a pipe whose writes are counted.
func talliedPeer(t *testing.T, role Role, o *Options) (*Channel, *peer, *tallied) {
	near, far := net.Pipe()
	conn := &tallied{Conn: near}
	return newOn(t, conn, role, o), newPeer(t, far, RoleClient+RoleServer-role), conn
}

// Replies to messages that came together leave together.
func TestRepliesLeaveTogether(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p, conn := talliedPeer(t, role, nil)
		go func() {
			for m, err := range c.Messages(t.Context()) {
				if err != nil || c.Send(t.Context(), m) != nil {
					return
				}
			}
		}()
		const count = 16
		var all []byte
		for i := range count {
			all = append(all, p.frame(textFrame, fmt.Sprint("message ", i))...)
		}
		p.write(all)
		synctest.Wait()
		for i := range count {
			p.expect(textFrame, fmt.Sprint("message ", i))
		}
		if n := conn.writes.Load(); n > count/2 {
			t.Errorf("%d writes for %d replies", n, count)
		}
	})
}

// A reply is not held back by a handler that does not go on.
func TestRepliesLeaveWhenTheHandlerBlocks(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p, _ := talliedPeer(t, role, nil)
		p.write(append(p.frame(textFrame, "one"), p.frame(textFrame, "two")...))
		wantMessage(t, c, "one")
		mustSend(t, c, "reply to one") // while two lies in the buffer
		p.expect(textFrame, "reply to one")
		wantMessage(t, c, "two")
	})
}

// Whoever sends while another one is writing does not wait for it, and what they
// send leaves in one write.
func TestSendersJoin(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p, conn := talliedPeer(t, role, nil)
		first := async(func() error { return c.SendText(t.Context(), "first") })
		synctest.Wait()
		const count = 100
		for i := range count {
			mustSend(t, c, fmt.Sprint("message ", i))
		}
		if len(first) > 0 || c.Buffered() < count*len("message 0") {
			t.Errorf("%d bytes are said to wait", c.Buffered())
		}
		p.expect(textFrame, "first")
		for i := range count {
			p.expect(textFrame, fmt.Sprint("message ", i))
		}
		if err := <-first; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if n := conn.writes.Load(); n != 2 || c.Buffered() != 0 {
			t.Errorf("%d writes, want 2; %d bytes are said to wait", n, c.Buffered())
		}
	})
}

// What may wait is bounded: then Send waits, and can be cancelled. X27
func TestPendingIsBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p, _ := talliedPeer(t, role, &Options{WriteTimeout: -1, PingInterval: -1})
		go c.SendText(t.Context(), "first")
		synctest.Wait()
		message := strings.Repeat("x", 1000)
		accepted := 0
		for ; ; accepted++ {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			err := c.SendText(ctx, message)
			cancel()
			if err == context.DeadlineExceeded {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if n := accepted * len(message); n > pendingLimit || n < pendingLimit*9/10 {
			t.Errorf("%d bytes were accepted", n)
		}
		next := async(func() error { return c.SendText(t.Context(), "there is room again") })
		if synctest.Wait(); len(next) > 0 && accepted*len(message)+100 > pendingLimit {
			t.Errorf("accepted without room: %v", <-next)
		}
		p.expect(textFrame, "first")
		for range accepted {
			p.expect(textFrame, message)
		}
		p.expect(textFrame, "there is room again")
	})
}

// A Send that is cancelled while it writes what others have to send, and nothing
// of its own has left, harms nobody.
func TestCancelledWithTheMessagesOfOthers(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		for _, read := range []int{0, 1, 5} {
			c, p, _ := talliedPeer(t, role, nil)
			first := async(func() error { return c.SendText(t.Context(), "first") })
			synctest.Wait()
			mustSend(t, c, "of somebody else")
			ctx, cancel := context.WithCancel(t.Context())
			cancelled := async(func() error { return c.SendText(ctx, noRoom) })
			synctest.Wait()
			p.expect(textFrame, "first")
			if err := <-first; err != nil {
				t.Error(err)
			}
			synctest.Wait()
			begin := make([]byte, read)
			for n := 0; n < read; {
				m, err := p.conn.Read(begin[n:])
				if err != nil {
					t.Fatal(err)
				}
				n += m
			}
			synctest.Wait()
			cancel()
			if err := <-cancelled; err != context.Canceled {
				t.Errorf("after %d bytes: Send: %v", read, err)
			}
			p.in.Reset(readAgain(begin, p.conn))
			p.expect(textFrame, "of somebody else")
			go c.SendText(t.Context(), "and on")
			p.expect(textFrame, "and on")
		}
	})
}

// All that was accepted precedes the close frame. X25
func TestPendingPrecedesTheClose(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p, _ := talliedPeer(t, role, nil)
		go c.SendText(t.Context(), "first")
		synctest.Wait()
		mustSend(t, c, "second")
		mustSend(t, c, "third")
		closed := async(c.Close)
		synctest.Wait()
		wantCloseError(t, "Send", c.SendText(t.Context(), "too late"), ownClose)
		for _, m := range []string{"first", "second", "third"} {
			p.expect(textFrame, m)
		}
		p.expectClose(1000, "")
		p.sendClose(1000, "")
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})
}

// A message of NextWriter comes behind what was accepted before, and no other
// one comes between its fragments.
func TestPendingAndNextWriter(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p, _ := talliedPeer(t, role, nil)
		go c.SendText(t.Context(), "first")
		synctest.Wait()
		mustSend(t, c, "second")
		w, err := c.NextWriter(t.Context(), Text)
		if err != nil {
			t.Fatal(err)
		}
		behind := async(func() error { return c.SendText(t.Context(), "behind") })
		wrote := async(func() error {
			for range 2 {
				if _, err := w.Write([]byte(strings.Repeat("x", 5000))); err != nil {
					return err
				}
			}
			return w.Close()
		})
		synctest.Wait()
		if len(behind) > 0 {
			t.Errorf("accepted inside another message: %v", <-behind)
		}
		p.expect(textFrame, "first")
		p.expect(textFrame, "second")
		p.expect(textBegin, strings.Repeat("x", 5000))
		p.expect(continuation, strings.Repeat("x", 5000))
		p.expect(lastFragment, "")
		p.expect(textFrame, "behind")
		if err := <-wrote; err != nil {
			t.Error(err)
		}
		if err := <-behind; err != nil {
			t.Error(err)
		}
	})
}

// Many senders at once: each one's messages come whole and in its order.
func TestManySenders(t *testing.T) {
	for _, on := range connectors {
		t.Run(on.name, func(t *testing.T) {
			client, server := channelPair(t, on.connect, nil)
			const senders, each = 8, 200
			var all sync.WaitGroup
			for s := range senders {
				all.Go(func() {
					for i := range each {
						m := fmt.Sprintf("%d %d %s", s, i, strings.Repeat("x", sizes[(s+i)%len(sizes)]%20_000))
						if err := client.SendText(t.Context(), m); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			next := [senders]int{}
			for range senders * each {
				m, err := server.Receive(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				var s, i int
				fmt.Fscan(bytes.NewReader(m.Data), &s, &i)
				if i != next[s] {
					t.Fatalf("message %d of sender %d came, want %d", i, s, next[s])
				}
				next[s]++
			}
			all.Wait()
			// The last of them can be received before its write has returned.
			eventually(t, "nothing to be said to wait", func() bool { return client.Buffered() == 0 })
		})
	}
}

// An idle channel on a socket holds no buffer.
func TestIdleChannelsHoldNoBuffer(t *testing.T) {
	for _, on := range connectors[1:3] {
		t.Run(on.name, func(t *testing.T) {
			client, server := channelPair(t, on.connect, nil)
			for _, c := range []*Channel{client, server} {
				mustSend(t, c, strings.Repeat("x", 10_000))
			}
			for _, c := range []*Channel{client, server} {
				wantMessage(t, c, strings.Repeat("x", 10_000))
				e := &c.engine
				if !e.reading.try() {
					continue // it is attended to: by somebody who waits without one
				}
				if !e.in.Parked() || e.outbox.pending != nil || e.inbox.size() > 0 {
					t.Error("a buffer is held")
				}
				e.reading.release()
			}
		})
	}
}

// Nor does one that is over, whichever side has closed.
func TestClosedChannelsHoldNoBuffer(t *testing.T) {
	for _, on := range connectors[1:3] {
		t.Run(on.name, func(t *testing.T) {
			client, server := channelPair(t, on.connect, nil)
			peer := async(func() error { _, err := server.Receive(t.Context()); return err })
			if err := client.Close(); err != nil {
				t.Error(err)
			}
			wantCloseError(t, "Receive", within(t, "the end", peer), CloseError{Code: status.NormalClosure, Remote: true})
			for _, c := range []*Channel{client, server} {
				<-c.Done()
				e := &c.engine
				eventually(t, "the reader to leave", e.reading.try)
				if !e.in.Parked() {
					t.Error("a buffer is held")
				}
				e.reading.release()
			}
		})
	}
}

// readAgain reads what was read already, and then on.
func readAgain(begin []byte, r io.Reader) io.Reader {
	return io.MultiReader(bytes.NewReader(begin), r)
}
