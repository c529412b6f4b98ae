package proto

import (
	"math"
	"slices"
	"testing"

	"github.com/wschannel/wschannel/internal/wire"
	"github.com/wschannel/wschannel/status"
)

var limits = []struct {
	name string
	cfg  Config
	text string
}{
	{"message at the limit", Config{MessageLimit: 5, FragmentLimit: -1}, `
		< 81 05 "Hello" 81 05 "Hello"
		message text "Hello"
		message text "Hello"`},
	{"message one above", Config{MessageLimit: 5, FragmentLimit: -1}, `
		< 81 05 "Hello"
		message text "Hello"
		< 81 06
		violation 1009 7.4.1
		< "Hello!"`},
	{"fragments at the limit", Config{MessageLimit: 5, FragmentLimit: -1}, `
		< 02 03 "Hel" 00 00 89 06 "longer" 80 02 "lo"
		ping "longer"
		message binary "Hello"
		< 02 03 "Hel" 80 02 "lo"
		message binary "Hello"`},
	{"fragments one above", Config{MessageLimit: 5, FragmentLimit: -1}, `
		< 02 03 "Hel" 00 02 "lo"
		< 80 01
		violation 1009 7.4.1
		< "!"`},
	{"long frames one above", Config{MessageLimit: 599, FragmentLimit: -1}, `
		< 02 7E 012C "a"*300
		< 80 7E 012C
		violation 1009 7.4.1
		< "b"*300`},
	{"longest claim", Config{MessageLimit: 1 << 20, FragmentLimit: -1}, `
		< 82 7F 7F FF FF FF FF FF FF
		< FF
		violation 1009 7.4.1`},
	{"claims that add up to more than an int", Config{MessageLimit: math.MaxInt, FragmentLimit: -1}, `
		< 02 01 "a" 80 7F 7F FF FF FF FF FF FF FF
		violation 1009 7.4.1`},
	{"no limit", Config{MessageLimit: -1, FragmentLimit: -1}, `
		< 02 7F 7F FF FF FF FF FF FF FF "a"*1000`},
	{"nothing allowed", Config{MessageLimit: 0, FragmentLimit: -1}, `
		< 81 00
		message text ""
		< 81 01
		violation 1009 7.4.1`},

	{"fragments at their limit", Config{MessageLimit: -1, FragmentLimit: 3}, `
		< 01 01 "a" 00 00 89 00 80 01 "b"
		ping ""
		message text "ab"
		< 01 01 "c" 00 00 80 00
		message text "c"`},
	{"fragments above their limit", Config{MessageLimit: -1, FragmentLimit: 3}, `
		< 01 00 00 00 00 00
		< 80 00
		violation 1009 7.4.1`},
	{"no fragments", Config{MessageLimit: -1, FragmentLimit: 1}, `
		< 81 01 "a" 02 01 "b"
		message text "a"
		< 80 00
		violation 1009 7.4.1`},
}

func TestLimits(t *testing.T) {
	for _, tt := range limits {
		t.Run(tt.name, func(t *testing.T) {
			steps := parseTranscript(t, tt.text)
			for _, m := range []mode{collectNew, collectInto(0), collectInto(1000), collectAhead} {
				same := func(records []record) []record { return records }
				testMode(t, "collect", tt.cfg, steps, m, same)
				server := tt.cfg
				server.Server = true
				testMode(t, "collect", server, maskSteps(steps), m, same)
			}
		})
	}
}

// "The limits are for what has to be held in memory": streams and messages
// that are dropped know none.
func TestLimitsDoNotBindStreams(t *testing.T) {
	for _, tt := range limits {
		for _, m := range []mode{streamIn(100), skip} {
			limited, free := newTransport(t, tt.cfg, MinBuffer, m), newTransport(t, unlimited, MinBuffer, m)
			for _, s := range parseTranscript(t, tt.text) {
				limited.feed(s.bytes, whole)
				free.feed(s.bytes, whole)
			}
			if limited.ended || len(free.got) == 0 || !slices.Equal(limited.got, free.got) {
				t.Errorf("%s:\n got %q\nwant %q", tt.name, limited.got, free.got)
			}
		}
	}
}

func TestLimitsAndModes(t *testing.T) {
	start := record{"start text", ""}
	tooBig := record{"violation 1009 7.4.1", ""}
	for _, tt := range []struct {
		name string
		cfg  Config
		play func(t *testing.T, r *Reader)
	}{
		{"collected to the limit, then streamed above it", Config{MessageLimit: 3, FragmentLimit: 2}, func(t *testing.T, r *Reader) {
			give(t, r, []byte("\x01\x03Hel\x00\x00"))
			want(t, r, more)
			r.Stream(make([]byte, 10))
			want(t, r, start, record{"part", "Hel"})
			r.Stream(make([]byte, 10))
			give(t, r, []byte("\x00\x05lo, w\x80\x01!"))
			want(t, r, record{"part", "lo, w"})
			r.Stream(make([]byte, 10))
			want(t, r, record{"last", "!"})
		}},
		{"streamed, then dropped above the limit", Config{MessageLimit: 3, FragmentLimit: 2}, func(t *testing.T, r *Reader) {
			r.Stream(nil)
			give(t, r, []byte("\x01\x05Hello"))
			want(t, r, start)
			r.Collect(nil)
			give(t, r, []byte("\x00\x01!\x80\x01!"))
			want(t, r, more)
			// The next message has all of both limits.
			give(t, r, []byte("\x01\x02He\x80\x01l"))
			want(t, r, record{"message text", "Hel"})
			give(t, r, []byte("\x81\x04Hell"))
			want(t, r, tooBig)
		}},
		{"streamed with parts, the next one collected", Config{MessageLimit: 3, FragmentLimit: 1}, func(t *testing.T, r *Reader) {
			r.Stream(make([]byte, 100))
			give(t, r, []byte("\x01\x05Hello"))
			want(t, r, start, record{"part", "Hello"})
			r.Stream(make([]byte, 100))
			give(t, r, []byte("\x80\x05Hello"))
			want(t, r, record{"last", "Hello"})
			r.Collect(nil)
			give(t, r, []byte("\x81\x03Hel\x81\x04"))
			want(t, r, record{"message text", "Hel"}, tooBig)
		}},
		{"asked to stream, but to collect before it began", Config{MessageLimit: 3, FragmentLimit: 1}, func(t *testing.T, r *Reader) {
			r.Stream(make([]byte, 100))
			give(t, r, []byte("\x81\x04"))
			r.Collect(nil)
			want(t, r, tooBig)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := NewReader(tt.cfg, make([]byte, MinBuffer))
			tt.play(t, &r)
		})
	}
}

// What the application is told about each violation that this package finds.
func TestViolationsSayWhatIsWrong(t *testing.T) {
	for _, tt := range []struct {
		sent string
		want wire.Violation
	}{
		{"\x01\x03Hel\x80\x03", wire.Violation{
			Code: status.MessageTooBig, Section: "7.4.1", Text: "message of 6 bytes or more, the limit is 5",
		}},
		{"\x01\x00\x00\x00\x80\x00", wire.Violation{
			Code: status.MessageTooBig, Section: "7.4.1", Text: "message in more than 2 fragments",
		}},
		{"\x81\x01\xFF", wire.Violation{
			Code: status.InvalidFramePayloadData, Section: "8.1", Text: "text message with bytes that are not UTF-8",
		}},
		{"\x81\x01\xC3", wire.Violation{
			Code: status.InvalidFramePayloadData, Section: "8.1", Text: "text message ends inside a character",
		}},
		{"\x89\x80\x00\x00\x00\x00", wire.Violation{
			Code: status.ProtocolError, Section: "5.1", Text: "frame from a server is masked",
		}},
		{"\x88\x01\x00", wire.Violation{
			Code: status.ProtocolError, Section: "5.5.1", Text: "close frame with a body of one byte, a code has two",
		}},
	} {
		r := NewReader(Config{MessageLimit: 5, FragmentLimit: 2}, make([]byte, MinBuffer))
		give(t, &r, []byte(tt.sent))
		if ev := r.Next(); ev.Kind != Violation || *ev.Violation != tt.want {
			t.Errorf("%x: got %+v\nwant %+v", tt.sent, ev, tt.want)
		}
	}
}
