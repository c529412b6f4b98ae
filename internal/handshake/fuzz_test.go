package handshake

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// Whatever is accepted keeps the rules, whatever is refused is refused well,
// and the client takes the answer to what the server accepts.
func FuzzCheckRequest(f *testing.F) {
	add := func(method string, minor int, host string, values ...string) {
		f.Add(method, 1, minor, host, int64(0), values[0], values[1], values[2], values[3], values[4])
	}
	add("GET", 1, "a", "websocket", "Upgrade", "13", sampleKey, "")
	add("GET", 1, "a", "h2c, WebSocket", "keep-alive\nupgrade", " 13", sampleKey+" ", "chat, superchat\n,c")
	add("GET", 1, "a", "websocket", "Upgrade", "13\n13", sampleKey+"\n"+sampleKey, "a, a")
	add("POST", 0, "", "", "", "8", "AQIDBAUGBwgJCgsMDQ4PEC==", "a b")
	f.Fuzz(func(t *testing.T, method string, major, minor int, host string, length int64,
		upgrade, connection, ver, key, protocol string) {
		lines := func(s string) []string {
			if s == "" {
				return nil
			}
			return strings.Split(s, "\n")
		}
		r := Request{
			Method: method, ProtoMajor: major, ProtoMinor: minor, Host: host, ContentLength: length,
			Header: header{
				"Upgrade": lines(upgrade), "Connection": lines(connection), "Sec-Websocket-Version": lines(ver),
				"Sec-Websocket-Key": lines(key), "Sec-Websocket-Protocol": lines(protocol),
			},
		}
		offer, err := CheckRequest(r)
		if err != nil {
			checkText(t, err.Text)
			want, ok := map[int]string{400: "", 405: "Allow", 426: "Upgrade", 505: ""}[err.StatusCode]
			if !ok || (want == "") != (err.Header == nil) || want != "" && err.Header[want] == nil {
				t.Errorf("status %d with header %q", err.StatusCode, err.Header)
			}
			return
		}

		if method != "GET" || major != 1 || minor < 1 || host == "" || length != 0 || strings.TrimSpace(ver) != "13" {
			t.Errorf("accepted %+v", r)
		}
		if nonce, err := base64.StdEncoding.DecodeString(offer.Key); err != nil || len(nonce) != 16 || len(offer.Key) != 24 {
			t.Errorf("accepted the key %q", offer.Key)
		}
		if err := CheckProtocols(offer.Protocols); err != nil {
			t.Errorf("accepted %q: %v", offer.Protocols, err)
		}
		for _, protocol := range append([]string{""}, offer.Protocols...) {
			response, err := AppendResponse(nil, offer.Key, protocol, "", nil)
			if err != nil {
				t.Fatal(err)
			}
			got, _, refusal := CheckResponse(101, parseResponse(t, response), offer.Key, offer.Protocols, nil)
			if refusal != nil || got != protocol {
				t.Errorf("got %q, %v; want %q", got, refusal, protocol)
			}
		}
	})
}

// What SetRequest makes, CheckRequest accepts; what AppendResponse makes,
// CheckResponse accepts; what the response becomes by one change, only if the
// change keeps its meaning.
func FuzzCheckResponse(f *testing.F) {
	f.Add("chat\nsuperchat", "superchat", "X-Own", "value", "Sec-Websocket-Accept", "x")
	f.Add("", "chat", "upgrade", "h2c", "Connection", "keep-alive, upgrade")
	f.Add("a", "a", "Set-Cookie", "a=b", "Sec-WebSocket-Protocol", "b")
	f.Add("a", "a", "Host", "b\r\nc: d", "sec-websocket-extensions", "permessage-deflate")
	f.Add("a", "a", "X:", "", "", "")
	f.Fuzz(func(t *testing.T, offers, supports, name, value, changed, to string) {
		var offered []string
		if offers != "" {
			offered = strings.Split(offers, "\n")
		}
		const key = sampleKey
		request := header{name: {value}}
		if err := SetRequest(request, key, offered, ""); err != nil {
			checkMisuse(t, err, ";")
			if len(request) != 1 {
				t.Errorf("changed the header to %q", request)
			}
			return
		}
		offer, refusal := CheckRequest(Request{
			Method: "GET", ProtoMajor: 1, ProtoMinor: 1, Host: "a", Header: request,
		})
		if refusal != nil || offer.Key != key || !slices.Equal(offer.Protocols, offered) {
			t.Fatalf("%q, %v for %q", offer, refusal, request)
		}

		protocol := SelectProtocol(strings.Split(supports, "\n"), offer.Protocols)
		response, err := AppendResponse(nil, offer.Key, protocol, "", header{name: {value}})
		if err != nil {
			t.Fatal(err)
		}
		h := parseResponse(t, response)
		if got := anySpelling(h, name); got != trim(value) {
			t.Errorf("%q became %q", value, got)
		}
		if got, _, refusal := CheckResponse(101, h, key, offered, nil); refusal != nil || got != protocol {
			t.Fatalf("got %q, %v; want %q", got, refusal, protocol)
		}

		h[changed] = []string{to}
		got, _, refusal := CheckResponse(101, h, key, offered, nil)
		if refusal != nil {
			checkText(t, refusal.Text)
		} else if got != "" && !slices.Contains(offered, got) {
			t.Errorf("got %q, offered %q", got, offered)
		}
		if equalFold(changed, nameAccept) && trim(to) != Sign(key) && refusal == nil {
			t.Errorf("accepted the signature %q", to)
		}
	})
}

// anySpelling returns the value of a name in any spelling.
func anySpelling(h header, name string) string {
	for n, values := range h {
		if equalFold(n, name) && len(values) == 1 {
			return values[0]
		}
	}
	return "missing"
}

// What is accepted can be dialed, and is accepted again as the same.
func FuzzParseURL(f *testing.F) {
	for _, raw := range []string{
		"ws://example.com/chat", "wss://me:pw@[::1]:8080/?a=%23", "http://a:080", "ws://a/#", "ws://[fe80::1%25eth0]:/",
		"localhost:80", "ws:opaque", "ws://:0", "ws://a:65536", "ws://a b", "ws://[::%25\xff]", "",
	} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := ParseURL(raw)
		if err != nil {
			if _, ok := err.(MisuseError); !ok || u != nil {
				t.Fatalf("%v, %#v", u, err)
			}
			return
		}
		if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Fragment != "" || u.Opaque != "" {
			t.Errorf("accepted %q as %#v", raw, u)
		}
		if port := u.Port(); port == "0" || len(port) > 5 || strings.HasSuffix(u.Host, ":") {
			t.Errorf("accepted %q with host %q", raw, u.Host)
		}
		if strings.HasPrefix(u.Host, "[") && strings.Contains(u.Host, "%") {
			return // url.URL writes zones that url.Parse does not read
		}
		again, err := ParseURL(u.String())
		if err != nil || again.String() != u.String() {
			t.Errorf("%q became %q, then %v, %v", raw, u, again, err)
		}
	})
}

// The matcher equals a slow one that is plainly right; a pattern without stars
// is an origin; no decision depends on case.
func FuzzOrigin(f *testing.F) {
	f.Add("https://example.com", "example.com", "*.example.com:*")
	f.Add("http://[::1]:8080", "[0::1]:8080", "[fe80::*]")
	f.Add("null", "null", "null")
	f.Add("file://", "", "file://*")
	f.Add("http://a:0", "a:", "**:*")
	f.Add("ababab", "", "*ab*b*ab")
	f.Fuzz(func(t *testing.T, value, host, pattern string) {
		if len(pattern)*len(value) < 1<<16 {
			if got, want := match(pattern, value), slowMatch(pattern, value); got != want {
				t.Errorf("match(%q, %q) = %v", pattern, value, got)
			}
		}

		h := header{"Origin": {value}}
		own := CheckOrigin(h, host, nil)
		allowed := CheckOrigin(h, host, []string{pattern})
		for _, err := range []*Error{own, allowed} {
			if err != nil {
				checkRefusal(t, err, 403, "Origin")
			}
		}
		if own == nil && allowed != nil {
			t.Errorf("pattern %q refuses what is allowed without: %v", pattern, allowed)
		}
		err := CheckPatterns([]string{pattern})
		if err != nil && (own == nil) != (allowed == nil) {
			t.Errorf("malformed pattern %q decides on %q", pattern, value)
		}
		if CheckOrigin(h, host, []string{"*"}) != nil {
			t.Errorf("* refuses %q", value)
		}

		from, ok := parseOrigin(trim(value))
		if !ok {
			return
		}
		_, authority, _ := strings.Cut(trim(value), "://")
		if !utf8.ValidString(value) || strings.ContainsAny(authority, "/\\?#@ ") {
			t.Errorf("accepted the origin %q as %q", value, from)
		}
		upper := header{"Origin": {strings.ToUpper(value)}}
		if again := CheckOrigin(upper, host, []string{pattern}); (again == nil) != (allowed == nil) {
			t.Errorf("%q in upper case: %v, was %v", value, again, allowed)
		}
		if from.host != "" && !strings.Contains(value, "*") && CheckOrigin(h, "", []string{trim(value)}) != nil {
			t.Errorf("%q does not match itself", value)
		}
	})
}

// slowMatch fills the table of which prefix of s each prefix of the pattern
// matches, a row at a time.
func slowMatch(pattern, s string) bool {
	fits := make([]bool, len(s)+1) // fits[j]: the pattern so far matches s[:j]
	fits[0] = true
	for i := range len(pattern) {
		if pattern[i] == '*' {
			for j := range len(s) {
				fits[j+1] = fits[j+1] || fits[j]
			}
			continue
		}
		for j := len(s); j > 0; j-- {
			fits[j] = fits[j-1] && s[j-1] == pattern[i]
		}
		fits[0] = false
	}
	return fits[len(s)]
}

// A list has the same elements however it is spread over lines and padded, and
// contains what is in it in any case.
func FuzzList(f *testing.F) {
	f.Fuzz(func(t *testing.T, list, token string) {
		lines := strings.Split(list, "\n")
		got := slices.Collect(elements(lines))
		for _, e := range got {
			if e == "" || trim(e) != e || strings.Contains(e, ",") || !strings.Contains(list, e) {
				t.Errorf("%q has the element %q", list, e)
			}
			if !contains(lines, strings.ToUpper(e)) && utf8.ValidString(e) && only(e, func(c byte) bool { return c < 0x80 }) {
				t.Errorf("%q does not contain %q in upper case", list, e)
			}
		}
		spread := strings.Split(strings.ReplaceAll(list, ",", "\t, \n,"), "\n")
		if again := slices.Collect(elements(spread)); !slices.Equal(again, got) {
			t.Errorf("%q has %q, spread over lines %q", list, got, again)
		}
		same := func(e string) bool { return string(lowerBytes(e)) == string(lowerBytes(token)) }
		if contains(lines, token) != slices.ContainsFunc(got, same) {
			t.Errorf("contains(%q, %q) is wrong", list, token)
		}
	})
}

// lowerBytes is lowerCase for strings that need not be UTF-8.
func lowerBytes(s string) []byte {
	b := []byte(s)
	for i := range b {
		b[i] = lower(b[i])
	}
	return b
}
