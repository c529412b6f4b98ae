package wasmtest

import (
	"syscall/js"
	"testing"

	"github.com/wschannel/wschannel"
)

// A fake is a WebSocket of which the test decides what it does. Node.js 20 has
// no CloseEvent, so its events are plain ones with the fields set.
type fake struct {
	js.Value
	sent   []any // string or []byte, as they came
	closed []string
}

const connecting, open, closing, closed = 0, 1, 2, 3

// newFake returns a WebSocket in a state.
func newFake(t *testing.T, state int) *fake {
	f := &fake{Value: js.Global().Get("EventTarget").New()}
	f.Set("readyState", state)
	f.Set("bufferedAmount", 0)
	f.Set("protocol", "")
	f.Set("url", "ws://fake/")
	f.Set("binaryType", "blob")
	f.method(t, "send", func(args []js.Value) {
		if f.Get("readyState").Int() > open {
			return // "silently discard", says the standard
		}
		if data := args[0]; data.Type() == js.TypeString {
			f.sent = append(f.sent, data.String())
		} else {
			b := make([]byte, data.Length())
			js.CopyBytesToGo(b, data)
			f.sent = append(f.sent, b)
		}
	})
	f.method(t, "close", func(args []js.Value) {
		call := ""
		for _, a := range args {
			call += " " + js.Global().Get("String").Invoke(a).String()
		}
		f.closed = append(f.closed, call)
		if f.Get("readyState").Int() < closing {
			f.Set("readyState", closing)
		}
	})
	return f
}

func (f *fake) method(t *testing.T, name string, call func(args []js.Value)) {
	m := js.FuncOf(func(_ js.Value, args []js.Value) any {
		call(args)
		return nil
	})
	f.Set(name, m)
	t.Cleanup(m.Release)
}

// fire dispatches an event.
func (f *fake) fire(event string, fields map[string]any) {
	e := js.Global().Get("Event").New(event)
	for name, value := range fields {
		e.Set(name, value)
	}
	f.Call("dispatchEvent", e)
}

func (f *fake) opens() {
	f.Set("readyState", open)
	f.fire("open", nil)
}

func (f *fake) text(s string) { f.fire("message", map[string]any{"data": s}) }

func (f *fake) binary(b []byte) {
	view := js.Global().Get("Uint8Array").New(len(b))
	js.CopyBytesToJS(view, b)
	f.fire("message", map[string]any{"data": view.Get("buffer")})
}

func (f *fake) closes(code int, reason string, clean bool) {
	f.Set("readyState", closed)
	f.fire("close", map[string]any{"code": code, "reason": reason, "wasClean": clean})
}

// channel returns a channel on an open fake.
func (f *fake) channel(t *testing.T, o *wschannel.Options) *wschannel.Channel {
	t.Helper()
	c, err := wschannel.FromJS(patiently(t), f.Value, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow() })
	return c
}
