package handshake

import "strings"

// An extension is one element of a Sec-WebSocket-Extensions header (RFC 6455
// §9.1).
type extension struct {
	name   string
	params []param
}

// A param is a parameter of an extension. "foo" and "foo=" differ: the second
// one is malformed.
type param struct {
	name, value string
	valued      bool
}

// parseExtensions reads the lines of a Sec-WebSocket-Extensions header. It
// returns the first element that is malformed, "" if none is: "the recipient of
// such malformed data MUST immediately _Fail the WebSocket Connection_", whether
// or not it would have used the extension. A field without an element offers
// nothing, and is let pass.
func parseExtensions(lines []string) (list []extension, malformed string) {
	// A comma or semicolon in a quoted string needs no care: what is quoted has
	// to be a token.
	for element := range elements(lines) {
		e, ok := parseExtension(element)
		if !ok {
			return nil, element
		}
		list = append(list, e)
	}
	return list, ""
}

// malformedExtensions says what is wrong with an element of a request's or a
// response's header.
func malformedExtensions(where, element string) string {
	return "the " + where + "'s Sec-WebSocket-Extensions header has the element " + quote(element) +
		" that is no extension; expected one like name; parameter=value"
}

func parseExtension(s string) (e extension, ok bool) {
	name, rest, more := strings.Cut(s, ";")
	if e.name = trim(name); !isToken(e.name) {
		return e, false
	}
	for more {
		var text string
		text, rest, more = strings.Cut(rest, ";")
		name, value, valued := strings.Cut(text, "=")
		p := param{name: trim(name), valued: valued}
		if !isToken(p.name) {
			return e, false
		}
		if valued {
			if p.value, ok = unquote(trim(value)); !ok {
				return e, false
			}
		}
		e.params = append(e.params, p)
	}
	return e, true
}

// unquote returns the value of a parameter, a token that may be quoted: "the
// value after quoted-string unescaping MUST conform to the 'token' ABNF".
func unquote(s string) (value string, ok bool) {
	inner, quoted := strings.CutPrefix(s, `"`)
	if !quoted {
		return s, isToken(s)
	}
	inner, closed := strings.CutSuffix(inner, `"`)
	if !closed {
		return "", false
	}
	if strings.Contains(inner, `\`) {
		var plain strings.Builder
		for i := 0; i < len(inner); i++ {
			if inner[i] == '\\' {
				if i++; i == len(inner) {
					return "", false // the backslash stands for the quote behind it
				}
			}
			plain.WriteByte(inner[i])
		}
		inner = plain.String()
	}
	return inner, isToken(inner)
}
