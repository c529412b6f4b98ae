package handshake

import (
	"bufio"
	"bytes"
	"errors"
	"net/textproto"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// The key of RFC 6455 §1.3 and its signature.
const (
	sampleKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	sampleAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

type header = map[string][]string

// checkText fails unless a text tells what was expected, fits a log line and
// cannot break out of it.
func checkText(t *testing.T, text string) {
	t.Helper()
	if text == "" || len(text) > 700 {
		t.Errorf("text of %d bytes: %q", len(text), text)
	}
	for _, r := range text {
		if !unicode.IsPrint(r) {
			t.Errorf("text contains %U: %q", r, text)
		}
	}
}

// checkMisuse fails unless err is a MisuseError with this in its text, or nil
// if that is "".
func checkMisuse(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Errorf("got %q, want no error", err)
		}
		return
	}
	misuse, ok := errors.AsType[MisuseError](err)
	if !ok {
		t.Fatalf("got %v, want a MisuseError", err)
	}
	checkText(t, misuse.Error())
	if !strings.Contains(misuse.Error(), want) {
		t.Errorf("got  %q\nwant …%q…", misuse.Error(), want)
	}
}

// checkRefusal fails unless err has the status and this in its text, or is nil
// if the status is 0.
func checkRefusal(t *testing.T, err *Error, status int, want string) {
	t.Helper()
	if status == 0 {
		if err != nil {
			t.Errorf("got %d %q, want no error", err.StatusCode, err.Text)
		}
		return
	}
	if err == nil {
		t.Fatalf("got no error, want %d %q", status, want)
	}
	checkText(t, err.Text)
	if err.StatusCode != status || !strings.Contains(err.Text, want) {
		t.Errorf("got  %d %q\nwant %d …%q…", err.StatusCode, err.Text, status, want)
	}
}

// parseResponse reads a response as net/http does: canonical names, trimmed
// values.
func parseResponse(t *testing.T, response []byte) header {
	t.Helper()
	r := textproto.NewReader(bufio.NewReader(bytes.NewReader(response)))
	line, err := r.ReadLine()
	if err != nil || line != "HTTP/1.1 101 Switching Protocols" {
		t.Fatalf("status line %q, %v", line, err)
	}
	h, err := r.ReadMIMEHeader()
	if err != nil {
		t.Fatalf("%v in %q", err, response)
	}
	if rest := r.R.Buffered(); rest != 0 {
		t.Fatalf("%d bytes after the header in %q", rest, response)
	}
	return h
}

func TestError(t *testing.T) {
	err := &Error{StatusCode: 400, Text: "so"}
	if err.Error() != "so" {
		t.Errorf("Error() = %q", err.Error())
	}
	if err.Body() != "websocket: so\n" {
		t.Errorf("Body() = %q", err.Body())
	}
}

func TestGot(t *testing.T) {
	long := strings.Repeat("a", quoted)
	for _, test := range []struct {
		values []string
		want   string
	}{
		{nil, `; got none`},
		{[]string{""}, `; got ""`},
		{[]string{"a\r\n\x00\u202e"}, `; got "a\r\n\x00\u202e"`},
		{[]string{long}, `; got "` + long + `"`},
		{[]string{long + "b"}, `; got "` + long + `"…`},
		{[]string{"a", "b", "c"}, `; got 3 values`},
	} {
		if got := got(test.values); got != test.want {
			t.Errorf("got(%q) = %s, want %s", test.values, got, test.want)
		}
	}
}

// What one side makes, the other takes.
func TestRoundTrip(t *testing.T) {
	for _, test := range []struct {
		name               string
		offered, supported []string
		protocol           string
	}{
		{"no subprotocol", nil, nil, ""},
		{"none supported", []string{"chat"}, nil, ""},
		{"none offered", nil, []string{"chat"}, ""},
		{"the server's preference", []string{"a", "b", "c"}, []string{"x", "c", "a"}, "c"},
	} {
		t.Run(test.name, func(t *testing.T) {
			key := NewKey()
			request := header{"X-Own": {"1"}}
			if err := SetRequest(request, key, test.offered, ""); err != nil {
				t.Fatal(err)
			}
			offer, refusal := CheckRequest(Request{
				Method: "GET", ProtoMajor: 1, ProtoMinor: 1, Host: "example.com", Header: request,
			})
			checkRefusal(t, refusal, 0, "")
			if offer.Key != key || !slices.Equal(offer.Protocols, test.offered) {
				t.Fatalf("offer %q", offer)
			}
			protocol := SelectProtocol(test.supported, offer.Protocols)
			response, err := AppendResponse(nil, offer.Key, protocol, "", header{"X-Own": {"2"}})
			if err != nil {
				t.Fatal(err)
			}
			got, _, refusal := CheckResponse(101, parseResponse(t, response), key, test.offered, nil)
			checkRefusal(t, refusal, 0, "")
			if got != test.protocol {
				t.Errorf("protocol %q, want %q", got, test.protocol)
			}
		})
	}
}
