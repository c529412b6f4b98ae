//go:build !js

package wschannel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel/status"
)

// A panic in a callback closes its channel with 1011 and goes to the log of the
// server, which goes on.
func TestListenPanics(t *testing.T) {
	for _, tt := range []struct {
		name   string
		in     string // which callback panics
		value  any
		code   status.Code // what the peer sees
		logged bool
	}{
		{"in onMessage", "message", "out of cheese", status.InternalError, true},
		{"in onDone", "done", "out of cheese", status.NormalClosure, true},
		{"abort", "message", http.ErrAbortHandler, status.AbnormalClosure, false},
	} {
		for _, form := range formsOfListening {
			t.Run(form.name+" "+tt.name, func(t *testing.T) {
				var logged bytes.Buffer
				ended := make(chan error, 1)
				s := &Server{Logger: slog.New(slog.NewTextHandler(&logged, nil))}
				s.Handler = func(ctx context.Context, c *Channel) {
					form.listen(c, func(Type, []byte) {
						if tt.in == "message" {
							panic(tt.value)
						}
					}, func(err error) {
						ended <- err
						if tt.in == "done" {
							panic(tt.value)
						}
					})
				}
				hs := httptest.NewServer(s)
				defer hs.Close()
				c, err := Connect(t.Context(), "ws"+strings.TrimPrefix(hs.URL, "http"), nil)
				if err != nil {
					t.Fatal(err)
				}
				if err := c.SendText(t.Context(), "go"); err != nil {
					t.Fatal(err)
				}
				if tt.in == "done" {
					if err := c.Close(); err != nil {
						t.Error(err)
					}
				} else if _, err := c.Receive(t.Context()); err == nil {
					t.Error("received something")
				}
				if c.CloseCode() != tt.code {
					t.Errorf("the peer sees %v, want %v", c.Err(), tt.code)
				}
				if err := <-ended; !errors.Is(err, ErrClosed) {
					t.Errorf("onDone got %v", err)
				}
				// It waits for the callbacks, so the log is complete.
				if err := s.Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
				if got := logged.String(); strings.Contains(got, "out of cheese") != tt.logged || strings.Contains(got, "listen_more_test.go") != tt.logged {
					t.Errorf("logged %q", got)
				}
			})
		}
	}
}

// On its way through all ways of receiving and back, not a message is lost,
// doubled or out of order, whenever a Listen is stopped.
func TestListenStopStress(t *testing.T) {
	t.Run("pipe", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe()
			stressListen(t, newOn(t, near, RoleServer, nil), newOn(t, far, RoleClient, nil))
		})
	})
	t.Run("TCP", func(t *testing.T) {
		near, far := tcpPair(t)
		stressListen(t, newOn(t, near, RoleServer, nil), newOn(t, far, RoleClient, nil))
	})
}

func stressListen(t *testing.T, c, peer *Channel) {
	const messages = 20_000
	ctx := t.Context()
	sent := make(chan error, 1)
	go func() {
		var err error
		for i := 0; i <= messages && err == nil; i++ { // one more, so that no receive waits for ever
			err = peer.SendText(ctx, strconv.Itoa(i))
		}
		sent <- err
	}()
	rnd := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	next := 0 // guarded by the right to receive
	take := func(data []byte) {
		if got := string(data); got != strconv.Itoa(next) {
			t.Errorf("received %q, want %d", got, next)
		}
		next++
	}
	var stops, refused int
	for next < messages && !t.Failed() {
		var stopped, calledAfter atomic.Bool
		count := atomic.Int64{}
		enough := make(chan bool, 2) // as many as can be sent
		stopAt := int64(rnd.IntN(4)) // 0: by somebody else
		var stop func()
		ready := make(chan bool)
		stop = formsOfListening[rnd.IntN(2)].listen(c, func(_ Type, data []byte) {
			<-ready
			runtime.Gosched()
			if stopped.Load() {
				calledAfter.Store(true)
			}
			take(data)
			if n := count.Add(1); n == stopAt || next >= messages {
				stop()
				enough <- true
			} else if n == 1 && stopAt == 0 {
				enough <- true
			}
		}, func(err error) { t.Errorf("onDone: %v", err) })
		close(ready)
		if rnd.IntN(3) > 0 {
			<-enough
		}
		stop()
		// A callback that had begun may still be running.
		for {
			m, err := c.Receive(ctx)
			if err == ErrConcurrentReceive {
				refused++
				runtime.Gosched()
				continue
			}
			stopped.Store(true)
			if err != nil {
				t.Fatal(err)
			}
			take(m.Data)
			break
		}
		if calledAfter.Load() {
			t.Error("a callback began after somebody else had received")
		}
		stops++
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	t.Logf("%d stops, %d refused receives", stops, refused)
}

// stop and the end of the channel at the same time: onDone comes or not, but
// never after stop has taken effect.
func TestListenStopAtTheEnd(t *testing.T) {
	before, after := 0, 0
	for i := range 300 {
		synctest.Test(t, func(t *testing.T) {
			c, r := rawChannel(t, RoleClient, nil)
			var done atomic.Int32
			stop := c.Listen(nil, func(err error) { done.Add(1) })
			if i%2 == 0 {
				synctest.Wait()
			}
			go r.send(closeOf(1000, ""))
			go func() {
				if i%3 == 0 {
					<-c.Done()
				}
				stop()
			}()
			<-c.Done()
			synctest.Wait()
			switch n := done.Load(); n {
			case 0:
				before++
			case 1:
				after++
			default:
				t.Errorf("onDone came %d times", n)
			}
			if _, err := c.Receive(t.Context()); err != c.Err() {
				t.Errorf("Receive: %v", err)
			}
		})
	}
	t.Logf("stopped before the end %d times, after it %d times", before, after)
}

// A loop over messages ends without a word where that is the normal end, and
// says anything else once.
func TestMessages(t *testing.T) {
	for _, tt := range []struct {
		name   string
		end    func(c *Channel, r *rawEnd)
		silent bool
	}{
		{"1000", func(c *Channel, r *rawEnd) { r.send(closeOf(1000, "bye")) }, true},
		{"1001", func(c *Channel, r *rawEnd) { r.send(closeOf(1001, "")) }, true},
		{"no code", func(c *Channel, r *rawEnd) { r.send(fr(0x88, "")) }, true},
		{"local close", func(c *Channel, r *rawEnd) { go c.CloseWith(4000, "") }, true},
		{"local hang-up", func(c *Channel, r *rawEnd) { c.CloseNow() }, true},
		{"1011", func(c *Channel, r *rawEnd) { r.send(closeOf(1011, "")) }, false},
		{"4000", func(c *Channel, r *rawEnd) { r.send(closeOf(4000, "")) }, false},
		{"loss", func(c *Channel, r *rawEnd) { r.conn.Close() }, false},
		{"violation", func(c *Channel, r *rawEnd) { r.send(fr(0x80, "")) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBothRoles(t, func(t *testing.T, role Role) {
				c, r := rawChannel(t, role, nil)
				var got []string
				ended := make(chan error, 2)
				go func() {
					for m, err := range c.Messages(t.Context()) {
						if err != nil {
							ended <- err
							continue // the loop ends by itself
						}
						got = append(got, told(m.Type, string(m.Data)))
					}
					close(ended)
				}()
				r.send(fr(0x81, "one"), fr(0x82, "two"))
				synctest.Wait()
				tt.end(c, r)
				synctest.Wait()
				var errs []error
				for err := range ended {
					errs = append(errs, err)
				}
				if want := []string{`text "one"`, `binary "two"`}; !slices.Equal(got, want) {
					t.Errorf("got %q, want %q", got, want)
				}
				if tt.silent && len(errs) != 0 || !tt.silent && (len(errs) != 1 || errs[0] != c.Err()) {
					t.Errorf("the loop yielded %v, Err is %v", errs, c.Err())
				}
				r.send(closeOf(1000, ""))
				r.hangUp()
			})
		})
	}
}

// Neither leaving the loop nor a ctx that is done harms the channel, and in the
// body it may be received from.
func TestMessagesHoldsNothing(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role Role) {
		c, r := rawChannel(t, role, nil)
		go func() {
			for i := range 7 {
				r.send(fr(0x81, fmt.Sprint(i)))
			}
		}()
		next := 0
		for m, err := range c.Messages(t.Context()) {
			if err != nil || string(m.Data) != fmt.Sprint(next) {
				t.Fatal(m, err)
			}
			wantNext(t, c, fmt.Sprint(next+1))
			if next += 2; next == 4 {
				break
			}
		}
		wantNext(t, c, "4")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var errs []error
		for m, err := range c.Messages(ctx) {
			next++
			if err != nil {
				errs = append(errs, err)
			} else if string(m.Data) != fmt.Sprint(next) {
				t.Errorf("received %q, want %d", m.Data, next)
			}
		}
		if len(errs) != 1 || errs[0] != context.DeadlineExceeded {
			t.Errorf("the loop yielded %v", errs)
		}
		go r.send(fr(0x81, "more"))
		wantNext(t, c, "more")
	})
}

// A Listen that was refused can be stopped too: then onDone does not come.
func TestListenRefusedAndStopped(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, _ := withPeer(t, netPipe, role, nil)
		go c.Receive(t.Context())
		synctest.Wait()
		const tries = 20
		var told atomic.Int32
		for range tries {
			stop := c.Listen(nil, func(err error) {
				if err != ErrConcurrentReceive {
					t.Errorf("onDone: %v", err)
				}
				told.Add(1)
			})
			stop() // some will have been told already
			stop()
			synctest.Wait()
		}
		if told.Load() == tries {
			t.Error("stop has stopped nothing")
		}
		// The receiver that was there still is, and nobody else may be.
		if err := receiveError(c); err != ErrConcurrentReceive {
			t.Errorf("Receive: %v", err)
		}
	})
}

// A listener that was stopped and has not noticed yet leaves the message of the
// next receiver alone.
func TestListenStoppedBesideAReader(t *testing.T) {
	for _, on := range connectors {
		t.Run(on.name, func(t *testing.T) {
			eachRole(t, func(t *testing.T, role Role) {
				c, p := withPeer(t, on.connect, role, nil)
				for range 200 {
					stop := c.Listen(func(m Message) { t.Errorf("onMessage: %.20q", m.Data) }, nil)
					stop()
					message := strings.Repeat("x", 5000)
					wrote := async(func() error { _, err := p.conn.Write(p.frame(textFrame, message)); return err })
					_, r, err := c.NextReader(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					got, err := io.ReadAll(r)
					if err != nil || string(got) != message {
						t.Fatalf("read %d bytes, %v; want %d", len(got), err, len(message))
					}
					if err := within(t, "the peer's write", wrote); err != nil {
						t.Fatal(err)
					}
				}
			})
		})
	}
}

// The same once the channel is over, when a ctx that is done stops no receiver.
func TestListenStoppedBesideAReaderAtTheEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, nil)
		p.send(textFrame, "one")
		p.send(textFrame, "two")
		p.sendClose(1000, "")
		p.expectClose(1000, "")
		<-c.Done()
		_, r, err := c.NextReader(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		stopped, cancel := context.WithCancel(t.Context())
		cancel()
		late := func() bool { return false }
		if _, _, err := c.engine.receive(stopped, nil, late); err != errStopped {
			t.Errorf("the listener received: %v", err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != "one" {
			t.Errorf("read %q, %v", got, err)
		}
		wantMessage(t, c, "two")
	})
}

// A callback that ends its goroutine, as t.FailNow does, ends the listening and
// nothing else.
func TestListenGoexit(t *testing.T) {
	for _, form := range formsOfListening {
		t.Run(form.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, role Role) {
				c, p := withPeer(t, netPipe, role, silent)
				form.listen(c, func(Type, []byte) { runtime.Goexit() }, func(err error) {
					t.Errorf("onDone: %v", err)
				})
				p.send(textFrame, "one")
				synctest.Wait()
				received := async(func() error { return receiveError(c) })
				synctest.Wait()
				if len(received) != 0 {
					t.Fatalf("Receive: %v", <-received)
				}
				p.sendClose(1000, "")
				p.expectClose(1000, "")
				wantCloseError(t, "Receive", <-received, CloseError{Code: 1000, Remote: true})
			})
		})
	}
}
