//go:build !js

package wschannel

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// A Shutdown whose ctx is done just as the last handler returns has nothing left
// to report.
func TestShutdownIsDoneAsItsContextIs(t *testing.T) {
	for range 100 {
		s := &Server{running: 1}
		ctx, cancel := context.WithCancel(t.Context())
		waits := async(func() error { return s.Shutdown(ctx) })
		eventually(t, "Shutdown waits", func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return len(s.waiting) == 1
		})
		s.mu.Lock()
		cancel()
		for range 100 {
			runtime.Gosched() // Shutdown sees that and wants the lock
		}
		s.running = 0
		s.notify()
		s.mu.Unlock()
		if err := within(t, "Shutdown", waits); err != nil {
			t.Fatal(err)
		}
	}
}

// However handshakes and channels end, and however often and in whatever way
// Shutdown is called meanwhile: no limit is passed, and in the end nothing is
// counted any more.
func TestServerCountsComeToNothing(t *testing.T) {
	const channels, handshakes = 8, 4
	var shaking, tries atomic.Int32
	counters := new(Counters)
	s := &Server{
		Handler: func(ctx context.Context, c *Channel) {
			if n := counters.Snapshot().Open; n > channels {
				t.Errorf("%d channels are open", n)
			}
			switch m, _ := c.Receive(ctx); string(m.Data) {
			case "panic":
				panic("in a handler")
			case "exit":
				runtime.Goexit()
			case "listen":
				c.Listen(func(Message) { c.Close() }, nil)
				c.SendText(ctx, "now")
			}
		},
		Upgrade: func(r *http.Request) (context.Context, error) {
			if n := shaking.Add(1); n > handshakes {
				t.Errorf("%d handshakes are under way", n)
			}
			defer shaking.Add(-1)
			runtime.Gosched()
			switch r.URL.Path {
			case "/panic":
				panic(http.ErrAbortHandler)
			case "/exit":
				runtime.Goexit()
			case "/refuse":
				return nil, io.EOF
			}
			return r.Context(), nil
		},
		AcceptOptions: AcceptOptions{Options: Options{Counters: counters}},
		MaxChannels:   channels,
		MaxHandshakes: handshakes,
		Logger:        slog.New(slog.DiscardHandler),
	}
	web := httptest.NewServer(s)
	defer web.Close()
	addr := strings.TrimPrefix(web.URL, "http://")
	var all sync.WaitGroup
	for n := range 32 {
		all.Go(func() {
			for i := range 12 {
				tries.Add(1)
				path := []string{"/", "/", "/", "/", "/panic", "/exit", "/refuse"}[(n+i)%7]
				if (n+i)%5 == 0 {
					if conn, err := net.Dial("tcp", addr); err == nil { // and goes
						io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: "+addr+"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
							"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
						conn.Close()
					}
					continue
				}
				c, err := Connect(t.Context(), "ws://"+addr+path, nil)
				if err != nil {
					continue
				}
				c.SendText(t.Context(), []string{"panic", "exit", "listen", "return"}[(n+i)%4])
				if m, _ := c.Receive(t.Context()); string(m.Data) == "now" {
					c.SendText(t.Context(), "close")
					c.Receive(t.Context())
				}
				c.CloseNow()
			}
		})
	}
	for range 3 {
		all.Go(func() {
			eventually(t, "half of them have tried", func() bool { return tries.Load() > 32*6 })
			cancelled, cancel := context.WithCancel(t.Context())
			cancel()
			s.Shutdown(cancelled)
			s.Shutdown(t.Context())
		})
	}
	all.Wait()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	eventually(t, "all connections are closed", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.leaving == 0
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	left := []int{len(s.open), s.shaking, s.running, s.leaving, len(s.waiting)}
	if !slices.Equal(left, make([]int, len(left))) {
		t.Errorf("%d are counted as open, under way, running, leaving and waiting", left)
	}
	if n := counters.Snapshot(); n.Open != 0 || n.Opened == 0 {
		t.Errorf("counted %+v", n)
	}
}
