package proto

import (
	"bytes"
	"fmt"
	"testing"
)

// streams are transcripts of messages that come in pieces.
var streams = []conversation{
	{"5.2 Start comes with the header", `
		< 81 05
		start text
		< "Hel"
		part "Hel"
		< "lo"
		last "lo"`},
	{"5.2 no payload", `
		< 82 00
		start binary
		last ""`},
	{"5.4 two fragments", `
		< 01 03 "Hel"
		start text
		part "Hel"
		< 80 02
		< "lo"
		last "lo"`},
	{"5.4 empty last fragment", `
		< 02 01 "a"
		start binary
		part "a"
		< 80 00
		last ""`},
	{"5.4 empty fragments bring no Part", `
		< 01 00
		start text
		< 00 00
		< 80 01 "a"
		last "a"`},
	{"5.4 control frames between parts", `
		< 01 01 "a" 89 01 "1" 00 01 "b"
		start text
		part "a"
		ping "1"
		part "b"
		< 8A 00
		pong ""
		< 80 7E 00C8 "c"*200
		last "c"*200`},
	{"5.4 message after message", `
		< 81 01 "a" 02 01 "b" 80 01 "c" 81 00
		start text
		last "a"
		start binary
		last "bc"
		start text
		last ""`},
	{"5.4 long frames", `
		< 02 7E 01F4 "a"*100
		start binary
		part "a"*100
		< "a"*150
		part "a"*150
		< "a"*250 00 7E 01F4 "b"*500
		part "a"*250 "b"*500
		< 80 7E 01F4 "c"*499
		part "c"*499
		< "d" 81 01 "e"
		last "d"
		start text
		last "e"`},
	{"5.4 interleaved message", `
		< 01 01 "a"
		start text
		part "a"
		< 81 01 "b"
		violation 1002 5.4`},
	{"5.5.1 close inside a message", `
		< 01 01 "a" 88 02 03E8
		start text
		part "a"
		close 1000 ""`},
	{"8.1 character in two parts", `
		< 01 01 C3
		start text
		part "\xc3"
		< 80 01 A9
		last "\xa9"`},
	{"8.1 bad byte", `
		< 81 05 "ab"
		start text
		part "ab"
		< FF
		violation 1007 8.1`},
	{"8.1 bad byte in a long frame", `
		< 81 7E 01F4 "a"*300
		start text
		part "a"*300
		< "b" FF
		violation 1007 8.1
		< "c"*198`},
	{"8.1 end inside a character", `
		< 81 03 "a" E2
		start text
		part "a\xe2"
		< 82
		violation 1007 8.1`},
}

func TestStreams(t *testing.T) {
	same := func(records []record) []record { return records }
	for _, c := range streams {
		t.Run(c.name, func(t *testing.T) {
			steps := parseTranscript(t, c.text)
			for _, size := range []int{1, 3, MinBuffer, 1000} {
				name := fmt.Sprintf("stream in %d bytes", size)
				testMode(t, name, unlimited, steps, streamIn(size), same)
				server := unlimited
				server.Server = true
				testMode(t, name, server, maskSteps(steps), streamIn(size), same)
			}
		})
	}
}

// give hands b to r in pieces that fit into Space, and does not call Next.
func give(t *testing.T, r *Reader, b []byte) {
	t.Helper()
	n := copy(r.Space(), b)
	if n < len(b) {
		t.Fatalf("Space for %d of %d bytes", n, len(b))
	}
	r.Filled(n)
}

func want(t *testing.T, r *Reader, records ...record) {
	t.Helper()
	for _, want := range records {
		ev := r.Next()
		if want.what == "more" && ev.Kind == More {
			continue
		}
		if ev.Kind == More {
			t.Fatalf("More, want %v", want)
		}
		if got := recordOf(t, ev); got != want {
			t.Fatalf("%v, want %v", got, want)
		}
	}
}

var more = record{what: "more"}

// "One Part for this call, of at most len(p) bytes and in p."
func TestPartPerCall(t *testing.T) {
	for _, n := range []int{5, 300} { // a short frame, and one that is read directly
		r := NewReader(unlimited, make([]byte, MinBuffer))
		frame := []byte("\x82\x7E\x01\x2C" + string(make([]byte, 300)))
		if n == 5 {
			frame = []byte("\x82\x05\x00\x00\x00\x00\x00")
		}
		header := len(frame) - n
		p := make([]byte, 200, 400)
		r.Stream(p)
		give(t, &r, frame[:header])
		want(t, &r, record{"start binary", ""}, more)
		payload := frame[header:]
		for len(payload) > 0 {
			got := copy(r.Space(), payload)
			r.Filled(got)
			payload = payload[got:]
			ev := r.Next()
			if ev.Kind != Part || len(ev.Data) != got || &ev.Data[0] != &p[0] || ev.Last != (len(payload) == 0) {
				t.Fatalf("frame of %d: %+v after %d bytes", n, ev, got)
			}
			want(t, &r, more)
			r.Stream(p)
		}
	}
}

// Without memory, More stands for a call of Stream; the messages before, and
// the control frames up to the next payload, come all the same.
func TestStreamWithoutMemory(t *testing.T) {
	r := NewReader(unlimited, make([]byte, MinBuffer))
	r.Stream(nil)
	give(t, &r, []byte("\x89\x00"+"\x01\x03Hel"+"\x89\x01a"+"\x80\x02lo"+"\x89\x01b"))
	want(t, &r, record{"ping", ""}, record{"start text", ""}, more, more)
	r.Stream([]byte{}) // is no memory either
	want(t, &r, more)
	r.Stream(make([]byte, 2))
	want(t, &r, record{"part", "He"}, more)
	r.Stream(make([]byte, 2))
	want(t, &r, record{"part", "l"})
	want(t, &r, record{"ping", "a"}, more) // at the end of a frame
	r.Stream(make([]byte, 2))
	want(t, &r, record{"last", "lo"}, record{"ping", "b"}, more)
}

// An empty last fragment waits for memory too: it leads to a Part.
func TestEmptyLastPartWaits(t *testing.T) {
	r := NewReader(unlimited, make([]byte, MinBuffer))
	r.Stream(nil)
	give(t, &r, []byte("\x81\x00\x89\x00"))
	want(t, &r, record{"start text", ""}, more)
	r.Stream(make([]byte, 1))
	want(t, &r, record{"last", ""}, record{"ping", ""}, more)
}

// The buffer fills up with payload that waits for Stream: only then is Space
// empty.
func TestSpaceIsEmptyWithoutMemory(t *testing.T) {
	r := NewReader(unlimited, make([]byte, MinBuffer))
	r.Stream(nil)
	payload := bytes.Repeat([]byte("a"), MinBuffer)
	give(t, &r, []byte("\x82\x7E\x00\x8B"))
	want(t, &r, record{"start binary", ""}, more)
	for i := range payload {
		give(t, &r, payload[i:i+1])
		want(t, &r, more)
	}
	if n := len(r.Space()); n != 0 {
		t.Fatalf("Space of %d bytes in a buffer of %d that holds %d", n, MinBuffer, r.Held())
	}
	r.Stream(make([]byte, 1))
	want(t, &r, record{"part", "a"})
	if n := len(r.Space()); n != 1 {
		t.Fatalf("Space of %d bytes, want 1", n)
	}
	r.Skip()
	want(t, &r, more)
	if n := len(r.Space()); n != MinBuffer {
		t.Fatalf("Space of %d bytes after Skip", n)
	}
}

// Skip before a Start has nothing to drop.
func TestSkipBeforeStart(t *testing.T) {
	r := NewReader(unlimited, make([]byte, MinBuffer))
	r.Skip()
	give(t, &r, []byte("\x01\x01a"))
	want(t, &r, more)
	r.Skip()
	r.Stream(make([]byte, 8))
	r.Skip()
	give(t, &r, []byte("\x80\x01b"))
	want(t, &r, record{"start text", ""}, record{"part", "a"})
	r.Stream(make([]byte, 8))
	want(t, &r, record{"last", "b"}, more)
	r.Skip()
	give(t, &r, []byte("\x81\x01c"))
	want(t, &r, record{"start text", ""}, more)
}
