package reconnect

import (
	"syscall/js"
	"testing"
)

// define gives an object a property of the test's, over one that is read-only.
func define(t *testing.T, object js.Value, name string, value any) {
	js.Global().Get("Object").Call("defineProperty", object, name,
		map[string]any{"value": value, "configurable": true, "writable": true})
	t.Cleanup(func() { js.Global().Get("Reflect").Call("deleteProperty", object, name) })
}

// newPage returns what dispatches a page's events: the page, or in Node.js and in
// a worker one that the test makes.
func newPage(t *testing.T) (window, document js.Value) {
	if document = js.Global().Get("document"); document.Truthy() {
		return js.Global(), document
	}
	window, document = js.Global().Get("EventTarget").New(), js.Global().Get("EventTarget").New()
	for _, method := range []string{"addEventListener", "removeEventListener"} {
		define(t, js.Global(), method, window.Get(method).Call("bind", window))
	}
	define(t, js.Global(), "document", document)
	return window, document
}

func TestPageEvents(t *testing.T) {
	window, document := newPage(t)
	if !js.Global().Get("navigator").Truthy() {
		define(t, js.Global(), "navigator", map[string]any{})
	}
	navigator := js.Global().Get("navigator")
	define(t, navigator, "onLine", true)
	define(t, document, "visibilityState", "hidden")
	happens := func(target js.Value, event string) {
		target.Call("dispatchEvent", js.Global().Get("Event").New(event))
	}

	network := platformNetwork()
	changes := 0
	stop := network.Watch(func() { changes++ })
	steps := []struct {
		event   string
		target  js.Value
		set     func()
		online  bool
		changes int
	}{
		{"offline", window, func() { navigator.Set("onLine", false) }, false, 1},
		{"online", window, func() { navigator.Set("onLine", true) }, true, 2},
		{"visibilitychange", document, func() {}, true, 2}, // still hidden
		{"visibilitychange", document, func() { document.Set("visibilityState", "visible") }, true, 3},
	}
	for i, s := range steps {
		s.set()
		happens(s.target, s.event)
		if online := network.Online(); online != s.online || changes != s.changes {
			t.Errorf("%d: after %s online is %t, with %d changes; want %t, %d", i, s.event, online, changes, s.online, s.changes)
		}
	}
	stop()
	happens(window, "online")
	happens(document, "visibilitychange")
	if changes != 3 {
		t.Error("it still listens")
	}
}

// In a worker and in Node.js there is no document, and in Node.js nothing tells
// of the network.
func TestWithoutAPage(t *testing.T) {
	network := platformNetwork()
	if !network.Online() {
		t.Error("it is not online")
	}
	network.Watch(func() {})()
}
