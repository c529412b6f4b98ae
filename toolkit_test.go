//go:build !js

package wschannel_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/streamchannel"
)

// What package streamchannel adds to a WebSocket channel, over real connections.

type deferred = streamchannel.Deferred[wschannel.Message, wschannel.Message]

// deferredConnects are the two ways of connecting.
var deferredConnects = map[string]func(ctx context.Context, url string) (*wschannel.Channel, error){
	"Connect": func(ctx context.Context, url string) (*wschannel.Channel, error) {
		return wschannel.Connect(ctx, url, nil)
	},
	"Dialer": func(ctx context.Context, url string) (*wschannel.Channel, error) {
		c, _, err := new(wschannel.Dialer).Connect(ctx, url)
		return c, err
	},
}

func text(s string) wschannel.Message {
	return wschannel.Message{Type: wschannel.Text, Data: []byte(s)}
}

// eachDeferred runs a test with each way of connecting. connect does it, later.
func eachDeferred(t *testing.T, handler func(context.Context, *wschannel.Channel), run func(t *testing.T, d *deferred, connect func())) {
	for name, dial := range deferredConnects {
		t.Run(name, func(t *testing.T) {
			url := serve(t, &wschannel.Server{Handler: handler})
			d := streamchannel.NewDeferred[wschannel.Message, wschannel.Message](4)
			t.Cleanup(func() { d.Close() })
			run(t, d, func() {
				if err := d.Resolve(dial(patiently(t), url)); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// T052: a channel that is still to come, echoed.
func TestDeferredEcho(t *testing.T) {
	eachDeferred(t, echo, func(t *testing.T, d *deferred, connect func()) {
		messages := []wschannel.Message{text("a"), {Type: wschannel.Binary, Data: []byte("b")}, text("c"), {Type: wschannel.Binary, Data: []byte("d")}}
		go connect()
		for _, m := range messages {
			if err := d.Send(patiently(t), m); err != nil {
				t.Fatal(err)
			}
		}
		for _, want := range messages {
			m, err := d.Receive(patiently(t))
			if err != nil || m.Type != want.Type || string(m.Data) != string(want.Data) {
				t.Errorf("%v %q, %v, want %q", m.Type, m.Data, err, want.Data)
			}
		}
	})
}

// T054 T055: used without waiting for the connection.
func TestDeferredImmediateUse(t *testing.T) {
	ended := make(chan error, 1)
	handler := func(ctx context.Context, c *wschannel.Channel) {
		if m, err := c.Receive(ctx); err != nil || string(m.Data) != "ping" {
			t.Errorf("the server received %q, %v", m.Data, err)
		}
		c.SendText(ctx, "pong")
		_, err := c.Receive(ctx)
		ended <- err
	}
	eachDeferred(t, handler, func(t *testing.T, d *deferred, connect func()) {
		if err := d.Send(t.Context(), text("ping")); err != nil {
			t.Fatal(err)
		}
		go connect()
		if m, err := d.Receive(patiently(t)); err != nil || string(m.Data) != "pong" {
			t.Errorf("received %q, %v", m.Data, err)
		}
		if err := d.CloseWith(3678, "raisin"); err != nil {
			t.Errorf("CloseWith: %v", err)
		}
		wait(t, "the end", d.Done())
		if code, reason := d.CloseCode(), d.CloseReason(); code != 3678 || reason != "raisin" {
			t.Errorf("%v %q", code, reason)
		}
		var end *wschannel.CloseError
		if err := wait(t, "the server", ended); !errors.As(err, &end) || end.Code != 3678 || end.Reason != "raisin" {
			t.Errorf("the server sees %v", err)
		}
	})
}

// T056: closed before it was connected. The connection is made all the same, so
// that the peer learns why it was closed.
func TestDeferredImmediateClose(t *testing.T) {
	ended := make(chan error, 1)
	handler := func(ctx context.Context, c *wschannel.Channel) {
		_, err := c.Receive(ctx)
		ended <- err
	}
	eachDeferred(t, handler, func(t *testing.T, d *deferred, connect func()) {
		if err := d.CloseWith(3678, "raisin"); err != nil {
			t.Errorf("CloseWith: %v", err)
		}
		wait(t, "the end", d.Done())
		connect()
		var end *wschannel.CloseError
		if err := wait(t, "the server", ended); !errors.As(err, &end) || end.Code != 3678 || end.Reason != "raisin" {
			t.Errorf("the server sees %v", err)
		}
	})
}

// A connection that does not come about is the end of the Deferred, with its
// error.
func TestDeferredConnectFails(t *testing.T) {
	url := serve(t, http.NotFoundHandler())
	d := streamchannel.NewDeferred[wschannel.Message, wschannel.Message](1)
	d.Resolve(wschannel.Connect(patiently(t), url, nil))
	var refused *wschannel.HandshakeError
	if _, err := d.Receive(t.Context()); !errors.As(err, &refused) || refused.StatusCode != 404 || !errors.Is(err, wschannel.ErrClosed) {
		t.Errorf("Receive: %v", err)
	}
}

// A proxy passes messages, and the code and the reason of the close, both ways.
func TestPipeOfWebSockets(t *testing.T) {
	behind := make(chan error, 1)
	backend := serve(t, &wschannel.Server{Handler: func(ctx context.Context, c *wschannel.Channel) {
		m, err := c.Receive(ctx)
		for ; err == nil && string(m.Data) != "close"; m, err = c.Receive(ctx) {
			c.Send(ctx, m)
		}
		if err == nil {
			err = c.CloseWith(4001, "as you wish")
		}
		behind <- err
	}})
	proxy := serve(t, &wschannel.Server{Handler: func(ctx context.Context, front *wschannel.Channel) {
		back, err := wschannel.Connect(ctx, backend, nil)
		if err != nil {
			t.Error(err)
			return
		}
		streamchannel.Pipe(ctx, front, back)
	}})

	client, err := wschannel.Connect(patiently(t), proxy, nil)
	if err != nil {
		t.Fatal(err)
	}
	checkEcho(t, client)
	if err := client.CloseWith(4000, "bye"); err != nil {
		t.Error(err)
	}
	var end *wschannel.CloseError
	if err := wait(t, "the backend", behind); !errors.As(err, &end) || end.Code != 4000 || end.Reason != "bye" {
		t.Errorf("the backend sees %v", err)
	}

	client, err = wschannel.Connect(patiently(t), proxy, nil)
	if err != nil {
		t.Fatal(err)
	}
	hangUpAfter(t, client)
	client.SendText(patiently(t), "close")
	_, err = client.Receive(patiently(t))
	if !errors.As(err, &end) || end.Code != 4001 || end.Reason != "as you wish" {
		t.Errorf("the client sees %v", err)
	}
	if err := wait(t, "the backend", behind); err != nil {
		t.Errorf("the backend: %v", err)
	}

	// Lost in front: the code cannot be sent, and must not look like a clean end.
	client, err = wschannel.Connect(patiently(t), proxy, nil)
	if err != nil {
		t.Fatal(err)
	}
	checkEcho(t, client)
	client.CloseNow()
	if err := wait(t, "the backend", behind); !errors.As(err, &end) || end.Code != 1014 || end.Clean() {
		t.Errorf("the backend sees %v", err)
	}
}
