package reconnect

import (
	"syscall/js"
	"testing"
)

// A page made by the test, in place of a browser's.
func TestPageEvents(t *testing.T) {
	listeners := map[string]js.Value{}
	replace := func(name string, value any) {
		before := js.Global().Get(name)
		js.Global().Get("Object").Call("defineProperty", js.Global(), name,
			map[string]any{"value": value, "configurable": true, "writable": true})
		t.Cleanup(func() { js.Global().Set(name, before) })
	}
	listen := js.FuncOf(func(_ js.Value, args []js.Value) any {
		listeners[args[0].String()] = args[1]
		return nil
	})
	defer listen.Release()
	ignore := js.FuncOf(func(_ js.Value, args []js.Value) any {
		if l, ok := listeners[args[0].String()]; ok && l.Equal(args[1]) {
			delete(listeners, args[0].String())
		}
		return nil
	})
	defer ignore.Release()
	navigator := js.ValueOf(map[string]any{"onLine": true})
	document := js.ValueOf(map[string]any{"visibilityState": "hidden", "addEventListener": listen, "removeEventListener": ignore})
	replace("navigator", navigator)
	replace("document", document)
	replace("addEventListener", listen)
	replace("removeEventListener", ignore)

	network := platformNetwork()
	changes := 0
	stop := network.Watch(func() { changes++ })
	steps := []struct {
		event   string
		set     func()
		online  bool
		changes int
	}{
		{"offline", func() { navigator.Set("onLine", false) }, false, 1},
		{"online", func() { navigator.Set("onLine", true) }, true, 2},
		{"visibilitychange", func() {}, true, 2}, // still hidden
		{"visibilitychange", func() { document.Set("visibilityState", "visible") }, true, 3},
	}
	for i, s := range steps {
		s.set()
		listeners[s.event].Invoke()
		if online := network.Online(); online != s.online || changes != s.changes {
			t.Errorf("%d: after %s online is %t, with %d changes; want %t, %d", i, s.event, online, changes, s.online, s.changes)
		}
	}
	stop()
	if len(listeners) > 0 {
		t.Errorf("still listening: %v", listeners)
	}
}

// As in a worker and in Node.js.
func TestWithoutAPage(t *testing.T) {
	network := platformNetwork()
	if js.Global().Get("document").Truthy() {
		t.Log("there is a page")
	} else if !network.Online() {
		t.Error("it is not online")
	}
	network.Watch(func() {})()
}
