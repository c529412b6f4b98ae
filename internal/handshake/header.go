package handshake

import (
	"iter"
	"maps"
	"slices"
	"strings"
)

// The header fields of the handshake, spelled as in RFC 6455: some peers
// compare names by case, and net/http's canonical spelling has a small s in
// "Websocket".
const (
	nameOrigin     = "Origin"
	nameUpgrade    = "Upgrade"
	nameConnection = "Connection"
	nameKey        = "Sec-WebSocket-Key"
	nameAccept     = "Sec-WebSocket-Accept"
	nameVersion    = "Sec-WebSocket-Version"
	nameProtocol   = "Sec-WebSocket-Protocol"
	nameExtensions = "Sec-WebSocket-Extensions"
)

// fields are the values of the handshake's header fields, a line each.
type fields struct {
	origin, upgrade, connection, key, accept, version, protocol, extensions []string
}

// readFields finds the handshake's fields in one pass, however their names are
// spelled. A name that is there in two spellings has the values of both, in
// either order: a second key must not hide behind another spelling.
func readFields(header map[string][]string) fields {
	var f fields
	for name, values := range header {
		// The names all differ in length (or this would not compile), so that one
		// comparison decides.
		var want string
		var field *[]string
		switch len(name) {
		case len(nameOrigin):
			want, field = nameOrigin, &f.origin
		case len(nameUpgrade):
			want, field = nameUpgrade, &f.upgrade
		case len(nameConnection):
			want, field = nameConnection, &f.connection
		case len(nameKey):
			want, field = nameKey, &f.key
		case len(nameAccept):
			want, field = nameAccept, &f.accept
		case len(nameVersion):
			want, field = nameVersion, &f.version
		case len(nameProtocol):
			want, field = nameProtocol, &f.protocol
		case len(nameExtensions):
			want, field = nameExtensions, &f.extensions
		}
		switch {
		case field == nil || !equalFold(name, want):
		case *field == nil:
			// Clipped, so that a second spelling is never appended into the header.
			*field = slices.Clip(values)
		default:
			*field = append(*field, values...)
		}
	}
	return f
}

// elements yields the elements of a list (RFC 9110 §5.6.1), over all of the
// field's lines and in time linear in their length. "A recipient MUST parse
// and ignore a reasonable number of empty list elements": any number here, for
// they cost no more than other bytes.
func elements(lines []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range lines {
			for element := range strings.SplitSeq(line, ",") {
				if element = trim(element); element != "" && !yield(element) {
					return
				}
			}
		}
	}
}

// contains reports whether a list has the token, ASCII case-insensitively.
func contains(lines []string, token string) bool {
	for element := range elements(lines) {
		if equalFold(element, token) {
			return true
		}
	}
	return false
}

// one returns a field's only value without the white space around it, and
// whether there is exactly one.
func one(values []string) (string, bool) {
	if len(values) != 1 {
		return "", false
	}
	return trim(values[0]), true
}

// trim cuts off optional white space (RFC 9110 §5.6.3).
func trim(s string) string { return strings.Trim(s, " \t") }

// equalFold is the "ASCII case-insensitive" comparison of RFC 6455 §2.1.
// strings.EqualFold is none: for it the Kelvin sign is a k.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// lowerCase lowers ASCII letters only: strings.ToLower makes an ASCII k of the
// Kelvin sign.
func lowerCase(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 {
			return rune(lower(byte(r)))
		}
		return r
	}, s)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isAlpha(c byte) bool { return 'a' <= lower(c) && lower(c) <= 'z' }

// isToken reports whether s is a token of RFC 9110 §5.6.2. That is also what
// RFC 6455 §4.1 asks of a subprotocol's name: U+0021 to U+007E without the
// separators of RFC 2616 §2.2.
func isToken(s string) bool {
	return s != "" && only(s, func(c byte) bool {
		return isAlpha(c) || isDigit(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
	})
}

// isValue reports whether s can be a field's value (RFC 9110 §5.5): CR, LF and
// NUL are "invalid and dangerous", other controls but the tab are no use.
func isValue(s string) bool {
	return only(s, func(c byte) bool { return c >= ' ' && c != 0x7f || c == '\t' })
}

func only(s string, allowed func(byte) bool) bool {
	for i := range len(s) {
		if !allowed(s[i]) {
			return false
		}
	}
	return true
}

// checkHeader says what is wrong with a program's own header fields, which are
// to join those of the handshake. It returns their names in order.
func checkHeader(header map[string][]string) ([]string, error) {
	names := slices.Sorted(maps.Keys(header))
	for _, name := range names {
		if !isToken(name) {
			return nil, MisuseError("the header name " + quote(name) +
				" is malformed; expected letters, digits and hyphens")
		}
		if isReserved(name) {
			return nil, MisuseError("the header " + quote(name) +
				" belongs to the WebSocket handshake; expected only headers of the program's own")
		}
		for _, value := range header[name] {
			if !isValue(value) {
				return nil, MisuseError("the header " + quote(name) + " has the value " + quote(value) +
					"; expected one without line breaks and other control characters")
			}
		}
	}
	return names, nil
}

// isReserved reports whether only the handshake itself may set the field.
func isReserved(name string) bool {
	// RFC 6455 §11.3 registers five names with this prefix; the others would
	// read as if they meant something.
	const prefix = "Sec-WebSocket-"
	if len(name) >= len(prefix) && equalFold(name[:len(prefix)], prefix) {
		return true
	}
	// RFC 9110 §8.6 and RFC 9112 §6.1: "A server MUST NOT send" either of the
	// last two with a 1xx status. The request has no content either.
	for _, reserved := range []string{nameUpgrade, nameConnection, "Content-Length", "Transfer-Encoding"} {
		if equalFold(name, reserved) {
			return true
		}
	}
	return false
}
