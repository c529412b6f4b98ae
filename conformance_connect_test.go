//go:build !js

package wschannel_test

import (
	"bufio"
	"context"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/wschannel/wschannel"
)

// A responder is a server that answers every request with what its test says,
// and nothing else.
type responder struct {
	hostport string
	respond  atomic.Pointer[func(key string) string]
	cut      atomic.Int32 // into pieces of so many bytes, if not 0
	left     chan string  // what came after the response, when the client has left
}

func newResponder(t *testing.T) *responder {
	s := &responder{left: make(chan string, 1)}
	s.hostport = listen(t, func(conn net.Conn) {
		r := bufio.NewReader(conn)
		request, err := readHead(r)
		if err != nil {
			s.left <- err.Error()
			return
		}
		response := (*s.respond.Load())(strings.Join(field(request, "Sec-WebSocket-Key"), ""))
		for n := int(s.cut.Load()); n > 0 && len(response) > n; response = response[n:] {
			io.WriteString(conn, response[:n])
		}
		io.WriteString(conn, response)
		s.left <- untilClosed(r)
	})
	return s
}

// connect connects to a server with that answer.
func (s *responder) connect(t *testing.T, answer func(key string) string, protocols ...string) (*wschannel.Channel, error) {
	s.respond.Store(&answer)
	return wschannel.Connect(patiently(t), "ws://"+s.hostport+"/", &wschannel.Options{Protocols: protocols})
}

// takes checks that the client accepts an answer, and gets the message behind it.
func (s *responder) takes(t *testing.T, answer func(key string) string) {
	t.Helper()
	c, err := s.connect(t, func(key string) string { return answer(key) + frame(0x81, "hi") })
	if err != nil {
		<-s.left
		t.Error(err)
		return
	}
	if m, err := c.Receive(patiently(t)); err != nil || string(m.Data) != "hi" {
		t.Errorf("received %q, %v", m.Data, err)
	}
	c.CloseNow()
	<-s.left
}

// refuses checks that the client refuses an answer, with a HandshakeError that
// has this status or with a ConnectError if that is 0. It sends nothing more and
// closes the connection.
func (s *responder) refuses(t *testing.T, answer func(key string) string, status int, protocols ...string) {
	t.Helper()
	c, err := s.connect(t, answer, protocols...)
	if c != nil {
		c.CloseNow()
	}
	if rest := wait(t, "the client to close the connection", s.left); rest != "" && c == nil {
		t.Errorf("the client sent %q", rest)
	}
	var refused *wschannel.HandshakeError
	var failed *wschannel.ConnectError
	switch {
	case c != nil:
		t.Error("it was accepted")
	case status == 0 && !errors.As(err, &failed):
		t.Errorf("got %v (%T), want a ConnectError", err, err)
	case status != 0 && (!errors.As(err, &refused) || refused.StatusCode != status):
		t.Errorf("got %v (%T), want a HandshakeError with status %d", err, err, status)
	}
}

// sign is the Sec-WebSocket-Accept for a key (RFC 6455 §4.2.2), not by SignKey.
func sign(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// lines returns an answer of these lines, in which <key> and <accept> stand for
// the client's key and its signature.
func lines(lines ...string) func(key string) string {
	return func(key string) string {
		return strings.NewReplacer("<key>", key, "<accept>", sign(key)).Replace(strings.Join(lines, "\r\n") + "\r\n\r\n")
	}
}

// The answer that accepts, in parts.
const (
	status101  = "HTTP/1.1 101 Switching Protocols"
	upgrade    = "Upgrade: websocket"
	connection = "Connection: Upgrade"
	acceptLine = "Sec-WebSocket-Accept: <accept>"
)

// RFC 6455 §4.1, "the client MUST validate the server's response", and what it
// lets pass: the order of the fields, the case of their names and of the values
// of Upgrade and Connection, and what HTTP allows.
func TestConnectTakes(t *testing.T) {
	s := newResponder(t)
	for _, test := range []struct {
		name   string
		answer func(key string) string
	}{
		{"plain", lines(status101, upgrade, connection, acceptLine)},
		{"item 1: another reason", lines("HTTP/1.1 101 Web Socket Protocol Handshake", upgrade, connection, acceptLine)},
		{"item 1: an empty reason", lines("HTTP/1.1 101 ", upgrade, connection, acceptLine)},
		{"item 1: no reason", lines("HTTP/1.1 101", upgrade, connection, acceptLine)},
		{"item 2: case", lines(status101, "Upgrade: WebSocket", connection, acceptLine)},
		{"item 2: white space", lines(status101, "Upgrade:\t websocket \t", connection, acceptLine)},
		{"item 3: case", lines(status101, upgrade, "Connection: UPGRADE", acceptLine)},
		{"item 3: in a list", lines(status101, upgrade, "Connection: keep-alive, Upgrade", acceptLine)},
		{"item 3: in a second line", lines(status101, upgrade, "Connection: keep-alive", connection, acceptLine)},
		{"item 3: twice", lines(status101, upgrade, connection, connection, acceptLine)},
		{"item 4: white space", lines(status101, upgrade, connection, "Sec-WebSocket-Accept: \t <accept> \t")},
		{"item 5: an empty field", lines(status101, upgrade, connection, acceptLine, "Sec-WebSocket-Extensions: ")},
		{"unknown fields", lines(status101, "Date: Thu, 01 Jan 1970 00:00:00 GMT", "Server: x", upgrade, connection, "Set-Cookie: a=b", "Set-Cookie: c=d", acceptLine, "X-Empty:")},
		{"fields of a request", lines(status101, upgrade, connection, acceptLine, "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: x")},
		{"60 KiB", lines(status101, upgrade, connection, acceptLine, "X-Own: "+strings.Repeat("x", 60<<10))},
		{"RFC 9112 §5: no white space", lines(status101, "Upgrade:websocket", "Connection:Upgrade", "Sec-WebSocket-Accept:<accept>")},
		{"RFC 9112 §5.2: a folded line", lines(status101, upgrade, "Connection: keep-alive,", "  Upgrade", acceptLine)},
		{"RFC 9112 §2.2: lines that end with LF", func(key string) string {
			return strings.ReplaceAll(lines(status101, upgrade, connection, acceptLine)(key), "\r\n", "\n")
		}},
		{"RFC 9110 §15.2: 100 before", lines("HTTP/1.1 100 Continue", "", status101, upgrade, connection, acceptLine)},
		{"RFC 9110 §15.2: 103 before", lines("HTTP/1.1 103 Early Hints", "Link: </a>", "", status101, upgrade, connection, acceptLine)},
		{"RFC 9110 §15.2: several before", lines("HTTP/1.1 102 Processing", "", "HTTP/1.1 103 Early Hints", "", status101, upgrade, connection, acceptLine)},
		{"RFC 9112 §6.3: a 101 has no content: length", lines(status101, upgrade, connection, acceptLine, "Content-Length: 3")},
		{"RFC 9112 §6.3: a 101 has no content: chunks", lines(status101, upgrade, connection, acceptLine, "Transfer-Encoding: chunked")},
	} {
		t.Run(test.name, func(t *testing.T) { s.takes(t, test.answer) })
	}

	fields := []string{upgrade, connection, acceptLine, "X-Own: x"}
	for range 4 {
		fields = append(fields[1:], fields[0])
		for i := range 3 {
			fields[i], fields[i+1] = fields[i+1], fields[i]
			s.takes(t, lines(append([]string{status101}, fields...)...))
		}
	}
	for _, sp := range spellings {
		t.Run(sp.name, func(t *testing.T) {
			s.takes(t, lines(status101, sp.spell("Upgrade")+": "+sp.spell("websocket"),
				sp.spell("Connection")+": "+sp.spell("upgrade"), sp.spell("Sec-WebSocket-Accept")+": <accept>"))
		})
	}
	for _, n := range []int32{1, 7} {
		s.cut.Store(n)
		s.takes(t, lines(status101, upgrade, connection, acceptLine))
	}
}

// RFC 6455 §4.1: each field of the answer missing, misspelt, with another value,
// doubled and oversized, and answers that are none. TestConnectFails has the
// texts.
func TestConnectRefusesEveryMistake(t *testing.T) {
	s := newResponder(t)
	for _, code := range []int{200, 201, 204, 205, 206, 226, 299, 300, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 407, 418, 426, 429, 500, 501, 503, 599, 600, 999} {
		t.Run(fmt.Sprint("item 1: ", code), func(t *testing.T) {
			s.refuses(t, lines(fmt.Sprintf("HTTP/1.1 %d %s", code, http.StatusText(code)), upgrade, connection, acceptLine, "Location: /other", "Content-Length: 0"), code)
		})
	}

	for _, version := range []string{"HTTP/0.9", "HTTP/1.0", "HTTP/2.0", "HTTP/3.1"} {
		t.Run(version, func(t *testing.T) {
			s.refuses(t, lines(version+" 101 Switching Protocols", upgrade, connection, acceptLine), 101)
		})
	}

	for _, f := range []struct {
		line  string
		wrong []string
	}{
		{upgrade, []string{"", "websockets", "web socket", "ws", "websocket/13", "websocket, h2c", "h2c, websocket", `"websocket"`, "websoc\u212aet", strings.Repeat("websocket", 100)}},
		{connection, []string{"", "Upgraded", "Up grade", "keep-alive", "close", "upgrade;", `"Upgrade"`, strings.Repeat("Upgrade", 1000)}},
		{acceptLine, []string{
			"", "<key>", "<accept>=", "x<accept>", "<accept>, <accept>", `"<accept>"`, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
			sign(""), strings.Repeat("<accept>", 1000),
		}},
	} {
		name, value, _ := strings.Cut(f.line, ": ")
		t.Run(name, func(t *testing.T) {
			all := []string{status101, upgrade, connection, acceptLine}
			at := slices.Index(all, f.line)
			with := func(line ...string) func(string) string {
				return lines(slices.Replace(slices.Clone(all), at, at+1, line...)...)
			}
			s.takes(t, with(f.line))
			s.refuses(t, with(), 101)
			for _, misspelt := range []string{name + "s", name[:len(name)-1], "X-" + name, strings.ReplaceAll(name, "e", "3"), name + "_"} {
				s.refuses(t, with(misspelt+": "+value), 101)
			}
			for _, wrong := range f.wrong {
				t.Run(wrong[:min(len(wrong), 40)], func(t *testing.T) { s.refuses(t, with(name+": "+wrong), 101) })
			}
			if f.line != connection { // which is a list
				for _, second := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
					s.refuses(t, with(f.line, second+": "+value), 101)
				}
			}
			s.refuses(t, with(name+" : "+value), 101)
			for _, broken := range []string{name + " " + value, ": " + value, f.line + "\x00"} {
				t.Run(broken, func(t *testing.T) { s.refuses(t, with(broken), 0) })
			}
			s.refuses(t, with(f.line, "X-Own: "+strings.Repeat("x", 64<<10)), 0)
		})
	}

	// The signature of something else: of the decoded key, in hexadecimal, in
	// another alphabet, without padding, in lower case.
	for name, answer := range map[string]func(key string) string{
		"the decoded key": func(key string) string {
			b, _ := base64.StdEncoding.DecodeString(key)
			return sign(string(b))
		},
		"the key in lower case": func(key string) string { return sign(strings.ToLower(key)) },
		"the key, trimmed":      func(key string) string { return sign(strings.TrimRight(key, "=")) },
		"in lower case":         func(key string) string { return strings.ToLower(sign(key)) },
		"without padding":       func(key string) string { return strings.TrimRight(sign(key), "=") },
		"in hexadecimal": func(key string) string {
			b, _ := base64.StdEncoding.DecodeString(sign(key))
			return fmt.Sprintf("%x", b)
		},
		"without the GUID": func(key string) string {
			sum := sha1.Sum([]byte(key))
			return base64.StdEncoding.EncodeToString(sum[:])
		},
	} {
		t.Run("item 4: "+name, func(t *testing.T) {
			s.refuses(t, func(key string) string {
				return strings.ReplaceAll(lines(status101, upgrade, connection, acceptLine)(key), sign(key), answer(key))
			}, 101)
		})
	}

	good := []string{status101, upgrade, connection, acceptLine}
	for _, test := range []struct {
		name      string
		line      string
		protocols []string
	}{
		{"item 5: an extension", "Sec-WebSocket-Extensions: foo", nil},
		{"item 5: a known extension", "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover", nil},
		{"item 5: behind an empty element", "Sec-WebSocket-Extensions: , foo", nil},
		{"item 5: malformed", "Sec-WebSocket-Extensions: ;", nil},
		{"item 5: in lower case", "sec-websocket-extensions: foo", nil},
		{"item 6: none offered", "Sec-WebSocket-Protocol: chat", nil},
		{"item 6: another", "Sec-WebSocket-Protocol: other", []string{"chat", "superchat"}},
		{"item 6: by case", "Sec-WebSocket-Protocol: CHAT", []string{"chat", "superchat"}},
		{"item 6: both", "Sec-WebSocket-Protocol: chat, superchat", []string{"chat", "superchat"}},
		{"item 6: in two lines", "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: superchat", []string{"chat", "superchat"}},
		{"item 6: the same in two lines", "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat", []string{"chat", "superchat"}},
		{"item 6: empty", "Sec-WebSocket-Protocol:", []string{"chat"}},
		{"item 6: in quotes", `Sec-WebSocket-Protocol: "chat"`, []string{"chat"}},
	} {
		t.Run(test.name, func(t *testing.T) { s.refuses(t, lines(append(good, test.line)...), 101, test.protocols...) })
	}

	for _, test := range []struct{ name, answer string }{
		{"nothing", ""},
		{"an empty line", "\r\n"},
		{"garbage", "mumble mumble\r\n\r\n"},
		{"a frame", frame(0x81, "hello") + frame(0x88, "")},
		{"another protocol", "SSH-2.0-OpenSSH_9.9\r\n"},
		{"no code", "HTTP/1.1\r\n\r\n"},
		{"a code of two digits", "HTTP/1.1 10\r\n\r\n"},
		{"a code of four digits", "HTTP/1.1 1010 x\r\n\r\n"},
		{"letters for a code", "HTTP/1.1 abc x\r\n\r\n"},
		{"a negative code", "HTTP/1.1 -01 x\r\n\r\n"},
		{"no number of HTTP", "HTTP/x.y 101 x\r\n\r\n"},
		{"a status line without end", strings.Repeat("HTTP/1.1 101 ", 10_000)},
		{"a header without end", status101 + "\r\n" + strings.Repeat("X: y\r\n", 20_000)},
		{"too many 1xx", strings.Repeat("HTTP/1.1 103 Early Hints\r\nX: "+strings.Repeat("x", 1000)+"\r\n\r\n", 100)},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := s.connectThenClose(t, test.answer)
			var failed *wschannel.ConnectError
			if c != nil || !errors.As(err, &failed) {
				t.Errorf("got %p, %v; want a ConnectError", c, err)
			}
		})
	}
}

// connectThenClose connects to a server that closes after its answer, or when
// the client has closed before.
func (s *responder) connectThenClose(t *testing.T, answer string) (*wschannel.Channel, error) {
	hostport := listen(t, func(conn net.Conn) {
		readHead(bufio.NewReader(conn))
		io.WriteString(conn, answer)
	})
	return wschannel.Connect(patiently(t), "ws://"+hostport+"/", nil)
}

// RFC 6455 §4.1: a client names the host in the TLS handshake.
func TestConnectNamesTheServer(t *testing.T) {
	serving, trusting := certificate(t)
	named := make(chan string, 1)
	serving.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		named <- hello.ServerName
		return nil, nil
	}
	hostport := listen(t, func(conn net.Conn) {
		respond(func(request string) string { return switching(request) })(tls.Server(conn, serving))
	})
	d := wschannel.Dialer{HTTPClient: &http.Client{Transport: &http.Transport{
		TLSClientConfig: trusting,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, hostport)
		},
	}}}
	c, _, err := d.Connect(patiently(t), "wss://example.com/")
	if err != nil {
		t.Fatal(err)
	}
	c.CloseNow()
	if got := wait(t, "the TLS handshake", named); got != "example.com" {
		t.Errorf("the server is told %q", got)
	}
}
