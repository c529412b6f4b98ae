package wschannel

import (
	"sync"
	"syscall/js"
)

// How text and bytes cross the border to JavaScript. Three things make the
// obvious ways wrong:
//
//   - js.ValueOf of a string drops a byte order mark at its beginning.
//   - Value.String is twenty times slower than encodeInto for long strings.
//   - A js.Value is given up when Go collects garbage, and how much memory is
//     behind it makes no difference to when that is. So what is large is not
//     held by one: it lies in scratch, or in an Array that lets go of it.

var border struct {
	once sync.Once

	one         js.Value // [0]
	encoder     js.Value
	decoder     js.Value
	decode      js.Value // TextDecoder.prototype.decode
	slice       js.Value // Uint8Array.prototype.slice
	apply       js.Value // Reflect.apply
	object      js.Value // Object
	arrayBuffer js.Value // ArrayBuffer
	uint8Array  js.Value // Uint8Array

	mu      sync.Mutex
	scratch js.Value // a Uint8Array, as large as the longest message sent so far
	size    int      // of scratch
}

// minScratch is the first size of the scratch in bytes.
const minScratch = 64 << 10

// cross takes the right to use the scratch, and sees to at least n bytes of it.
func cross(n int) (leave func()) {
	b := &border
	b.once.Do(func() {
		global := js.Global()
		b.one = js.ValueOf([]any{0})
		b.encoder = global.Get("TextEncoder").New()
		b.decoder = global.Get("TextDecoder").New("utf-8", map[string]any{"fatal": true, "ignoreBOM": true})
		b.decode = b.decoder.Get("decode")
		b.apply = global.Get("Reflect").Get("apply")
		b.object = global.Get("Object")
		b.arrayBuffer = global.Get("ArrayBuffer")
		b.uint8Array = global.Get("Uint8Array")
		b.slice = b.uint8Array.Get("prototype").Get("slice")
	})
	b.mu.Lock()
	if b.size < max(n, minScratch) {
		size := max(n, 2*b.size, minScratch)
		// It throws if there is no memory, which must not lock out everybody.
		if err := try(func() { b.scratch = b.uint8Array.New(size) }); err != nil {
			b.mu.Unlock()
			panic(err)
		}
		b.size = size
	}
	return b.mu.Unlock
}

// messageToJS calls send of a WebSocket with a message, and lets nothing of it
// stay in Go's hands.
func messageToJS(socket, send js.Value, t Type, data []byte) {
	arguments := asArguments(t, data)
	border.apply.Invoke(send, socket, arguments)
	arguments.SetIndex(0, 0)
}

// asArguments returns an Array with a message as a string or as a Uint8Array of
// its own: not every WebSocket has copied it when send returns.
func asArguments(t Type, data []byte) js.Value {
	defer cross(len(data))()
	b := &border
	js.CopyBytesToJS(b.scratch, data)
	// A bound function makes the message inside the Array, where Go does not
	// see it. It ignores the arguments that map adds.
	var bound js.Value
	if t == Text {
		view := b.scratch.Call("subarray", 0, len(data))
		bound = b.decode.Call("bind", b.decoder, view, js.Undefined())
	} else {
		bound = b.slice.Call("bind", b.scratch, 0, len(data))
	}
	return b.one.Call("map", bound)
}

// stringToJS returns a short string.
func stringToJS(s string) js.Value {
	defer cross(len(s))()
	b := &border
	n := js.CopyBytesToJS(b.scratch, []byte(s))
	return b.decoder.Call("decode", b.scratch.Call("subarray", 0, n))
}

// text returns a short string, "" if it is none.
func text(v js.Value) string {
	if v.Type() != js.TypeString {
		return ""
	}
	return v.String()
}

// stringToGo copies a string, and returns its size in bytes. Of one that is much
// longer than limit it copies nothing; size is greater than limit then, too.
func stringToGo(s js.Value, limit int) (data []byte, size int) {
	defer cross(0)()
	b := &border
	data = []byte{}
	for left := -1; ; {
		result := b.encoder.Call("encodeInto", s, b.scratch)
		written := result.Get("written").Int()
		fits := written <= b.size-longest
		if left < 0 && !fits {
			// A string itself has no length here, but as an object it has. Each
			// unit of it is at least a byte.
			left = b.object.New(s).Length()
			if left > limit {
				return nil, left
			}
			data = make([]byte, 0, left)
		}
		size = len(data) + written
		data = append(data, make([]byte, written)...)
		js.CopyBytesToGo(data[size-written:], b.scratch)
		if fits {
			return data, size
		}
		read := result.Get("read").Int()
		if left -= read; left == 0 {
			return data, size
		}
		s = b.object.New(s).Call("substring", read)
	}
}

// longest is the number of bytes of the longest character: encodeInto leaves
// less room than that if there is more to come.
const longest = 4

// bytesOf returns what is in an ArrayBuffer as a Uint8Array, and the number of
// bytes; ok is false if it is none.
func bytesOf(buffer js.Value) (view js.Value, size int, ok bool) {
	cross(0)()
	if !buffer.InstanceOf(border.arrayBuffer) {
		return js.Value{}, 0, false
	}
	view = border.uint8Array.New(buffer)
	return view, view.Length(), true
}
