package wasmtest

import (
	"errors"
	"slices"
	"strings"
	"syscall/js"
	"testing"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

// What platforms report, and what it is taken for.
func TestCloseEvents(t *testing.T) {
	for _, tt := range []struct {
		name   string
		code   any
		reason string
		clean  bool
		want   wschannel.CloseError
		cause  string
	}{
		{"a code", 1000, "", true, wschannel.CloseError{Code: 1000, Remote: true}, ""},
		{"a code and a reason", 4123, "why", true, wschannel.CloseError{Code: 4123, Reason: "why", Remote: true}, ""},
		{"1001 of a server", 1001, "bye", true, wschannel.CloseError{Code: 1001, Reason: "bye", Remote: true}, ""},
		{"a code, and our answer did not leave", 4123, "why", false, wschannel.CloseError{Code: 4123, Reason: "why", Remote: true}, ""},
		{"no code", 1005, "", true, wschannel.CloseError{Code: 1005, Remote: true}, ""},
		{"no code, from Deno", 0, "", true, wschannel.CloseError{Code: 1005, Remote: true}, ""},
		{"no code at all", js.Undefined(), "", true, wschannel.CloseError{Code: 1005, Remote: true}, ""},
		{"lost", 1006, "", false, wschannel.CloseError{Code: 1006}, "the browser does not say why"},
		{"lost, from Deno", 0, "", false, wschannel.CloseError{Code: 1006}, "the browser does not say why"},
		{"1005 from the wire, from Firefox", 1005, "x", true, wschannel.CloseError{Code: 1002, Reason: "close code 1005 must not be sent"}, "7.4"},
		{"1006 from the wire, from Firefox", 1006, "", true, wschannel.CloseError{Code: 1002, Reason: "close code 1006 must not be sent"}, "7.4"},
		{"1015 from the wire, from Firefox", 1015, "", true, wschannel.CloseError{Code: 1002, Reason: "close code 1015 must not be sent"}, "7.4"},
		{"a code of three bytes", 66536, "", true, wschannel.CloseError{Code: 1002, Reason: "close code 66536 must not be sent"}, "7.4"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t, open)
			c := f.channel(t, nil)
			f.Set("readyState", closed)
			f.fire("close", map[string]any{"code": tt.code, "reason": tt.reason, "wasClean": tt.clean})
			end, ok := errors.AsType[*wschannel.CloseError](c.Err())
			if !ok {
				t.Fatal(c.Err())
			}
			cause := ""
			if broken, ok := errors.AsType[*wschannel.ProtocolError](end); ok {
				cause = broken.Section
			} else if end.Cause != nil {
				cause = end.Cause.Error()
			}
			got := *end
			got.Cause = nil
			if got != tt.want || cause != tt.cause {
				t.Errorf("%#v, cause %q; want %#v, %q", got, cause, tt.want, tt.cause)
			}
		})
	}
}

// An error event that says something, as in Node.js, is the cause.
func TestErrorEvent(t *testing.T) {
	f := newFake(t, connecting)
	time.AfterFunc(0, func() {
		f.fire("error", map[string]any{"message": "connect ECONNREFUSED"})
		f.closes(1006, "", false)
	})
	_, err := wschannel.FromJS(t.Context(), f.Value, nil)
	if want := `wschannel: connect to "ws://fake/": connect ECONNREFUSED`; err == nil || err.Error() != want {
		t.Errorf("%v; want %s", err, want)
	}
}

// Where the channel has to close with a code that scripts must not send, the
// peer is told it with 3000 more.
func TestFailingCodes(t *testing.T) {
	for _, tt := range []struct {
		name  string
		o     wschannel.Options
		event func(f *fake)
		code  status.Code
		cause string
		told  string
	}{
		{"text too long", wschannel.Options{MessageLimit: 5}, func(f *fake) { f.text("123456") },
			1009, "message of 6 bytes or more, the limit is 5 (RFC 6455 §7.4.1)", " 4009 message of 6 bytes or more, the limit is 5"},
		{"text of too many bytes", wschannel.Options{MessageLimit: 5}, func(f *fake) { f.text("1234é") },
			1009, "message of 6 bytes or more, the limit is 5 (RFC 6455 §7.4.1)", " 4009 message of 6 bytes or more, the limit is 5"},
		{"bytes too long", wschannel.Options{MessageLimit: 5}, func(f *fake) { f.binary(make([]byte, 6)) },
			1009, "message of 6 bytes or more, the limit is 5 (RFC 6455 §7.4.1)", " 4009 message of 6 bytes or more, the limit is 5"},
		{"a queue that is full", wschannel.Options{InboundQueue: 130}, func(f *fake) { f.text(""); f.text("") },
			1008, "wschannel: inbound queue is full", " 4008 too many messages wait to be received"},
		{"a Blob", wschannel.Options{}, func(f *fake) { f.fire("message", map[string]any{"data": map[string]any{}}) },
			1003, "binary messages come as something else than an ArrayBuffer: the socket's binaryType was changed", " 4003 "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t, open)
			c := f.channel(t, &tt.o)
			f.text("first")
			wantMessage(t, c, wschannel.Text, "first")
			f.text("1")
			tt.event(f)
			f.text("after it") // which is too late
			if !slices.Equal(f.closed, []string{tt.told}) {
				t.Errorf("close was called: %q; want %q", f.closed, tt.told)
			}
			if c.Err() != nil {
				t.Error("the channel is over before the handshake is done")
			}
			f.closes(4999, "an answer", true)
			wantMessage(t, c, wschannel.Text, "1")
			if tt.code == 1008 {
				wantMessage(t, c, wschannel.Text, "")
			}
			end := wantLost(t, c, tt.code)
			if end.Cause.Error() != tt.cause {
				t.Errorf("cause %q; want %q", end.Cause, tt.cause)
			}
			if (tt.code == 1008) != errors.Is(end, wschannel.ErrInboundQueueFull) {
				t.Errorf("%v", end)
			}
		})
	}
}

// The queue holds as much as it should, and one message always fits.
func TestInboundQueue(t *testing.T) {
	f := newFake(t, open)
	c := f.channel(t, &wschannel.Options{InboundQueue: 1000, MessageLimit: 5000})
	for range 3 { // in 1000 bytes are 7 messages of 128 with 64 more left over
		f.binary(make([]byte, 5000))
		wantMessage(t, c, wschannel.Binary, string(make([]byte, 5000)))
		for range 7 {
			f.binary(make([]byte, 64))
		}
		for range 7 {
			wantMessage(t, c, wschannel.Binary, string(make([]byte, 64)))
		}
	}
	for range 8 {
		f.binary(make([]byte, 64))
	}
	if len(f.closed) != 1 {
		t.Errorf("close was called: %q; want once", f.closed)
	}

	f = newFake(t, open)
	c = f.channel(t, &wschannel.Options{InboundQueue: 1000})
	f.binary([]byte{0})
	f.binary([]byte{1})
	for i := range 100 { // it is never empty
		f.binary([]byte{byte(i + 2)})
		wantMessage(t, c, wschannel.Binary, string(rune(i)))
	}
	if len(f.closed) != 0 {
		t.Errorf("close was called: %q; want room for two messages", f.closed)
	}

	f = newFake(t, open)
	c = f.channel(t, &wschannel.Options{InboundQueue: -1})
	const n = 20
	for range n {
		f.binary(make([]byte, 1<<20))
	}
	if len(f.closed) != 0 {
		t.Errorf("close was called: %q; want no limit", f.closed)
	}
	for range n {
		wantMessage(t, c, wschannel.Binary, string(make([]byte, 1<<20)))
	}
}

// A peer that sends and sends to somebody who does not receive: what has come
// is received, then the error that says why there is no more.
func TestInboundQueueOverflows(t *testing.T) {
	id := newID()
	c := connect(t, "/flood?id="+id, &wschannel.Options{InboundQueue: 10_000})
	wait(t, "the end", c.Done())
	n := 0
	for {
		m, err := c.Receive(patiently(t))
		if err != nil {
			if !errors.Is(err, wschannel.ErrInboundQueueFull) {
				t.Error(err)
			}
			break
		}
		if string(m.Data) != decimal(n) {
			t.Fatalf("received %q; want %d", m.Data, n)
		}
		n++
	}
	if n < 145 || n > 155 { // of 65 to 67 bytes
		t.Errorf("received %d messages; want as many as fit into 10,000 bytes", n)
	}
	wantReport(t, id, `4008 "too many messages wait to be received"`)
}

// By default 16 MiB may wait.
func TestInboundQueueDefault(t *testing.T) {
	f := newFake(t, open)
	f.channel(t, nil)
	for range 15 {
		f.binary(make([]byte, 1<<20))
	}
	f.binary(make([]byte, 1<<20-16*64))
	if len(f.closed) != 0 {
		t.Errorf("close was called: %q; want 16 MiB to fit", f.closed)
	}
	f.binary(nil)
	if len(f.closed) != 1 {
		t.Errorf("close was called: %q; want it to be full", f.closed)
	}
}

// Texts that are longer than any that was sent.
func TestLongTexts(t *testing.T) {
	f := newFake(t, open)
	c := f.channel(t, &wschannel.Options{MessageLimit: -1})
	for _, unit := range []string{"x", "é", "€", "\U0001F600"} {
		for _, start := range []string{"", "x", "xy", "xyz"} {
			long := start + strings.Repeat(unit, 5<<20/len(unit))
			f.text(long)
			wantMessage(t, c, wschannel.Text, long)
		}
	}
}
