package handshake

import (
	"net/netip"
	"strings"
)

// CheckOrigin decides whether the page that sent a handshake may connect (RFC
// 6455 §4.2.2 and §10.2). A request without an Origin header may: it comes
// from no browser. One with several Origin headers may not. Otherwise the
// origin must be the server's own or match one of the patterns. A refusal has
// status 403.
//
// The server's own origins are http and https at the request's Host; a port
// that is missing on either side is the origin's scheme's default. Both
// schemes count, since TLS may end at a proxy.
//
// A pattern is host or host:port, with or without scheme:// in front. Case
// does not matter, and an IPv6 address stands in brackets. Without a scheme
// every scheme matches; without a port only the scheme's default port does. A
// * matches any run of characters within its scheme, host or port, never
// beyond: "*.example.com" matches https://a.b.example.com, but not
// https://a.example.com:8443, which "*.example.com:*" does.
//
// Two patterns are special. "null" matches the origin null, that of sandboxed
// and local pages, which no other pattern does. "*" lets everyone in, also
// with an origin that is null or malformed.
//
// A pattern to which [CheckPatterns] objects matches nothing.
func CheckOrigin(header map[string][]string, host string, patterns []string) *Error {
	values := readFields(header).origin
	if len(values) == 0 {
		return nil
	}
	// RFC 6454 §7.3: "the user agent MUST NOT include more than one Origin
	// header field in any HTTP request".
	value, once := one(values)
	if !once {
		return forbidden("the Origin header must come at most once" + got(values))
	}

	from, ok := parseOrigin(value)
	if ok && from.isAt(host) {
		return nil
	}
	for _, pattern := range patterns {
		switch pattern {
		case "*":
			return nil
		case "null":
			if value == "null" {
				return nil
			}
		default:
			if p, why := parsePattern(pattern); ok && why == "" && p.matches(from) {
				return nil
			}
		}
	}
	if !ok && value != "null" {
		return forbidden("the Origin header must be null or like https://host" + got(values))
	}
	return forbidden("the Origin header must name the host that the request is for, " + quote(host) +
		", or an origin that the server allows" + got(values))
}

// CheckPatterns says what is wrong with the patterns of a program that are to
// go to [CheckOrigin]. The error is a [MisuseError].
func CheckPatterns(patterns []string) error {
	for _, pattern := range patterns {
		if pattern == "*" || pattern == "null" {
			continue
		}
		if _, why := parsePattern(pattern); why != "" {
			return MisuseError("the origin pattern " + quote(pattern) + why)
		}
	}
	return nil
}

func forbidden(text string) *Error {
	return &Error{StatusCode: 403, Text: text}
}

// An origin is that of RFC 6454 §4, or a pattern for it; in lower case. The
// port of an origin is "" if the scheme has no default, that of a pattern if
// it is to be the scheme's default.
type origin struct{ scheme, host, port string }

// parseOrigin parses an origin as RFC 6454 §6.2 serializes it.
func parseOrigin(s string) (origin, bool) {
	scheme, authority, found := strings.Cut(lowerCase(s), "://")
	if !found || scheme == "" || !isAlpha(scheme[0]) || !only(scheme, isScheme) {
		return origin{}, false
	}
	host, port, ok := splitPort(authority)
	if !ok {
		return origin{}, false
	}
	if host, ok = cleanHost(host); !ok {
		return origin{}, false
	}
	standard := defaultPort(scheme)
	if port == "" {
		port = standard
	} else if port, ok = parsePort(port); !ok {
		return origin{}, false
	}
	// RFC 9110 §4.2.1: an http URI with an empty host is invalid. Other schemes
	// may have none, as in file://.
	return origin{scheme, host, port}, host != "" || standard == ""
}

// isAt reports whether o is the origin of a server with this Host header.
func (o origin) isAt(host string) bool {
	standard := defaultPort(o.scheme)
	if standard == "" {
		return false
	}
	host, port, ok := splitPort(lowerCase(host))
	if !ok {
		return false
	}
	if host, ok = cleanHost(host); !ok {
		return false
	}
	if port == "" {
		port = standard
	}
	port, ok = parsePort(port)
	return ok && o.host == host && o.port == port
}

// matches reports whether the pattern p matches o.
func (p origin) matches(o origin) bool {
	if p.port == "" && o.port != defaultPort(o.scheme) {
		return false
	}
	return (p.scheme == "" || match(p.scheme, o.scheme)) &&
		match(p.host, o.host) &&
		(p.port == "" || match(p.port, o.port))
}

// parsePattern returns why a pattern is malformed, "" if it is not.
func parsePattern(s string) (p origin, why string) {
	authority := lowerCase(s)
	if scheme, rest, found := strings.Cut(authority, "://"); found {
		if scheme == "" || !only(scheme, func(c byte) bool { return isScheme(c) || c == '*' }) {
			return origin{}, " has a malformed scheme; expected one like https"
		}
		p.scheme, authority = scheme, rest
	}

	host, port, ok := splitPort(authority)
	if !ok {
		return origin{}, " is malformed; expected host or host:port, and IPv6 addresses in brackets"
	}
	if p.host, ok = cleanHost(host); !ok && isAddressPattern(host) {
		p.host, ok = host, true
	}
	if !ok || p.host == "" {
		// Browsers send the ASCII form of an international name.
		return origin{}, " has a malformed host; expected one like example.com, *.example.com or [::1], in ASCII"
	}

	p.port = port
	if port != "" && !strings.Contains(port, "*") {
		p.port, ok = parsePort(port)
	} else {
		ok = only(port, func(c byte) bool { return isDigit(c) || c == '*' })
	}
	if !ok {
		return origin{}, " has a malformed port; expected 1 to 65535 or *"
	}
	return p, ""
}

// isAddressPattern reports whether a host could be an IPv6 address in
// brackets, but for a *.
func isAddressPattern(host string) bool {
	return strings.HasPrefix(host, "[") && strings.Contains(host, "*") &&
		only(host[1:len(host)-1], func(c byte) bool { return strings.IndexByte("0123456789abcdef:.*", c) >= 0 })
}

// splitPort cuts host:port in two. An IPv6 address keeps its brackets; a colon
// without a port is malformed.
func splitPort(s string) (host, port string, ok bool) {
	end := 0
	if strings.HasPrefix(s, "[") {
		if end = strings.IndexByte(s, ']') + 1; end == 0 {
			return "", "", false
		}
	} else if end = strings.IndexByte(s, ':'); end < 0 {
		end = len(s)
	}
	host, rest := s[:end], s[end:]
	if rest == "" {
		return host, "", true
	}
	port, ok = strings.CutPrefix(rest, ":")
	return host, port, ok && port != "" && !strings.Contains(port, ":")
}

// cleanHost returns a host in lower case in a form that can be compared, and
// whether it is one (RFC 3986 §3.2.2). It may be empty.
func cleanHost(host string) (string, bool) {
	if !strings.HasPrefix(host, "[") {
		return host, only(host, func(c byte) bool {
			return isAlpha(c) || isDigit(c) || strings.IndexByte("-._~%!$&'()*+,;=", c) >= 0
		})
	}
	// Zones name an interface of the sender, they never leave it.
	addr, err := netip.ParseAddr(host[1 : len(host)-1])
	if err != nil || !addr.Is6() || addr.Zone() != "" {
		return "", false
	}
	return "[" + addr.String() + "]", true
}

// isScheme reports whether c may be part of a scheme (RFC 3986 §3.1).
func isScheme(c byte) bool {
	return isAlpha(c) || isDigit(c) || strings.IndexByte("+-.", c) >= 0
}

func defaultPort(scheme string) string {
	switch scheme {
	case "http":
		return "80"
	case "https":
		return "443"
	}
	return ""
}

// match reports whether s matches the pattern, in which * stands for any run
// of characters. Between two stars the first place is as good as any, so that
// nothing is ever tried twice.
func match(pattern, s string) bool {
	piece, rest, star := strings.Cut(pattern, "*")
	if !star {
		return piece == s
	}
	s, ok := strings.CutPrefix(s, piece)
	for ok {
		if piece, rest, star = strings.Cut(rest, "*"); !star {
			return strings.HasSuffix(s, piece)
		}
		_, s, ok = strings.Cut(s, piece)
	}
	return false
}
