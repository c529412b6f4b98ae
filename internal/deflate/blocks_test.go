package deflate

import (
	"bytes"
	"math"
	"strings"
	"testing"
)

// A bitWriter writes DEFLATE by hand: the lowest bit first (RFC 1951 §3.1.1).
type bitWriter struct {
	out  []byte
	used uint // bits of the last byte
}

func (w *bitWriter) put(value, count uint) {
	for ; count > 0; count-- {
		if w.used%8 == 0 {
			w.out = append(w.out, 0)
		}
		w.out[len(w.out)-1] |= byte(value&1) << (w.used % 8)
		value >>= 1
		w.used++
	}
}

// aaaa is a message of a block that brings its own codes: an "a", and a match of
// three bytes one byte back. Its only code for distances has that length.
func aaaa(distLen uint) []byte {
	var w bitWriter
	w.put(0b10_0, 3) // dynamic codes, not final
	w.put(258-257, 5)
	w.put(0, 5) // one code for distances
	w.put(18-4, 4)
	for _, symbol := range lengthOrder[:18] {
		switch symbol {
		case 0, 1, 2, 18:
			w.put(2, 3)
		default:
			w.put(0, 3)
		}
	}
	// The codes of the four, and what they stand for.
	zero, one, two, zeros := uint(0b00), uint(0b10), uint(0b01), uint(0b11)
	w.put(zeros, 2)
	w.put('a'-11, 7)
	w.put(one, 2) // "a"
	w.put(zeros, 2)
	w.put(138-11, 7)
	w.put(zeros, 2)
	w.put(255-'a'-138-11, 7)
	w.put(two, 2) // 256, the end
	w.put(two, 2) // 257, a match of three bytes
	w.put([...]uint{zero, one}[distLen], 2)
	w.put(0, 1)    // "a"
	w.put(0b11, 2) // a match
	w.put(0, 1)    // the only distance
	w.put(0b01, 2) // the end
	w.put(0, 3)    // an empty block without compression
	return w.out
}

// A block that lacks a code it needs is corrupt, whatever codes an earlier
// message of anybody else has brought.
func TestCodesAreNotKept(t *testing.T) {
	r := seeded(t)
	for range 20 {
		got, err := Inflate(nil, aaaa(1), math.MaxInt, nil)
		streamed, _, streamErr := stream(aaaa(1), nil, 5, r)
		if err != nil || string(got) != "aaaa" || streamErr != nil || string(streamed) != "aaaa" {
			t.Fatalf("got %q, %v and %q, %v", got, err, streamed, streamErr)
		}
		got, err = Inflate(nil, aaaa(0), math.MaxInt, nil)
		streamed, _, streamErr = stream(aaaa(0), nil, 5, r)
		if err != ErrCorrupt || streamErr != ErrCorrupt {
			t.Fatalf("without a code for distances: got %q, %v and %q, %v", got, err, streamed, streamErr)
		}
	}
}

// Final blocks inside a message may be many, may refer back past each other, and
// what they bring counts towards the limit (RFC 7692 §7.2.3.4).
func TestManyFinalBlocks(t *testing.T) {
	const hello, again, empty = "\xf3\x48\xcd\xc9\xc9\x07\x00", "\xf3\x00\x11\x00", "\x03\x00"
	message := []byte(hello + strings.Repeat(empty, 100_000) + again + strings.Repeat(empty+again, 10_000) + "\x00")
	want := strings.Repeat("Hello", 10_002)
	for _, takeover := range []bool{false, true} {
		var w *Window
		if takeover {
			w = NewWindow(9)
			w.Add([]byte("before"))
		}
		got, err := Inflate(nil, message, len(want), w)
		if err != nil || string(got) != want {
			t.Errorf("got %d bytes, %v; want %d", len(got), err, len(want))
		}
		if takeover && !bytes.Equal(w.Bytes(), []byte(want[len(want)-512:])) {
			t.Errorf("the window holds %q", w.Bytes())
		}
		if _, err := Inflate(nil, message, len(want)-1, w); err != ErrTooLong {
			t.Errorf("with a lower limit: %v", err)
		}
		if _, err := Inflate(nil, append(message, "\x07"...), len(want), w); err != ErrCorrupt {
			t.Errorf("with a corrupt block behind it: %v", err)
		}
	}
}
