package proto

import (
	"testing"

	"github.com/wschannel/wschannel/internal/wire"
	"github.com/wschannel/wschannel/status"
)

// receive feeds sent to r, and stops at the first event that is neither More
// nor Start.
func receive(r *Reader, sent []byte) Event {
	for {
		switch ev := r.Next(); ev.Kind {
		case More:
			n := copy(r.Space(), sent)
			r.Filled(n)
			sent = sent[n:]
		case Start:
		default:
			return ev
		}
	}
}

func TestAllocReader(t *testing.T) {
	const mebi = 1 << 20
	dst := make([]byte, 0, mebi)
	var w Writer // of a server, so that the bytes can be read again and again
	small := w.AppendMessage(nil, wire.Text, []byte("Hello, wörld"), key)
	large := w.AppendMessage(nil, wire.Binary, make([]byte, mebi), key)
	ping := w.AppendControl(nil, wire.Ping, []byte("ping"), key)
	for _, tt := range []struct {
		name   string
		sent   []byte
		ask    func(r *Reader)
		kind   Kind
		budget float64
	}{
		{"small message into dst", small, func(r *Reader) { r.Collect(dst) }, Message, 0},
		{"large message into dst", large, func(r *Reader) { r.Collect(dst) }, Message, 0},
		{"small message in new memory", small, func(r *Reader) { r.Collect(nil) }, Message, 1},
		{"part of a stream", small, func(r *Reader) { r.Stream(dst[:cap(dst)]) }, Part, 0},
		{"ping", ping, func(r *Reader) { r.Collect(dst) }, Ping, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := NewReader(unlimited, make([]byte, 4096))
			got := testing.AllocsPerRun(100, func() {
				tt.ask(&r)
				if ev := receive(&r, tt.sent); ev.Kind != tt.kind {
					t.Fatalf("%+v", ev)
				}
			})
			if got > tt.budget {
				t.Errorf("%v allocations, want at most %v", got, tt.budget)
			}
		})
	}
}

// A receive that is cancelled before anything has come costs nothing, and in
// the middle of a message nothing but the memory to keep it.
func TestAllocRelease(t *testing.T) {
	for _, tt := range []struct {
		name   string
		sent   string
		dst    []byte
		budget float64
	}{
		{"nothing has come", "", make([]byte, 0, 100), 0},
		{"a part of a message", "\x81\x05Hel", make([]byte, 0, 100), 1},
		{"a part of a message, in the Reader's memory", "\x81\x05Hel", nil, 0},
	} {
		r := NewReader(unlimited, make([]byte, 4096))
		give(t, &r, []byte(tt.sent))
		if got := testing.AllocsPerRun(100, func() {
			r.Collect(tt.dst)
			r.Next()
			r.Release()
			r.Release()
		}); got > tt.budget {
			t.Errorf("%s: %v allocations, want at most %v", tt.name, got, tt.budget)
		}
	}
}

func TestAllocWriter(t *testing.T) {
	payload := make([]byte, 1000)
	dst := make([]byte, 0, wire.MaxHeader+len(payload))
	for _, server := range []bool{true, false} {
		w := NewWriter(server)
		for name, write := range map[string]func(){
			"AppendMessage":  func() { w.AppendMessage(dst, wire.Text, payload, key) },
			"AppendFragment": func() { w.AppendFragment(dst, wire.Binary, false, payload, key) },
			"AppendHeader":   func() { w.AppendHeader(dst, wire.Text, true, 1<<20, key) },
			"AppendControl":  func() { w.AppendControl(dst, wire.Ping, payload[:125], key) },
			"AppendClose":    func() { w.AppendClose(dst, status.NormalClosure, "bye", key) },
		} {
			w = NewWriter(server)
			if got := testing.AllocsPerRun(100, write); got > 0 {
				t.Errorf("%s, server %t: %v allocations", name, server, got)
			}
		}
	}
}
