package proto

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wschannel/wschannel/internal/wire"
	"github.com/wschannel/wschannel/status"
)

// programmed asks for messages as the dice tell. They are thrown only where
// the cutting of the bytes makes no difference: at the beginning, after each
// message and each control frame.
func programmed(d dice) mode {
	size := 1
	return func(tr *transport, ev Event) {
		switch {
		case ev.Kind == Part && !ev.Last:
			tr.r.Stream(make([]byte, size))
			return
		case ev.Kind == TooLong:
			tr.collect(nil)
			return
		case ev.Kind == Lack:
			collectInPlace(tr, ev)
			return
		case ev.Kind == Start && size == 0:
			tr.r.Skip()
			return
		case ev.Kind == Start:
			return
		}
		switch d.roll(9) {
		case 8:
			tr.dst = ""
			tr.r.CollectInPlace()
		case 0: // as before
			if ev.Kind == Part {
				tr.r.Stream(make([]byte, size))
			}
		case 1:
			tr.collect(nil)
		case 2:
			tr.collect(append(make([]byte, 0, 200), "before"...))
		case 3:
			tr.dst = ""
			tr.r.CollectAhead()
		case 4:
			size = 0
			tr.r.Stream(nil)
			tr.r.Skip()
		default:
			size = [...]int{1, 10, MinBuffer, 1000}[d.roll(4)]
			tr.r.Stream(make([]byte, size))
		}
	}
}

// FuzzReaderChunks: whatever a peer sends and however it is asked for, how the
// bytes are cut into pieces changes nothing.
func FuzzReaderChunks(f *testing.F) {
	for i, conversations := range [][]conversation{conversations, streams, texting, asServer, asClient} {
		for j, c := range conversations {
			var m masker
			var plain, masked []byte
			for _, s := range parseTranscript(f, c.text) {
				if len(plain) < 3000 {
					plain = append(plain, s.bytes...)
					masked = append(masked, m.mask(s.bytes)...)
				}
			}
			d := randomDice(uint64(i*100 + j))
			f.Add(plain, false, []byte(d[:10]), []byte(d[100:130]))
			f.Add(masked, true, []byte(d[:10]), []byte(d[100:130]))
			f.Add(plain, true, []byte(d[:10]), []byte{10})
		}
	}
	f.Fuzz(func(t *testing.T, sent []byte, server bool, program, cuts []byte) {
		sent = sent[:min(len(sent), 1<<14)]
		cfg := Config{Server: server, MessageLimit: 1000, FragmentLimit: 5}
		var first []record
		for _, chunk := range []func() int{
			whole, one, dice(cuts).lengths(16), dice(cuts).lengths(256),
		} {
			tr := newTransport(t, cfg, MinBuffer, programmed(program))
			tr.feed(sent, chunk)
			got := coalesce(tr.got)
			if first == nil {
				first = got
			} else if !slices.Equal(got, first) {
				t.Fatalf("%x:\nwhole: %q\n then: %q", sent, first, got)
			}
		}
	})
}

// lengths returns the lengths, from 1 to n, that the dice show again and again.
func (d dice) lengths(n int) func() int {
	i := 0
	return func() int {
		if i++; len(d) == 0 {
			return 1
		}
		return 1 + int(d[i%len(d)])%n
	}
}

// FuzzWriterReader: what a Writer wrote, a Reader of the other side reads.
func FuzzWriterReader(f *testing.F) {
	for seed := range uint64(20) {
		d := randomDice(seed)
		f.Add([]byte(d[:100]), "payload é€😀 "+strings.Repeat("z", int(seed*20)))
	}
	f.Fuzz(func(t *testing.T, b []byte, pool string) {
		pool = strings.ToValidUTF8(pool[:min(len(pool), 1<<14)], "?")
		d := dice(b)
		server := d.roll(2) == 1
		sent, want := writeAtRandom(&d, NewWriter(server), pool)
		for name, m := range map[string]mode{
			"collect": collectNew, "collect in place": collectInPlace, "collect into": collectInto(100), "stream": streamIn(1 + d.roll(256)),
		} {
			cfg := Config{Server: !server, MessageLimit: -1, FragmentLimit: -1}
			tr := newTransport(t, cfg, MinBuffer, m)
			tr.feed(sent, d.lengths(256))
			if got := collected(tr.got); !slices.Equal(got, want) {
				t.Fatalf("%s:\n got %.1000q\nwant %.1000q", name, got, want)
			}
		}
	})
}

// writeAtRandom lets a Writer write, and returns the bytes and the records
// that they are worth.
func writeAtRandom(d *dice, w Writer, pool string) (sent []byte, want []record) {
	bytesOf := func() []byte {
		from := d.roll(len(pool) + 1)
		return []byte(pool[from:][:d.roll(len(pool)-from+1)])
	}
	newKey := func() [4]byte {
		return [4]byte{byte(d.roll(256)), byte(d.roll(256)), byte(d.roll(256)), byte(d.roll(256))}
	}
	controls := func() {
		for range d.roll(3) {
			payload := bytesOf()
			payload = payload[:min(len(payload), wire.MaxControl)]
			op, what := wire.Ping, "ping"
			if d.roll(2) == 1 {
				op, what = wire.Pong, "pong"
			}
			sent = w.AppendControl(sent, op, payload, newKey())
			want = append(want, record{what, string(payload)})
		}
	}
	for range d.roll(6) {
		controls()
		switch d.roll(3) {
		case 0:
			sent = w.AppendMessage(sent, wire.Text, []byte(pool), newKey())
			want = append(want, record{"message text", pool})
		case 1:
			data := ""
			for last := false; !last; {
				last = d.roll(3) == 0
				payload := bytesOf()
				data += string(payload)
				sent = w.AppendFragment(sent, wire.Binary, last, payload, newKey())
				if !last {
					controls()
				}
			}
			want = append(want, record{"message binary", data})
		case 2:
			payload, key := bytesOf(), newKey()
			want = append(want, record{"message binary", string(payload)})
			sent = w.AppendHeader(sent, wire.Binary, true, len(payload), key)
			if w.Masked() {
				wire.Mask(payload, key, 0)
			}
			sent = append(sent, payload...)
		}
	}
	switch reason := strings.ToValidUTF8(pool[:min(len(pool), wire.MaxReason)], ""); d.roll(3) {
	case 1:
		sent = w.AppendClose(sent, status.NoStatusReceived, "", newKey())
		want = append(want, record{"close 1005", ""})
	case 2:
		code := status.PrivateMin + status.Code(d.roll(256))
		sent = w.AppendClose(sent, code, reason, newKey())
		want = append(want, record{fmt.Sprintf("close %d", code), reason})
	}
	return sent, want
}
