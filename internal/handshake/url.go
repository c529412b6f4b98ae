package handshake

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
)

// ParseURL parses the URL of a WebSocket server (RFC 6455 §3). Its scheme is
// ws or wss, or http or https, which are taken as those. A host is required;
// user information is kept; a port must be one of 1 to 65535.
//
// The result's scheme is http or https, for that is what an HTTP client dials
// and finds proxies for. Its host carries a port only if one was given.
//
// The error is a [MisuseError]. It does not repeat the URL, which may hold a
// password.
func ParseURL(raw string) (*url.URL, error) {
	// RFC 6455 §3: "Fragment identifiers … MUST NOT be used on these URIs", and
	// a # that starts none "MUST be escaped". An empty fragment is one, too, but
	// url.Parse drops it.
	if strings.Contains(raw, "#") {
		return nil, MisuseError("the URL has a fragment; expected none, and %23 for a # that starts none")
	}
	u, err := url.Parse(raw)
	// "localhost:8080" has the scheme localhost for url.Parse, which is not what
	// whoever wrote it needs to be told.
	if scheme, rest, _ := strings.Cut(raw, ":"); !strings.HasPrefix(rest, "/") && !isOurs(scheme) {
		return nil, MisuseError(noScheme)
	}
	if err != nil {
		var why string
		// The reason cites what is malformed, which may be a password.
		if parse, ok := errors.AsType[*url.Error](err); ok && !strings.Contains(raw, "@") {
			why = ": " + parse.Err.Error()
		}
		return nil, MisuseError("the URL is malformed" + why + "; expected one like wss://host/path")
	}

	switch u.Scheme {
	case "ws":
		u.Scheme = "http"
	case "wss":
		u.Scheme = "https"
	case "http", "https":
	case "":
		return nil, MisuseError(noScheme)
	default:
		return nil, MisuseError("the URL has the scheme " + quote(u.Scheme) + "; expected ws:// or wss://")
	}

	// url.Parse lets such hosts pass for schemes other than http and https.
	host := u.Hostname()
	if strings.Contains(host, ":") && !strings.HasPrefix(u.Host, "[") {
		return nil, MisuseError("the URL has the host " + quote(u.Host) + "; expected an IPv6 address in brackets")
	}
	if host == "" {
		return nil, MisuseError("the URL has no host; expected one like wss://host/path")
	}

	if text := u.Port(); text != "" {
		port, ok := parsePort(text)
		if !ok {
			return nil, MisuseError("the URL has the port " + quote(text) + "; expected 1 to 65535")
		}
		u.Host = strings.TrimSuffix(u.Host, text) + port
	} else {
		u.Host = strings.TrimSuffix(u.Host, ":")
	}
	return u, nil
}

const noScheme = "the URL has no scheme; expected ws:// or wss://"

// isOurs reports whether scheme is one that ParseURL takes.
func isOurs(scheme string) bool {
	switch strings.ToLower(scheme) {
	case "ws", "wss", "http", "https":
		return true
	}
	return false
}

// parsePort returns a port without leading zeros.
func parsePort(s string) (string, bool) {
	port, err := strconv.ParseUint(s, 10, 16)
	if err != nil || port == 0 {
		return "", false
	}
	return strconv.FormatUint(port, 10), true
}
