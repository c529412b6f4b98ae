//go:build !js

package wschannel_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

// The example of RFC 6455 §1.2, as lines.
var sampleRequest = []string{
	"GET /chat HTTP/1.1",
	"Host: server.example.com",
	"Upgrade: websocket",
	"Connection: Upgrade",
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
	"Origin: http://server.example.com",
	"Sec-WebSocket-Protocol: chat, superchat",
	"Sec-WebSocket-Version: 13",
}

// sample returns the example with changes: "Name: value" replaces the line that
// starts so or is added, "-Name" removes it, "+Name: value" adds another one. A
// request line replaces the first.
func sample(changes ...string) string {
	lines := slices.Clone(sampleRequest)
	for _, change := range changes {
		line, add := strings.CutPrefix(change, "+")
		name, remove := strings.CutPrefix(line, "-")
		start, _, _ := strings.Cut(name, ":")
		at := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, start) })
		switch {
		case strings.Contains(line, " HTTP/"):
			lines[0] = line
		case remove:
			lines = slices.Delete(lines, at, at+1)
		case add || at < 0:
			lines = append(lines, line)
		default:
			lines[at] = line
		}
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// An accepting is what Accept has returned.
type accepting struct {
	c   *wschannel.Channel
	err error
}

// accept starts a server that accepts with these options and reports. The
// address is for TCP.
func accept(t *testing.T, o *wschannel.AcceptOptions) (hostport string, accepted <-chan accepting) {
	t.Helper()
	results := make(chan accepting, 1)
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := wschannel.Accept(w, r, o)
		results <- accepting{c, err}
	}))
	return strings.TrimPrefix(url, "ws://"), results
}

// exchange sends a request, with whatever follows it, and returns the response
// head and the connection.
func exchange(t *testing.T, hostport, request string) (head string, r *bufio.Reader, conn net.Conn) {
	t.Helper()
	conn, err := net.Dial("tcp", hostport)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	r = bufio.NewReader(conn)
	head, err = readHead(r)
	if err != nil {
		t.Fatalf("the response is %q, %v", head, err)
	}
	return head, r, conn
}

const sampleAccept = "HTTP/1.1 101 Switching Protocols\r\n" +
	"Upgrade: websocket\r\n" +
	"Connection: Upgrade\r\n" +
	"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"

// The response to the example, to the last byte (RFC 6455 §4.2.2).
func TestAcceptResponse(t *testing.T) {
	options := func(o wschannel.AcceptOptions, protocols ...string) *wschannel.AcceptOptions {
		o.Protocols = protocols
		return &o
	}
	header := http.Header{"X-Own": {"1", "2"}, "Set-Cookie": {"a=b"}, "sec-x": {"y"}}
	for _, test := range []struct {
		name, request string
		o             *wschannel.AcceptOptions
		more          string
		protocol      string
	}{
		{"no options", sample(), nil, "", ""},
		{"the first of ours", sample(), options(wschannel.AcceptOptions{}, "x", "superchat", "chat"),
			"Sec-WebSocket-Protocol: superchat\r\n", "superchat"},
		{"none of ours", sample(), options(wschannel.AcceptOptions{}, "CHAT"), "", ""},
		{"none offered", sample("-Sec-WebSocket-Protocol"), options(wschannel.AcceptOptions{}, "chat"), "", ""},
		{"more header", sample(), options(wschannel.AcceptOptions{Header: header}, "chat"),
			"Sec-WebSocket-Protocol: chat\r\nSet-Cookie: a=b\r\nX-Own: 1\r\nX-Own: 2\r\nsec-x: y\r\n", "chat"},
		{"other spellings", sample("Upgrade: WEBSOCKET", "Connection: keep-alive, upgrade"), nil, "", ""},
		{"extensions, declined", sample("Sec-WebSocket-Extensions: permessage-deflate"), nil, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			hostport, accepted := accept(t, test.o)
			head, _, _ := exchange(t, hostport, test.request)
			if want := sampleAccept + test.more + "\r\n"; head != want {
				t.Errorf("the response is\n%q, want\n%q", head, want)
			}
			got := wait(t, "Accept", accepted)
			hangUpAfter(t, got.c)
			if got.err != nil || got.c.Protocol() != test.protocol {
				t.Errorf("got the protocol %q, %v; want %q", got.c.Protocol(), got.err, test.protocol)
			}
		})
	}
}

// Every rule of RFC 6455 §4.2.1, broken.
func TestAcceptRefuses(t *testing.T) {
	const old = "Sec-WebSocket-Version: 13\r\n"
	for _, test := range []struct {
		name, request string
		status        int
		field         string // a line of the response's header
		body          string
	}{
		{"item 1: POST", sample("POST /chat HTTP/1.1"), 405, "Allow: GET", `the method of a WebSocket handshake must be GET; got "POST"`},
		{"item 1: HTTP/1.0", sample("GET /chat HTTP/1.0"), 400, "", `needs HTTP/1.1.*got HTTP/1.0`},
		{"item 1: content", sample("Content-Length: 1") + "x", 400, "", `must have no content; got some`},
		{"item 1: chunked content", sample("Transfer-Encoding: chunked") + "0\r\n\r\n", 400, "", `must have no content; got some`},
		{"item 2: no host", sample("Host: "), 400, "", `the Host header must name the server; got none`},
		{"item 3: no Upgrade", sample("-Upgrade"), 426, "Upgrade: websocket", `the Upgrade header must contain "websocket"; got none`},
		{"item 3: another one", sample("Upgrade: h2c"), 426, old, `the Upgrade header must contain "websocket"; got "h2c"`},
		{"item 3: a version", sample("Upgrade: websocket/13"), 426, old, `got "websocket/13"`},
		{"item 4: no Connection", sample("-Connection"), 426, "Connection: Upgrade", `the Connection header must contain "Upgrade".*got none`},
		{"item 4: another one", sample("Connection: keep-alive"), 426, old, `the Connection header must contain "Upgrade".*got "keep-alive"`},
		{"item 5: no key", sample("-Sec-WebSocket-Key"), 400, "", `the Sec-WebSocket-Key header must be 16 bytes in base64, and come once; got none`},
		{"item 5: two keys", sample("+Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), 400, "", `the Sec-WebSocket-Key header .* got 2 values`},
		{"item 5: a second spelling", sample("+sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="), 400, "", `the Sec-WebSocket-Key header .* got 2 values`},
		{"item 5: 15 bytes", sample("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j"), 400, "", `the Sec-WebSocket-Key header .* got "dGhlIHNhbXBsZSBub25j"`},
		{"item 5: no base64", sample("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ!!"), 400, "", `the Sec-WebSocket-Key header .* got "dGhl`},
		{"item 6: version 12", sample("Sec-WebSocket-Version: 12"), 426, old, `the Sec-WebSocket-Version header must be "13", and come once; got "12"`},
		{"item 6: no version", sample("-Sec-WebSocket-Version"), 426, old, `the Sec-WebSocket-Version header .* got none`},
		{"item 6: two versions", sample("Sec-WebSocket-Version: 13, 12"), 426, old, `got "13, 12"`},
		{"item 6: twice", sample("+Sec-WebSocket-Version: 13"), 426, old, `got 2 values`},
		{"item 7: another origin", sample("Origin: http://evil.example"), 403, "", `the Origin header must name the host that the request is for, "server.example.com".*got "http://evil.example"`},
		{"item 7: two origins", sample("+Origin: http://server.example.com"), 403, "", `the Origin header must come at most once; got 2 values`},
		{"item 8: no token", sample("Sec-WebSocket-Protocol: a b"), 400, "", `the Sec-WebSocket-Protocol header has the element "a b"`},
		{"item 8: twice", sample("Sec-WebSocket-Protocol: a, b", "+Sec-WebSocket-Protocol: a"), 400, "", `element "a", which is there twice`},
		{"item 8: empty", sample("Sec-WebSocket-Protocol: ,"), 400, "", `must list subprotocols or be left out; got ","`},
	} {
		t.Run(test.name, func(t *testing.T) {
			hostport, accepted := accept(t, nil)
			head, r, _ := exchange(t, hostport, test.request)
			resp, err := http.ReadResponse(bufio.NewReader(io.MultiReader(strings.NewReader(head), r)), nil)
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(resp.Body)
			body := string(content)
			if err != nil || resp.StatusCode != test.status {
				t.Errorf("the status is %d, %v; want %d", resp.StatusCode, err, test.status)
			}
			checkMatch(t, "the body", body, "^websocket: .*"+test.body+".*\n$")
			if !strings.Contains(head, "\r\n"+strings.TrimSuffix(test.field, "\r\n")) {
				t.Errorf("the response has no %q:\n%s", test.field, head)
			}
			if got := field(head, "Content-Type"); !slices.Equal(got, []string{"text/plain; charset=utf-8"}) {
				t.Errorf("Content-Type is %q", got)
			}

			got := wait(t, "Accept", accepted)
			var refused *wschannel.HandshakeError
			if got.c != nil || !errors.As(got.err, &refused) || refused.StatusCode != test.status || string(refused.Body) != body {
				t.Fatalf("Accept returned %p, %v; want a HandshakeError with what was answered", got.c, got.err)
			}
			text := strings.TrimSuffix(strings.TrimPrefix(body, "websocket: "), "\n")
			if want := fmt.Sprintf("wschannel: handshake failed with status %d: %s", test.status, text); got.err.Error() != want {
				t.Errorf("the error is\n%s, want\n%s", got.err, want)
			}
		})
	}
}

// A request by HTTP/2, which has no upgrade.
func TestAcceptHTTP2(t *testing.T) {
	results := make(chan error, 1)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := wschannel.Accept(w, r, nil)
		results <- err
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	resp, err := s.Client().Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if resp.ProtoMajor != 2 || resp.StatusCode != 505 {
		t.Errorf("got %s %s, want status 505 by HTTP/2", resp.Proto, resp.Status)
	}
	checkMatch(t, "the body", string(body), `^websocket: the WebSocket handshake needs HTTP/1.1.*got HTTP/2.0\n$`)
	var refused *wschannel.HandshakeError
	if err := wait(t, "Accept", results); !errors.As(err, &refused) || refused.StatusCode != 505 {
		t.Errorf("Accept returned %v", err)
	}
}

// A refused request does not cost the connection: the next one may be good.
func TestAcceptAfterRefusal(t *testing.T) {
	hostport, accepted := accept(t, nil)
	head, r, conn := exchange(t, hostport, sample("Sec-WebSocket-Version: 8"))
	if resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(head)), nil); err != nil {
		t.Fatal(err)
	} else if _, err := r.Discard(int(resp.ContentLength)); err != nil {
		t.Fatal(err)
	}
	if got := wait(t, "Accept", accepted); got.err == nil {
		t.Fatal("version 8 was accepted")
	}
	io.WriteString(conn, sample())
	if head, err := readHead(r); head != sampleAccept+"\r\n" {
		t.Errorf("got %q, %v", head, err)
	}
	hangUpAfter(t, wait(t, "Accept", accepted).c)
}

// Frames that come together with the request are not lost, nor are those that
// are cut.
func TestAcceptEarlyFrames(t *testing.T) {
	hostport, accepted := accept(t, nil)
	big := strings.Repeat("0123456789abcdef", 1000)
	frames := masked(0x81, "one") + masked(0x82, big) + masked(0x81, "three")
	_, _, conn := exchange(t, hostport, sample()+frames[:len(frames)-2])
	c := wait(t, "Accept", accepted).c
	hangUpAfter(t, c)
	for i, want := range []string{"one", big, "three"} {
		if i == 2 {
			io.WriteString(conn, frames[len(frames)-2:])
		}
		if m, err := c.Receive(patiently(t)); err != nil || string(m.Data) != want {
			t.Fatalf("message %d is %.20q, %v; want %.20q", i, m.Data, err, want)
		}
	}
}

// Which origins may connect, by default and with patterns.
func TestAcceptOrigin(t *testing.T) {
	for _, test := range []struct {
		origin   string // "" for none
		patterns []string
		ok       bool
	}{
		{"", nil, true},
		{"", []string{"other.example"}, true},
		{"http://server.example.com", nil, true},
		{"https://SERVER.example.com", nil, true},
		{"https://server.example.com:8443", nil, false},
		{"https://example.com", nil, false},
		{"null", nil, false},
		{"https://other.example", []string{"other.example"}, true},
		{"https://other.example:8443", []string{"other.example"}, false},
		{"https://other.example:8443", []string{"other.example:*"}, true},
		{"http://other.example", []string{"https://other.example"}, false},
		{"https://a.other.example", []string{"x.example", "https://*.other.example"}, true},
		{"https://other.example", []string{"*.other.example"}, false},
		{"https://eviother.example", []string{"*.other.example"}, false},
		{"http://server.example.com", []string{"other.example"}, true}, // its own always
		{"null", []string{"*"}, true},
		{"chrome-extension://abc", []string{"chrome-extension://abc"}, true},
	} {
		change := "Origin: " + test.origin
		if test.origin == "" {
			change = "-Origin"
		}
		hostport, accepted := accept(t, &wschannel.AcceptOptions{Origins: test.patterns})
		head, _, _ := exchange(t, hostport, sample(change))
		got := wait(t, "Accept", accepted)
		hangUpAfter(t, got.c)
		want := "HTTP/1.1 403 "
		if test.ok {
			want = "HTTP/1.1 101 "
		}
		if !strings.HasPrefix(head, want) || (got.err == nil) != test.ok {
			t.Errorf("%q with %q: got %.20q, %v; want %s", test.origin, test.patterns, head, got.err, want)
		}
	}
}

// SelectProtocol decides among what was offered, and nothing else (X22, T058).
func TestAcceptSelectProtocol(t *testing.T) {
	for _, test := range []struct {
		name, choice, line string
		want               string // "" if refused
	}{
		{"the second", "superchat", "", "Sec-WebSocket-Protocol: superchat\r\n"},
		{"none", "", "", "\r\n"},
		{"another", "other", "", ""},
		{"another by case", "Chat", "", ""},
		{"without an offer", "chat", "-Sec-WebSocket-Protocol", "\r\n"}, // is not asked
	} {
		t.Run(test.name, func(t *testing.T) {
			hostport, accepted := accept(t, &wschannel.AcceptOptions{
				Options: wschannel.Options{Protocols: []string{"chat"}}, // SelectProtocol is asked instead
				SelectProtocol: func(r *http.Request, offered []string) string {
					if r.URL.Path != "/chat" || !slices.Equal(offered, []string{"chat", "superchat"}) {
						t.Errorf("asked about %s, %q", r.URL, offered)
					}
					return test.choice
				},
			})
			var changes []string
			if test.line != "" {
				changes = append(changes, test.line)
			}
			head, _, _ := exchange(t, hostport, sample(changes...))
			got := wait(t, "Accept", accepted)
			hangUpAfter(t, got.c)
			if test.want != "" {
				if !strings.HasPrefix(head, sampleAccept+test.want) || got.err != nil {
					t.Errorf("got %q, %v", head, got.err)
				}
				return
			}
			checkUnusable(t, head, got, fmt.Sprintf("SelectProtocol returned %q, which was not offered", test.choice))
		})
	}
}

// checkUnusable checks a refusal for which the server is to blame: the client
// learns nothing, the error tells.
func checkUnusable(t *testing.T, head string, got accepting, want string) {
	t.Helper()
	if !strings.HasPrefix(head, "HTTP/1.1 500 ") {
		t.Errorf("got %q, want status 500", head)
	}
	var refused *wschannel.HandshakeError
	if got.c != nil || !errors.As(got.err, &refused) || refused.StatusCode != 500 {
		t.Fatalf("Accept returned %p, %v; want a HandshakeError with status 500", got.c, got.err)
	}
	if body := string(refused.Body); body != "websocket: the server is not set up for this request\n" {
		t.Errorf("the body is %q", body)
	}
	checkMatch(t, "the error", got.err.Error(), "^wschannel: handshake failed with status 500: .*"+want)
}

// Options that no handshake can be accepted with.
func TestAcceptMisuse(t *testing.T) {
	for _, test := range []struct {
		o    wschannel.AcceptOptions
		want string
	}{
		{wschannel.AcceptOptions{Origins: []string{"a.example", "https://"}}, `the origin pattern "https://" has a malformed host`},
		{wschannel.AcceptOptions{Origins: []string{"https://a.example/path"}}, `the origin pattern "https://a.example/path"`},
		{wschannel.AcceptOptions{Options: wschannel.Options{Protocols: []string{"a,b"}}}, `the subprotocol "a,b"`},
		{wschannel.AcceptOptions{Header: http.Header{"Connection": {"close"}}}, `the header "Connection" belongs to the WebSocket handshake`},
		{wschannel.AcceptOptions{Header: http.Header{"Sec-WebSocket-Protocol": {"a"}}}, `the header "Sec-WebSocket-Protocol" belongs`},
		{wschannel.AcceptOptions{Header: http.Header{"X": {"a\nb"}}}, `the header "X" has the value "a\\nb"`},
	} {
		hostport, accepted := accept(t, &test.o)
		head, _, _ := exchange(t, hostport, sample())
		checkUnusable(t, head, wait(t, "Accept", accepted), test.want)
	}
}

// A wrapper hides the methods of a ResponseWriter, a frank one tells what it
// wraps.
type (
	wrapper struct{ http.ResponseWriter }
	frank   struct{ wrapper }
)

func (w frank) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Middleware wraps the ResponseWriter.
func TestAcceptWrapped(t *testing.T) {
	for _, test := range []struct {
		name string
		wrap func(http.ResponseWriter) http.ResponseWriter
		ok   bool
	}{
		{"twice", func(w http.ResponseWriter) http.ResponseWriter { return frank{wrapper{frank{wrapper{w}}}} }, true},
		{"hidden", func(w http.ResponseWriter) http.ResponseWriter { return wrapper{w} }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			results := make(chan accepting, 1)
			url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c, err := wschannel.Accept(test.wrap(w), r, nil)
				results <- accepting{c, err}
			}))
			head, _, _ := exchange(t, strings.TrimPrefix(url, "ws://"), sample())
			got := wait(t, "Accept", results)
			hangUpAfter(t, got.c)
			if !test.ok {
				checkUnusable(t, head, got, "the connection cannot be taken over: feature not supported")
			} else if head != sampleAccept+"\r\n" || got.err != nil {
				t.Errorf("got %q, %v", head, got.err)
			}
		})
	}
}

// A client that has gone before it was answered.
func TestAcceptGone(t *testing.T) {
	near, far := net.Pipe()
	far.Close()
	conn := &closedConn{Conn: near}
	w := &hijackable{ResponseRecorder: httptest.NewRecorder(), conn: conn}
	c, err := wschannel.Accept(w, sampleHTTPRequest(), nil)
	var refused *wschannel.HandshakeError
	if c != nil || err == nil || errors.As(err, &refused) {
		t.Errorf("got %p, %v; want an error that is no HandshakeError, for nothing was refused", c, err)
	}
	checkMatch(t, "the error", err.Error(), "^wschannel: accept: ")
	if !conn.closed {
		t.Error("the connection is still open")
	}
	if w.Body.Len() > 0 {
		t.Errorf("something was written after the connection had been taken over: %q", w.Body)
	}
}

// A closedConn knows that it was closed.
type closedConn struct {
	net.Conn
	closed bool
}

func (c *closedConn) Close() error { c.closed = true; return c.Conn.Close() }

// A hijackable is a ResponseWriter of which a connection can be had.
type hijackable struct {
	*httptest.ResponseRecorder
	conn     net.Conn
	hijacked bool
}

func (h *hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	h.hijacked = true
	return h.conn, bufio.NewReadWriter(bufio.NewReader(h.conn), bufio.NewWriter(h.conn)), nil
}

// The time-outs of the HTTP server do not reach the channel: the deadlines that
// it has set are taken away.
func TestAcceptDeadlines(t *testing.T) {
	results := make(chan accepting, 1)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// More deadlines, set by middleware.
		control := http.NewResponseController(w)
		control.SetReadDeadline(time.Now().Add(patience))
		control.SetWriteDeadline(time.Now().Add(patience))
		c, err := wschannel.Accept(w, r, nil)
		results <- accepting{c, err}
	}))
	s.Config.ReadTimeout, s.Config.WriteTimeout, s.Config.IdleTimeout = patience, patience, patience
	conns := make(chan *deadlines, 1)
	s.Listener = &deadlineListener{s.Listener, conns}
	s.Start()
	defer s.Close()

	c, err := wschannel.Connect(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	hangUpAfter(t, c)
	conn := wait(t, "the connection", conns)
	got := wait(t, "Accept", results)
	hangUpAfter(t, got.c)
	if read, write, ever := conn.get(); !read.IsZero() || !write.IsZero() || !ever {
		t.Errorf("the deadlines are %v for reading and %v for writing; any were ever set: %v", read, write, ever)
	}
	go echo(context.Background(), got.c)
	checkEcho(t, c)
	c.Close()
	if wait(t, "the end", got.c.Done()); got.c.CloseCode() != status.NormalClosure {
		t.Errorf("the server has %v", got.c.Err())
	}
}

// A deadlineListener tells of its connections, which know their deadlines.
type deadlineListener struct {
	net.Listener
	conns chan *deadlines
}

func (l *deadlineListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	d := &deadlines{Conn: conn}
	l.conns <- d
	return d, nil
}

type deadlines struct {
	net.Conn
	mu          sync.Mutex
	read, write time.Time
	ever        bool
}

func (d *deadlines) get() (read, write time.Time, ever bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.read, d.write, d.ever
}

func (d *deadlines) set(t time.Time, read, write bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if read {
		d.read = t
	}
	if write {
		d.write = t
	}
	d.ever = d.ever || t.After(time.Now())
}

func (d *deadlines) SetDeadline(t time.Time) error {
	d.set(t, true, true)
	return d.Conn.SetDeadline(t)
}

func (d *deadlines) SetReadDeadline(t time.Time) error {
	d.set(t, true, false)
	return d.Conn.SetReadDeadline(t)
}

func (d *deadlines) SetWriteDeadline(t time.Time) error {
	d.set(t, false, true)
	return d.Conn.SetWriteDeadline(t)
}
