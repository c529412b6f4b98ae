package proto

import (
	"slices"
	"testing"

	"github.com/wschannel/wschannel/internal/wire"
)

// RFC 7692 §6: RSV1 on the first frame of a message, if it was negotiated, and
// nowhere else.
var compressedConversations = []conversation{
	{"7692 6.1 one frame", `
		< C1 03 "abc"
		message text compressed "abc"
		< C2 00
		message binary compressed ""
		< 81 02 "hi"
		message text "hi"`},
	{"7692 6.1 fragments", `
		< 41 01 "a" 00 01 "b"
		< 89 01 "p"
		ping "p"
		< 80 01 "c"
		message text compressed "abc"
		< 01 01 "d" 80 01 "e"
		message text "de"`},
	{"7692 6.2 what is compressed is no text", `
		< 41 02 FF80 80 01 C3
		message text compressed "\xFF\x80\xC3"`},
	{"8.1 what is not is", `
		< C1 01 "a"
		message text compressed "a"
		< 81 01 FF
		violation 1007 8.1`},
	{"7692 6.1 RSV1 on a continuation", `
		< 41 01 "a" C0 01 "b"
		violation 1002 5.2`},
	{"7692 6.1 RSV1 on a continuation of a plain message", `
		< 01 01 "a" C0 01 "b"
		violation 1002 5.2`},
	{"7692 6.1 RSV1 on a ping", `
		< C9 00
		violation 1002 5.2`},
	{"7692 6.1 RSV1 on a close", `
		< C8 02 03E8
		violation 1002 5.2`},
	{"5.2 RSV2 too", `
		< E1 00
		violation 1002 5.2`},
	{"7692 6 a compressed message may be a little longer", `
		< C2 7E 0466 "a"*1126
		message binary compressed "a"*1126
		< C2 7E 0866 "a"
		violation 1009 7.4.1`},
	{"a plain message may not", `
		< 82 7E 03E9 "a"
		violation 1009 7.4.1`},
}

func TestCompressed(t *testing.T) {
	cfg := Config{MessageLimit: 1000, FragmentLimit: 3, Compression: true}
	for _, c := range compressedConversations {
		t.Run(c.name, func(t *testing.T) {
			var want []record
			var sent []byte
			for _, s := range parseTranscript(t, c.text) {
				sent, want = append(sent, s.bytes...), append(want, s.events...)
			}
			for name, chunk := range map[string]func() int{"whole": whole, "one": one, "random": upTo(9, 1)} {
				tr := newTransport(t, cfg, MinBuffer, collectNew)
				tr.feed(sent, chunk)
				if !slices.Equal(tr.got, want) {
					t.Errorf("%s: got %v; want %v", name, tr.got, want)
				}
				if want[len(want)-1].what == "violation 1009 7.4.1" {
					continue // limits are not for what is streamed
				}
				tr = newTransport(t, cfg, MinBuffer, streamIn(50))
				tr.feed(sent, chunk)
				if got := collected(coalesce(tr.got)); !slices.Equal(got, want) {
					t.Errorf("%s, streamed: got %v; want %v", name, got, want)
				}
			}
		})
	}
}

// After Stop nothing comes any more.
func TestStop(t *testing.T) {
	r := NewReader(Config{MessageLimit: 10, FragmentLimit: 1}, make([]byte, MinBuffer))
	n := copy(r.Space(), "\x81\x02hi\x81\x02hi")
	r.Filled(n)
	if ev := r.Next(); ev.Kind != Message {
		t.Fatalf("got %+v", ev)
	}
	r.Stop()
	if ev := r.Next(); ev.Kind != Over || r.Held() != 0 {
		t.Fatalf("got %+v, %d bytes are held", ev, r.Held())
	}
}

// Reserved bits mark the first frame of a message.
func TestAppendExtended(t *testing.T) {
	w := NewWriter(true)
	var got []byte
	got = w.AppendExtended(got, wire.Text, wire.Rsv1, false, 3, [4]byte{})
	got = w.AppendExtended(got, wire.Text, wire.Rsv1, false, 4, [4]byte{})
	got = w.AppendControl(got, wire.Ping, nil, [4]byte{})
	got = w.AppendExtended(got, wire.Text, wire.Rsv1, true, 5, [4]byte{})
	got = w.AppendExtended(got, wire.Binary, wire.Rsv1, true, 6, [4]byte{})
	got = w.AppendHeader(got, wire.Binary, true, 7, [4]byte{})
	want := "\x41\x03\x00\x04\x89\x00\x80\x05\xC2\x06\x82\x07"
	if string(got) != want {
		t.Errorf("got % x, want % x", got, want)
	}
}
