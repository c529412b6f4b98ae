//go:build !js

package wschannel_test

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/wschannel/wschannel"
)

// An acceptor is a server that accepts whatever Accept accepts and sends one
// message back on each channel.
type acceptor struct {
	hostport string
	asked    atomic.Int32 // how many requests Accept was asked about
}

func newAcceptor(t *testing.T) *acceptor {
	a := &acceptor{}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.asked.Add(1)
		c, err := wschannel.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		m, err := c.Receive(r.Context())
		if err == nil {
			c.Send(r.Context(), m)
		}
	}))
	s.Config.ErrorLog = discard
	s.Start()
	t.Cleanup(s.Close)
	a.hostport = strings.TrimPrefix(s.URL, "http://")
	return a
}

// takes checks that a request is accepted: the answer to the last byte, and a
// message there and back.
func (a *acceptor) takes(t *testing.T, request string) {
	t.Helper()
	key := "dGhlIHNhbXBsZSBub25jZQ=="
	for line := range strings.SplitSeq(request, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		if strings.EqualFold(name, "Sec-WebSocket-Key") {
			key = strings.Trim(value, " \t")
		}
	}
	// Not by SignKey, which is what is tested.
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	want := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n"
	head, r, conn := exchange(t, a.hostport, request)
	defer conn.Close()
	if head != want {
		t.Errorf("the answer is\n%q, want\n%q", head, want)
		return
	}
	io.WriteString(conn, masked(0x81, "hi"))
	got := make([]byte, 4)
	if _, err := io.ReadFull(r, got); err != nil || string(got) != frame(0x81, "hi") {
		t.Errorf("got %q back, %v", got, err)
	}
}

// refuses checks that a request is refused with a status, by Accept if asked or
// by net/http before.
func (a *acceptor) refuses(t *testing.T, request string, status int, asked bool) {
	t.Helper()
	before := a.asked.Load()
	head, r, conn := exchange(t, a.hostport, request)
	defer conn.Close()
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(bufio.NewReader(io.MultiReader(strings.NewReader(head), r)), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%v: %q", err, head)
	}
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != status {
		t.Errorf("the status is %s, want %d\n%s", resp.Status, status, body)
	}
	if got := a.asked.Load() > before; got != asked {
		t.Errorf("Accept was asked: %v, want %v", got, asked)
	}
	if len(body) > 1000 {
		t.Errorf("a body of %d bytes: %.100q", len(body), body)
	}
	if version := resp.Header.Get("Sec-WebSocket-Version"); (status == 426) != (version == "13") {
		t.Errorf("status %d tells the version %q", status, version)
	}
}

// spellings are ways to spell a header name or a value that is compared without
// regard to case.
var spellings = []struct {
	name  string
	spell func(string) string
}{
	{"lower case", strings.ToLower},
	{"upper case", strings.ToUpper},
	{"as net/http does", http.CanonicalHeaderKey},
	{"mixed", func(s string) string {
		b := []byte(strings.ToLower(s))
		for i := 1; i < len(b); i += 2 {
			b[i] = strings.ToUpper(string(b[i]))[0]
		}
		return string(b)
	}},
}

// orders returns requests with the lines of the sample in other orders: each
// line first and last, all reversed, and at random.
func orders() (requests []string) {
	add := func(lines []string) {
		requests = append(requests, strings.Join(slices.Concat(sampleRequest[:1], lines, []string{"", ""}), "\r\n"))
	}
	lines := slices.DeleteFunc(slices.Clone(sampleRequest[1:]), func(line string) bool { return strings.HasPrefix(line, "Sec-WebSocket-Protocol") })
	for i := range lines {
		add(slices.Concat(lines[i:], lines[:i]))
	}
	slices.Reverse(lines)
	add(lines)
	rnd := rand.New(rand.NewPCG(6455, 4))
	for range 40 {
		rnd.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
		add(lines)
	}
	return requests
}

// RFC 6455 §4.2.1: "the order of the header fields is not important", nor is
// the case of their names, and of the values of Upgrade and Connection.
func TestAcceptAnyOrderAndCase(t *testing.T) {
	a := newAcceptor(t)
	for _, request := range orders() {
		a.takes(t, request)
	}
	for _, s := range spellings {
		t.Run(s.name, func(t *testing.T) {
			lines := strings.Split(sample(), "\r\n")
			for i, line := range lines[1:] {
				if name, value, ok := strings.Cut(line, ":"); ok {
					if name == "Upgrade" || name == "Connection" {
						value = s.spell(value)
					}
					lines[i+1] = s.spell(name) + ":" + value
				}
			}
			a.takes(t, strings.Join(lines, "\r\n"))
		})
	}
}

// RFC 6455 §4.2.1, §4.1, and what HTTP allows of how it is written.
func TestAcceptTakes(t *testing.T) {
	a := newAcceptor(t)
	for _, test := range []struct{ name, request string }{
		{"item 1: an absolute URI", sample("GET http://server.example.com/chat?x=y HTTP/1.1")},
		{"item 1: an absolute https URI", sample("GET https://server.example.com/chat HTTP/1.1")},
		{"item 1: a query", sample("GET /?a=b&c=%20 HTTP/1.1")},
		{"item 1: a long path", sample("GET /" + strings.Repeat("x", 10_000) + " HTTP/1.1")},
		{"item 2: a port", sample("Host: server.example.com:8080", "-Origin")},
		{"item 2: an IPv6 address", sample("Host: [::1]:8080", "Origin: http://[::1]:8080")},
		{"item 3: in a list", sample("Upgrade: h2c, websocket")},
		{"item 3: in a second line", sample("Upgrade: h2c", "+Upgrade: websocket")},
		{"item 3: twice", sample("+Upgrade: websocket")},
		{"item 4: in a list", sample("Connection: keep-alive, Upgrade")},
		{"item 4: with empty elements", sample("Connection: , ,Upgrade,")},
		{"item 4: in a second line", sample("Connection: keep-alive", "+Connection: Upgrade")},
		{"item 4: twice", sample("+Connection: upgrade")},
		{"item 4: a thousand others", sample("Connection: " + strings.Repeat("x, ", 1000) + "Upgrade")},
		{"item 4: with close", sample("Connection: close, Upgrade")},
		{"item 5: another key", sample("Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==")},
		{"item 5: zeros", sample("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")},
		{"item 5: all the alphabet", sample("Sec-WebSocket-Key: ++//++//++//++//++//+w==")},
		{"item 5: the example of §4.1, with stray bits", sample("Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEC==")},
		{"item 5: white space", sample("Sec-WebSocket-Key: \t dGhlIHNhbXBsZSBub25jZQ== \t")},
		{"item 6: white space", sample("Sec-WebSocket-Version:\t13  ")},
		{"item 7: no origin", sample("-Origin")},
		{"item 8: no subprotocol", sample("-Sec-WebSocket-Protocol")},
		{"item 8: several lines", sample("+Sec-WebSocket-Protocol: a,b")},
		{"item 8: a thousand", sample("Sec-WebSocket-Protocol: " + numbered(1000))},
		{"item 9: extensions", sample(`Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, foo; bar="baz"`)},
		{"item 9: an empty field", sample("Sec-WebSocket-Extensions:")},
		{"item 10: unknown fields", sample("Cookie: a=b; c=d", "Authorization: Basic eDp5", "X-Own: 1", "+X-Own: 2", "X-Empty:")},
		{"item 10: fields of a response", sample("Sec-WebSocket-Accept: x", "Sec-WebSocket-Other: y")},
		{"item 10: 100 KiB", sample("X-Own: " + strings.Repeat("x", 100<<10))},
		{"RFC 9112 §5: no white space", strings.ReplaceAll(sample(), ": ", ":")},
		{"RFC 9112 §5.2: a folded line", sample("Connection: keep-alive,\r\n Upgrade")},
		{"RFC 9112 §2.2: lines that end with LF", strings.ReplaceAll(sample(), "\r\n", "\n")},
	} {
		t.Run(test.name, func(t *testing.T) { a.takes(t, test.request) })
	}
}

// numbered is a list of n names.
func numbered(n int) string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("p%d", i))
	}
	return strings.Join(names, ", ")
}

// RFC 6455 §4.2.1, §4.4: each field missing, misspelt, with another value,
// doubled and oversized. TestAcceptRefuses has more, and the texts.
func TestAcceptRefusesEveryMistake(t *testing.T) {
	a := newAcceptor(t)
	const asked = true
	for _, test := range []struct {
		name, request string
		status        int
		asked         bool
	}{
		{"item 1: HEAD", sample("HEAD /chat HTTP/1.1"), 405, asked},
		{"item 1: PUT", sample("PUT /chat HTTP/1.1"), 405, asked},
		{"item 1: OPTIONS", sample("OPTIONS /chat HTTP/1.1"), 405, asked},
		{"item 1: by case", sample("get /chat HTTP/1.1"), 405, asked},
		{"item 1: longer", sample("GETS /chat HTTP/1.1"), 405, asked},
		{"item 1: no method", sample(" /chat HTTP/1.1"), 400, false},
		{"item 1: HTTP/0.9", sample("GET /chat HTTP/0.9"), 505, false},
		{"item 1: HTTP/2.0", sample("GET /chat HTTP/2.0"), 505, false},
		{"item 1: HTTP in lower case", sample("GET /chat http/1.1 HTTP/"), 400, false},
		{"item 1: a relative path", sample("GET chat HTTP/1.1"), 400, false},
		{"item 1: a long line", sample("GET /" + strings.Repeat("x", 2<<20) + " HTTP/1.1"), 431, false},
		{"item 2: missing", sample("-Host"), 400, false},
		{"item 2: misspelt", sample("-Host", "Hosts: server.example.com"), 400, false},
		{"item 2: twice", sample("+Host: server.example.com"), 400, false},
		{"item 2: malformed", sample("Host: server example com"), 400, false},
	} {
		t.Run(test.name, func(t *testing.T) { a.refuses(t, test.request, test.status, test.asked) })
	}

	// Of the handshake's own fields.
	for _, f := range []struct {
		name, value string
		missing     int // the status if it is missing
		wrong       []string
		wrongStatus int
		twice       int
		long        string // a value that is much too long
	}{
		{"Upgrade", "websocket", 426, []string{"", "websockets", "web socket", "web-socket", "ws", "websocket/13", `"websocket"`, "websoc\u212aet", "h2c, websockets"}, 426, 101,
			strings.Repeat("websocket", 20_000)},
		{"Connection", "Upgrade", 426, []string{"", "Upgraded", "Up grade", "upgrade;", "close", "keep-alive", `"Upgrade"`, "keep-alive Upgrade"}, 426, 101,
			strings.Repeat("Upgrade", 20_000)},
		{"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", 400, []string{
			"", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ===", "dGhlIHNhbXBsZSBub25jZ===",
			"dGhlIHNhbXBsZSBub25jZWU=", "dGhlIHNhbXBsZSBub25j", "dGhl IHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ==,", "dGhlIHNhbXBsZSBub25jZ_==", "dGhlIHNhbXBsZSBub25jZ-==",
			`"dGhlIHNhbXBsZSBub25jZQ=="`, "the sample nonce", "========================",
			"dGhlIHNhbXBsZSBub25jZQ==, AQIDBAUGBwgJCgsMDQ4PEA==",
		}, 400, 400, strings.Repeat("dGhl", 20_000)},
		{"Sec-WebSocket-Version", "13", 426, []string{"", "0", "1", "7", "8", "12", "14", "255", "256", "013", "13.0", "+13", "0x0D", "1 3", "13,", "13, 13", "8, 13", `"13"`, "thirteen"}, 426, 426,
			strings.Repeat("13", 20_000)},
	} {
		t.Run(f.name, func(t *testing.T) {
			right := f.name + ": " + f.value
			a.takes(t, sample(right))
			a.refuses(t, sample("-"+f.name), f.missing, asked)
			for _, misspelt := range []string{f.name + "s", f.name[:len(f.name)-1], "X-" + f.name, strings.ReplaceAll(f.name, "e", "3"), f.name + "_"} {
				a.refuses(t, sample("-"+f.name, misspelt+": "+f.value), f.missing, asked)
			}
			for _, value := range append(f.wrong, f.long) {
				t.Run(value[:min(len(value), 40)], func(t *testing.T) {
					a.refuses(t, sample(f.name+": "+value), f.wrongStatus, asked)
				})
			}
			for _, second := range []string{f.name, strings.ToLower(f.name), strings.ToUpper(f.name)} {
				if f.twice == 101 {
					a.takes(t, sample("+"+second+": "+f.value))
				} else {
					a.refuses(t, sample("+"+second+": "+f.value), f.twice, asked)
				}
			}
			for name, broken := range map[string]string{
				"white space in front of the colon": sample("-"+f.name, f.name+" : "+f.value),
				"no colon":                          sample("-"+f.name, f.name+" "+f.value),
				"no name":                           sample("-"+f.name, ": "+f.value),
				"NUL":                               sample(f.name + ": " + f.value + "\x00"),
				"a second line by CR":               sample(f.name + ": " + f.value + "\rX: y"),
			} {
				t.Run(name, func(t *testing.T) { a.refuses(t, broken, 400, false) })
			}
			a.refuses(t, sample(right, "X-Own: "+strings.Repeat("x", 2<<20)), 431, false)
		})
	}

	for _, test := range []struct{ name, request string }{
		{"item 8: separators", sample("Sec-WebSocket-Protocol: a;b")},
		{"item 8: not ASCII", sample("Sec-WebSocket-Protocol: chät")},
		{"item 8: a quoted string", sample(`Sec-WebSocket-Protocol: "chat"`)},
		{"item 8: twice in a thousand", sample("Sec-WebSocket-Protocol: " + numbered(1000) + ", p7")},
		{"item 9: no name", sample("Sec-WebSocket-Extensions: ;a")},
		{"item 9: two words", sample("Sec-WebSocket-Extensions: per message deflate")},
		{"item 9: a quotation of no token", sample(`Sec-WebSocket-Extensions: foo; a="b c"`)},
		{"item 9: in a second line", sample("Sec-WebSocket-Extensions: foo", "+Sec-WebSocket-Extensions: =")},
	} {
		t.Run(test.name, func(t *testing.T) { a.refuses(t, test.request, 400, asked) })
	}
}
