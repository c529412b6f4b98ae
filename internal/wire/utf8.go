//go:build !amd64

package wire

import "unicode/utf8"

// ValidUTF8 reports whether b is valid UTF-8 (RFC 3629).
func ValidUTF8(b []byte) bool { return utf8.Valid(b) }
