package proto

import (
	"unicode/utf8"

	"github.com/wschannel/wschannel/internal/wire"
)

// UTF8 validates UTF-8 that arrives in pieces, which may split a rune
// anywhere. It fails at the first byte that cannot be a part of valid UTF-8
// (RFC 6455 §8.1; RFC 3629: no surrogates, no overlong forms).
type UTF8 struct {
	held [utf8.UTFMax]byte // the beginning of a rune that the last piece left unfinished
	n    uint8
}

// Valid takes the next piece and reports whether all up to its end can still
// become valid UTF-8.
func (u *UTF8) Valid(p []byte) bool {
	for u.n > 0 && len(p) > 0 {
		u.held[u.n] = p[0]
		u.n++
		p = p[1:]
		// A rune is "full" as soon as it is complete or can no longer be valid.
		if held := u.held[:u.n]; utf8.FullRune(held) {
			if r, size := utf8.DecodeRune(held); r == utf8.RuneError && size == 1 {
				return false
			}
			u.n = 0
		}
	}
	rest := unfinished(p)
	if !wire.ValidUTF8(p[:len(p)-rest]) {
		return false
	}
	u.n += uint8(copy(u.held[u.n:], p[len(p)-rest:]))
	return true
}

// Done reports whether what was seen ends with a whole rune.
func (u *UTF8) Done() bool { return u.n == 0 }

// unfinished returns how many bytes at the end of p begin a rune that needs
// more of them and can still be valid.
func unfinished(p []byte) int {
	for i := 1; i < utf8.UTFMax && i <= len(p); i++ {
		if tail := p[len(p)-i:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return i
			}
			break
		}
	}
	return 0
}
