package handshake

import (
	"strings"
	"testing"
)

// RFC 6455 §3.
func TestParseURL(t *testing.T) {
	for _, test := range []struct{ name, raw, want string }{
		{"ws", "ws://example.com/chat", "http://example.com/chat"},
		{"wss", "wss://example.com/chat", "https://example.com/chat"},
		{"http", "http://example.com/chat", "http://example.com/chat"},
		{"https", "https://example.com/chat", "https://example.com/chat"},
		{"case of the scheme", "WSS://example.com/", "https://example.com/"},
		{"no path", "ws://example.com", "http://example.com"},
		{"no path but a query", "ws://example.com?a=%23", "http://example.com?a=%23"},
		{"escaped path", "ws://example.com/a%2Fb%23?c=d&e", "http://example.com/a%2Fb%23?c=d&e"},
		{"user information", "wss://me:p%40ss@example.com/", "https://me:p%40ss@example.com/"},
		{"port", "ws://example.com:8080/", "http://example.com:8080/"},
		{"default port", "ws://example.com:80/", "http://example.com:80/"},
		{"largest port", "ws://example.com:65535/", "http://example.com:65535/"},
		{"leading zeros", "ws://example.com:0080/", "http://example.com:80/"},
		{"empty port", "ws://example.com:/", "http://example.com/"},
		{"IPv4", "ws://127.0.0.1:1/", "http://127.0.0.1:1/"},
		{"IPv6", "ws://[::1]/", "http://[::1]/"},
		{"IPv6, port", "ws://[::1]:09/", "http://[::1]:9/"},
		{"IPv6, empty port", "ws://[::1]:/", "http://[::1]/"},
		{"IPv6, zone", "ws://[fe80::1%25eth0]:9/", "http://[fe80::1%25eth0]:9/"},
	} {
		u, err := ParseURL(test.raw)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		} else if u.String() != test.want {
			t.Errorf("%s: got %s, want %s", test.name, u, test.want)
		}
	}
}

func TestParseURLMisuse(t *testing.T) {
	for _, test := range []struct{ name, raw, want string }{
		{"fragment", "ws://example.com/#a", "the URL has a fragment"},
		{"empty fragment", "ws://example.com/#", "the URL has a fragment"},
		{"empty", "", "the URL has no scheme"},
		{"no scheme", "//example.com/", "the URL has no scheme"},
		{"no scheme, host only", "example.com/chat", "the URL has no scheme"},
		{"no scheme, host and port", "localhost:8080/chat", "the URL has no scheme; expected ws:// or wss://"},
		{"no scheme, address and port", "127.0.0.1:8080", "the URL has no scheme; expected ws:// or wss://"},
		{"no scheme, path with a colon", "example.com/a:b", "the URL has no scheme"},
		{"no scheme, port without digits", "//example.com:/", "the URL has no scheme"},
		{"other scheme", "ftp://example.com/", `the URL has the scheme "ftp"`},
		{"no host", "ws:///chat", "the URL has no host"},
		{"no host but a port", "ws://:80/", "the URL has no host"},
		{"no host but a user", "ws://me@/", "the URL has no host"},
		{"no authority", "ws:chat", "the URL has no host"},
		{"port 0", "ws://example.com:0/", `the URL has the port "0"; expected 1 to 65535`},
		{"port too large", "ws://example.com:65536/", `"65536"`},
		{"port far too large", "ws://example.com:99999999999999999999/", `port`},
		{"port no number", "ws://example.com:http/", "the URL is malformed: invalid port"},
		{"space", "ws://exam ple.com/", "the URL is malformed: invalid character"},
		{"line break", "ws://example.com/\r\n", "the URL is malformed"},
		{"escape", "ws://example.com/%zz", "the URL is malformed: invalid URL escape"},
		{"IPv6 without brackets", "ws://::1/", `the URL has the host "::1"; expected an IPv6 address in brackets`},
		{"IPv6 without brackets, http", "http://::1/", "the URL is malformed: invalid port"},
		{"IPv6 not closed", "ws://[::1/", "the URL is malformed"},
		{"IPv4 in brackets", "ws://[127.0.0.1]/", "the URL is malformed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			u, err := ParseURL(test.raw)
			checkMisuse(t, err, test.want)
			if u != nil {
				t.Errorf("got %s", u)
			}
		})
	}
}

func TestParseURLKeepsPasswordsSecret(t *testing.T) {
	for _, raw := range []string{
		"ws://me:secret@example.com/#a",
		"ws://me:secret@example.com/%zz",
		"ws://me:secret@exam ple.com/",
		"ws://me:secret@/",
		"ws://me:secret@example.com:0/",
		"ftp://me:secret@example.com/",
		"//me:secret@example.com/",
	} {
		_, err := ParseURL(raw)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", raw, err)
		}
	}
}
