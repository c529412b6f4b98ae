package handshake

import (
	"maps"
	"reflect"
	"slices"
	"testing"
)

// RFC 6455 §4.1, items 7 to 10 of the requirements.
func TestSetRequest(t *testing.T) {
	for _, test := range []struct {
		name      string
		header    header
		protocols []string
		want      header
	}{
		{"plain", header{}, nil, header{
			"Upgrade":               {"websocket"},
			"Connection":            {"Upgrade"},
			"Sec-WebSocket-Version": {"13"},
			"Sec-WebSocket-Key":     {sampleKey},
		}},
		{"all", header{"X-Own": {"1", "2"}, "Origin": {"http://a"}}, []string{"chat", "Chat"}, header{
			"X-Own":                  {"1", "2"},
			"Origin":                 {"http://a"},
			"Upgrade":                {"websocket"},
			"Connection":             {"Upgrade"},
			"Sec-WebSocket-Version":  {"13"},
			"Sec-WebSocket-Key":      {sampleKey},
			"Sec-WebSocket-Protocol": {"chat, Chat"},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			checkMisuse(t, SetRequest(test.header, sampleKey, test.protocols, ""), "")
			if !reflect.DeepEqual(test.header, test.want) {
				t.Errorf("got  %q\nwant %q", test.header, test.want)
			}
		})
	}
}

func TestSetRequestMisuse(t *testing.T) {
	for _, test := range []struct {
		header    header
		protocols []string
		want      string
	}{
		{header{"upgrade": {"h2c"}}, nil, `the header "upgrade" belongs`},
		{header{"X-Own": {"a\nb"}}, nil, `line breaks`},
		{header{"X-Own": {"a"}}, []string{"a", "a"}, `"a" is there twice`},
	} {
		before := maps.Clone(test.header)
		checkMisuse(t, SetRequest(test.header, sampleKey, test.protocols, ""), test.want)
		if !reflect.DeepEqual(test.header, before) {
			t.Errorf("changed the header to %q", test.header)
		}
	}
}

// goodRequest is the example of RFC 6455 §1.2, as net/http parses it.
func goodRequest() Request {
	return Request{
		Method: "GET", ProtoMajor: 1, ProtoMinor: 1, Host: "server.example.com",
		Header: header{
			"Upgrade":                {"websocket"},
			"Connection":             {"Upgrade"},
			"Sec-Websocket-Key":      {sampleKey},
			"Origin":                 {"http://example.com"},
			"Sec-Websocket-Protocol": {"chat, superchat"},
			"Sec-Websocket-Version":  {"13"},
		},
	}
}

func TestCheckRequest(t *testing.T) {
	set := func(name string, values ...string) func(*Request) {
		return func(r *Request) { r.Header[name] = values }
	}
	for _, test := range []struct {
		name   string
		change func(*Request)
		want   []string
	}{
		{"§1.2 example", func(*Request) {}, []string{"chat", "superchat"}},
		{"§4.2.1 item 1, or higher", func(r *Request) { r.ProtoMinor = 2 }, []string{"chat", "superchat"}},
		{"§4.2.1 item 3, case", set("Upgrade", "WebSocket"), []string{"chat", "superchat"}},
		{"§4.2.1 item 3, among others", set("Upgrade", "h2c, websocket"), []string{"chat", "superchat"}},
		{"§4.2.1 item 4, in a list", set("Connection", "keep-alive, UPGRADE"), []string{"chat", "superchat"}},
		{"§4.2.1 item 4, in the second line", set("Connection", "keep-alive", "upgrade"), []string{"chat", "superchat"}},
		{"§4.2.1 item 5, white space", set("Sec-Websocket-Key", "\t"+sampleKey+" "), []string{"chat", "superchat"}},
		{"§4.2.1 item 6, white space", set("Sec-Websocket-Version", " 13 "), []string{"chat", "superchat"}},
		{"§4.2.1 item 8, optional", func(r *Request) { delete(r.Header, "Sec-Websocket-Protocol") }, nil},
		{"§4.2.1 item 8, empty elements", set("Sec-Websocket-Protocol", ",a,,b,"), []string{"a", "b"}},
		{"§4.2.1 item 9, declined", set("Sec-Websocket-Extensions", "permessage-deflate; x"), []string{"chat", "superchat"}},
		{"§11.3.4, several lines", set("Sec-Websocket-Protocol", "c, a", "b"), []string{"c", "a", "b"}},
		{"§11.3.4, by case", set("Sec-Websocket-Protocol", "chat, CHAT"), []string{"chat", "CHAT"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := goodRequest()
			test.change(&r)
			offer, err := CheckRequest(r)
			checkRefusal(t, err, 0, "")
			if offer.Key != sampleKey || !slices.Equal(offer.Protocols, test.want) {
				t.Errorf("got %q, want %q", offer, test.want)
			}
		})
	}
}

func TestCheckRequestRefusal(t *testing.T) {
	upgrade := header{
		"Upgrade":               {"websocket"},
		"Connection":            {"Upgrade"},
		"Sec-WebSocket-Version": {"13"},
	}
	allow := header{"Allow": {"GET"}}
	proto := func(major, minor int) func(*Request) {
		return func(r *Request) { r.ProtoMajor, r.ProtoMinor = major, minor }
	}
	set := func(name string, values ...string) func(*Request) {
		return func(r *Request) { r.Header[name] = values }
	}
	unset := func(names ...string) func(*Request) {
		return func(r *Request) {
			for _, name := range names {
				delete(r.Header, name)
			}
		}
	}
	const key, ver, sub = "Sec-Websocket-Key", "Sec-Websocket-Version", "Sec-Websocket-Protocol"

	for _, test := range []struct {
		name   string
		change func(*Request)
		status int
		header header
		text   string
	}{
		{"§4.2.1 item 1, HTTP/1.0", proto(1, 0), 400, nil, "HTTP/1.1, from a proxy in front of the server too; got HTTP/1.0"},
		{"§4.2.1 item 1, HTTP/0.9", proto(0, 9), 400, nil, "got HTTP/0.9"},
		{"§4.2.1 item 1, HTTP/2", proto(2, 0), 505, nil, "later versions have no Upgrade; got HTTP/2.0"},
		{"§4.2.1 item 1, HTTP/3", proto(3, 0), 505, nil, "got HTTP/3.0"},
		{"RFC 8441, CONNECT", func(r *Request) { r.Method = "CONNECT"; r.ProtoMajor = 2 }, 505, nil, "HTTP/1.1"},
		{"§4.2.1 item 1, POST", func(r *Request) { r.Method = "POST" }, 405, allow, `must be GET; got "POST"`},
		{"RFC 9110 §9.1, by case", func(r *Request) { r.Method = "get" }, 405, allow, `must be GET; got "get"`},
		{"§4.2.1 item 2", func(r *Request) { r.Host = "" }, 400, nil, "the Host header"},
		{"RFC 9110 §9.3.1, content", func(r *Request) { r.ContentLength = 1 }, 400, nil, "no content"},
		{"RFC 9110 §9.3.1, chunks", func(r *Request) { r.ContentLength = -1 }, 400, nil, "no content"},

		{"a plain request", func(r *Request) { r.Header = nil }, 426, upgrade, `"websocket"; got none`},
		{"§4.2.1 item 3, missing", unset("Upgrade"), 426, upgrade, `WebSocket connections only: the Upgrade header must contain "websocket"; got none`},
		{"§4.2.1 item 3, other", set("Upgrade", "h2c"), 426, upgrade, `got "h2c"`},
		{"§4.2.1 item 3, Kelvin", set("Upgrade", "websoc\u212aet"), 426, upgrade, `websocket`},
		{"§4.2.1 item 3, with a version", set("Upgrade", "websocket/13"), 426, upgrade, `got "websocket/13"`},
		{"§4.2.1 item 4, missing", unset("Connection"), 426, upgrade, `the Connection header must contain "Upgrade", which proxies have to be told to pass on; got none`},
		{"§4.2.1 item 4, other", set("Connection", "keep-alive", "close"), 426, upgrade, `got 2 values`},

		{"§4.2.1 item 6, missing", unset(ver), 426, upgrade, `the Sec-WebSocket-Version header must be "13", and come once; got none`},
		{"§4.2.1 item 6, empty", set(ver, ""), 426, upgrade, `got ""`},
		{"§4.2.1 item 6, older", set(ver, "8"), 426, upgrade, `got "8"`},
		{"§4.2.1 item 6, padded", set(ver, "013"), 426, upgrade, `got "013"`},
		{"§4.2.1 item 6, list", set(ver, "13, 8"), 426, upgrade, `got "13, 8"`},
		{"§11.3.5, twice", set(ver, "13", "13"), 426, upgrade, `got 2 values`},
		{"§4.2.1 item 6 before item 5", unset(ver, key), 426, upgrade, `Version`},

		{"§4.2.1 item 5, missing", unset(key), 400, nil, `the Sec-WebSocket-Key header must be 16 bytes in base64, and come once; got none`},
		{"§4.2.1 item 5, empty", set(key, ""), 400, nil, `got ""`},
		{"§4.2.1 item 5, short", set(key, "AQIDBAUGBwgJCgsMDQ4P"), 400, nil, `got "AQIDBAUGBwgJCgsMDQ4P"`},
		{"§11.3.1, twice", set(key, sampleKey, sampleKey), 400, nil, `got 2 values`},
		{"§11.3.1, twice in a line", set(key, sampleKey+", "+sampleKey), 400, nil, `got "dGhl`},
		{"§11.3.1, in two spellings", set("sec-websocket-key", sampleKey), 400, nil, `got 2 values`},
		{"echoed safely", set(key, "\r\n\x1b[31m"), 400, nil, `got "\r\n\x1b[31m"`},

		{"§4.2.1 item 8, no token", set(sub, "chat, a b"), 400, nil, `the Sec-WebSocket-Protocol header has the element "a b", which is not a token`},
		{"§4.2.1 item 8, twice", set(sub, "chat, a", "chat"), 400, nil, `"chat", which is there twice`},
		{"§4.3, 1#token", set(sub, ""), 400, nil, `must list subprotocols or be left out; got ""`},
		{"§4.3, 1#token, empty elements", set(sub, ",", " "), 400, nil, `got 2 values`},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := goodRequest()
			test.change(&r)
			offer, err := CheckRequest(r)
			checkRefusal(t, err, test.status, test.text)
			if !reflect.DeepEqual(err.Header, test.header) {
				t.Errorf("header %q, want %q", err.Header, test.header)
			}
			if !reflect.DeepEqual(offer, Offer{}) {
				t.Errorf("offer %q beside an error", offer)
			}
		})
	}
}

// Each refusal's header is the caller's own.
func TestRefusalHeaderIsFresh(t *testing.T) {
	_, first := CheckRequest(Request{Method: "GET", ProtoMajor: 1, ProtoMinor: 1, Host: "a"})
	first.Header["Upgrade"][0] = "changed"
	_, second := CheckRequest(Request{Method: "GET", ProtoMajor: 1, ProtoMinor: 1, Host: "a"})
	if got := second.Header["Upgrade"][0]; got != "websocket" {
		t.Errorf("got %q", got)
	}
}

func TestCheckRequestAllocations(t *testing.T) {
	r := goodRequest()
	delete(r.Header, "Sec-Websocket-Protocol")
	r.Host = "example.com"
	n := testing.AllocsPerRun(100, func() {
		if _, err := CheckRequest(r); err != nil {
			t.Fatal(err)
		}
		if err := CheckOrigin(r.Header, r.Host, nil); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
