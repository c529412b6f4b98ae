package handshake

import "strings"

// checkExtensions says why the Sec-WebSocket-Extensions lines of a request are
// malformed, "" if they are not. RFC 6455 §9.1: "the recipient of such
// malformed data MUST immediately _Fail the WebSocket Connection_", whether or
// not it would have used the extension. A field without an element offers
// nothing, and is let pass.
func checkExtensions(lines []string) (why string) {
	// A comma in a quoted string needs no care: what is quoted has to be a token.
	for extension := range elements(lines) {
		if !isExtension(extension) {
			return "the Sec-WebSocket-Extensions header has the element " + quote(extension) +
				" that is no extension; expected one like name; parameter=value"
		}
	}
	return ""
}

// isExtension reports whether s is an extension of RFC 6455 §9.1: a token and
// its parameters.
func isExtension(s string) bool {
	name, rest, more := strings.Cut(s, ";")
	if !isToken(trim(name)) {
		return false
	}
	for more {
		var parameter string
		parameter, rest, more = strings.Cut(rest, ";")
		name, value, valued := strings.Cut(parameter, "=")
		if !isToken(trim(name)) || valued && !isParameterValue(trim(value)) {
			return false
		}
	}
	return true
}

// isParameterValue reports whether s is a token, quoted or not: "the value after
// quoted-string unescaping MUST conform to the 'token' ABNF".
func isParameterValue(s string) bool {
	inner, quoted := strings.CutPrefix(s, `"`)
	if !quoted {
		return isToken(s)
	}
	inner, closed := strings.CutSuffix(inner, `"`)
	var value []byte
	for i := 0; i < len(inner); i++ {
		if inner[i] == '\\' {
			if i++; i == len(inner) {
				return false // the backslash stands for the quote behind it
			}
		}
		value = append(value, inner[i])
	}
	return closed && isToken(string(value))
}
