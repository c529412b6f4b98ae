//go:build !js

package wschannel_test

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

// The schemes, path and query of a URL; wss from a server that would rather
// speak HTTP/2 (T043, T019 as DESIGN.md reads it).
func TestConnect(t *testing.T) {
	asked := make(chan string, 1)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.RequestURI
		if c, err := wschannel.Accept(w, r, nil); err == nil {
			echo(context.Background(), c)
		}
	})
	plain := strings.TrimPrefix(serve(t, h), "ws")
	secure, trusting := serveTLS(t, h)
	secure = strings.TrimPrefix(secure, "wss")
	for _, test := range []struct{ url, want string }{
		{"ws" + plain, "/"},
		{"http" + plain + "/a%20b/?c=d&e", "/a%20b/?c=d&e"},
		{"WS" + plain + "?q", "/?q"},
		{"wss" + secure + "/a", "/a"},
		{"https" + secure + "//", "//"},
	} {
		t.Run(test.url, func(t *testing.T) {
			d := wschannel.Dialer{TLSConfig: trusting}
			c, resp, err := d.Connect(t.Context(), test.url)
			if err != nil {
				t.Fatal(err)
			}
			hangUpAfter(t, c)
			if got := wait(t, "the request", asked); got != test.want {
				t.Errorf("asked for %q, want %q", got, test.want)
			}
			if resp.StatusCode != 101 || resp.Header.Get("Upgrade") != "websocket" {
				t.Errorf("the response that comes along is %v %v", resp.Status, resp.Header)
			}
			if resp.Body != http.NoBody {
				t.Errorf("the body of the 101 is a %T: the connection is the channel's", resp.Body)
			}
			checkEcho(t, c)
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// The ports that are not in a URL, and the Host that a server is told (X20).
func TestConnectPort(t *testing.T) {
	for _, test := range []struct{ url, dialed, host string }{
		{"ws://h", "h:80", "h"},
		{"ws://h:/", "h:80", "h"},
		{"wss://h", "h:443", "h"},
		{"https://h/", "h:443", "h"},
		{"wss://h:80", "h:80", "h:80"},
		{"ws://[::1]", "[::1]:80", "[::1]"},
		{"wss://[::1]:8443", "[::1]:8443", "[::1]:8443"},
	} {
		stop := errors.New("stop")
		var dialed, host string
		transport := &http.Transport{DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
			dialed = address
			return nil, stop
		}}
		d := wschannel.Dialer{HTTPClient: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			host = r.Host
			return transport.RoundTrip(r)
		})}}
		_, _, err := d.Connect(t.Context(), test.url)
		if !errors.Is(err, stop) {
			t.Errorf("%s: the error is %v", test.url, err)
		}
		if dialed != test.dialed || host != test.host {
			t.Errorf("%s: dialed %q for the host %q; want %q and %q", test.url, dialed, host, test.dialed, test.host)
		}
	}
}

// A roundTripper is the transport of an HTTP client.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// What is wrong with a URL or an option is told before the network is used, and
// without the password (X20, T019).
func TestConnectMisuse(t *testing.T) {
	url := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the server was asked")
	}))
	protocols := func(p ...string) wschannel.Dialer {
		return wschannel.Dialer{Options: wschannel.Options{Protocols: p}}
	}
	header := func(name, value string) wschannel.Dialer {
		return wschannel.Dialer{Header: http.Header{name: {value}}}
	}
	none := wschannel.Dialer{}
	withTransport := &http.Client{Transport: http.DefaultTransport}
	for _, test := range []struct {
		d         wschannel.Dialer
		url, want string
	}{
		{none, "", `^wschannel: connect to "": the URL has no scheme; expected ws:// or wss://$`},
		{none, "//host/path", `"//host/path": the URL has no scheme`},
		{none, "localhost:8080/path", `"localhost:8080/path": the URL has no scheme; expected ws`},
		{none, "ftp://host/", `the URL has the scheme "ftp"; expected ws:// or wss://`},
		{none, "ws:///path", `the URL has no host`},
		{none, "ws://:80/", `the URL has no host`},
		{none, "ws://::1/", `brackets`},
		{none, "ws://host:0/", `the URL has the port "0"; expected 1 to 65535`},
		{none, "ws://host:65536/", `the URL has the port "65536"`},
		{none, "ws://host:http/", `the URL is malformed: invalid port ":http"`},
		{none, "ws://host/a\nb", `the URL is malformed`},
		{none, "ws://host/%zz", `the URL is malformed: .*"%zz"`},
		{none, url + "/#", `the URL has a fragment; expected none`},
		{none, url + "/a#b", `the URL has a fragment`},

		{none, "ftp://user:p4ssw0rd@host/", `"ftp://user:xxxxx@host/"`},
		{none, "user:p4ssw0rd@host/path", `the URL has no scheme`},
		{none, "ws:user:p4ssw0rd@host/", `the URL has no host`},
		{none, "ws:/user:p4ssw0rd@host/", `the URL has no host`},
		{none, "ws://user:p4ssw0rd@/", `the URL has no host`},
		{none, "ws://user:p4ss/w0rd@host/", `the URL is malformed`},
		{none, "ws://user:p4ss%w0rd@host/", `the URL is malformed`},
		{none, "ws://user:p4ss w0rd@host/", `the URL is malformed`},
		{none, "ws://user:p4ss#w0rd@host/", `the URL has a fragment`},
		{none, "ws://user:1#w0rd@host/", `the URL has a fragment`},
		{none, "ws://user:p4ss:w0rd@host:x/", `the URL is malformed`},

		{protocols(""), url, `the subprotocol "" is not a token|subprotocol ""`},
		{protocols("a b"), url, `the subprotocol "a b"`},
		{protocols("a", "b", "a"), url, `the subprotocol "a" is there twice`},
		{header("Sec-WebSocket-Key", "x"), url, `the header "Sec-WebSocket-Key" belongs to the WebSocket handshake`},
		{header("sec-websocket-protocol", "x"), url, `the header "sec-websocket-protocol" belongs`},
		{header("Connection", "close"), url, `the header "Connection" belongs`},
		{header("Upgrade", "h2c"), url, `the header "Upgrade" belongs`},
		{header("Bad Name", "x"), url, `the header name "Bad Name" is malformed`},
		{header("X-Bad", "a\r\nX-Worse: b"), url, `the header "X-Bad" has the value "a\\r\\nX-Worse: b"`},
		{wschannel.Dialer{TLSConfig: &tls.Config{}, HTTPClient: withTransport}, url, `both TLSConfig and an HTTPClient with a Transport`},
		{wschannel.Dialer{Proxy: http.ProxyFromEnvironment, HTTPClient: withTransport}, url, `both Proxy and an HTTPClient with a Transport`},
		{wschannel.Dialer{DialContext: new(net.Dialer).DialContext, HTTPClient: withTransport}, url, `both DialContext and an HTTPClient with a Transport`},
	} {
		c, resp, err := test.d.Connect(t.Context(), test.url)
		var connect *wschannel.ConnectError
		if !errors.As(err, &connect) {
			t.Errorf("%q: the error is %v (%T), want a ConnectError", test.url, err, err)
			continue
		}
		if c != nil || resp != nil {
			t.Errorf("%q: there are a channel %p or a response %v beside the error", test.url, c, resp)
		}
		text := err.Error()
		checkMatch(t, fmt.Sprintf("the error of %q", test.url), text, test.want)
		for _, secret := range []string{"p4", "w0rd"} {
			if strings.Contains(text, secret) {
				t.Errorf("%q: the error shows the password: %s", test.url, text)
			}
		}
		if strings.Count(text, "wschannel: ") != 1 {
			t.Errorf("%q: the prefix has to come once: %s", test.url, text)
		}
	}
}

// Nobody listens, or nobody knows the name (T042, T070).
func TestConnectNobody(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	resolveWith(t, unknownName)
	closing := listen(t, func(net.Conn) {})
	other := listen(t, respond(func(string) string { return "SSH-2.0-OpenSSH_9.9\r\n" }))

	leakless(t, func() {
		var connect *wschannel.ConnectError
		_, err = wschannel.Connect(t.Context(), "ws://user:p4ssw0rd@"+l.Addr().String()+"/x", nil)
		if !errors.As(err, &connect) || !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("a port where nobody listens: %v", err)
		} else if want := "ws://user:xxxxx@" + l.Addr().String() + "/x"; connect.URL != want {
			t.Errorf("URL is %q, want %q", connect.URL, want)
		}

		_, err = wschannel.Connect(t.Context(), "ws://unknown.invalid", nil)
		var dns *net.DNSError
		if !errors.As(err, &connect) || !errors.As(err, &dns) || !dns.IsNotFound {
			t.Errorf("an unknown name: %v", err)
		}

		if _, err = wschannel.Connect(t.Context(), "ws://"+closing, nil); !errors.As(err, &connect) {
			t.Errorf("a server that closes at once: %v", err)
		}
		if _, err = wschannel.Connect(t.Context(), "ws://"+other, nil); !errors.As(err, &connect) {
			t.Errorf("a server that does not speak HTTP: %v", err)
		}
	})
}

// Servers that answer with something else than 101 (T021, T057).
func TestConnectRefused(t *testing.T) {
	gone := make(chan struct{}, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "a page\n")
	})
	mux.HandleFunc("/empty", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("/full", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, strings.Repeat("x", 1024))
	})
	mux.HandleFunc("/long", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, strings.Repeat("x", 1024)+"y")
	})
	mux.HandleFunc("/endless", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		for {
			if _, err := io.WriteString(w, "0123456789abcdef"); err != nil {
				gone <- struct{}{}
				return
			}
		}
	})
	mux.HandleFunc("/cut", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, "no way")
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Why", "unknown")
		http.Error(w, "no such channel", http.StatusNotFound)
	})
	url := serve(t, mux)
	kilobyte := strings.Repeat("x", 1024)
	for _, test := range []struct {
		path   string
		status int
		body   string
		said   string
	}{
		{"/nowhere", 404, "no such channel\n", `; it said "no such channel"`}, // T057
		{"/ok", 200, "a page\n", `; it said "a page"`},                        // T021
		{"/empty", 204, "", ""},
		{"/full", 400, kilobyte, `; it said "x{256}"…`},
		{"/long", 400, kilobyte, `; it said "x{256}"…`},
		{"/endless", 500, strings.Repeat("0123456789abcdef", 64), `; it said "(0123456789abcdef){16}"…`},
		{"/cut", 403, "no way", `; it said "no way"`},
	} {
		t.Run(test.path, func(t *testing.T) {
			leakless(t, func() {
				c, resp, err := wschannel.Dialer{}.Connect(t.Context(), url+test.path)
				var refused *wschannel.HandshakeError
				if !errors.As(err, &refused) || c != nil {
					t.Fatalf("got %p, %v; want a HandshakeError alone", c, err)
				}
				if refused.StatusCode != test.status || string(refused.Body) != test.body {
					t.Errorf("got %d, %q; want %d, %q", refused.StatusCode, refused.Body, test.status, test.body)
				}
				checkMatch(t, "the error", err.Error(), fmt.Sprintf("^wschannel: handshake failed with status %d: the server must answer with status 101%s$", test.status, test.said))
				if resp == nil || resp.StatusCode != test.status {
					t.Fatalf("the response that comes along is %v", resp)
				}
				if body, err := io.ReadAll(resp.Body); string(body) != test.body || err != nil {
					t.Errorf("its body is %q, %v; want %q", body, err, test.body)
				}
				if test.path == "/nowhere" && http.Header(refused.Header).Get("X-Why") != "unknown" {
					t.Errorf("the header is %v", refused.Header)
				}
				if test.path == "/endless" {
					wait(t, "the server to see the client leave", gone)
				}
			})
		})
	}
}

// Responses with status 101 that accept something else (RFC 6455 §4.1: T035,
// X22). The client closes the connection.
func TestConnectFails(t *testing.T) {
	for _, test := range []struct {
		name    string
		offered []string
		change  func(response string) string
		want    string
	}{
		{"no Upgrade", nil, without("Upgrade: websocket"), `Upgrade header must be "websocket"; got none`},
		{"another Upgrade", nil, replacing("Upgrade: websocket", "Upgrade: h2c"), `got "h2c"`},
		{"no Connection", nil, without("Connection: Upgrade"), `Connection header must contain "Upgrade"; got none`},
		{"no key", nil, without("Sec-WebSocket-Accept"), `Sec-WebSocket-Accept header must be ".*="; got none`},
		{"another key", nil, replacing("Sec-WebSocket-Accept: ", "Sec-WebSocket-Accept: x"), `Sec-WebSocket-Accept header must be ".*="; got "x`},
		{"an extension", nil, adding("Sec-WebSocket-Extensions: permessage-deflate"), `no extension, as none was offered; got "permessage-deflate"`},
		{"another subprotocol: T035", []string{"chat.example.com"}, adding("Sec-WebSocket-Protocol: example.example.com"),
			`one subprotocol of "chat.example.com"; got "example.example.com"`},
		{"another by case", []string{"chat"}, adding("Sec-WebSocket-Protocol: Chat"), `got "Chat"`},
		{"a subprotocol for no offer: X22", nil, adding("Sec-WebSocket-Protocol: chat"), `no subprotocol, as none was offered; got "chat"`},
		{"two subprotocols", []string{"a", "b"}, adding("Sec-WebSocket-Protocol: a, b"), `got "a, b"`},
		{"two lines", []string{"a", "b"}, adding("Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b"), `got 2 values`},
		{"an empty one", []string{"a"}, adding("Sec-WebSocket-Protocol: "), `got ""`},
	} {
		t.Run(test.name, func(t *testing.T) {
			left := make(chan string, 1)
			hostport := listen(t, func(conn net.Conn) {
				respond(func(request string) string { return test.change(switching(request)) + frame(0x81, "early") })(conn)
				left <- "the client left"
			})
			leakless(t, func() {
				c, err := wschannel.Connect(t.Context(), "ws://"+hostport, &wschannel.Options{Protocols: test.offered})
				var refused *wschannel.HandshakeError
				if c != nil || !errors.As(err, &refused) || refused.StatusCode != 101 {
					t.Fatalf("got %p, %v; want a HandshakeError with status 101 alone", c, err)
				}
				checkMatch(t, "the error", err.Error(), "^wschannel: .*"+test.want)
				wait(t, "the client to close the connection", left)
			})
		})
	}
}

func without(start string) func(string) string {
	return func(response string) string {
		lines := strings.SplitAfter(response, "\r\n")
		return strings.Join(slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, start) }), "")
	}
}

func replacing(old, new string) func(string) string {
	return func(response string) string { return strings.Replace(response, old, new, 1) }
}

func adding(line string) func(string) string {
	return func(response string) string { return strings.TrimSuffix(response, "\r\n") + line + "\r\n\r\n" }
}

// The subprotocols that are offered and agreed upon (T032, T033, T034).
func TestConnectSubprotocols(t *testing.T) {
	for _, test := range []struct {
		offered  []string
		selected string
		want     []string // the lines of the request
	}{
		{nil, "", nil},                     // T032
		{[]string{"a"}, "", []string{"a"}}, // none is fine
		{[]string{"a", "A"}, "A", []string{"a, A"}},
		{[]string{"chat.example.com"}, "chat.example.com", []string{"chat.example.com"}},                                       // T033
		{[]string{"chat.example.com", "text.example.com"}, "text.example.com", []string{"chat.example.com, text.example.com"}}, // T034
	} {
		got := make(chan []string, 1)
		hostport := listen(t, func(conn net.Conn) {
			respond(func(request string) string {
				got <- field(request, "Sec-WebSocket-Protocol")
				if test.selected == "" {
					return switching(request) + frame(0x81, "hi")
				}
				return switching(request, "Sec-WebSocket-Protocol: "+test.selected) + frame(0x81, "hi")
			})(conn)
		})
		c, err := wschannel.Connect(t.Context(), "ws://"+hostport, &wschannel.Options{Protocols: test.offered})
		if err != nil {
			t.Fatal(err)
		}
		hangUpAfter(t, c)
		if lines := wait(t, "the request", got); !slices.Equal(lines, test.want) {
			t.Errorf("offered %q: the request has %q, want %q", test.offered, lines, test.want)
		}
		if c.Protocol() != test.selected {
			t.Errorf("offered %q: Protocol is %q, want %q", test.offered, c.Protocol(), test.selected)
		}
		if m, err := c.Receive(patiently(t)); string(m.Data) != "hi" {
			t.Errorf("got %q, %v", m.Data, err)
		}
	}
}

// The same between a client and a server of this package (T058, T059).
func TestSubprotocolsAgreed(t *testing.T) {
	url := serve(t, &wschannel.Server{
		Handler: func(ctx context.Context, c *wschannel.Channel) {
			c.SendText(ctx, c.Protocol())
		},
		AcceptOptions: wschannel.AcceptOptions{
			Options: wschannel.Options{Protocols: []string{"passed-protocol", "other"}},
		},
	})
	for _, test := range []struct {
		offered []string
		want    string
	}{
		{nil, ""},
		{[]string{"unknown"}, ""},
		{[]string{"passed-protocol"}, "passed-protocol"},
		{[]string{"other", "passed-protocol"}, "passed-protocol"}, // the server's order
	} {
		c, err := wschannel.Connect(t.Context(), url, &wschannel.Options{Protocols: test.offered})
		if err != nil {
			t.Fatal(err)
		}
		hangUpAfter(t, c)
		var got []string
		for m, err := range c.Messages(patiently(t)) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(m.Data))
		}
		if !slices.Equal(got, []string{test.want}) || c.Protocol() != test.want {
			t.Errorf("offered %q: the server has %q, the client %q; want %q", test.offered, got, c.Protocol(), test.want)
		}
		if c.CloseCode() != status.NormalClosure {
			t.Errorf("offered %q: closed with %v", test.offered, c.CloseCode())
		}
	}

	// A server whose selector picks what was not offered refuses (T058).
	url = serve(t, &wschannel.Server{
		Handler:       echo,
		Logger:        slog.New(slog.DiscardHandler),
		AcceptOptions: wschannel.AcceptOptions{SelectProtocol: func(*http.Request, []string) string { return "mismatched-protocol" }},
	})
	_, err := wschannel.Connect(t.Context(), url, &wschannel.Options{Protocols: []string{"failed-protocol"}})
	var refused *wschannel.HandshakeError
	if !errors.As(err, &refused) || refused.StatusCode != 500 {
		t.Errorf("got %v, want a refusal with status 500", err)
	}
}

// The request as it is on the wire, each field spelled as in the RFC, and once
// (RFC 6455 §4.1; X21).
func TestConnectRequest(t *testing.T) {
	requests := make(chan string, 2)
	hostport := listen(t, respond(func(request string) string {
		requests <- request
		return switching(request)
	}))
	for range 2 {
		c, err := wschannel.Connect(t.Context(), "ws://"+hostport+"/chat?x=%2F", &wschannel.Options{Protocols: []string{"a", "b"}})
		if err != nil {
			t.Fatal(err)
		}
		c.CloseNow()
	}
	request := wait(t, "the request", requests)
	key := strings.Join(field(request, "Sec-WebSocket-Key"), "")
	want := []string{
		"GET /chat?x=%2F HTTP/1.1",
		"Accept-Encoding: gzip",
		"Connection: Upgrade",
		"Host: " + hostport,
		"Sec-WebSocket-Key: " + key,
		"Sec-WebSocket-Protocol: a, b",
		"Sec-WebSocket-Version: 13",
		"Upgrade: websocket",
		"User-Agent: Go-http-client/1.1",
	}
	got := strings.Split(strings.TrimSuffix(request, "\r\n\r\n"), "\r\n")
	slices.Sort(got[1:])
	if !slices.Equal(got, want) {
		t.Errorf("the request is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if nonce, err := base64.StdEncoding.DecodeString(key); len(nonce) != 16 || err != nil {
		t.Errorf("the key %q is not 16 bytes in base64", key)
	}
	if again := field(wait(t, "the second request", requests), "Sec-WebSocket-Key"); again[0] == key {
		t.Errorf("the key %q came twice", key)
	}
}
