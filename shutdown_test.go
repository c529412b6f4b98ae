//go:build !js

package wschannel_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

// shutDown calls Shutdown in the background.
func shutDown(ctx context.Context, s *wschannel.Server) <-chan error {
	result := make(chan error, 1)
	go func() { result <- s.Shutdown(ctx) }()
	return result
}

// checkPending checks, in a bubble, that Shutdown is still waiting.
func checkPending(t *testing.T, what string, shutdown <-chan error) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-shutdown:
		t.Fatalf("Shutdown did not wait for %s: %v", what, err)
	default:
	}
}

// Without channels Shutdown returns at once, whatever its ctx, any number of
// times; requests are refused from then on.
func TestShutdownIdle(t *testing.T) {
	s := &wschannel.Server{Handler: echo, Upgrade: func(r *http.Request) (context.Context, error) {
		t.Error("Upgrade was asked")
		return r.Context(), nil
	}}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		for _, ctx := range []context.Context{t.Context(), done} {
			if err := s.Shutdown(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	c, resp := visit(t, s, sampleHTTPRequest())
	if c != nil || resp.StatusCode != 503 {
		t.Fatalf("got %p, %v; want status 503", c, resp)
	}
	if body, _ := io.ReadAll(resp.Body); string(body) != "websocket: the server is shutting down\n" || resp.Header.Get("Retry-After") == "" {
		t.Errorf("the refusal is %q with %v", body, resp.Header)
	}
}

// Shutdown closes every channel with 1001, and waits for what runs: handlers,
// callbacks and onDone. Meanwhile it refuses.
func TestShutdownWaits(t *testing.T) {
	for _, test := range []struct {
		what    string
		handler func(c *wschannel.Channel, gate <-chan struct{})
	}{
		{"a handler", func(_ *wschannel.Channel, gate <-chan struct{}) { <-gate }},
		{"a callback", func(c *wschannel.Channel, gate <-chan struct{}) {
			c.Listen(func(wschannel.Message) { <-gate }, nil)
		}},
		{"a callback of ListenView", func(c *wschannel.Channel, gate <-chan struct{}) {
			c.ListenView(func(wschannel.View) { <-gate }, nil)
		}},
		{"onDone", func(c *wschannel.Channel, gate <-chan struct{}) {
			c.Listen(nil, func(error) { <-gate })
		}},
		{"a callback after stop", func(c *wschannel.Channel, gate <-chan struct{}) {
			var stop func()
			ready := make(chan struct{})
			stop = c.Listen(func(wschannel.Message) { <-ready; stop(); <-gate }, nil)
			close(ready)
		}},
	} {
		t.Run(test.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate := make(chan struct{})
				s := &wschannel.Server{Handler: func(_ context.Context, c *wschannel.Channel) { test.handler(c, gate) }}
				c, _ := visit(t, s, sampleHTTPRequest())
				synctest.Wait() // until the handler has returned, if it does
				c.SendText(patiently(t), "go")
				synctest.Wait()
				first, second := shutDown(t.Context(), s), shutDown(t.Context(), s)
				synctest.Wait()
				checkEnd(t, c, status.GoingAway)
				checkPending(t, test.what, first)
				checkPending(t, test.what, second)
				if c, resp := visit(t, s, sampleHTTPRequest()); c != nil || resp.StatusCode != 503 {
					t.Errorf("got %p, %v; want status 503", c, resp)
				}
				close(gate)
				if err := errors.Join(<-first, <-second); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A handshake that is under way when Shutdown comes is finished, or refused;
// Shutdown waits for its handler in either case.
func TestShutdownDuringHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate, handling := make(chan struct{}), make(chan struct{})
		var down, late atomic.Bool
		s := &wschannel.Server{
			Upgrade: func(r *http.Request) (context.Context, error) {
				close(handling)
				<-gate
				return r.Context(), nil
			},
			Handler: func(context.Context, *wschannel.Channel) {
				if down.Load() {
					late.Store(true)
				}
			},
		}
		visited := make(chan struct{})
		go func() {
			defer close(visited)
			c, resp := visit(t, s, sampleHTTPRequest())
			if c == nil {
				if resp.StatusCode != 503 {
					t.Errorf("refused with %v", resp.Status)
				}
				return
			}
			checkEnd(t, c, status.GoingAway)
		}()
		<-handling
		shutdown := shutDown(t.Context(), s)
		checkPending(t, "the handshake", shutdown)
		close(gate)
		if err := <-shutdown; err != nil {
			t.Error(err)
		}
		down.Store(true)
		<-visited
		synctest.Wait()
		if late.Load() {
			t.Error("a handler was called after Shutdown had returned")
		}
	})
}

// A panic in Upgrade is net/http's to deal with, and nothing to wait for.
func TestShutdownAfterPanic(t *testing.T) {
	s := &wschannel.Server{Handler: echo, Upgrade: func(*http.Request) (context.Context, error) { panic("boom") }}
	func() {
		defer func() {
			if v := recover(); v != "boom" {
				t.Errorf("the panic became %v", v)
			}
		}()
		s.ServeHTTP(httptest.NewRecorder(), sampleHTTPRequest())
	}()
	if err := s.Shutdown(patiently(t)); err != nil {
		t.Error(err)
	}
}

// A peer that does not answer is waited for, but not longer than CloseTimeout,
// nor than the ctx of Shutdown.
func TestShutdownDeaf(t *testing.T) {
	for _, test := range []struct {
		name                        string
		closeTimeout, patience, end time.Duration
		stuck                       bool // the handler, too
		want                        error
	}{
		{"CloseTimeout", 5 * time.Second, time.Minute, 5 * time.Second, false, nil},
		{"ctx", 5 * time.Second, time.Second, time.Second, false, context.DeadlineExceeded},
		{"ctx, and no CloseTimeout", -1, time.Minute, time.Minute, false, context.DeadlineExceeded},
		{"ctx, and a handler that does not return", 5 * time.Second, 7 * time.Second, 7 * time.Second, true, context.DeadlineExceeded},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate := make(chan struct{})
				defer close(gate)
				channels := make(chan *wschannel.Channel, 2)
				s := &wschannel.Server{
					Handler: func(ctx context.Context, c *wschannel.Channel) {
						channels <- c
						<-ctx.Done()
						if test.stuck {
							<-gate
						}
					},
					AcceptOptions: wschannel.AcceptOptions{Options: wschannel.Options{CloseTimeout: test.closeTimeout, WriteTimeout: -1}},
				}
				conn, _ := visitRaw(s, sampleHTTPRequest())
				defer conn.Close()
				good, _ := visit(t, s, sampleHTTPRequest())
				synctest.Wait()
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), test.patience)
				defer cancel()
				if err := s.Shutdown(ctx); !errors.Is(err, test.want) {
					t.Errorf("got %v, want %v", err, test.want)
				}
				took := time.Since(began)
				if test.want == nil && took == test.end+10*time.Millisecond {
					took = test.end // the deaf one was the second to be closed
				}
				if took != test.end {
					t.Errorf("it took %v, want %v", took, test.end)
				}
				checkEnd(t, good, status.GoingAway)

				// The deaf peer has been hung up on.
				synctest.Wait()
				if _, err := io.ReadAll(conn); err != nil {
					t.Errorf("the connection is not closed: %v", err)
				}
				for range 2 {
					server := <-channels
					if wait(t, "the server's channel", server.Done()); server.CloseCode() != status.GoingAway {
						t.Errorf("the server's channel has %v", server.Err())
					}
				}
			})
		})
	}
}

// Inside a handler Shutdown waits for itself, as documented.
func TestShutdownInHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		result := make(chan error, 1)
		s := new(wschannel.Server)
		s.Handler = func(ctx context.Context, c *wschannel.Channel) {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			result <- s.Shutdown(ctx)
		}
		c, _ := visit(t, s, sampleHTTPRequest())
		checkEnd(t, c, status.GoingAway)
		if err := <-result; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if err := s.Shutdown(t.Context()); err != nil {
			t.Errorf("after the handler: %v", err)
		}
	})
}

// Shutdown amid clients that connect, talk and leave: each is served or refused
// in good order, and none is served when Shutdown has returned.
func TestShutdownStress(t *testing.T) {
	var running, down atomic.Int64
	s := &wschannel.Server{Handler: func(ctx context.Context, c *wschannel.Channel) {
		running.Add(1)
		defer running.Add(-1)
		if down.Load() > 0 {
			t.Error("a handler was called after Shutdown had returned")
		}
		echo(ctx, c)
	}}
	url := serve(t, s)
	connected := make(chan struct{}, 1000)
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for {
				c, err := wschannel.Connect(t.Context(), url, nil)
				var refused *wschannel.HandshakeError
				if errors.As(err, &refused) && refused.StatusCode == 503 {
					return
				}
				if err != nil {
					t.Errorf("neither accepted nor refused: %v", err)
					return
				}
				select {
				case connected <- struct{}{}:
				default:
				}
				for range 3 {
					if c.SendText(patiently(t), "x") != nil {
						break
					}
					if _, err := c.Receive(patiently(t)); err != nil {
						break
					}
				}
				c.Close()
				if code := c.CloseCode(); code != status.NormalClosure && code != status.GoingAway {
					t.Errorf("ended with %v", c.Err())
				}
			}
		})
	}
	for range 20 {
		wait(t, "clients to connect", connected)
	}
	if err := errors.Join(wait(t, "Shutdown", shutDown(t.Context(), s)), wait(t, "Shutdown again", shutDown(t.Context(), s))); err != nil {
		t.Error(err)
	}
	down.Store(1)
	if n := running.Load(); n != 0 {
		t.Errorf("%d handlers are running after Shutdown", n)
	}
	clients.Wait()
}

// What a client sees that is closed by Shutdown: the close frame, then the end
// of the connection.
func TestShutdownBytes(t *testing.T) {
	s := &wschannel.Server{Handler: echo}
	url := serve(t, s)
	head, r, conn := exchange(t, strings.TrimPrefix(url, "ws://"), sample("-Origin"))
	if !strings.HasPrefix(head, "HTTP/1.1 101 ") {
		t.Fatal(head)
	}
	shutdown := shutDown(t.Context(), s)
	got := make([]byte, 4)
	if _, err := io.ReadFull(r, got); err != nil || string(got) != frame(0x88, "\x03\xe9") {
		t.Fatalf("got %q, %v; want a close frame with 1001", got, err)
	}
	io.WriteString(conn, masked(0x88, "\x03\xe9"))
	if rest, err := io.ReadAll(bufio.NewReader(r)); len(rest) > 0 || err != nil {
		t.Errorf("after the close frame: %q, %v", rest, err)
	}
	if err := wait(t, "Shutdown", shutdown); err != nil {
		t.Error(err)
	}
}
