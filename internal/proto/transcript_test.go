package proto

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wschannel/wschannel/internal/wire"
)

// A transcript is a conversation as text: what the peer sends, and under each
// of its lines the events that this line leads to, no sooner and no later.
//
//	< 89 02 "hi" 81 05 "Hel"    hexadecimal or quoted, "a"*3 is "aaa"
//	ping "hi"
//	< "lo"
//	message text "Hello"
//
// Other events are pong, close 1000 "reason", violation 1002 5.2 and, of a
// streamed message, start text, part "Hel", last "lo". With RSV1 it is message
// text compressed, and start text compressed.
type step struct {
	bytes  []byte
	events []record
}

// A record is an event as it stands in a transcript.
type record struct {
	what, data string
}

func (r record) String() string { return r.what + " " + strconv.Quote(r.data) }

// lineEnd stands for the end of a line that the peer sent.
var lineEnd = record{what: "--"}

func parseTranscript(t testing.TB, text string) (steps []step) {
	t.Helper()
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if sent, ok := strings.CutPrefix(line, "< "); ok {
			steps = append(steps, step{bytes: literal(t, sent)})
		} else if line != "" {
			what, data := line, ""
			if quote := strings.IndexByte(line, '"'); quote >= 0 {
				what, data = line[:quote], string(literal(t, line[quote:]))
			}
			last := &steps[len(steps)-1]
			last.events = append(last.events, record{strings.TrimSpace(what), data})
		}
	}
	return steps
}

var token = regexp.MustCompile(`^(?:("(?:[^"\\]|\\.)*")(?:\*(\d+))?|([0-9a-fA-F]+))\s*`)

// literal returns the bytes that s names.
func literal(t testing.TB, s string) (b []byte) {
	t.Helper()
	for s = strings.TrimSpace(s); s != ""; {
		m := token.FindStringSubmatch(s)
		if m == nil {
			t.Fatalf("neither hexadecimal nor quoted: %s", s)
		}
		s = s[len(m[0]):]
		digits, err := hex.DecodeString(m[3])
		if err != nil {
			t.Fatalf("%q: %v", m[3], err)
		}
		chars, _ := strconv.Unquote(m[1])
		times, err := strconv.Atoi(m[2])
		if err != nil {
			times = 1
		}
		b = append(append(b, digits...), strings.Repeat(chars, times)...)
	}
	return b
}

// recordOf writes an event down.
func recordOf(t *testing.T, ev Event) record {
	data := string(ev.Data)
	switch ev.Kind {
	case Message:
		return record{"message " + opcodeName(ev.Opcode) + mark(ev), data}
	case Start:
		return record{"start " + opcodeName(ev.Opcode) + mark(ev), data}
	case Part:
		if ev.Last {
			return record{"last", data}
		}
		return record{"part", data}
	case Ping:
		return record{"ping", data}
	case Pong:
		return record{"pong", data}
	case Close:
		return record{fmt.Sprintf("close %d", ev.Code), data}
	case Violation:
		return record{fmt.Sprintf("violation %d %s", ev.Violation.Code, ev.Violation.Section), data}
	}
	t.Fatalf("unexpected event %+v", ev)
	return record{}
}

func mark(ev Event) string {
	if ev.Compressed {
		return " compressed"
	}
	return ""
}

func opcodeName(op wire.Opcode) string {
	switch op {
	case wire.Text:
		return "text"
	case wire.Binary:
		return "binary"
	}
	return "?"
}

// coalesce joins the parts of a message that follow each other: how many there
// are depends on how the bytes came. For the same reason it leaves out the
// parts right before a violation.
func coalesce(records []record) (joined []record) {
	var parts []byte
	pending := false
	for _, r := range records {
		switch {
		case r.what == "part":
			parts, pending = append(parts, r.data...), true
			continue
		case r.what == "last":
			r.data = string(parts) + r.data
		case pending && !strings.HasPrefix(r.what, "violation"):
			joined = append(joined, record{"part", string(parts)})
		}
		joined = append(joined, r)
		parts, pending = nil, false
	}
	if pending {
		joined = append(joined, record{"part", string(parts)})
	}
	return joined
}

// collected turns the records of streamed messages into those that collecting
// them leads to.
func collected(records []record) (whole []record) {
	var what string
	var data []byte
	for _, r := range records {
		switch word, op, _ := strings.Cut(r.what, " "); word {
		case "start":
			what, data = "message "+op, nil
		case "part":
			data = append(data, r.data...)
		case "last":
			whole = append(whole, record{what, string(data) + r.data})
		default:
			whole = append(whole, r)
		}
	}
	return whole
}

// without leaves out the records whose first word is among words.
func without(records []record, words ...string) []record {
	return slices.DeleteFunc(slices.Clone(records), func(r record) bool {
		word, _, _ := strings.Cut(r.what, " ")
		return slices.Contains(words, word)
	})
}

// A mode says how messages are asked for: it is called before anything has
// come, with the zero Event, and after each event.
type mode func(tr *transport, ev Event)

func collectNew(tr *transport, ev Event) {
	if ev.Kind == Message {
		tr.collect(nil)
	}
}

// collectInto asks for messages in memory that has room for n bytes of them.
func collectInto(n int) mode {
	return func(tr *transport, ev Event) {
		if ev.Kind == More || ev.Kind == Message {
			tr.collect(append(make([]byte, 0, 6+n), "before"...))
		}
	}
}

// collectAhead asks for messages on behalf of nobody, and for one that is too
// long on behalf of somebody.
func collectAhead(tr *transport, ev Event) {
	switch ev.Kind {
	case More, Message:
		tr.r.CollectAhead()
	case TooLong:
		tr.collect(nil)
	}
}

// collectInPlace asks for messages where they lie, and brings memory for others.
func collectInPlace(tr *transport, ev Event) {
	switch ev.Kind {
	case More, Message:
		if _, ok := tr.r.Lent(); !ok {
			tr.r.CollectInPlace()
		}
	case Lack:
		if n := tr.r.Wants(); n%2 == 0 {
			tr.r.Lend(make([]byte, 0, tr.r.Collected()+n))
		} else {
			tr.r.Grow(n)
		}
	}
}

// streamIn asks for parts of at most n bytes.
func streamIn(n int) mode {
	p := make([]byte, n)
	return func(tr *transport, ev Event) {
		if ev.Kind == More || ev.Kind == Part {
			tr.r.Stream(p)
		}
	}
}

func skip(tr *transport, ev Event) {
	switch ev.Kind {
	case More:
		tr.r.Stream(nil)
	case Start:
		tr.r.Skip()
	}
}

// A transport drives a Reader and writes down what comes out.
type transport struct {
	t     *testing.T
	r     Reader
	mode  mode
	dst   string // what stood in the memory that messages are appended to
	got   []record
	ended bool // by Close or Violation
}

func newTransport(t *testing.T, cfg Config, buffer int, m mode) *transport {
	t.Helper()
	tr := &transport{t: t, r: NewReader(cfg, make([]byte, buffer)), mode: m}
	m(tr, Event{})
	tr.drain()
	return tr
}

func (tr *transport) collect(dst []byte) {
	tr.dst = string(dst)
	tr.r.Collect(dst)
}

// feed hands over b in chunks of the lengths that chunk returns.
func (tr *transport) feed(b []byte, chunk func() int) {
	for len(b) > 0 {
		tr.fill(&b, chunk())
		tr.drain()
	}
}

// fill puts at most limit bytes of b into Space.
func (tr *transport) fill(b *[]byte, limit int) {
	space := tr.r.Space()
	if len(space) == 0 {
		tr.t.Fatal("Space is empty")
	}
	n := copy(space[:min(len(space), limit)], *b)
	*b = (*b)[n:]
	// An io.Reader may use all of what it was given as scratch space.
	copy(space[n:], junk)
	tr.r.Filled(n)
}

// drain takes the events until there is no more.
func (tr *transport) drain() {
	for {
		ev := tr.r.Next()
		switch {
		case tr.ended && ev.Kind != Over:
			tr.t.Fatalf("%v after the end", recordOf(tr.t, ev))
		case ev.Kind == Over && !tr.ended:
			tr.t.Fatal("Over before Close or Violation")
		case ev.Kind == More || ev.Kind == Over:
			if again := tr.r.Next(); again.Kind != ev.Kind {
				tr.t.Fatalf("%+v, and then %+v", ev, again)
			}
			if ev.Kind == Over && (tr.r.Held() != 0 || !sameMemory(tr.r.Space(), tr.r.buf)) {
				tr.t.Fatalf("%d bytes are held after the end, Space of %d", tr.r.Held(), len(tr.r.Space()))
			}
			return
		case ev.Kind == TooLong, ev.Kind == Lack:
			tr.mode(tr, ev)
			continue
		}
		r := recordOf(tr.t, ev)
		if ev.Kind == Message {
			data, ok := strings.CutPrefix(r.data, tr.dst)
			if !ok {
				tr.t.Fatalf("%v does not begin with %q", r, tr.dst)
			}
			r.data, tr.dst = data, ""
		}
		tr.ended = ev.Kind == Close || ev.Kind == Violation
		tr.got = append(tr.got, r)
		tr.mode(tr, ev)
	}
}

var junk = bytes.Repeat([]byte{0xA5}, 300)

func whole() int { return math.MaxInt }

func one() int { return 1 }

// upTo returns lengths from 1 to n, another row for each seed.
func upTo(n int, seed uint64) func() int {
	rng := rand.New(rand.NewPCG(seed, 6455))
	return func() int { return 1 + rng.IntN(n) }
}
