//go:build !js

package wschannel

import (
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// However channels end, on either side or on both at once, each is counted until it
// has no connection any more, and then no more.
func TestServerCountsEveryEnd(t *testing.T) {
	inHandler := []func(c *Channel){
		func(c *Channel) {},
		func(c *Channel) { panic("out of cheese") },
		func(c *Channel) { panic(http.ErrAbortHandler) },
		func(c *Channel) { runtime.Goexit() },
		func(c *Channel) { c.CloseNow() },
		func(c *Channel) { c.CloseWith(4000, ""); c.CloseNow() },
		func(c *Channel) { go c.CloseNow(); c.Close() },
		func(c *Channel) { go c.Close(); c.Receive(context.Background()) },
		func(c *Channel) { c.Receive(context.Background()); panic("out of cheese") },
		func(c *Channel) { c.Underlying().Close(); c.SendText(context.Background(), "hello") },
		func(c *Channel) { c.Listen(nil, nil) },
		func(c *Channel) { c.ListenView(func(View) { panic("out of cheese") }, func(error) { panic("again") }) },
		func(c *Channel) { c.Listen(func(Message) { runtime.Goexit() }, nil); c.Close() },
		func(c *Channel) { defer c.Listen(nil, nil)() },
	}
	inClient := []func(c *Channel){
		func(c *Channel) { c.CloseNow() },
		func(c *Channel) { c.Close() },
		func(c *Channel) { c.SendText(context.Background(), "hello"); c.CloseWith(4001, "") },
		func(c *Channel) { c.SendText(context.Background(), "hello"); c.CloseNow() },
		func(c *Channel) { c.Underlying().Write([]byte("no frame")); go c.Receive(context.Background()) },
		func(c *Channel) { c.Underlying().(*net.TCPConn).SetLinger(0); c.Underlying().Close() },
		func(c *Channel) { c.SendText(context.Background(), "hello"); go c.Receive(context.Background()) },
	}
	counters := &Counters{}
	s := &Server{
		Handler:       func(_ context.Context, c *Channel) { inHandler[rand.IntN(len(inHandler))](c) },
		MaxChannels:   12,
		Logger:        slog.New(slog.NewTextHandler(io.Discard, nil)),
		AcceptOptions: AcceptOptions{Options: Options{CloseTimeout: 20 * time.Millisecond, Counters: counters}},
	}
	counts := func() (nothing bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.leaving < 0 || s.shaking < 0 || s.running < 0 || len(s.open)+s.leaving > s.MaxChannels {
			t.Errorf("%d open, %d leaving, %d handshakes, %d running", len(s.open), s.leaving, s.shaking, s.running)
		}
		return len(s.open)+s.leaving+s.shaking+s.running == 0
	}
	web := httptest.NewServer(s)
	defer web.Close()
	url := "ws" + strings.TrimPrefix(web.URL, "http")
	var clients sync.WaitGroup
	for range 16 {
		clients.Go(func() {
			var stays *Channel
			for range 40 {
				c, err := Connect(t.Context(), url, nil)
				counts()
				if err != nil {
					continue // refused
				}
				inClient[rand.IntN(len(inClient))](c)
				if stays != nil {
					stays.CloseNow()
				}
				if stays = c; rand.IntN(3) > 0 {
					c.CloseNow()
				} // else it answers nothing more for a while
			}
			if stays != nil {
				stays.CloseNow()
			}
		})
	}
	clients.Wait()
	eventually(t, "the last to go", counts)
	if n := counters.Snapshot().Opened; n < 100 {
		t.Errorf("only %d of 640 were let in", n)
	}
}
