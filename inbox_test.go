//go:build !js

package wschannel

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/wschannel/wschannel/internal/wire"
)

// An entry is what an inbox should hold, told as opcode, FIN and payload.
type entry struct {
	h       wire.Header
	payload string
}

func (e entry) String() string { return fmt.Sprintf("%v/%v/%.20q", e.h.Opcode, e.h.Fin, e.payload) }

func whole(op wire.Opcode, payload string) entry {
	return entry{wire.Header{Fin: true, Opcode: op}, payload}
}

func part(last bool, payload string) entry {
	return entry{wire.Header{Fin: last, Opcode: wire.Continuation}, payload}
}

// wantEntries takes everything out of b.
func wantEntries(t *testing.T, b *inbox, want ...entry) {
	t.Helper()
	for i, w := range want {
		for range 2 { // peek takes nothing
			h, payload, ok := b.peek()
			if got := (entry{h, string(payload)}); !ok || got.String() != w.String() || got.payload != w.payload {
				t.Fatalf("entry %d: %v %v, want %v", i, got, ok, w)
			}
		}
		_, payload, _ := b.peek()
		b.take(payload)
	}
	if h, payload, ok := b.peek(); ok {
		t.Fatalf("one entry too many: %v", entry{h, string(payload)})
	}
	if b.size() != 0 || cap(b.frames) != 0 {
		t.Errorf("an empty inbox of size %d holds %d bytes of memory", b.size(), cap(b.frames))
	}
}

func fillInbox(b *inbox, entries ...entry) {
	for _, e := range entries {
		b.add(e.h, []byte(e.payload))
	}
}

func TestInboxIsAQueue(t *testing.T) {
	var entries []entry
	for i, size := range sizes {
		payload := strings.Repeat(string(rune('a'+i)), size)
		entries = append(entries, whole(wire.Text, payload), whole(wire.Binary, payload), part(i%2 == 0, payload))
	}
	var b inbox
	wantEntries(t, &b)
	fillInbox(&b, entries...)
	wantEntries(t, &b, entries...)
	// Empty again, it is as new.
	fillInbox(&b, entries[:3]...)
	wantEntries(t, &b, entries[:3]...)
}

// What an inbox holds counts as many bytes as it took on the wire.
func TestInboxSize(t *testing.T) {
	for _, masked := range []bool{false, true} {
		var b inbox
		want := 0
		for _, size := range sizes {
			payload := make([]byte, size)
			b.add(wire.Header{Fin: true, Opcode: wire.Binary, Masked: masked}, payload)
			want += len(frameBytes(binaryFrame, masked, string(payload)))
			if b.size() != want {
				t.Fatalf("masked %v: size %d, want %d", masked, b.size(), want)
			}
		}
		for b.size() > 0 {
			_, payload, _ := b.peek()
			want -= len(frameBytes(binaryFrame, masked, string(payload)))
			b.take(payload)
			if b.size() != want {
				t.Fatalf("masked %v: size %d, want %d", masked, b.size(), want)
			}
		}
	}
}

func TestInboxPutBack(t *testing.T) {
	first, second, third := whole(wire.Text, "first"), whole(wire.Binary, ""), whole(wire.Text, "third")
	var b inbox
	b.putBack(first.h.Opcode, []byte(first.payload))
	wantEntries(t, &b, first)

	fillInbox(&b, first, second, third)
	for range 3 {
		h, payload, _ := b.peek()
		kept := string(payload)
		b.take(payload)
		b.putBack(h.Opcode, []byte(kept))
	}
	wantEntries(t, &b, first, second, third)

	fillInbox(&b, first, second)
	_, payload, _ := b.peek()
	b.take(payload)
	b.putBack(wire.Binary, []byte("instead"))
	fillInbox(&b, third)
	wantEntries(t, &b, whole(wire.Binary, "instead"), second, third)
}

func TestInboxDropParts(t *testing.T) {
	message := whole(wire.Text, "message")
	for _, tt := range []struct {
		name     string
		entries  []entry
		wantLast bool
		left     []entry
	}{
		{"empty", nil, false, nil},
		{"no parts", []entry{message}, false, []entry{message}},
		{"parts, more to come", []entry{part(false, "a"), part(false, "")}, false, nil},
		{"parts to the last", []entry{part(false, "a"), part(true, "b")}, true, nil},
		{"an empty last part", []entry{part(true, "")}, true, nil},
		{"and a message behind", []entry{part(false, "a"), part(true, "b"), message, message}, true, []entry{message, message}},
		{"parts of one message only", []entry{part(true, "a"), part(false, "of another")}, true, []entry{part(false, "of another")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b inbox
			fillInbox(&b, tt.entries...)
			if last := b.dropParts(); last != tt.wantLast {
				t.Errorf("last: %v", last)
			}
			wantEntries(t, &b, tt.left...)
		})
	}
}

// Any sequence of adding and taking is that of a list, and needs memory for
// what is held and not for what has gone through.
func TestInboxMemory(t *testing.T) {
	const bound = 10_000
	r := rand.New(rand.NewPCG(1, 2))
	var b inbox
	var list []entry
	through, most := 0, 0
	for range 200_000 {
		if size := r.IntN(300); b.size()+size+wire.MaxHeader <= bound && r.IntN(5) > 0 {
			e := whole(wire.Binary, string(bytes.Repeat([]byte{byte(r.Uint32())}, size)))
			b.add(e.h, []byte(e.payload))
			list = append(list, e)
			through += size
		} else if len(list) > 0 {
			h, payload, ok := b.peek()
			if got := (entry{h, string(payload)}); !ok || got.String() != list[0].String() {
				t.Fatalf("got %v %v, want %v", got, ok, list[0])
			}
			if b.take(payload); r.IntN(10) > 0 {
				list = list[1:]
			} else {
				b.putBack(list[0].h.Opcode, []byte(list[0].payload))
			}
		}
		most = max(most, cap(b.frames))
	}
	if through < 100*bound {
		t.Fatalf("only %d bytes went through: this tests nothing", through)
	}
	if most > 2*bound {
		t.Errorf("an inbox of at most %d bytes took %d bytes of memory", bound, most)
	}
	wantEntries(t, &b, list...)
}
