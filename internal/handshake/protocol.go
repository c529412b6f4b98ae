package handshake

import (
	"iter"
	"slices"
)

// CheckProtocols says what is wrong with a program's list of subprotocols, to
// be offered or to be supported. RFC 6455 §4.1: they "MUST be non-empty
// strings" of characters that are no separators, "and MUST all be unique".
// They differ by case. An empty list is fine. The error is a [MisuseError].
func CheckProtocols(protocols []string) error {
	if wrong, why := wrongProtocol(slices.Values(protocols)); why != "" {
		return MisuseError("the subprotocol " + quote(wrong) + " is " + why)
	}
	return nil
}

// SelectProtocol returns the first of the supported subprotocols that is also
// among the offered, so the server's order of preference decides; "" if there
// is none (RFC 6455 §4.2.2).
func SelectProtocol(supported, offered []string) string {
	for _, protocol := range supported {
		if slices.Contains(offered, protocol) {
			return protocol
		}
	}
	return ""
}

// parseProtocols reads the Sec-WebSocket-Protocol lines of a request; there
// may be several (RFC 6455 §11.3.4). It returns why they are malformed, "" if
// they are not.
func parseProtocols(lines []string) (protocols []string, why string) {
	list := elements(lines)
	if wrong, why := wrongProtocol(list); why != "" {
		return nil, "the Sec-WebSocket-Protocol header has the element " + quote(wrong) + ", which is " + why
	}
	protocols = slices.Collect(list)
	if len(lines) > 0 && len(protocols) == 0 {
		// RFC 6455 §4.3: 1#token, at least one.
		return nil, "the Sec-WebSocket-Protocol header must list subprotocols or be left out" + got(lines)
	}
	return protocols, ""
}

// wrongProtocol returns the first subprotocol that makes a list invalid, and
// why.
func wrongProtocol(protocols iter.Seq[string]) (wrong, why string) {
	var seen map[string]bool
	for protocol := range protocols {
		if !isToken(protocol) {
			return protocol, "not a token; expected letters, digits and !#$%&'*+-.^_`|~"
		}
		// A set, since a peer may list as many as a header holds.
		if seen[protocol] {
			return protocol, "there twice; expected every subprotocol once"
		}
		if seen == nil {
			seen = make(map[string]bool)
		}
		seen[protocol] = true
	}
	return "", ""
}
