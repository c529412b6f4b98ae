//go:build !js

package wschannel

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"unicode/utf8"

	"github.com/wschannel/wschannel/status"
)

// utf8Classes are the ways for text to be right and wrong (RFC 3629 §3, §4).
var utf8Classes = []struct {
	name  string
	texts []string
}{
	{"good", []string{
		"", "\x00", "\x7F", "\u0080", "\u07FF", "\u0800", "\uD7FF", "\uE000", "\uFFFD", "\uFFFE", "\uFFFF",
		"\U00010000", "\U0010FFFF", "κόσμε", "日本語", "a\u0080\u0800\U00010000z", "\uFEFFBOM", "e\u0301", "👩‍👩‍👧",
	}},
	{"truncated", []string{"\xC2", "\xDF", "\xE0", "\xE0\xA0", "\xE2\x82", "\xEF\xBF", "\xF0", "\xF0\x90", "\xF0\x9F\x98", "\xF4\x8F\xBF", "aé\xE2\x82"}},
	{"overlong", []string{
		"\xC0\x80", "\xC0\xAF", "\xC1\xBF", "\xE0\x80\x80", "\xE0\x80\xAF", "\xE0\x9F\xBF",
		"\xF0\x80\x80\x80", "\xF0\x80\x80\xAF", "\xF0\x8F\xBF\xBF", "\xF8\x80\x80\x80\xAF", "\xFC\x80\x80\x80\x80\xAF",
	}},
	{"surrogates", []string{"\xED\xA0\x80", "\xED\xAD\xBF", "\xED\xAF\xBF", "\xED\xB0\x80", "\xED\xBF\xBF", "\xED\xA0\xBD\xED\xB8\x80"}},
	{"above U+10FFFF", []string{"\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xF7\xBF\xBF\xBF", "\xF8\x88\x80\x80\x80", "\xFD\xBF\xBF\xBF\xBF\xBF", "\xFE", "\xFF"}},
	{"lone continuation", []string{"\x80", "\xBF", "a\x80", "é\xBF", "€\x80", "😀\x80", "\x80\xBF\x80\xBF"}},
	{"no continuation", []string{"\xC2a", "\xE2a", "\xE2\x82a", "\xF0\x9Fa", "\xF0\x9F\x98a", "\xC2\xC2\xA2", "\xE2\x82\xE2\x82\xAC", "\xF0\x9F\xF0"}},
}

// everyLead returns each byte above ASCII with what may follow and what may not.
func everyLead() (texts []string) {
	for b := 0x80; b < 0x100; b++ {
		for _, tail := range []string{"\x80", "\x8F\x80", "\x90\xBF\x80", "\x9F\xBF", "\xA0\x80\x80", "\xBF\xBF\xBF", "a"} {
			texts = append(texts, string([]byte{byte(b)})+tail)
		}
	}
	return texts
}

// firstBad returns how many bytes of s can still become UTF-8: len(s), or the
// place of the byte that cannot be right whatever follows. It asks
// unicode/utf8 about every way to go on that the grammar leaves open.
func firstBad(s string) int {
	var tails []string
	for _, a := range []string{"", "\x80", "\xBF"} {
		for _, b := range []string{"", "\x80"} {
			for _, c := range []string{"", "\x80"} {
				tails = append(tails, a+b+c)
			}
		}
	}
next:
	for n := 1; n <= len(s); n++ {
		for _, tail := range tails {
			if utf8.ValidString(s[:n] + tail) {
				continue next
			}
		}
		return n - 1
	}
	return len(s)
}

// RFC 6455 §8.1, §5.6: text of every class, cut everywhere: each byte alone in
// one frame, and each in a fragment of its own. What is wrong ends the channel
// with the first byte that cannot be right, not before and not later. X16
func TestTextOfEveryClass(t *testing.T) {
	for _, class := range utf8Classes {
		t.Run(class.name, func(t *testing.T) {
			for _, text := range class.texts {
				if utf8.ValidString(text) != (class.name == "good") {
					t.Fatalf("%q is in the wrong class", text)
				}
			}
			for _, way := range ways {
				t.Run(way.name, func(t *testing.T) {
					inBothRoles(t, func(t *testing.T, role Role) {
						for _, text := range class.texts {
							for _, fragments := range []bool{false, true} {
								checkText(t, role, way, text, fragments)
							}
						}
					})
				})
			}
		})
	}
}

// The same with each byte above ASCII as the first one, and all kinds of bytes
// behind it.
func TestTextWithEveryLeadByte(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role Role) {
		for _, text := range everyLead() {
			for _, fragments := range []bool{false, true} {
				checkText(t, role, ways[0], text, fragments)
			}
		}
	})
}

// checkText sends a text byte by byte and looks after each of them whether the
// channel has ended.
func checkText(t *testing.T, role Role, way way, text string, fragments bool) {
	t.Helper()
	what := fmt.Sprintf("%q, fragments: %v", text, fragments)
	bad, valid := firstBad(text), utf8.ValidString(text)
	c, r := rawChannel(t, role, nil)
	defer c.CloseNow()
	defer r.hangUp()
	next := way.begin(t, c)
	var typ Type
	var data []byte
	var err error
	got := make(chan struct{})
	go func() {
		typ, data, err = next()
		close(got)
	}()
	// ended looks, and says with which byte it may have.
	ended := func(after int, want bool) bool {
		synctest.Wait()
		if isClosed(c.Done()) != want {
			t.Errorf("%s: over after %d bytes: %v, %v", what, after, !want, c.Err())
			return true
		}
		return want
	}

	if !fragments {
		b := fr(0x81, text).append(nil, r.nextKey())
		r.write(b[:len(b)-len(text)])
		for i := range len(text) {
			r.write(b[len(b)-len(text)+i:][:1])
			// A text that ends too early is wrong when its last byte is there.
			if ended(i+1, i == bad || !valid && bad == len(text) && i == len(text)-1) {
				break
			}
		}
	} else {
		r.send(fr(0x01, ""))
		over := false
		for i := range len(text) {
			r.send(fr(0x00, text[i:i+1]))
			if over = ended(i+1, i == bad); over {
				break
			}
			r.send(fr(0x89, "open"))
			if answers := r.takenTold(); len(answers) != 1 || answers[0] != `pong "open"` {
				t.Errorf("%s: after %d bytes a ping is answered with %q", what, i+1, answers)
			}
		}
		if !over {
			r.send(fr(0x80, ""))
			ended(len(text), !valid)
		}
	}
	synctest.Wait()
	if !isClosed(got) {
		t.Fatalf("%s: nothing is received", what)
	}
	if valid {
		if err != nil || typ != Text || string(data) != text {
			t.Errorf("%s: received %v %q, %v", what, typ, data, err)
		}
		return
	}
	broken, ok := errors.AsType[*ProtocolError](err)
	if !ok || broken.Section != "8.1" {
		t.Errorf("%s: received %v %q, %v; want a violation of 8.1", what, typ, data, err)
		return
	}
	wantEnd(t, c, status.InvalidFramePayloadData, "", false)
	if frames := r.taken(); len(frames) != 1 || !strings.HasPrefix(frames[0].String(), "close 1007") {
		t.Errorf("%s: answered %v", what, frames)
	}
}

// RFC 6455 §8.1: the first 100,000 bytes are right, the next one is not, and the
// message would have been longer. In one frame and in fragments. X16
func TestTextWrongAtByte100000(t *testing.T) {
	const length, bad = 200_000, 100_000
	good := strings.Repeat("日本語é", length/11+1)[:bad-1] + "a"
	if !utf8.ValidString(good) || len(good) != bad {
		t.Fatal("the test is wrong")
	}
	for _, wrong := range []string{"\x80", "\xC0", "\xED\xA0", "\xF4\x90", "\xFF"} {
		text := good + wrong
		for _, pieces := range []int{1447, bad + 100} {
			inBothRoles(t, func(t *testing.T, role Role) {
				c, r := rawChannel(t, role, nil)
				received := async(func() error { _, err := c.Receive(t.Context()); return err })
				b := claim(0x81, role, 8, length).append(nil, 0)
				// The key of claim is zero, so that the payload stands as it is.
				for _, piece := range append(inPieces(pieces)(append(b, text[:len(text)-1]...)), []byte(text[len(text)-1:])) {
					synctest.Wait()
					if c.Err() != nil || len(r.taken()) > 0 {
						t.Fatalf("%q: over before the bad byte: %v", wrong, c.Err())
					}
					r.write(piece)
				}
				frames := r.takenTold()
				if len(frames) != 1 || !strings.HasPrefix(frames[0], "close 1007") {
					t.Errorf("%q: answered %q", wrong, frames)
				}
				wantEnd(t, c, status.InvalidFramePayloadData, "", false)
				if err := <-received; err != c.Err() {
					t.Errorf("Receive: %v", err)
				}
			})
			inBothRoles(t, func(t *testing.T, role Role) {
				c, r := rawChannel(t, role, nil)
				go c.Receive(t.Context())
				first := byte(0x01)
				for rest := text; len(rest) > 0; first = 0x00 {
					n := min(999, len(rest))
					r.send(fr(first, rest[:n]))
					rest = rest[n:]
					synctest.Wait()
					if over := isClosed(c.Done()); over != (rest == "") {
						t.Fatalf("%q: over with %d bytes to come: %v", wrong, len(rest), over)
					}
				}
				wantEnd(t, c, status.InvalidFramePayloadData, "", false)
			})
		}
	}
}

// RFC 6455 §8.1: only what is text is held to be UTF-8: neither binary messages
// nor what pings and pongs carry.
func TestOnlyTextIsChecked(t *testing.T) {
	var all []exchange
	for _, class := range utf8Classes {
		for _, bytes := range class.texts {
			all = append(all, exchange{
				name:     fmt.Sprintf("%q", bytes),
				send:     []piece{fr(0x82, bytes), fr(0x8A, bytes), fr(0x89, bytes), fr(0x01, "a"), fr(0x89, bytes), fr(0x80, "b"), closeOf(1000, "")},
				received: []string{told(Binary, bytes), `text "ab"`},
				answered: []string{fmt.Sprintf("pong %q", bytes), fmt.Sprintf("pong %q", bytes), `close 1000 ""`},
				code:     1000,
			})
		}
	}
	runAll(t, all)
}
