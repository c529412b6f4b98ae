//go:build !js

package wschannel_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
	"github.com/wschannel/wschannel/streamchannel"
)

// errorTexts are the texts of all errors, as they are read in a log.
var errorTexts = []struct {
	err  error
	want string
}{
	// The end, by the peer.
	{&wschannel.CloseError{Code: 1000, Remote: true}, `wschannel: closed by the peer: 1000 normal closure`},
	{&wschannel.CloseError{Code: 1001, Remote: true, Reason: "back soon"}, `wschannel: closed by the peer: 1001 going away: "back soon"`},
	{&wschannel.CloseError{Code: 1005, Remote: true}, `wschannel: closed by the peer: 1005 no status received`},
	{&wschannel.CloseError{Code: 3001, Remote: true, Reason: "you asked me to"}, `wschannel: closed by the peer: 3001: "you asked me to"`},
	{&wschannel.CloseError{Code: 4999, Remote: true, Reason: "two\nlines"}, `wschannel: closed by the peer: 4999: "two\nlines"`},

	// By this side.
	{&wschannel.CloseError{Code: 1000}, `wschannel: closed: 1000 normal closure`},
	{&wschannel.CloseError{Code: 3678, Reason: "raisin"}, `wschannel: closed: 3678: "raisin"`},
	{&wschannel.CloseError{Code: 1005}, `wschannel: closed: 1005 no status received`},
	{&wschannel.CloseError{Code: 1006}, `wschannel: closed: 1006 abnormal closure`},

	// By neither.
	{&wschannel.CloseError{Code: 1006, Cause: io.ErrUnexpectedEOF}, `wschannel: connection lost: unexpected EOF`},
	{&wschannel.CloseError{Code: 1006, Cause: context.Canceled}, `wschannel: connection lost: context canceled`},
	{&wschannel.CloseError{Code: 1006, Cause: os.ErrDeadlineExceeded}, `wschannel: connection lost: i/o timeout`},
	{&wschannel.CloseError{Code: 1006, Cause: wschannel.ErrInvalidUTF8}, `wschannel: connection lost: text message is not valid UTF-8`},
	{
		&wschannel.CloseError{Code: 1002, Reason: "frame with reserved bits", Cause: &wschannel.ProtocolError{Section: "5.2", Text: "frame with reserved bits"}},
		`wschannel: closed: 1002 protocol error: frame with reserved bits (RFC 6455 §5.2)`,
	},

	// Connecting.
	{&wschannel.HandshakeError{StatusCode: 404, Text: "the server must answer with status 101"},
		`wschannel: handshake failed with status 404: the server must answer with status 101`},
	{&wschannel.HandshakeError{StatusCode: 401}, `wschannel: handshake failed with status 401`},
	{&wschannel.HandshakeError{StatusCode: 401, Body: []byte("\n who are you? \r\nsecond line")}, `wschannel: handshake failed with status 401: "who are you?"`},
	{&wschannel.HandshakeError{StatusCode: 401, Body: []byte("a\x1b[2J\r\u202e\xff\x00z")}, `wschannel: handshake failed with status 401: "a\x1b[2J\r\u202e\xff\x00z"`},
	{&wschannel.HandshakeError{StatusCode: 401, Body: []byte(strings.Repeat("x", 256))}, `wschannel: handshake failed with status 401: "` + strings.Repeat("x", 256) + `"`},
	{&wschannel.HandshakeError{StatusCode: 401, Body: []byte(strings.Repeat("x", 255) + "\u20ac")}, `wschannel: handshake failed with status 401: "` + strings.Repeat("x", 255) + `"…`},
	{&wschannel.HandshakeError{StatusCode: 401, Body: []byte("x" + strings.Repeat("\x80", 256))}, `wschannel: handshake failed with status 401: "x` + strings.Repeat(`\x80`, 255) + `"…`},
	{&wschannel.HandshakeError{StatusCode: 401, Body: []byte(" <html>no</html>")}, `wschannel: handshake failed with status 401`},
	{&wschannel.HandshakeError{StatusCode: 401, Body: []byte("{\n\t\"error\": 1\n}")}, `wschannel: handshake failed with status 401`},
	{&wschannel.HandshakeError{StatusCode: 401, Body: []byte("\x1f\x8b\x08\x00")}, `wschannel: handshake failed with status 401`},
	{&wschannel.ConnectError{URL: "ws://host", Err: &wschannel.ProxyError{URL: "http://proxy:3128", StatusCode: 407, Body: []byte("who are you?")}},
		`wschannel: connect to "ws://host": proxy "http://proxy:3128": refused with status 407 Proxy Authentication Required; it said "who are you?"`},
	{&wschannel.ConnectError{URL: "ws://host", Err: &wschannel.ProxyError{URL: "http://proxy:3128", Err: io.ErrUnexpectedEOF}},
		`wschannel: connect to "ws://host": proxy "http://proxy:3128": unexpected EOF`},
	{&wschannel.ConnectError{URL: "ws://host", Err: errors.New(strings.Repeat("x", 1025))}, `wschannel: connect to "ws://host": ` + strings.Repeat("x", 1024) + "…"},
	{&wschannel.ConnectError{URL: "ws://host", Err: errors.New("certificate is valid for \x1b[2J\n\u202e\xff, not \"host\\n\" é")},
		`wschannel: connect to "ws://host": certificate is valid for \x1b[2J\n\u202e\xff, not "host\n" é`},
	{&wschannel.ConnectError{URL: "ws://user:xxxxx@host/", Err: errors.New("dial tcp: no such host")},
		`wschannel: connect to "ws://user:xxxxx@host/": dial tcp: no such host`},
	{&wschannel.ConnectError{URL: "", Err: context.DeadlineExceeded}, `wschannel: connect to "": context deadline exceeded`},

	// Misuse.
	{wschannel.ErrInvalidType, `wschannel: message type is neither Text nor Binary`},
	{wschannel.ErrInvalidUTF8, `wschannel: text message is not valid UTF-8`},
	{wschannel.ErrReaderStale, `wschannel: the message was dropped by a later receive`},
	{wschannel.ErrWriterClosed, `wschannel: the message is complete`},
	{wschannel.ErrLocalClose, `wschannel: closed by this side`},
	{refusedClose(999, ""), `wschannel: invalid close: code 999 must not be sent: 1000-1003, 1007-1014 and 3000-4999 may`},
	{refusedClose(0, "x"), `wschannel: invalid close: a reason needs a code`},
	{refusedClose(1000, strings.Repeat("x", 124)), `wschannel: invalid close: reason of 124 bytes, at most 123 fit`},
	{refusedClose(1000, "\xff"), `wschannel: invalid close: reason is not valid UTF-8`},
}

// refusedClose returns the error of a CloseWith that is misuse.
func refusedClose(code status.Code, reason string) error {
	near, far := net.Pipe()
	far.Close()
	c := wschannel.New(near, wschannel.RoleServer, nil)
	defer c.CloseNow()
	return c.CloseWith(code, reason)
}

func TestErrorTexts(t *testing.T) {
	for _, test := range errorTexts {
		got := test.err.Error()
		if got != test.want {
			t.Errorf("%#v reads\n%s, want\n%s", test.err, got, test.want)
		}
		if strings.Count(got, "wschannel: ") != 1 || !strings.HasPrefix(got, "wschannel: ") {
			t.Errorf("the prefix has to come once, in front: %s", got)
		}
		if strings.ContainsAny(got, "\r\n") || regexp.MustCompile(`\.$|%!|<nil>`).MatchString(got) {
			t.Errorf("this is not how errors are written: %s", got)
		}
	}

	// It only ever is the cause of a CloseError, which has the prefix.
	broken := &wschannel.ProtocolError{Section: "5.5", Text: "control frame of 126 bytes, at most 125 are allowed"}
	if got, want := broken.Error(), "control frame of 126 bytes, at most 125 are allowed (RFC 6455 §5.5)"; got != want {
		t.Errorf("a ProtocolError reads\n%s, want\n%s", got, want)
	}
}

// What an end satisfies, and whether it is clean.
func TestCloseError(t *testing.T) {
	broken := &wschannel.ProtocolError{Section: "5.2", Text: "x"}
	for _, test := range []struct {
		name         string
		err          *wschannel.CloseError
		local, clean bool
		cause        error
	}{
		{"local 1000", &wschannel.CloseError{Code: 1000}, true, true, nil},
		{"local 4000", &wschannel.CloseError{Code: 4000}, true, true, nil},
		{"local 1005", &wschannel.CloseError{Code: 1005}, true, true, nil},
		{"local 1006", &wschannel.CloseError{Code: 1006}, true, true, nil},
		{"remote 1000", &wschannel.CloseError{Code: 1000, Remote: true}, false, true, nil},
		{"remote 1001", &wschannel.CloseError{Code: 1001, Remote: true}, false, true, nil},
		{"remote 1005", &wschannel.CloseError{Code: 1005, Remote: true}, false, true, nil},
		{"remote 1011", &wschannel.CloseError{Code: 1011, Remote: true}, false, false, nil},
		{"remote 4000", &wschannel.CloseError{Code: 4000, Remote: true}, false, false, nil},
		{"lost", &wschannel.CloseError{Code: 1006, Cause: io.ErrUnexpectedEOF}, false, false, io.ErrUnexpectedEOF},
		{"dead", &wschannel.CloseError{Code: 1006, Cause: os.ErrDeadlineExceeded}, false, false, os.ErrDeadlineExceeded},
		{"cancelled", &wschannel.CloseError{Code: 1006, Cause: context.Canceled}, false, false, context.Canceled},
		{"1001 and lost", &wschannel.CloseError{Code: 1001, Cause: io.ErrUnexpectedEOF}, false, false, io.ErrUnexpectedEOF},
		{"broken", &wschannel.CloseError{Code: 1002, Cause: broken}, false, false, broken},
	} {
		var err error = test.err
		for _, is := range []struct {
			target error
			want   bool
		}{
			{wschannel.ErrClosed, true},
			{streamchannel.ErrClosed, true},
			{wschannel.ErrLocalClose, test.local},
			{net.ErrClosed, test.local},
			{io.EOF, false},
			{io.ErrUnexpectedEOF, test.cause == io.ErrUnexpectedEOF},
			{os.ErrDeadlineExceeded, test.cause == os.ErrDeadlineExceeded},
			{context.Canceled, test.cause == context.Canceled},
			{wschannel.ErrConcurrentReceive, false},
		} {
			if got := errors.Is(err, is.target); got != is.want {
				t.Errorf("%s: errors.Is(%v) is %v", test.name, is.target, got)
			}
		}
		if got := errors.Unwrap(err); got != test.cause {
			t.Errorf("%s: Unwrap returns %v, want %v", test.name, got, test.cause)
		}
		if got := test.err.Clean(); got != test.clean {
			t.Errorf("%s: Clean is %v", test.name, got)
		}
		if rule, ok := errors.AsType[*wschannel.ProtocolError](err); ok != (test.cause == broken) || ok && rule != broken {
			t.Errorf("%s: it is a ProtocolError: %v", test.name, ok)
		}
	}
}

// A lost connection must not be muted, also where the transport said
// net.ErrClosed; and a channel that this side closes may be.
func TestErrClosedOfTransport(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	lost := wschannel.New(closedTransport{near}, wschannel.RoleServer, nil)
	_, err := lost.Receive(patiently(t))
	var end *wschannel.CloseError
	if !errors.As(err, &end) || end.Code != status.AbnormalClosure || end.Cause == nil {
		t.Fatalf("the end is %v", err)
	}
	if errors.Is(err, net.ErrClosed) || errors.Is(err, wschannel.ErrLocalClose) {
		t.Errorf("a lost connection passes for a local close: %v", err)
	}
	checkMatch(t, "the error", err.Error(), `^wschannel: connection lost: .*use of closed network connection$`)
}

// A closedTransport fails as a net.Conn does that somebody else has closed.
type closedTransport struct{ net.Conn }

func (c closedTransport) Read([]byte) (int, error) {
	return 0, &net.OpError{Op: "read", Net: "tcp", Err: net.ErrClosed}
}

func TestHandshakeErrorIs(t *testing.T) {
	late := &wschannel.ConnectError{URL: "ws://host", Err: context.DeadlineExceeded}
	if errors.Unwrap(late) != context.DeadlineExceeded || !errors.Is(late, context.DeadlineExceeded) {
		t.Errorf("%v is not its cause", late)
	}
	var timeout interface{ Timeout() bool }
	if !errors.As(late, &timeout) || !timeout.Timeout() {
		t.Errorf("%v is no timeout", late)
	}
	for _, err := range []error{late, &wschannel.HandshakeError{StatusCode: 503}} {
		if errors.Is(err, wschannel.ErrClosed) {
			t.Errorf("%v was never open, so it is not closed", err)
		}
	}
}

// What both packages speak of is the same value, so either name will do.
func TestSharedErrors(t *testing.T) {
	if err := refusedClose(999, ""); !errors.Is(err, streamchannel.ErrInvalidClose) || !errors.Is(err, wschannel.ErrInvalidClose) {
		t.Errorf("CloseWith: %v", err)
	}
	if wschannel.ErrClosed != streamchannel.ErrClosed || wschannel.ErrConcurrentReceive != streamchannel.ErrConcurrentReceive {
		t.Error("two values for one thing")
	}
}
