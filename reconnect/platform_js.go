package reconnect

import "syscall/js"

// page is the network as the page in a browser sees it. In a worker there is no
// document, and outside of browsers there may be none of these.
type page struct{}

func platformNetwork() Network { return page{} }

func proxyStatus(error) int { return 0 }

// Online believes the browser only if it denies: "online" may mean no more than
// a cable.
func (page) Online() bool {
	navigator := js.Global().Get("navigator")
	return !navigator.Truthy() || !navigator.Get("onLine").Equal(js.ValueOf(false))
}

func (page) Watch(changed func()) (stop func()) {
	document := js.Global().Get("document")
	onNetwork := js.FuncOf(func(js.Value, []js.Value) any {
		changed()
		return nil
	})
	// Browsers slow the timers of hidden pages down: a pause may be long over
	// when the page is shown again.
	onVisibility := js.FuncOf(func(js.Value, []js.Value) any {
		if document.Get("visibilityState").String() == "visible" {
			changed()
		}
		return nil
	})
	listen := func(method string) {
		if js.Global().Get(method).Type() == js.TypeFunction {
			js.Global().Call(method, "online", onNetwork)
			js.Global().Call(method, "offline", onNetwork)
		}
		if document.Truthy() {
			document.Call(method, "visibilitychange", onVisibility)
		}
	}
	listen("addEventListener")
	return func() {
		listen("removeEventListener")
		onNetwork.Release()
		onVisibility.Release()
	}
}
