package proto

import (
	"bytes"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"
	"weak"

	"github.com/wschannel/wschannel/internal/wire"
)

// sameMemory reports whether a and b begin at the same place, whatever their
// lengths.
func sameMemory(a, b []byte) bool { return unsafe.SliceData(a) == unsafe.SliceData(b) }

// binaryHeader returns the header of a binary message of n bytes.
func binaryHeader(n int) []byte {
	return wire.AppendHeader(nil, wire.Header{Fin: true, Opcode: wire.Binary, Length: uint64(n)})
}

// "Memory grows with received bytes and never with claimed lengths."
func TestMemoryGrowsWithWhatCame(t *testing.T) {
	const buffer, payload = 1000, 1 << 20
	cfg := Config{MessageLimit: math.MaxInt, FragmentLimit: -1}
	claim := string(binaryHeader(math.MaxInt))
	for _, tt := range []struct {
		name  string
		mode  mode
		begin string
		given int // memory that was brought
	}{
		{"in new memory", collectNew, claim, 0},
		{"in short memory", collectInto(10), claim, 16},
		{"in long memory", collectInto(1 << 16), claim, 6 + 1<<16},
		{"behind another fragment", collectNew, "\x02\x05Hello\x80" + string(binaryHeader(math.MaxInt - 5)[1:]), 5},
		{"stream", streamIn(1 << 16), claim, 1 << 16},
		{"skip", skip, claim, 0},
	} {
		for _, chunk := range []func() int{whole, upTo(500, 1), upTo(5000, 1)} {
			t.Run(tt.name, func(t *testing.T) {
				tr := newTransport(t, cfg, buffer, tt.mode)
				tr.feed([]byte(tt.begin), whole)
				if tr.ended {
					t.Fatalf("%q", tr.got)
				}
				moved, at := 0, unsafe.SliceData(tr.r.dst)
				tr.r.Space()
				if n, limit := cap(tr.r.dst), max(tt.given, 16); n > limit {
					t.Fatalf("%d bytes of memory for a header", n)
				}
				b := bytes.Repeat([]byte("a"), payload)
				for len(b) > 0 {
					tr.fill(&b, chunk())
					tr.drain()
					received := payload - len(b)
					if n, limit := cap(tr.r.dst), max(tt.given, 16)+3*received; n > limit {
						t.Fatalf("%d bytes of memory for %d that came, at most %d wanted", n, received, limit)
					}
					if next := unsafe.SliceData(tr.r.dst); next != at {
						at = next
						moved++
					}
				}
				if !tr.r.streaming && moved > 25 {
					t.Errorf("what came has moved %d times", moved)
				}
			})
		}
	}
}

// Frames at least as long as the buffer are read where they belong, and no
// byte of what is behind them is.
func TestDirectReads(t *testing.T) {
	for _, tt := range []struct {
		name           string
		length, room   int
		stream, direct bool
	}{
		{"collect, a frame as long as the buffer", MinBuffer, 1000, false, true},
		{"collect, a frame one byte shorter", MinBuffer - 1, 1000, false, false},
		{"collect, room as long as the frame", 500, 500, false, true},
		{"collect, room of one buffer", 500, MinBuffer, false, true},
		{"collect, room one byte shorter than the buffer", 500, MinBuffer - 1, false, false},
		{"stream, a frame as long as the buffer", MinBuffer, 1000, true, true},
		{"stream, a frame one byte shorter", MinBuffer - 1, 1000, true, false},
		{"stream, memory as long as the buffer", 500, MinBuffer, true, true},
		{"stream, memory one byte shorter", 500, MinBuffer - 1, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := NewReader(unlimited, make([]byte, MinBuffer))
			var at []byte // where the payload belongs
			if tt.stream {
				p := make([]byte, tt.room)
				r.Stream(p)
				at = p
			} else {
				dst := append(make([]byte, 0, 3+tt.room), "abc"...)
				r.Collect(dst)
				at = dst[3:cap(dst)]
			}
			give(t, &r, binaryHeader(tt.length))
			if tt.stream {
				want(t, &r, record{"start binary", ""})
			}
			want(t, &r, more)
			space := r.Space()
			if direct := sameMemory(space, at); direct != tt.direct {
				t.Fatalf("directly: %t", direct)
			}
			if tt.direct && len(space) != min(tt.length, tt.room) {
				t.Errorf("Space of %d bytes", len(space))
			}
			// A transport that has nothing asks again.
			if again := r.Space(); !sameMemory(again, space) && tt.direct || len(again) != len(space) {
				t.Errorf("Space of %d bytes, and then of %d", len(space), len(again))
			}
		})
	}
}

// While bytes wait in the buffer nothing can be read behind them directly.
func TestDirectReadsKeepOrder(t *testing.T) {
	tr := newTransport(t, unlimited, MinBuffer, collectInto(1000))
	tr.feed([]byte("\x82\x7E\x03\xE8"), whole)
	tr.r.Stream(make([]byte, 200))
	// Without a call of Next, twice.
	b := []byte(strings.Repeat("0123456789", 100))
	for range 2 {
		tr.fill(&b, 20)
	}
	tr.mode = streamIn(200)
	tr.drain()
	for range 2 {
		tr.fill(&b, 150) // directly, and then the buffer
	}
	tr.drain()
	tr.feed(b, whole)
	if got := collected(tr.got); len(got) != 1 || got[0].data != strings.Repeat("0123456789", 100) {
		t.Errorf("%.1200q", got)
	}
}

// Nor behind what was collected and is to be streamed first.
func TestDirectReadsWaitForWhatIsKept(t *testing.T) {
	tr := newTransport(t, unlimited, MinBuffer, collectNew)
	tr.feed([]byte("\x82\x7E\x03\xE8ab"), whole)
	tr.r.Stream(make([]byte, 1))
	tr.mode = func(*transport, Event) {}
	tr.drain() // Start, and the first of the two
	tr.r.Stream(make([]byte, 500))
	b := []byte(strings.Repeat("c", 998))
	tr.fill(&b, 100)
	tr.mode = streamIn(500)
	tr.drain()
	tr.feed(b, whole)
	if tr.r.kept != nil {
		t.Error("the memory in which it was collected is still held")
	}
	want := []record{{"message binary", "ab" + strings.Repeat("c", 998)}}
	if got := collected(tr.got); !slices.Equal(got, want) {
		t.Errorf("%.1200q", got)
	}
}

// A transport that was lent memory and had nothing to put there asks again.
func TestSpaceAgain(t *testing.T) {
	tr := newTransport(t, unlimited, MinBuffer, streamIn(500))
	tr.feed([]byte("\x82\x7E\x03\xE8"), whole)
	tr.r.Space() // directly
	tr.r.Release()
	tr.feed([]byte("ab"), whole) // into the buffer: Stream has to be called
	tr.mode(tr, Event{})
	tr.drain()
	tr.feed([]byte(strings.Repeat("c", 998)), whole)
	want := []record{{"message binary", "ab" + strings.Repeat("c", 998)}}
	if got := collected(tr.got); !slices.Equal(got, want) {
		t.Errorf("%.1200q", got)
	}
}

// A violation that was read directly is not lost by reading on.
func TestDirectViolation(t *testing.T) {
	for _, m := range []mode{collectInto(1000), streamIn(1000)} {
		tr := newTransport(t, unlimited, MinBuffer, m)
		tr.feed([]byte("\x81\x7E\x03\xE8"), whole)
		b := []byte("\xFF" + strings.Repeat("a", 999))
		tr.fill(&b, 1)
		tr.fill(&b, 500)
		tr.drain()
		if n := len(tr.got); n == 0 || tr.got[n-1].what != "violation 1007 8.1" {
			t.Errorf("%q", tr.got)
		}
	}
}

// What comes back shares the memory of dst if that suffices, and dst itself is
// as it was.
func TestCollectSharesMemory(t *testing.T) {
	for _, length := range []int{0, 5, 125, 138, 139, 1000, 65535} {
		for _, spare := range []int{-1, 0, 1, 1000} {
			for chunks, chunk := range map[string]func() int{"whole": whole, "in pieces": upTo(100, 0)} {
				for _, dst := range [][]byte{[]byte("before"), {}} {
					name := fmt.Sprintf("%d bytes, %d to spare, %s", length, spare, chunks)
					dst = append(make([]byte, 0, max(len(dst)+length+spare, len(dst))), dst...)
					if cap(dst) == 0 {
						continue
					}
					var got []byte
					tr := newTransport(t, unlimited, MinBuffer, func(tr *transport, ev Event) { got = ev.Data })
					tr.dst = string(dst)
					tr.r.Collect(dst)
					tr.feed(binaryHeader(length), whole)
					tr.feed(bytes.Repeat([]byte("p"), length), chunk)
					if want := string(dst) + strings.Repeat("p", length); string(got) != want {
						t.Fatalf("%s: got %.100q", name, got)
					}
					if fits := len(dst)+length <= cap(dst); sameMemory(got, dst) != fits {
						t.Fatalf("%s: it fits: %t", name, fits)
					}
				}
			}
		}
	}
}

// Whatever has happened, after Release the Reader does not hold on to memory
// that it was given, nor to what it has handed out.
func TestReleaseForgetsMemory(t *testing.T) {
	for _, sent := range []string{
		"",
		"\x82",
		"\x82\x05Hel",
		"\x82\x05Hello",
		"\x02\x05Hello\x00\x00\x89",
		"\x82\x7E\x03\xE8",
		"\x82\x7E\x03\xE8" + strings.Repeat("a", 500),
		"\x82\x7E\x03\xE8" + strings.Repeat("a", 1000) + "\x82\x01",
		"\x81\x01\xFF",
		"\x88\x00",
	} {
		for _, bring := range []func(r *Reader, memory []byte){
			func(r *Reader, memory []byte) { r.Collect(memory) },
			func(r *Reader, memory []byte) { r.Collect(memory[:0]) },
			func(r *Reader, memory []byte) { r.Stream(memory) },
		} {
			r := NewReader(unlimited, make([]byte, MinBuffer))
			given := func() weak.Pointer[byte] {
				memory := make([]byte, 100, 2000)
				bring(&r, memory)
				for b := []byte(sent); len(b) > 0; {
					n := copy(r.Space(), b)
					r.Filled(n)
					b = b[n:]
					for ev := r.Next(); ev.Kind != More && ev.Kind != Over; ev = r.Next() {
						if ev.Kind == Part {
							bring(&r, memory)
						}
					}
				}
				return weak.Make(unsafe.SliceData(memory))
			}()
			r.Release()
			runtime.GC()
			if given.Value() != nil {
				t.Errorf("%.20q: the memory is still in use", sent)
			}
			runtime.KeepAlive(&r)
		}
	}
}

func TestHeld(t *testing.T) {
	r := NewReader(unlimited, make([]byte, MinBuffer))
	held := func(want int) {
		t.Helper()
		if got := r.Held(); got != want {
			t.Errorf("holds %d bytes, want %d", got, want)
		}
	}
	held(0)
	give(t, &r, []byte("\x82"))
	want(t, &r, more)
	held(1) // a part of a header
	r.Collect(append(make([]byte, 0, 500), "before"...))
	give(t, &r, []byte("\x7E\x00\xFAHello"))
	want(t, &r, more)
	held(9) // header and payload, and not what stood before it
	r.Release()
	held(9)
	r.Stream(nil)
	held(9)
	want(t, &r, record{"start binary", ""}, more)
	give(t, &r, []byte("12"))
	want(t, &r, more)
	held(11) // the header, 5 that were collected, 2 in the buffer
	r.Stream(make([]byte, 3))
	want(t, &r, record{"part", "Hel"}, more)
	held(4)
	r.Stream(make([]byte, 500))
	want(t, &r, record{"part", "lo"}, more)
	r.Stream(make([]byte, 500))
	want(t, &r, record{"part", "12"}, more)
	held(0)
	r.Stream(make([]byte, 500))
	give(t, &r, []byte("345")) // directly
	held(3)
	r.Release()
	held(3)
	r.Collect(nil) // drops what was streamed
	want(t, &r, more)
	held(0)
	for range 2 {
		give(t, &r, bytes.Repeat([]byte("a"), 110))
		want(t, &r, more)
		held(0)
	}
	give(t, &r, []byte(strings.Repeat("a", 20)+"\x88\x00xy"))
	want(t, &r, record{"close 1005", ""})
	held(0)
}

// "A view into the Reader, valid until the next Space."
func TestViews(t *testing.T) {
	r := NewReader(Config{Server: true, MessageLimit: -1, FragmentLimit: -1}, make([]byte, MinBuffer))
	var m masker
	give(t, &r, m.mask([]byte("\x89\x011\x01\x05Hello\x8A\x012\x80\x05Hello\x88\x07\x03\xE8three")))
	var views [][]byte
	for ev := r.Next(); ev.Kind != Over; ev = r.Next() {
		if ev.Kind != Message {
			views = append(views, ev.Data)
		}
	}
	if got := string(bytes.Join(views, []byte(" "))); got != "1 2 three" {
		t.Errorf("%q", got)
	}
}

func TestNewReaderPanics(t *testing.T) {
	NewReader(unlimited, make([]byte, MinBuffer))
	defer func() {
		if recover() == nil {
			t.Error("a buffer that cannot hold a control frame")
		}
	}()
	NewReader(unlimited, make([]byte, MinBuffer-1))
}
