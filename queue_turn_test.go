//go:build !js

package wschannel

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// NextWriter waits for its turn, and what is sent after the call comes behind it.
// Who gives up takes nobody else's turn.
func TestNextWriterTakesItsTurn(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := clogged(t, role, with(Fail, 9))
		mustSend(t, c, "before")
		ctx, cancel := context.WithCancel(t.Context())
		givenUp := async(func() error { _, err := c.NextWriter(ctx, Text); return err })
		synctest.Wait()
		written := async(func() error {
			w, err := c.NextWriter(t.Context(), Text)
			if err != nil {
				return err
			}
			fmt.Fprint(w, "streamed")
			return w.Close()
		})
		synctest.Wait()
		mustSend(t, c, "behind")
		cancel()
		if err := <-givenUp; err != context.Canceled {
			t.Errorf("NextWriter: %v", err)
		}
		expectTexts(p, "clog", noRoom, "before", "streamed", "behind")
		if err := <-written; err != nil {
			t.Error(err)
		}
		// While one is open, nothing of others leaves, and no Send waits.
		w, err := c.NextWriter(t.Context(), Text)
		if err != nil {
			t.Fatal(err)
		}
		mustSend(t, c, "behind that")
		synctest.Wait()
		go w.Close()
		expectTexts(p, "", "behind that")
	})
}

// Who gives up in the moment in which the turn comes passes it on.
func TestTurnForWhoGivesUp(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, with(Fail, 9))
		q := c.sendQueue()
		q.held = true // as if something was being sent
		q.busy.Store(true)
		ctx, cancel := context.WithCancel(t.Context())
		givenUp := async(func() error { _, err := c.NextWriter(ctx, Text); return err })
		synctest.Wait()
		mustSend(t, c, "behind")
		q.mu.Lock()
		next := q.turns.pop()
		cancel()
		for range 1000 {
			runtime.Gosched() // until it has seen that, and wants to leave
		}
		close(next.given)
		q.mu.Unlock()
		if err := <-givenUp; err != context.Canceled {
			t.Errorf("NextWriter: %v", err)
		}
		p.expect(textFrame, "behind")
	})
}

// Whoever waits for the turn is told of the end, and drops nobody else's.
func TestTurnAtTheEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := clogged(t, role, with(DropOldest, 1))
		first := async(func() error { _, err := c.NextWriter(t.Context(), Text); return err })
		synctest.Wait()
		mustSend(t, c, "1")
		mustSend(t, c, "2") // drops 1, not the turn before it
		go c.Close()
		wantCloseError(t, "NextWriter", <-first, ownClose)
		expectTexts(p, "clog", noRoom, "2")
		p.expectClose(1000, "")
	})
}

// Dropping what has waited longest takes no longer with somebody before it who waits
// for the turn: here looking at all that waits would take minutes.
func TestDropsBehindWhoWaits(t *testing.T) {
	const count = 200_000
	c, _ := withPeer(t, netPipe, RoleServer, with(DropOldest, count))
	q := c.sendQueue()
	q.held = true // as if something was being sent
	q.busy.Store(true)
	go c.NextWriter(t.Context(), Text)
	eventually(t, "NextWriter waits", func() bool {
		q.mu.Lock()
		defer q.mu.Unlock()
		return q.turns.len() == 1
	})
	done := async(func() bool {
		for range 2 * count {
			mustSend(t, c, "m")
		}
		return true
	})
	within(t, "all to be sent", done)
	if s := c.QueueStats(); s.Messages != count || s.Dropped != count {
		t.Errorf("the queue: %+v", s)
	}
}

// Who waits for the turn is let go when the close takes what waits.
func TestTurnThatTheCloseTakes(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, _ := withPeer(t, netPipe, role, with(Fail, 9))
		q := c.sendQueue()
		q.held = true // as if something was being sent
		q.busy.Store(true)
		waiting := async(func() error { _, err := c.NextWriter(t.Context(), Text); return err })
		synctest.Wait()
		q.mu.Lock()
		settle := func() {
			for range 1000 {
				runtime.Gosched() // until the one just started wants the lock
			}
		}
		flushed := async(func() error { return q.flush(func(outgoing) error { return errors.New("the queue had a message") }) })
		settle()
		c.engine.decide(&CloseError{Code: 1000})
		settle()
		q.close()
		q.mu.Unlock()
		if err := <-flushed; err != nil {
			t.Error(err)
		}
		wantCloseError(t, "NextWriter", <-waiting, ownClose)
		c.CloseNow()
	})
}

// Behind a message of NextWriter of which a part has left no other can be sent,
// also when its writer gives it up before the close frame is written.
func TestCloseInsideAnOpenMessage(t *testing.T) {
	for _, givesUp := range []bool{false, true} {
		inBubble(t, func(t *testing.T, role Role) {
			c, p := withPeer(t, netPipe, role, with(Fail, 9))
			e := &c.engine
			w, err := c.NextWriter(t.Context(), Text)
			if err != nil {
				t.Fatal(err)
			}
			begun := strings.Repeat("b", fragmentSize+1)
			go io.WriteString(w, begun)
			p.expect(textBegin, begun)
			mustSend(t, c, "behind")
			synctest.Wait()
			if givesUp {
				if !e.frame.try() { // the close waits for that
					t.Fatal("somebody is writing")
				}
				go c.Close()
				synctest.Wait()
				_, err := io.WriteString(w, "more")
				wantCloseError(t, "Write", err, ownClose)
				if e.takeNow(outgoing{Message: Message{Text, []byte("came too late")}}) {
					t.Error("a message was accepted inside another one")
				}
				e.stopWriting()
			} else {
				go c.Close()
			}
			p.expectClose(1000, "")
			p.sendClose(1000, "")
			<-c.Done()
			if s := c.QueueStats(); s.Dropped != 1 {
				t.Errorf("the queue: %+v", s)
			}
		})
	}
}

// A message of NextWriter of which nothing has left is withdrawn by a close, and
// what waits for its end is sent.
func TestCloseBeforeAnOpenMessage(t *testing.T) {
	for _, mode := range []CompressionMode{CompressionOff, CompressionContext} {
		for _, written := range []int{0, 1, fragmentSize, 3 * fragmentSize} {
			if mode == CompressionOff && written > fragmentSize {
				continue // a frame of it has left
			}
			inBubble(t, func(t *testing.T, role Role) {
				near, far := netPipe(t)
				c := New(near, role, &StreamOptions{Options: *with(Fail, 9), Compression: Compression{Mode: mode}})
				defer c.CloseNow()
				p := newPeer(t, far, RoleClient+RoleServer-role)
				w, err := c.NextWriter(t.Context(), Text)
				if err != nil {
					t.Fatal(err)
				}
				begun := strings.Repeat("b", written)
				if _, err := io.WriteString(w, begun); err != nil {
					t.Fatal(err)
				}
				mustSend(t, c, "1")
				mustSend(t, c, "2")
				go c.Close()
				expectTexts(p, "1", "2")
				p.expectClose(1000, "")
				p.sendClose(1000, "")
				<-c.Done()
				wantCloseError(t, "Close of the writer", w.Close(), ownClose)
				if s := c.QueueStats(); s.Dropped != 0 || s.Messages != 0 {
					t.Errorf("the queue: %+v", s)
				}
			})
		}
	}
}

// An exactly reader takes no more than is needed for what is being read: what is
// not read yet has not left.
type exactly struct{ r io.Reader }

func (e exactly) Read(p []byte) (int, error) {
	if len(p) <= 16 { // the buffer
		p = p[:1]
	}
	return e.r.Read(p)
}

// Publications, sends with the policy Block and messages of NextWriter, one after
// the other, and some are given up while they wait; the peer reads now and then.
// All that was accepted comes, and nothing else, and before all that was begun
// after it was accepted.
func TestOrderOfTurns(t *testing.T) {
	for seed := range uint64(40) {
		inBubble(t, func(t *testing.T, role Role) {
			r := rand.New(rand.NewPCG(seed, 1))
			c, p := withPeer(t, netPipe, role, &Options{WriteTimeout: -1, PingInterval: -1})
			var g Group
			if err := g.Join(c); err != nil {
				t.Fatal(err)
			}
			const count = 60
			results := make([]error, count)
			unfinished := map[int]context.CancelFunc{}
			finished := make(chan int, count)
			accepted := map[int]int{} // and which one was begun last then
			received := make(chan string, count)
			p.in = bufio.NewReaderSize(exactly{p.conn}, 16)
			reads := make(chan struct{}, 200*count)
			defer close(reads)
			defer c.CloseNow()
			go func() {
				for range reads {
					if _, m, err := p.read(); err == nil {
						received <- m
					}
				}
			}()
			for i := range count {
				text := fmt.Sprint(i)
				ctx, cancel := context.WithCancel(t.Context())
				unfinished[i] = cancel
				kind := r.IntN(4) * min(i, 1)
				if kind == 0 {
					text += " " + noRoom
				}
				go func() {
					switch kind {
					case 0, 1:
						results[i] = g.Publish(Message{Text, []byte(text)})
					case 2:
						results[i] = c.SendText(ctx, text)
					case 3:
						w, err := c.NextWriter(ctx, Text)
						if err == nil {
							io.WriteString(w, text)
							err = w.Close()
						}
						results[i] = err
					}
					finished <- i
				}()
				synctest.Wait()
				for len(finished) > 0 {
					n := <-finished
					accepted[n] = i
					delete(unfinished, n)
				}
				for other, cancel := range unfinished {
					if r.IntN(4) == 0 {
						for range r.IntN(3) {
							reads <- struct{}{} // so that its turn may be coming
						}
						cancel()
						synctest.Wait()
						if isClosed(c.Done()) {
							return // a part of it had left
						}
						if results[other] != context.Canceled && results[other] != nil {
							t.Errorf("message %d: %v", other, results[other])
						}
					}
				}
				for range r.IntN(3) {
					reads <- struct{}{}
				}
			}
			for range count {
				reads <- struct{}{}
			}
			synctest.Wait()
			var got []int
			for len(received) > 0 {
				var i int
				fmt.Sscan(<-received, &i)
				got = append(got, i)
			}
			for i, err := range results {
				at := slices.Index(got, i)
				if (err == nil) != (at >= 0) {
					t.Errorf("seed %d: of message %d, Send said %v; received %v", seed, i, err, got)
				}
				for _, before := range got[:max(0, at)] {
					if then, ok := accepted[i]; ok && before > then {
						t.Errorf("seed %d: message %d was accepted before %d was begun; received %v", seed, i, before, got)
					}
				}
			}
		})
	}
}
