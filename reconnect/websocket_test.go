//go:build !js

package reconnect_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/reconnect"
	"github.com/wschannel/wschannel/status"
	"github.com/wschannel/wschannel/streamchannel"
)

type webOptions = reconnect.Options[*wschannel.Channel, wschannel.Message]

// quick are options for tests on real sockets, in real time.
func quick() *webOptions { return &webOptions{BaseDelay: time.Millisecond, MaxDelay: time.Millisecond} }

func text(s string) wschannel.Message {
	return wschannel.Message{Type: wschannel.Text, Data: []byte(s)}
}

// withGuard returns a context for a test that would hang.
func withGuard(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// The server ends each link in another way, after an echo.
func TestWebSocketLinks(t *testing.T) {
	ctx := withGuard(t)
	var links, requests atomic.Int32
	upgrades := &wschannel.Server{Handler: func(ctx context.Context, ch *wschannel.Channel) {
		n := links.Add(1)
		for {
			m, err := ch.Receive(ctx)
			if err != nil || ch.Send(ctx, m) != nil {
				return
			}
			if string(m.Data) != "end it" {
				continue
			}
			switch n {
			case 1:
				ch.CloseNow()
			case 2:
				ch.CloseWith(status.GoingAway, "restart")
			case 3:
				ch.Underlying().Close()
			case 4:
				ch.CloseWith(status.PolicyViolation, "enough")
			}
		}
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1)%2 == 0 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		upgrades.ServeHTTP(w, r)
	}))
	defer server.Close()

	o := quick()
	var greetings atomic.Int32
	o.OnConnect = func(ctx context.Context, ch *wschannel.Channel) error {
		greetings.Add(1)
		if err := ch.SendText(ctx, "hello"); err != nil {
			return err
		}
		_, err := ch.Receive(ctx)
		return err
	}
	c := reconnect.New(func(ctx context.Context) (*wschannel.Channel, error) {
		return wschannel.Connect(ctx, server.URL, nil)
	}, o)
	defer c.Close()
	for link := 1; link <= 4; link++ {
		for s := range c.States(ctx) {
			if s.Links == link {
				break
			}
		}
		for _, m := range []string{"a", "end it"} {
			if err := c.Send(ctx, text(m)); err != nil {
				t.Fatal(err)
			}
			if got, err := c.Receive(ctx); err != nil || string(got.Data) != m {
				t.Fatalf("link %d: received %q, %v, want %q", link, got.Data, err, m)
			}
		}
	}
	_, err := c.Receive(ctx)
	var end *wschannel.CloseError
	if !errors.As(err, &end) || end.Code != status.PolicyViolation || end.Reason != "enough" {
		t.Errorf("the end: %v, want 1008 enough", err)
	}
	if g := greetings.Load(); g != 4 {
		t.Errorf("OnConnect was called %d times, want 4", g)
	}
}

func TestWebSocketRefused(t *testing.T) {
	ctx := withGuard(t)
	server := httptest.NewServer(&wschannel.Server{
		Handler: func(context.Context, *wschannel.Channel) {},
		Upgrade: func(*http.Request) (context.Context, error) {
			return nil, &wschannel.HandshakeError{StatusCode: http.StatusUnauthorized, Body: []byte("the token has expired")}
		},
	})
	defer server.Close()
	c := reconnect.New(func(ctx context.Context) (*wschannel.Channel, error) {
		return wschannel.Connect(ctx, server.URL, nil)
	}, quick())
	defer c.Close()
	_, err := c.Receive(ctx)
	var refused *wschannel.HandshakeError
	if !errors.As(err, &refused) || refused.StatusCode != http.StatusUnauthorized || !strings.Contains(err.Error(), "the token has expired") {
		t.Errorf("the end: %v, want status 401 and what the server said", err)
	}
	if strings.Count(err.Error(), "wschannel: ") > 0 {
		t.Errorf("the end tells twice where it comes from: %v", err)
	}
}

func TestWebSocketClose(t *testing.T) {
	closes := []struct {
		close  func(c *reconnect.Channel[string, string]) error
		code   status.Code
		reason string
	}{
		{(*reconnect.Channel[string, string]).Close, status.NormalClosure, ""},
		{func(c *reconnect.Channel[string, string]) error { return c.CloseWith(4001, "done") }, 4001, "done"},
		{func(c *reconnect.Channel[string, string]) error { return c.CloseWith(0, "") }, status.NoStatusReceived, ""},
	}
	for _, tt := range closes {
		ctx := withGuard(t)
		ends := make(chan error, 1)
		received := make(chan string, 1)
		server := httptest.NewServer(&wschannel.Server{Handler: func(ctx context.Context, ch *wschannel.Channel) {
			for m, err := range ch.Messages(ctx) {
				if err == nil {
					received <- string(m.Data)
				}
			}
			<-ch.Done()
			ends <- ch.Err()
		}})
		defer server.Close()
		c := reconnect.New(func(ctx context.Context) (streamchannel.Channel[string, string], error) {
			ch, err := wschannel.Connect(ctx, server.URL, nil)
			if err != nil {
				return nil, err
			}
			return ch.TextChannel(), nil
		}, nil)
		if err := c.Send(ctx, "before there is a link"); err != nil {
			t.Error(err)
		}
		if c.CloseCode() != 0 {
			t.Errorf("code %v before the end", c.CloseCode())
		}
		if err := tt.close(c); err != nil {
			t.Errorf("close with %v: %v", tt.code, err)
		}
		if m := <-received; m != "before there is a link" {
			t.Errorf("the server received %q", m)
		}
		var end *wschannel.CloseError
		if err := <-ends; !errors.As(err, &end) || !end.Remote || end.Code != tt.code || end.Reason != tt.reason {
			t.Errorf("the server saw %v, want %v %q", err, tt.code, tt.reason)
		}
		if c.CloseCode() != tt.code || c.CloseReason() != tt.reason || !errors.Is(c.Err(), wschannel.ErrLocalClose) {
			t.Errorf("the end: %v, want %v %q", c.Err(), tt.code, tt.reason)
		}
		if err := c.CloseWith(4002, ""); err != c.Err() {
			t.Errorf("a second CloseWith: %v, want %v", err, c.Err())
		}
	}
}
