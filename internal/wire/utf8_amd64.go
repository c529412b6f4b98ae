package wire

import (
	"unicode/utf8"

	asm "github.com/segmentio/asm/utf8"
)

// ValidUTF8 reports whether b is valid UTF-8 (RFC 3629). Here it looks at 32 bytes
// at a time where the processor can: several times as fast as package unicode/utf8 on
// text that is not ASCII, and as fast on ASCII. Shorter text is for unicode/utf8: what
// looks at 32 bytes takes ten times as long for 16 to 31.
func ValidUTF8(b []byte) bool {
	if len(b) < 32 {
		return utf8.Valid(b)
	}
	return asm.Valid(b)
}
