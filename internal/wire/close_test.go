package wire

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/wschannel/wschannel/status"
)

// onTheWire says which codes a close frame may carry, as intervals from RFC
// 6455 §7.4 and, for 1012 to 1014, the IANA registry.
var onTheWire = [][2]int{{1000, 1003}, {1007, 1014}, {3000, 4999}}

func isOnTheWire(n int) bool {
	return slices.ContainsFunc(onTheWire, func(interval [2]int) bool { return interval[0] <= n && n <= interval[1] })
}

func TestParseCloseEveryCode(t *testing.T) {
	for n := range 1 << 16 {
		legal := isOnTheWire(n)
		for _, why := range []string{"", "why"} {
			body := append([]byte{byte(n >> 8), byte(n)}, why...)
			code, reason, v := ParseClose(body)
			if legal {
				if int(code) != n || string(reason) != why || v != nil {
					t.Fatalf("%d %q: got %v, %q, %+v", n, why, code, reason, v)
				}
				continue
			}
			want := Violation{status.ProtocolError, "7.4", "close code " + strconv.Itoa(n) + " must not be sent"}
			if code != 0 || reason != nil || v == nil || *v != want {
				t.Fatalf("%d %q: got %v, %q, %+v\nwant %+v", n, why, code, reason, v, want)
			}
		}
	}
}

func TestParseClose(t *testing.T) {
	notUTF8 := Violation{status.InvalidFramePayloadData, "8.1", "close reason is not valid UTF-8"}
	for _, tt := range []struct {
		name   string
		body   string
		code   status.Code
		reason string
		broken Violation
	}{
		{"7.1.5 empty body", "", status.NoStatusReceived, "", Violation{}},
		{
			"5.5.1 one byte", "\x03", 0, "",
			Violation{status.ProtocolError, "5.5.1", "close frame with a body of one byte, a code has two"},
		},
		{"5.5.1 code alone", "\x03\xE8", 1000, "", Violation{}},
		{"5.5.1 code and reason", "\x03\xE9bye", 1001, "bye", Violation{}},
		{"5.5.1 longest reason", "\x0F\xA0" + strings.Repeat("é", 61) + "!", 4000, strings.Repeat("é", 61) + "!", Violation{}},
		{"8.1 reason with U+FFFD", "\x03\xE8\uFFFD", 1000, "\uFFFD", Violation{}},
		{"8.1 reason ends inside a rune", "\x03\xE8bye\xE2\x82", 0, "", notUTF8},
		{"8.1 surrogate", "\x03\xE8\xED\xA0\x80", 0, "", notUTF8},
		{"8.1 overlong", "\x03\xE8\xC0\xAF", 0, "", notUTF8},
		{"8.1 above U+10FFFF", "\x03\xE8\xF4\x90\x80\x80", 0, "", notUTF8},
		{
			"7.4 the code is judged first", "\x03\xED\xFF", 0, "",
			Violation{status.ProtocolError, "7.4", "close code 1005 must not be sent"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, reason, v := ParseClose([]byte(tt.body))
			var broken Violation
			if v != nil {
				broken = *v
			}
			if code != tt.code || string(reason) != tt.reason || broken != tt.broken {
				t.Errorf("got %v, %q, %+v", code, reason, broken)
			}
		})
	}
}

// The reason is a part of the body, not a copy.
func TestParseCloseSharesMemory(t *testing.T) {
	body := []byte("\x03\xE8bye")
	_, reason, _ := ParseClose(body)
	if &reason[0] != &body[2] {
		t.Error("the reason was copied")
	}
}

func TestAppendClose(t *testing.T) {
	for _, tt := range []struct {
		name   string
		code   status.Code
		reason string
		want   string
	}{
		{"7.1.5 no status", status.NoStatusReceived, "", ""},
		{"5.5.1 code alone", status.NormalClosure, "", "\x03\xE8"},
		{"5.5.1 code in network byte order", 0x0FA1, "", "\x0F\xA1"},
		{"5.5.1 code and reason", status.GoingAway, "bye", "\x03\xE9bye"},
	} {
		if got := AppendClose([]byte("before"), tt.code, tt.reason); string(got) != "before"+tt.want {
			t.Errorf("%s: got %q", tt.name, got)
		}
	}
}

// Reasons of every length that fits go through, for codes at every boundary.
func TestCloseIdentity(t *testing.T) {
	if MaxReason != 123 {
		t.Fatalf("MaxReason = %d", MaxReason)
	}
	for _, interval := range onTheWire {
		for _, n := range interval {
			for length := range MaxReason + 1 {
				want := strings.Repeat("r", length)
				body := AppendClose(nil, status.Code(n), want)
				if len(body) > MaxControl {
					t.Fatalf("body of %d bytes", len(body))
				}
				code, reason, v := ParseClose(body)
				if int(code) != n || string(reason) != want || v != nil {
					t.Fatalf("%d %q: got %v, %q, %+v", n, want, code, reason, v)
				}
			}
		}
	}
}

func FuzzParseClose(f *testing.F) {
	for _, body := range []string{"", "\x03", "\x03\xE8", "\x03\xE9bye", "\x03\xED", "\x03\xE8\xFF", "\x13\x87é"} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		code, reason, v := ParseClose(body)
		if v == nil {
			if back := AppendClose(nil, code, string(reason)); !bytes.Equal(back, body) {
				t.Fatalf("%x came back as %x", body, back)
			}
			if !utf8.Valid(reason) {
				t.Fatalf("reason %q", reason)
			}
			return
		}
		section := "8.1"
		switch {
		case len(body) == 1:
			section = "5.5.1"
		case !isOnTheWire(int(body[0])<<8 + int(body[1])):
			section = "7.4"
		case utf8.Valid(body[2:]):
			t.Fatalf("%x: %+v", body, v)
		}
		if code != 0 || reason != nil || v.Section != section || v.Text == "" {
			t.Fatalf("%x: %v, %q, %+v", body, code, reason, v)
		}
	})
}
