package wasmtest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"syscall/js"
	"testing"
	"time"

	"github.com/wschannel/wschannel"
)

// newSocket is a WebSocket of the platform, still connecting.
func newSocket(path string) js.Value {
	return js.Global().Get("WebSocket").New(origin + path)
}

// A socket of the platform, wrapped in each of its states.
func TestFromJS(t *testing.T) {
	check := func(t *testing.T, socket js.Value) {
		c, err := wschannel.FromJS(patiently(t), socket, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseNow()
		if !c.Underlying().Equal(socket) {
			t.Error("Underlying is another one")
		}
		sendText(t, c, "foo")
		wantMessage(t, c, wschannel.Text, "foo")
		// Bytes come as bytes, although a Blob is the default (T069).
		if err := c.SendBinary(patiently(t), []byte("bytes")); err != nil {
			t.Fatal(err)
		}
		wantMessage(t, c, wschannel.Binary, "bytes")
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Run("connecting, T063", func(t *testing.T) { check(t, newSocket("/echo")) })
	t.Run("open, T064", func(t *testing.T) {
		socket := newSocket("/echo")
		opened := make(chan struct{})
		f := js.FuncOf(func(js.Value, []js.Value) any {
			close(opened)
			return nil
		})
		defer f.Release()
		socket.Call("addEventListener", "open", f)
		wait(t, "the socket", opened)
		check(t, socket)
	})
	t.Run("nothing is sent, T065", func(t *testing.T) {
		c, err := wschannel.FromJS(patiently(t), newSocket("/echo"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("closed, T066", func(t *testing.T) {
		socket := newSocket("/echo")
		failed := make(chan struct{})
		f := js.FuncOf(func(js.Value, []js.Value) any {
			close(failed)
			return nil
		})
		defer f.Release()
		socket.Call("addEventListener", "error", f) // Node.js throws what nobody listens to
		socket.Call("close")
		defer wait(t, "the error event", failed)
		_, err := wschannel.FromJS(patiently(t), socket, nil)
		refused, ok := errors.AsType[*wschannel.ConnectError](err)
		if !ok || refused.Err.Error() != "the WebSocket is closed or closing: its readyState is 2" {
			t.Errorf("%v", err)
		}
	})
	t.Run("refused, T021", func(t *testing.T) {
		_, err := wschannel.FromJS(patiently(t), newSocket("/plain"), nil)
		if _, ok := errors.AsType[*wschannel.ConnectError](err); !ok {
			t.Errorf("%v; want a ConnectError", err)
		}
	})
}

// An option that is out of its range is refused, and the socket left alone.
func TestFromJSRefusesPolicy(t *testing.T) {
	socket := newSocket("/echo")
	_, err := wschannel.FromJS(patiently(t), socket, &wschannel.Options{WhenFull: 77})
	if err == nil || !strings.Contains(err.Error(), "Options.WhenFull is 77") {
		t.Errorf("%v; want it refused", err)
	}
	c, err := wschannel.FromJS(patiently(t), socket, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.CloseNow()
}

// What is no WebSocket is an error, not a panic.
func TestFromJSMisuse(t *testing.T) {
	stateless := js.Global().Get("EventTarget").New()
	stateless.Set("send", stateless.Get("dispatchEvent"))
	stateless.Set("close", stateless.Get("dispatchEvent"))
	for _, v := range []js.Value{{}, js.Null(), js.ValueOf(1), js.ValueOf(map[string]any{}), js.Global(), stateless} {
		if _, err := wschannel.FromJS(t.Context(), v, nil); err == nil || !strings.Contains(err.Error(), "FromJS wants a WebSocket") {
			t.Errorf("%v: %v", v, err)
		}
	}
}

// Cancelling while connecting closes the socket, and so does the time-out.
func TestFromJSCancelled(t *testing.T) {
	f := newFake(t, connecting)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(0, cancel)
	_, err := wschannel.FromJS(ctx, f.Value, nil)
	if !errors.Is(err, context.Canceled) || !slices.Equal(f.closed, []string{""}) {
		t.Errorf("%v, close was called: %q", err, f.closed)
	}
	f.closes(1006, "", false) // nobody minds

	f = newFake(t, connecting)
	_, err = wschannel.FromJS(t.Context(), f.Value, &wschannel.Options{HandshakeTimeout: time.Millisecond})
	if !errors.Is(err, context.DeadlineExceeded) || !slices.Equal(f.closed, []string{""}) {
		t.Errorf("%v, close was called: %q", err, f.closed)
	}
}

// What happens between two turns of Go is not lost: open, message and close may
// all have come before Go runs on.
func TestFromJSOpensAndEndsAtOnce(t *testing.T) {
	for range 20 {
		f := newFake(t, connecting)
		time.AfterFunc(0, func() {
			f.opens()
			f.text("quick")
			f.closes(1000, "", true)
		})
		c := f.channel(t, nil)
		wantMessage(t, c, wschannel.Text, "quick")
		wantEnd(t, c, 1000, "", true)
	}
}

// What Connect asks the platform for, and that it does not trust it with the
// subprotocol: Firefox accepts a server that has selected none.
func TestConnectAsksThePlatform(t *testing.T) {
	class := js.Global().Get("WebSocket")
	defer js.Global().Set("WebSocket", class)
	for _, tt := range []struct {
		url, asked string
		offered    []string
		selected   string
		ok         bool
	}{
		{"ws://host/path?query", "ws://host/path?query", nil, "", true},
		{"HTTP://host/", "ws://host/", nil, "", true},
		{"https://me:secret@host:1/", "wss://me:secret@host:1/", nil, "", true},
		{"Wss://[::1]/", "wss://[::1]/ a b", []string{"a", "b"}, "b", true},
		{"ws://host/", "ws://host/ a b", []string{"a", "b"}, "", false},
		{"ws://host/", "ws://host/ a", []string{"a"}, "b", false},
	} {
		f := newFake(t, connecting)
		f.Set("protocol", tt.selected)
		asked := ""
		constructor := js.FuncOf(func(_ js.Value, args []js.Value) any {
			asked = args[0].String()
			for i := range args[1].Length() {
				asked += " " + args[1].Index(i).String()
			}
			time.AfterFunc(0, f.opens)
			return f.Value
		})
		js.Global().Set("WebSocket", constructor)
		c, err := wschannel.Connect(patiently(t), tt.url, &wschannel.Options{Protocols: tt.offered})
		constructor.Release()
		if asked != tt.asked || (err == nil) != tt.ok {
			t.Errorf("%s: asked for %q, %v; want %q, success: %t", tt.url, asked, err, tt.asked, tt.ok)
		}
		if err == nil {
			if c.Protocol() != tt.selected {
				t.Errorf("%s: Protocol is %q", tt.url, c.Protocol())
			}
			c.CloseNow()
		} else if !slices.Equal(f.closed, []string{" 4002 "}) {
			t.Errorf("%s: close was called: %q", tt.url, f.closed)
		}
	}
}

// A page whose policy forbids it: Chromium fires an error, Firefox throws. So
// does a platform that has no WebSocket.
func TestForbidden(t *testing.T) {
	_, err := wschannel.Connect(patiently(t), "ws://forbidden.invalid/", nil)
	if failed, ok := errors.AsType[*wschannel.ConnectError](err); !ok || failed.URL != "ws://forbidden.invalid/" {
		t.Errorf("%v; want a ConnectError", err)
	}

	class := js.Global().Get("WebSocket")
	defer js.Global().Set("WebSocket", class)
	js.Global().Set("WebSocket", js.Undefined())
	_, err = wschannel.Connect(patiently(t), origin+"/echo", nil)
	if _, ok := errors.AsType[*wschannel.ConnectError](err); !ok || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v; want a ConnectError that satisfies errors.ErrUnsupported", err)
	}
}
