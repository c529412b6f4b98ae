package proto

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/wschannel/wschannel/internal/wire"
)

// dice decide what a test does. Fuzzing throws them with an intention.
type dice []byte

// roll returns a number below n, and 0 once all dice are thrown.
func (d *dice) roll(n int) int {
	if len(*d) == 0 {
		return 0
	}
	b := (*d)[0]
	*d = (*d)[1:]
	return int(b) % n
}

func randomDice(seed uint64) dice {
	rng := rand.New(rand.NewPCG(seed, 2))
	d := make(dice, 600)
	for i := range d {
		d[i] = byte(rng.Uint32())
	}
	return d
}

// A script is what a peer sends, as bytes and as the records that they are
// worth: a message stands where it ends.
type script struct {
	bytes   []byte
	records []record
}

func writeScript(d *dice, server bool) (s script) {
	m := masker{plain: !server}
	frame := func(fin bool, op wire.Opcode, payload string) {
		h := wire.AppendHeader(nil, wire.Header{Fin: fin, Opcode: op, Length: uint64(len(payload))})
		s.bytes = append(s.bytes, m.mask(append(h, payload...))...)
	}
	for range 1 + d.roll(4) {
		op, unit := wire.Text, "aé€😀"
		if d.roll(2) == 1 {
			op, unit = wire.Binary, "\x00\xFF\xC3\x81"
		}
		data := ""
		first := op
		for more := d.roll(4); ; more-- {
			for range d.roll(3) {
				if d.roll(2) == 0 {
					frame(true, wire.Ping, "ping")
					s.records = append(s.records, record{"ping", "ping"})
				} else {
					frame(true, wire.Pong, "")
					s.records = append(s.records, record{"pong", ""})
				}
			}
			n := [...]int{0, 1, 5, 138, 139, 300, 1000, 20}[d.roll(8)]
			if more == 0 && op == wire.Text {
				// Complete the last character.
				n += (10 - (len(data)+n)%10) % 10
			}
			payload := strings.Repeat(unit, (len(data)+n)/len(unit)+1)[len(data) : len(data)+n]
			data += payload
			frame(more == 0, first, payload)
			first = wire.Continuation
			if more == 0 {
				break
			}
		}
		s.records = append(s.records, record{"message " + opcodeName(op), data})
	}
	return s
}

// A ledger compares what a Reader does, while its modes are switched at random,
// with a script, and watches the memory that it was given.
type ledger struct {
	*testing.T
	r      *Reader
	script []record // what is still to come

	streaming, started, dropped, discarded bool

	parts []byte // of the message that is being streamed
	given []byte // the memory that Collect or Stream has brought
	past  []lease
}

// A lease is memory that was given and taken back, with what it held then.
type lease struct{ memory, held []byte }

// takeBack ends the Reader's right to the memory it was given.
func (l *ledger) takeBack() {
	if all := l.given[:cap(l.given)]; len(all) > 0 {
		l.past = append(l.past, lease{all, bytes.Clone(all)})
	}
	l.given = nil
}

func (l *ledger) collect(dst []byte) {
	l.dropped = l.dropped || l.streaming && l.started
	l.r.Collect(dst)
	l.takeBack()
	l.given, l.streaming = dst, false
}

func (l *ledger) stream(p []byte) {
	l.r.Stream(p)
	l.takeBack()
	l.given, l.streaming = p[:len(p):len(p)], true
}

// something does one of the things that may be done at any time.
func (l *ledger) something(d *dice) {
	switch d.roll(16) {
	case 1:
		l.collect(nil)
	case 2, 3:
		room := [...]int{0, 1, 40, 150, 500, 5000}[d.roll(6)]
		l.collect(append(make([]byte, 0, 6+room), "before"...))
	case 4:
		l.r.Release()
		l.takeBack()
	case 5, 6, 7:
		l.stream(make([]byte, [...]int{1, 10, 139, 200, 5000}[d.roll(5)], 6000))
	case 8:
		l.stream(nil)
	case 9:
		l.dropped = l.dropped || l.streaming && l.started
		l.r.Skip()
	case 10:
		l.dropped = l.dropped || l.streaming && l.started
		l.r.CollectAhead()
		l.takeBack()
		l.streaming = false
	case 11:
		if d.roll(8) == 0 {
			l.r.Discard()
			l.takeBack()
			l.streaming, l.started, l.dropped, l.discarded = false, false, false, true
		}
	}
}

// drain takes and judges events.
func (l *ledger) drain() {
	for {
		ev := l.r.Next()
		switch ev.Kind {
		case More:
			return
		case Start:
			l.expect(!l.started || l.dropped, ev)
			l.passDropped()
			l.expect(l.streaming && !l.discarded, ev)
			l.expect(l.message().what == "message "+opcodeName(ev.Opcode), ev)
			l.started, l.parts = true, nil
		case Part:
			l.part(ev)
		case Message:
			l.passDropped()
			l.expect(!l.streaming && !l.started && !l.discarded, ev)
			before := len(l.given)
			if room := cap(l.given) - before; room >= len(ev.Data)-before && cap(l.given) > 0 {
				l.expect(&ev.Data[:1][0] == &l.given[:1][0], ev) // in the memory that was given
			}
			l.expect(string(ev.Data[:before]) == string(l.given), ev)
			ev.Data = ev.Data[before:]
			l.next(ev)
			l.takeBack()
		default:
			l.passDropped()
			l.next(ev)
		}
	}
}

func (l *ledger) part(ev Event) {
	l.expect(l.streaming && l.started && !l.dropped, ev)
	l.expect(len(ev.Data) <= len(l.given) && &ev.Data[:1][0] == &l.given[0], ev)
	l.takeBack()
	l.parts = append(l.parts, ev.Data...)
	l.expect(strings.HasPrefix(l.message().data, string(l.parts)), ev)
	if ev.Last {
		l.next(Event{Kind: Message, Opcode: l.opcode(), Data: l.parts})
		l.started = false
	}
}

// next compares an event with the script.
func (l *ledger) next(ev Event) {
	l.expect(len(l.script) > 0 && recordOf(l.T, ev) == l.script[0], ev)
	l.script = l.script[1:]
}

func (l *ledger) expect(ok bool, ev Event) {
	if !ok {
		l.Helper()
		l.Fatalf("streaming %t, started %t, dropped %t, discarded %t: unexpected %v\nscript: %.1000q",
			l.streaming, l.started, l.dropped, l.discarded, recordOf(l.T, ev), l.script)
	}
}

// passDropped goes on in the script behind messages that were dropped.
func (l *ledger) passDropped() {
	for len(l.script) > 0 && strings.HasPrefix(l.script[0].what, "message") && (l.dropped || l.discarded) {
		l.script = l.script[1:]
		l.started, l.dropped = false, false
	}
}

// message returns the message under way, the next in the script.
func (l *ledger) message() record {
	for _, r := range l.script {
		if strings.HasPrefix(r.what, "message") {
			return r
		}
	}
	return record{}
}

func (l *ledger) opcode() wire.Opcode {
	if l.message().what == "message text" {
		return wire.Text
	}
	return wire.Binary
}

// switchAnywhere runs a script and switches modes at any time.
func switchAnywhere(t *testing.T, d *dice) {
	server := d.roll(2) == 1
	s := writeScript(d, server)
	r := NewReader(Config{Server: server, MessageLimit: -1, FragmentLimit: -1}, make([]byte, MinBuffer+d.roll(2)*100))
	l := ledger{T: t, r: &r, script: s.records}
	for sent := s.bytes; len(sent) > 0; {
		if d.roll(4) == 1 {
			r.Space() // and nothing to put there
			l.something(d)
		}
		space := r.Space()
		if len(space) == 0 {
			l.drain()
			space = r.Space()
		}
		if len(space) == 0 {
			if !l.streaming || len(l.given) > 0 {
				t.Fatal("Space is empty and nobody has to call Stream")
			}
			l.stream(make([]byte, 50))
			continue
		}
		n := copy(space[:min(len(space), 1+d.roll(256))], sent)
		sent = sent[n:]
		copy(space[n:], junk)
		r.Filled(n)
		l.something(d)
		l.something(d)
		if d.roll(4) > 0 || len(space) == n {
			l.drain()
			l.something(d)
		}
	}
	l.drain()
	for range s.bytes {
		if !l.streaming || len(l.given) > 0 {
			break
		}
		l.stream(make([]byte, 5000))
		l.drain()
	}
	l.passDropped()
	if len(l.script) > 0 || r.Held() != 0 {
		t.Fatalf("%d bytes are held, and what did not come: %.1000q", r.Held(), l.script)
	}
	for _, lease := range l.past {
		if !bytes.Equal(lease.memory, lease.held) {
			t.Fatal("memory changed after it was taken back")
		}
	}
}

func TestSwitchingAnywhere(t *testing.T) {
	for seed := range uint64(3000) {
		d := randomDice(seed)
		switchAnywhere(t, &d)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func FuzzSwitchingAnywhere(f *testing.F) {
	for seed := range uint64(20) {
		f.Add([]byte(randomDice(seed)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d := dice(b)
		switchAnywhere(t, &d)
	})
}
