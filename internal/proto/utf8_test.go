package proto

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

// grammar is RFC 3629 §4, line by line: the ranges of the bytes of a character.
var grammar = [][][2]byte{
	{{0x00, 0x7F}},
	{{0xC2, 0xDF}, {0x80, 0xBF}},
	{{0xE0, 0xE0}, {0xA0, 0xBF}, {0x80, 0xBF}},
	{{0xE1, 0xEC}, {0x80, 0xBF}, {0x80, 0xBF}},
	{{0xED, 0xED}, {0x80, 0x9F}, {0x80, 0xBF}},
	{{0xEE, 0xEF}, {0x80, 0xBF}, {0x80, 0xBF}},
	{{0xF0, 0xF0}, {0x90, 0xBF}, {0x80, 0xBF}, {0x80, 0xBF}},
	{{0xF1, 0xF3}, {0x80, 0xBF}, {0x80, 0xBF}, {0x80, 0xBF}},
	{{0xF4, 0xF4}, {0x80, 0x8F}, {0x80, 0xBF}, {0x80, 0xBF}},
}

// judge returns the place of the first byte of b that cannot be a part of
// valid UTF-8, or len(b), and whether b ends with a whole character.
func judge(b []byte) (bad int, done bool) {
	var rest [][2]byte
next:
	for i, c := range b {
		if len(rest) > 0 {
			if c < rest[0][0] || c > rest[0][1] {
				return i, false
			}
			rest = rest[1:]
			continue
		}
		for _, ranges := range grammar {
			if ranges[0][0] <= c && c <= ranges[0][1] {
				rest = ranges[1:]
				continue next
			}
		}
		return i, false
	}
	return len(b), len(rest) == 0
}

// checkPieces feeds b to a UTF8, cut at the given places, and compares
// with judge.
func checkPieces(t *testing.T, b []byte, cuts ...int) {
	bad, done := judge(b)
	var u UTF8
	from := 0
	for _, to := range append(cuts, len(b)) {
		if got, want := u.Valid(b[from:to]), to <= bad; got != want {
			t.Fatalf("%x cut at %v: valid is %t up to %d, the first bad byte is %d", b, cuts, got, to, bad)
		} else if !got {
			return
		}
		from = to
	}
	if u.Done() != done || done != utf8.Valid(b) {
		t.Fatalf("%x cut at %v: done is %t, want %t", b, cuts, u.Done(), done)
	}
}

// texts are characters at every boundary, and every way to get them wrong.
var texts = []string{
	"", "a", "Hello", "\x00\x7F",
	"\u0080", "\u07FF", "\u0800", "\uD7FF", "\uE000", "\uFFFD", "\uFFFF", "\U00010000", "\U0010FFFF",
	"κόσμε", "日本語", "a\u0080\u0800\U00010000z", "😀😀😀",
	strings.Repeat("a", 40) + "é" + strings.Repeat("b", 40),
	// Truncated.
	"\xC3", "\xE2", "\xE2\x82", "\xF0", "\xF0\x9F", "\xF0\x9F\x98", "aé\xE2\x82",
	// A tail without a head, a head without its tail, bytes that never occur.
	"\x80", "\xBF", "a\x80", "\u00E9\x80", "€\x80", "😀\x80",
	"\xC3a", "\xC3\xC3", "\xE2a", "\xE2\x82a", "\xE2\x82\xE2", "\xF0\x9F\x98a", "\xF0\x9Fa", "\xF0a", "\xFE", "\xFF", "\xF5\x80\x80\x80",
	// Overlong.
	"\xC0\x80", "\xC0\xAF", "\xC1\xBF", "\xE0\x80\x80", "\xE0\x9F\xBF", "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF",
	// Surrogates, alone and in pairs.
	"\xED\xA0\x80", "\xED\xBF\xBF", "\xED\xA0\xBD\xED\xB8\x80",
	// Above U+10FFFF, and forms of five and six bytes.
	"\xF4\x90\x80\x80", "\xF7\xBF\xBF\xBF", "\xF8\x88\x80\x80\x80", "\xFC\x84\x80\x80\x80\x80",
}

func TestUTF8EverySplit(t *testing.T) {
	for _, text := range texts {
		for _, b := range [][]byte{[]byte(text), []byte("ab" + text), []byte(text + "é"), []byte("é" + text + "z")} {
			var every []int
			for i := range len(b) + 1 {
				every = append(every, i)
				for j := i; j <= len(b); j++ {
					checkPieces(t, b, i, j)
				}
			}
			checkPieces(t, b, every...)
		}
	}
}

// Every sequence of four bytes from the ends of the grammar's ranges.
func TestUTF8EverySequence(t *testing.T) {
	ends := []byte{
		'a', 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED,
		0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
	}
	b := make([]byte, 4)
	for _, b[0] = range ends {
		for _, b[1] = range ends {
			for _, b[2] = range ends {
				for _, b[3] = range ends {
					checkPieces(t, b)
					checkPieces(t, b, 1, 2, 3)
				}
			}
		}
	}
}

// The Reader reports a bad byte when it has arrived and not later, wherever
// the frames and reads are cut and whatever is in between.
func TestFailsFast(t *testing.T) {
	const violation = "violation 1007 8.1"
	for _, text := range texts {
		bad, done := judge([]byte(text))
		for _, m := range []mode{collectNew, collectInto(1000), streamIn(1), streamIn(1000), skip} {
			for _, server := range []bool{false, true} {
				cfg := unlimited
				cfg.Server = server
				for name, frames := range map[string]func(masker) [][]byte{
					"one frame": func(m masker) (sent [][]byte) {
						sent = append(sent, m.mask([]byte{0x81, byte(len(text))}))
						for i := range len(text) {
							sent = append(sent, m.mask([]byte(text[i:i+1])))
						}
						return sent
					},
					"a frame for each byte": func(m masker) (sent [][]byte) {
						sent = append(sent, m.mask([]byte{0x01, 0}))
						for i := range len(text) {
							sent = append(sent, m.mask([]byte{0x00, 1, text[i], 0x89, 0}))
						}
						return append(sent, m.mask([]byte{0x80, 0}))
					},
					"inside a long frame": func(m masker) (sent [][]byte) {
						sent = append(sent, m.mask([]byte("\x01\x7E\x03\x00"+strings.Repeat("é", 300))))
						for i := range len(text) {
							sent = append(sent, m.mask([]byte(text[i:i+1])))
						}
						return append(sent, m.mask(bytes.Repeat([]byte("a"), 168-len(text))))
					},
				} {
					tr := newTransport(t, cfg, MinBuffer, m)
					at := -1
					for i, b := range frames(masker{plain: !server}) {
						tr.feed(b, whole)
						if n := len(tr.got); at < 0 && n > 0 && tr.got[n-1].what == violation {
							at = i
						}
					}
					want := bad + 1 // after the step that only begins the frame
					if done {
						want = -1
					} else if bad == len(text) && name == "one frame" {
						want = bad // truncated: with its last byte
					}
					if at != want {
						t.Fatalf("%q, %s, server %t: violation with step %d, want %d: %q", text, name, server, at, want, tr.got)
					}
				}
			}
		}
	}
}

var texting = []conversation{
	{"8.1 every length", `
		< 81 0D "a" C2 80 E0 A0 80 F0 90 80 80 F0 9F
		< 98
		violation 1007 8.1`},
	{"8.1 characters across frames", `
		< 01 01 E2 89 00 00 01 82 8A 01 FF 80 01 AC
		ping ""
		pong "\xff"
		message text "€"`},
	{"8.1 characters across long frames", `
		< 01 7E 00C9 "é"*100 F0 89 00 00 7E 00C8 9F 98 80 "a"*197 00 01 80
		ping ""
		violation 1007 8.1`},
	{"8.1 a check for each message", `
		< 81 02 C3 A9 82 01 C3 81 02 C3 A9
		message text "é"
		message binary "\xc3"
		message text "é"`},
	{"8.1 tail in the next message", `
		< 81 01 C3
		violation 1007 8.1
		< 81 01 A9`},
	{"8.1 truncated by an empty frame", `
		< 01 02 "a" C3
		< 80 00
		violation 1007 8.1`},
	{"8.1 bad byte before the frame is complete", `
		< 81 05 "ab" C3
		< "c"
		violation 1007 8.1
		< "d"`},
	{"8.1 bad byte before the message is complete", `
		< 01 01 C0
		violation 1007 8.1`},
	{"8.1 not at byte 100,000, and at byte 100,000", `
		< 81 7F 00000000000186A0 "é"*50000
		message text "é"*50000
		< 81 7F 00000000000186B0 "é"*49999 "a"
		< 80
		violation 1007 8.1
		< "anything"`},
}

func TestText(t *testing.T) {
	for _, c := range texting {
		t.Run(c.name, func(t *testing.T) { testBothRoles(t, unlimited, c.text) })
	}
}

func FuzzUTF8(f *testing.F) {
	for i, text := range texts {
		f.Add([]byte(text), uint16(i), uint16(2*i))
	}
	f.Fuzz(func(t *testing.T, b []byte, cut1, cut2 uint16) {
		i := int(cut1) % (len(b) + 1)
		j := i + int(cut2)%(len(b)-i+1)
		checkPieces(t, b)
		checkPieces(t, b, i, j)
		every := make([]int, len(b))
		for i := range every {
			every[i] = i
		}
		checkPieces(t, b, every...)
	})
}
