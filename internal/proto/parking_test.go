package proto

import (
	"bytes"
	"strings"
	"testing"
)

// A Reader whose buffer is parked before every byte, and given another one, tells
// the same as one that keeps its own.
func TestParking(t *testing.T) {
	frames := "\x89\x02hi" + "\x01\x03Hel" + "\x8A\x00" + "\x80\x02lo" + "\x82\x7E\x01\x00" + strings.Repeat("x", 256) + "\x88\x02\x03\xE8"
	r := NewReader(Config{MessageLimit: 1000, FragmentLimit: 10}, make([]byte, MinBuffer))
	var kinds []Kind
	for _, b := range []byte(frames) {
		old := r.Park()
		if old == nil || !r.Parked() || r.Park() != nil {
			t.Fatal("a Reader that waits does not park")
		}
		for i := range old {
			old[i] = 0xDB // it is somebody else's now
		}
		space := r.Space()
		if len(space) == 0 {
			r.Unpark(make([]byte, MinBuffer))
			space = r.Space()
		}
		if r.Parked() != (len(r.buf) < MinBuffer) || len(space) == 0 {
			t.Fatal("no space")
		}
		space[0] = b
		r.Filled(1)
		for {
			ev := r.Next()
			if ev.Kind == More || ev.Kind == Over {
				break
			}
			kinds = append(kinds, ev.Kind)
			if ev.Kind == Message && string(ev.Data) != "Hello" && string(ev.Data) != strings.Repeat("x", 256) {
				t.Errorf("message %q", ev.Data)
			}
		}
		if r.Parked() {
			r.Unpark(make([]byte, MinBuffer)) // so that it can be parked again
		}
	}
	want := []Kind{Ping, Pong, Message, Message, Close}
	if len(kinds) != len(want) {
		t.Fatalf("%v, want %v", kinds, want)
	}
	for i := range want {
		if kinds[i] != want[i] {
			t.Fatalf("%v, want %v", kinds, want)
		}
	}
}

// A buffer with more in it than a frame that has just begun is not given away.
func TestParkingAFullBuffer(t *testing.T) {
	r := NewReader(Config{MessageLimit: 1000, FragmentLimit: 10}, make([]byte, 2*MinBuffer))
	r.Filled(copy(r.Space(), bytes.Repeat([]byte("\x82\x00"), MinBuffer)))
	if r.Empty() || r.Park() != nil {
		t.Error("parked with messages in it")
	}
	for r.Next().Kind == Message {
	}
	if !r.Empty() || r.Park() == nil {
		t.Error("not parked when it was empty")
	}
}

// Ready tells whether Next needs another byte.
func TestReady(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     bool
	}{
		{"nothing", "", false},
		{"half a header", "\x82", false},
		{"an empty message", "\x82\x00", true},
		{"half a message", "\x82\x02x", false},
		{"a message", "\x82\x02xy", true},
		{"a message and more", "\x82\x02xy\x82", true},
		{"a ping", "\x89\x01x", true},
		{"a long message", "\x82\x7F\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF", false},
	} {
		r := NewReader(unlimited, make([]byte, MinBuffer))
		r.Filled(copy(r.Space(), tt.in))
		if got := r.Ready(); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	// Inside a frame the next bytes are no header.
	r := NewReader(unlimited, make([]byte, MinBuffer))
	r.Filled(copy(r.Space(), "\x82\x05x"))
	r.Next()
	r.Filled(copy(r.Space(), "\x82\x00"))
	if r.Ready() {
		t.Error("payload is taken for a frame")
	}
}

// What was left in a parked buffer is never where the next bytes are read to: a
// message may still be looked at there.
func TestParkedMemoryIsNotReused(t *testing.T) {
	r := NewReader(Config{MessageLimit: 1000, FragmentLimit: 10}, make([]byte, MinBuffer))
	r.CollectInPlace()
	r.Filled(copy(r.Space(), "\x82\x05Hello"))
	if r.Park() == nil {
		t.Fatal("not parked")
	}
	ev := r.Next()
	if ev.Kind != Message || string(ev.Data) != "Hello" || !ev.InPlace {
		t.Fatalf("%+v", ev)
	}
	if space := r.Space(); len(space) > 0 {
		t.Errorf("Space of %d bytes in what was parked", len(space))
	}
	r.Unpark(make([]byte, MinBuffer))
	r.Filled(copy(r.Space(), "\x82\x05World"))
	if next := r.Next(); string(next.Data) != "World" || string(ev.Data) != "Hello" {
		t.Errorf("%q, %q", next.Data, ev.Data)
	}
}
