package handshake

import "testing"

// RFC 6454 §4 and §7, RFC 6455 §10.2.
func TestCheckOriginOwn(t *testing.T) {
	for _, test := range []struct {
		name, origin, host string
		want               string // "" if allowed
	}{
		{"the same", "http://example.com", "example.com", ""},
		{"another scheme, as behind a proxy", "https://example.com", "example.com", ""},
		{"white space", " http://example.com\t", "example.com", ""},
		{"case", "HTTP://Example.COM", "eXAMPLE.com", ""},
		{"the same port", "http://example.com:8080", "example.com:8080", ""},
		{"default port in Host", "http://example.com", "example.com:80", ""},
		{"default port in Origin", "http://example.com:80", "example.com", ""},
		{"default port of https in Host", "https://example.com", "example.com:443", ""},
		{"default port of https in Origin", "https://example.com:443", "example.com", ""},
		{"leading zeros", "http://example.com:08080", "example.com:008080", ""},
		{"IPv4", "http://127.0.0.1:8080", "127.0.0.1:8080", ""},
		{"IPv6", "http://[::1]", "[::1]", ""},
		{"IPv6, port", "http://[::1]:8080", "[::1]:8080", ""},
		{"IPv6, default port", "https://[::1]", "[::1]:443", ""},
		{"IPv6, another form", "http://[0:0::ABCD]", "[::abcd]", ""},

		{"another host", "http://evil.example", "example.com", `name the host that the request is for, "example.com", or an origin that the server allows; got "http://evil.example"`},
		{"a subdomain", "http://a.example.com", "example.com", "name the host"},
		{"a suffix", "http://example.com.evil.example", "example.com", "name the host"},
		{"a prefix", "http://notexample.com", "example.com", "name the host"},
		{"another port", "http://example.com:8080", "example.com", "name the host"},
		{"default port of the other scheme", "https://example.com", "example.com:80", "name the host"},
		{"default port of the other scheme in Origin", "https://example.com:80", "example.com", "name the host"},
		{"a scheme that is no web server's", "chrome-extension://example.com", "example.com", "name the host"},
		{"IPv6, another address", "http://[::1]:80", "[::2]:80", "name the host"},
		{"IPv6, Host without brackets", "http://[::1]", "::1", "name the host"},
		{"malformed Host", "http://example.com", "example.com/", "name the host"},
		{"malformed port in Host", "http://example.com", "example.com:http", "name the host"},
		{"Kelvin", "http://k.com", "\u212a.com", "name the host"},
		{"null", "null", "example.com", `name the host`},
		{"null, Host too", "null", "null", `name the host`},
		{"no host", "file://", "", `name the host`},

		{"empty", "", "example.com", `must be null or like https://host; got ""`},
		{"NULL", "NULL", "example.com", `must be null`},
		{"no scheme", "example.com", "example.com", `must be null`},
		{"empty scheme", "://example.com", "example.com", `must be null`},
		{"malformed scheme", "1http://example.com", "example.com", `must be null`},
		{"malformed scheme further on", "ht_tp://example.com", "example.com", `must be null`},
		{"empty host", "http://", "", `must be null`},
		{"empty host, port", "http://:80", ":80", `must be null`},
		{"path", "http://example.com/", "example.com", `must be null`},
		{"user", "http://me@example.com", "example.com", `must be null`},
		{"two in a line", "http://example.com http://example.com", "example.com", `must be null`},
		{"empty port", "http://example.com:", "example.com", `must be null`},
		{"port 0", "http://example.com:0", "example.com:0", `must be null`},
		{"port too large", "http://example.com:65616", "example.com", `must be null`},
		{"two ports", "http://example.com:80:80", "example.com", `must be null`},
		{"Kelvin in Origin", "http://\u212a.com", "k.com", `must be null`},
		{"invalid UTF-8", "http://\xff.com", "\xff.com", `must be null`},
		{"IPv6 without brackets", "http://::1", "[::1]", `must be null`},
		{"IPv6 not closed", "http://[::1", "[::1", `must be null`},
		{"IPv6 with a zone", "http://[fe80::1%eth0]", "[fe80::1%eth0]", `must be null`},
		{"IPv6 malformed", "http://[::1::]", "[::1::]", `must be null`},
		{"IPv6 and more", "http://[::1]a", "[::1]a", `must be null`},
		{"IPv4 in brackets", "http://[127.0.0.1]", "[127.0.0.1]", `must be null`},
	} {
		t.Run(test.name, func(t *testing.T) {
			status := 403
			if test.want == "" {
				status = 0
			}
			checkRefusal(t, CheckOrigin(header{"Origin": {test.origin}}, test.host, nil), status, test.want)
		})
	}
}

func TestCheckOriginLines(t *testing.T) {
	checkRefusal(t, CheckOrigin(nil, "a", nil), 0, "")
	checkRefusal(t, CheckOrigin(header{"Origin": {}}, "a", nil), 0, "")
	checkRefusal(t, CheckOrigin(header{"ORIGIN": {"http://a"}}, "a", nil), 0, "")
	checkRefusal(t, CheckOrigin(header{"ORIGIN": {"http://b"}}, "a", nil), 403, "name the host")
	two := header{"Origin": {"http://a", "http://a"}}
	checkRefusal(t, CheckOrigin(two, "a", []string{"*"}), 403, "at most once; got 2 values")
}

func TestCheckOriginPatterns(t *testing.T) {
	for _, test := range []struct {
		pattern, origin string
		want            bool
	}{
		{"example.com", "http://example.com", true},
		{"example.com", "https://example.com", true},
		{"Example.COM", "https://eXample.com:443", true},
		{"example.com", "https://example.com:80", false},
		{"example.com", "https://example.com:8443", false},
		{"example.com", "https://www.example.com", false},
		{"example.com", "app://example.com", true},
		{"example.com", "app://example.com:80", false},
		{"example.com:8080", "http://example.com:8080", true},
		{"example.com:08080", "http://example.com:8080", true},
		{"example.com:443", "https://example.com", true},
		{"example.com:443", "http://example.com", false},
		{"example.com:80*", "http://example.com:8080", true},
		{"example.com:80*", "http://example.com", true},
		{"example.com:80*", "http://example.com:9080", false},
		{"localhost:*", "http://localhost", true},
		{"localhost:*", "http://localhost:3000", true},
		{"localhost:*", "app://localhost", true},
		{"https://example.com", "https://example.com", true},
		{"https://example.com", "http://example.com", false},
		{"http*://example.com", "https://example.com", true},
		{"*://example.com:*", "app://example.com:1", true},
		{"https://*", "https://any.example", true},
		{"https://*", "https://any.example:8443", false},
		{"https://*:*", "https://any.example:8443", true},
		{"*.example.com", "https://a.b.example.com", true},
		{"*.example.com", "https://example.com", false},
		{"*.example.com", "https://evil.example", false},
		{"*.example.com", "https://a.example.com:8443", false},
		{"*.example.com:*", "https://a.example.com:8443", true},
		{"a*b*c.com", "https://abc.com", true},
		{"a*b*c.com", "https://a.b.b.c.com", true},
		{"a*b*c.com", "https://acb.com", false},
		{"**", "https://a", true},
		{"[::1]", "http://[::1]", true},
		{"[0::1]:8080", "http://[::1]:8080", true},
		{"[::1]", "http://[::1]:8080", false},
		{"[FE80::*]:*", "http://[fe80::1]:8080", true},
		{"[fe80::*]", "http://[fe81::1]", false},
		{"chrome-extension://abc", "chrome-extension://abc", true},
		{"chrome-extension://*", "moz-extension://abc", false},
		{"file://*", "file://", true},
		{"null", "null", true},
		{"null", "http://null", false},
		{"n*", "null", false},
		{"n*", "http://null", true},
		{"**", "null", false},
		{"*", "null", true},
		{"*", "https://a:1", true},
		{"*", "not an origin", true},
		{"https://*", "https://", false},
		{"example.com", "http://example.com/", false},
	} {
		if err := CheckPatterns([]string{test.pattern}); err != nil {
			t.Errorf("%s: %v", test.pattern, err)
		}
		err := CheckOrigin(header{"Origin": {test.origin}}, "host.invalid", []string{"other.invalid", test.pattern})
		if (err == nil) != test.want {
			t.Errorf("%s, %s: got %v", test.pattern, test.origin, err)
		}
		// Patterns add to the server's own origin, they do not replace it.
		err = CheckOrigin(header{"Origin": {"https://host.invalid"}}, "host.invalid", []string{test.pattern})
		checkRefusal(t, err, 0, "")
	}
}

func TestCheckPatternsMisuse(t *testing.T) {
	for _, test := range []struct{ pattern, want string }{
		{"", `the origin pattern "" has a malformed host`},
		{"://example.com", "malformed scheme"},
		{"ht tp://example.com", "malformed scheme"},
		{"https://", "malformed host"},
		{":8080", "malformed host"},
		{"https://example.com/", "malformed host"},
		{"example.com/chat", "malformed host"},
		{"exämple.com", "malformed host; expected one like example.com, *.example.com or [::1], in ASCII"},
		{"[::g]", "malformed host"},
		{"[::g*]", "malformed host"},
		{"[fe80::1%eth0]", "malformed host"},
		{"[127.0.0.1]", "malformed host"},
		{"::1", "is malformed; expected host or host:port, and IPv6 addresses in brackets"},
		{"[::1", "is malformed"},
		{"[::1]8080", "is malformed"},
		{"example.com:", "is malformed"},
		{"example.com:1:2", "is malformed"},
		{"example.com:0", "malformed port; expected 1 to 65535 or *"},
		{"example.com:65536", "malformed port"},
		{"example.com:http", "malformed port"},
		{"example.com:*a", "malformed port"},
		{"https://example.com:443/", "malformed port"},
	} {
		checkMisuse(t, CheckPatterns([]string{"example.com", "*", "null", test.pattern}), test.want)
		// What is malformed matches nothing, not even itself.
		err := CheckOrigin(header{"Origin": {test.pattern}}, "host.invalid", []string{test.pattern})
		checkRefusal(t, err, 403, "the Origin header must")
	}
}

func TestMatch(t *testing.T) {
	for _, test := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true},
		{"", "a", false},
		{"a", "", false},
		{"a", "a", true},
		{"*", "", true},
		{"*", "abc", true},
		{"a*", "ab", true},
		{"*b", "ab", true},
		{"a*a", "a", false},
		{"a*a", "aa", true},
		{"ab*ba", "aba", false},
		{"*a*", "bab", true},
		{"*ab*ab", "abab", true},
		{"*ab*ab", "ab", false},
		{"*ab*b", "abb", true},
		{"?[a]", "xa", false},
	} {
		if got := match(test.pattern, test.s); got != test.want {
			t.Errorf("match(%q, %q) = %v", test.pattern, test.s, got)
		}
	}
}
