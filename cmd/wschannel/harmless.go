package main

import (
	"io"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// What comes from a peer could move the cursor of a terminal, change its
// colours or rename its window. Everything that could is shown as an escape
// like \x1b instead.

// harmless returns s for a terminal, on one line.
func harmless(s string) string {
	return strings.ReplaceAll(harmlessLines(s), "\n", `\n`)
}

// harmlessLines returns s for a terminal; its line breaks stay.
func harmlessLines(s string) string {
	out, _ := appendHarmless(nil, []byte(s), true)
	return string(out)
}

// appendHarmless appends text for a terminal to dst. If more of the text is to
// follow, a character that may be incomplete is returned as rest.
func appendHarmless(dst, text []byte, last bool) (out, rest []byte) {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && n == 1:
			if !last && !utf8.FullRune(text) {
				return dst, text
			}
			dst = append(dst, `\x`...)
			dst = append(dst, strconv.FormatUint(uint64(text[0])|0x100, 16)[1:]...)
		case acts(r):
			quoted := strconv.QuoteRune(r)
			dst = append(dst, quoted[1:len(quoted)-1]...)
		default:
			dst = append(dst, text[:n]...)
		}
		text = text[n:]
	}
	return dst, nil
}

// acts reports whether r could do more on a terminal than to be seen, line
// breaks and tabs excepted: control characters, and those that reverse the
// direction of what stands around them.
func acts(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r)
}

// A screen writes text to a terminal. Several loggers may write to one.
type screen struct {
	w    io.Writer
	mu   sync.Mutex
	rest []byte // the beginning of a character
	out  []byte
}

func (s *screen) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Messages are UTF-8, so at the end of one nothing is left.
	s.out, s.rest = appendHarmless(s.out[:0], append(s.rest, text...), false)
	if _, err := s.w.Write(s.out); err != nil {
		return 0, err
	}
	return len(text), nil
}
