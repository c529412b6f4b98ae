package deflate

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// A window holds the last bytes of what was added, however it was, and takes no
// more memory than that.
func TestWindow(t *testing.T) {
	r := seeded(t)
	for _, bits := range []int{8, 9, 10, 15} {
		w := NewWindow(bits)
		size := max(1<<bits, minHeld)
		var all []byte
		for range 200 {
			p := make([]byte, r.IntN(1+r.IntN(2*size)))
			for i := range p {
				p[i] = byte(r.Uint32())
			}
			w.Add(p)
			all = append(all, p...)
			if want := all[max(0, len(all)-size):]; !bytes.Equal(w.Bytes(), want) {
				t.Fatalf("%d bits: the window is wrong after %d bytes", bits, len(all))
			}
			if cap(w.bytes) > size {
				t.Fatalf("%d bits: the window takes %d bytes", bits, cap(w.bytes))
			}
		}
	}
	w := NewWindow(15)
	w.Add(make([]byte, 100))
	if cap(w.bytes) != 100 {
		t.Errorf("100 bytes take %d", cap(w.bytes))
	}
	c := w.clone()
	c.Add([]byte{1})
	if len(w.Bytes()) != 100 || len(c.Bytes()) != 101 {
		t.Error("a clone slides with the original")
	}
}

// Without context takeover there is nothing to hold.
func TestNoWindow(t *testing.T) {
	var w *Window
	w.Add([]byte("x"))
	if w.Bytes() != nil || w.clone() != nil {
		t.Error("a nil window holds something")
	}
}

// A window of zlib's least size serves a peer that was told to use 256 bytes.
func TestWindowForZlib(t *testing.T) {
	m := make([]byte, 400)
	r := rand.New(rand.NewPCG(5, 6))
	for i := range m {
		m[i] = byte(r.Uint32())
	}
	nine := NewWindow(9)
	nine.Add(m)
	eight := NewWindow(8)
	eight.Add(m)
	c := Compress(nil, m[:100], How{1, 9}, nine)
	if got, err := Inflate(nil, c, 1000, eight); err != nil || !bytes.Equal(got, m[:100]) || len(c) > 50 {
		t.Errorf("got %d bytes of %d, %v", len(got), len(c), err)
	}
}
