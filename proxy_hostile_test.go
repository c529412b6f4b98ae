//go:build !js

package wschannel_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/wschannel/wschannel"
)

// listenAs is listen for a proxy or a server: with TLS if the scheme has it.
func listenAs(t *testing.T, scheme string, f func(net.Conn)) (hostport string) {
	t.Helper()
	serving, _ := certificate(t)
	return listen(t, func(conn net.Conn) {
		if scheme == "https" || scheme == "wss" {
			conn = tls.Server(conn, serving)
		}
		f(conn)
	})
}

// repeat writes until the other end has enough.
func repeat(conn net.Conn, head, text string) {
	io.WriteString(conn, head)
	text = strings.Repeat(text, 100)
	for {
		if _, err := io.WriteString(conn, text); err != nil {
			return
		}
	}
}

// What an HTTP proxy answers that is no way to a server. It sees the client
// leave.
func TestProxyAnswers(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for _, test := range []struct {
		name   string
		answer func(conn net.Conn)
		status int
		want   string
	}{
		{"nothing", func(net.Conn) {}, 0, ": the connection ended before its answer: unexpected EOF$"},
		{"half a line", writing("HTTP/1.1 2"), 0, `: malformed HTTP status code "2"$`},
		{"half a header", writing(ok + "Via: "), 0, ": the connection ended before its answer: unexpected EOF$"},
		{"half a header, no more", writing(ok), 0, ": the connection ended before its answer: unexpected EOF$"},
		{"another protocol", writing("SSH-2.0-OpenSSH_9.9\r\n"), 0, `malformed HTTP response "SSH-2.0-OpenSSH_9.9"$`},
		{"a malformed header", writing(ok + "no colon\r\n\r\n"), 0, `malformed MIME header`},
		{"a long line of another protocol", writing(strings.Repeat("\x1b", 60_000) + "\n"), 0, `malformed HTTP response "(\\x1b){1,300}.{0,5}…$`},
		{"an endless line", func(c net.Conn) { repeat(c, "", "x") }, 0, `the header of its answer exceeded 65536 bytes$`},
		{"an endless field", func(c net.Conn) { repeat(c, ok+"Via: ", "x") }, 0, `the header of its answer exceeded 65536 bytes$`},
		{"endless fields", func(c net.Conn) { repeat(c, ok, "Via: x\r\n") }, 0, `the header of its answer exceeded 65536 bytes$`},
		{"endless 1xx", func(c net.Conn) { repeat(c, "", "HTTP/1.1 100 Continue\r\n\r\n") }, 0, `the header of its answer exceeded 65536 bytes$`},
		{"bytes behind it", writing(ok + "\r\nx"), 0, `it sent 1 bytes before the tunnel was used; expected none$`},
		{"a body", writing(ok + "Content-Length: 5\r\n\r\nhello"), 0, `it sent 5 bytes before`},
		{"frames", writing(ok + "\r\n" + frame(0x81, "early")), 0, `it sent 7 bytes before`},
		{"a forged acceptance", writing(ok + "\r\n" + switching("")), 0, `it sent \d+ bytes before`},

		{"101", writing("HTTP/1.1 101 Switching Protocols\r\n\r\n"), 101, "refused with status 101 Switching Protocols$"},
		{"302", writing("HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n"), 302, "302 Found$"},
		{"403, no body", writing("HTTP/1.1 403 Forbidden\r\n\r\n"), 403, "403 Forbidden$"},
		{"403, markup", writing("HTTP/1.0 403 No\r\n\r\n <html><body>no</body></html>"), 403, "403 Forbidden$"},
		{"403, control characters", writing("HTTP/1.1 403 Forbidden\r\n\r\n\r\n\x1b[2J \u202e no\r\nsecond line"), 403, `it said "\\x1b\[2J \\u202e no"$`},
		{"an unknown status", writing("HTTP/1.1 999 Whatever\r\n\r\n"), 999, "refused with status 999$"},
		{"an endless body", func(c net.Conn) { repeat(c, "HTTP/1.1 503 Busy\r\n\r\n", "so") }, 503, `503 Service Unavailable; it said "(so){128}"…$`},
		{"a body cut off", writing("HTTP/1.1 502 Bad\r\nContent-Length: 100\r\n\r\nno route"), 502, `; it said "no route"$`},
	} {
		for _, scheme := range []string{"http", "https"} {
			for _, target := range bothSchemes {
				t.Run(test.name+"/"+scheme+"/"+target, func(t *testing.T) {
					proxy := listenAs(t, scheme, func(conn net.Conn) {
						if _, err := readHead(bufio.NewReader(conn)); err != nil {
							t.Error(err)
							return
						}
						test.answer(conn)
					})
					leakless(t, func() {
						d := through(t, &url.URL{Scheme: scheme, Host: proxy})
						c, resp, err := d.Connect(t.Context(), target+"://example.com/")
						if c != nil || resp != nil {
							t.Errorf("got %p and %v beside an error", c, resp)
						}
						failed := checkProxyError(t, err, test.status, test.want)
						if len(failed.Body) > 1<<10 || len(err.Error()) > 2000 {
							t.Errorf("the body has %d bytes, the error %d", len(failed.Body), len(err.Error()))
						}
					})
				})
			}
		}
	}
}

func writing(text string) func(net.Conn) {
	return func(conn net.Conn) { io.WriteString(conn, text) }
}

// What an HTTP proxy may say before the tunnel is there (RFC 9110 §9.3.6: "any
// 2xx", and Content-Length and Transfer-Encoding are ignored).
func TestProxyOpens(t *testing.T) {
	servers := serveBoth(t, &wschannel.Server{Handler: echo})
	for _, answer := range []string{
		"HTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.0 200 Connection established\r\nProxy-Agent: test\r\n\r\n",
		"HTTP/1.1 200\r\n\r\n",
		"HTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.1 299 Fine\n\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nVia: " + strings.Repeat("x", 60_000) + "\r\n\r\n",
	} {
		for _, target := range bothSchemes {
			proxy := listen(t, func(conn net.Conn) {
				if _, err := readHead(bufio.NewReader(conn)); err != nil {
					t.Error(err)
					return
				}
				for i := range answer { // byte by byte
					io.WriteString(conn, answer[i:i+1])
				}
				far, err := net.Dial("tcp", servers[target])
				if err != nil {
					t.Error(err)
					return
				}
				relay(conn, far)
			})
			d := through(t, &url.URL{Scheme: "http", Host: proxy})
			c, _, err := d.Connect(t.Context(), target+"://example.com/")
			if err != nil {
				t.Errorf("%.80q: %v", answer, err)
				continue
			}
			checkEcho(t, c)
			c.Close()
		}
	}
}

// Frames that the server sends together with its 101 get through a tunnel
// whole.
func TestProxyEarlyFrames(t *testing.T) {
	for _, target := range bothSchemes {
		server := listenAs(t, target, func(conn net.Conn) {
			respond(func(request string) string {
				return switching(request) + frame(0x81, "early") + frame(0x82, "bird") + frame(0x88, "\x03\xe8")
			})(conn)
		})
		for _, scheme := range proxySchemes {
			d := through(t, newProxy(scheme, server, "").start(t))
			c, _, err := d.Connect(t.Context(), target+"://example.com/")
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
			if strings.Join(got, " ") != "early bird" || c.CloseCode() != 1000 {
				t.Errorf("%s through %s: got %q, %v", target, scheme, got, c.Err())
			}
		}
	}
}

// What a SOCKS proxy answers that is no way to a server.
func TestProxySOCKSAnswers(t *testing.T) {
	const accepted, connected = "\x05\x02\x01\x00", "\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50"
	for _, test := range []struct{ name, answer, want string }{
		{"nothing", "", `EOF$`},
		{"half a choice", "\x05", `EOF$`},
		{"another version", "\x04\x00", `unexpected protocol version 4$`},
		{"no method", "\x05\xff", `no acceptable authentication methods$`},
		{"a method that was not offered", "\x05\x01", `unsupported authentication method 1$`},
		{"half an authentication", "\x05\x02\x01", `EOF$`},
		{"no such user", "\x05\x02\x01\x01", `username/password authentication failed$`},
		{"another version of it", "\x05\x02\x05\x00", `invalid username/password version$`},
		{"accepted, no more", accepted, `EOF$`},
		{"half a reply", accepted + connected[:9], `EOF$`},
		{"refused", accepted + "\x05\x02\x00\x01", `connection not allowed by ruleset$`},
		{"unreachable", accepted + "\x05\x04\x00\x01", `host unreachable$`},
		{"an unknown failure", accepted + "\x05\xfe\x00\x01", `unknown code: 254$`},
		{"an unknown address", accepted + "\x05\x00\x00\x09", `unknown address type 9$`},
	} {
		for _, target := range bothSchemes {
			t.Run(test.name+"/"+target, func(t *testing.T) {
				proxy := listen(t, func(conn net.Conn) {
					r := bufio.NewReader(conn)
					r.Peek(1)
					io.WriteString(conn, test.answer)
					if half, ok := conn.(*net.TCPConn); ok {
						half.CloseWrite()
					}
					untilClosed(r)
				})
				leakless(t, func() {
					d := through(t, &url.URL{Scheme: "socks5", Host: proxy, User: url.UserPassword("me", "p4ss")})
					_, _, err := d.Connect(t.Context(), target+"://example.com/")
					checkProxyError(t, err, 0, test.want)
				})
			})
		}
	}

	// Bytes that come behind the reply cannot be the server's.
	for _, target := range bothSchemes {
		proxy := listen(t, func(conn net.Conn) {
			bufio.NewReader(conn).Peek(1)
			io.WriteString(conn, "\x05\x00"+connected+"HTTP/1.1 101 Switching Protocols\r\n\r\n"+frame(0x81, "forged"))
			untilClosed(conn)
		})
		leakless(t, func() {
			d := through(t, &url.URL{Scheme: "socks5", Host: proxy})
			if c, _, err := d.Connect(t.Context(), target+"://example.com/"); c != nil || err == nil {
				t.Errorf("%s: got %p, %v; want an error", target, c, err)
			}
		})
	}
}

// Cancelling ends connecting through a proxy in each of its phases, and frees
// the socket.
func TestProxyCancelled(t *testing.T) {
	for _, test := range []struct {
		phase, scheme, target string
		reach                 func(conn net.Conn, r *bufio.Reader) error // serves up to this phase
	}{
		{"TLS with the proxy", "https", "ws", helloOnly},
		{"CONNECT", "http", "ws", headOnly("")},
		{"CONNECT", "http", "wss", headOnly("")},
		{"CONNECT", "https", "wss", headOnly("")},
		{"half an answer", "http", "ws", headOnly("HTTP/1.1 200 OK\r\n")},
		{"a 1xx", "http", "ws", headOnly("HTTP/1.1 100 Continue\r\n\r\n")},
		{"half a refusal", "http", "ws", headOnly("HTTP/1.1 403 Forbidden\r\n")},
		{"the request", "http", "ws", func(conn net.Conn, r *bufio.Reader) error {
			err := headOnly("HTTP/1.1 200 OK\r\n\r\n")(conn, r)
			return errors.Join(err, headOnly("")(conn, r))
		}},
		{"TLS with the server", "http", "wss", func(conn net.Conn, r *bufio.Reader) error {
			err := headOnly("HTTP/1.1 200 OK\r\n\r\n")(conn, r)
			return errors.Join(err, helloOnly(conn, r))
		}},
		{"TLS with the server", "https", "wss", func(conn net.Conn, r *bufio.Reader) error {
			err := headOnly("HTTP/1.1 200 OK\r\n\r\n")(conn, r)
			return errors.Join(err, helloOnly(conn, r))
		}},
		{"greeting", "socks5", "ws", socksOnly(4, "")},
		{"half a choice", "socks5", "ws", socksOnly(4, "\x05")},
		{"authentication", "socks5", "ws", socksOnly(4, "\x05\x02", 9, "")},
		{"command", "socks5", "wss", socksOnly(4, "\x05\x02", 9, "\x01\x00", 10, "")},
		{"half a reply", "socks5", "ws", socksOnly(4, "\x05\x02", 9, "\x01\x00", 10, "\x05\x00\x00\x01\x7f")},
	} {
		t.Run(test.phase+"/"+test.scheme+"/"+test.target, func(t *testing.T) {
			reached := make(chan error, 1)
			left := make(chan struct{})
			serving, _ := certificate(t)
			proxy := listen(t, func(conn net.Conn) {
				if test.scheme == "https" && test.phase != "TLS with the proxy" {
					conn = tls.Server(conn, serving)
				}
				r := bufio.NewReader(conn)
				reached <- test.reach(conn, r)
				untilClosed(r)
				close(left)
			})
			leakless(t, func() {
				d := through(t, &url.URL{Scheme: test.scheme, Host: proxy, User: url.UserPassword("me", "pass")})
				checkCancelled(t, d, test.target+"://example.com/", reached)
				wait(t, "the client's socket to be closed", left)
			})
		})
	}

	t.Run("dialing", func(t *testing.T) {
		for _, scheme := range proxySchemes {
			leakless(t, func() {
				reached := make(chan error, 1)
				checkCancelled(t, wschannel.Dialer{
					Proxy: http.ProxyURL(&url.URL{Scheme: scheme, Host: "proxy.example"}),
					DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
						reached <- nil
						<-ctx.Done()
						return nil, ctx.Err()
					},
				}, "ws://example.com/", reached)
			})
		}
	})
}

func helloOnly(_ net.Conn, r *bufio.Reader) error {
	_, err := r.Peek(100) // of the ClientHello
	return err
}

func headOnly(answer string) func(net.Conn, *bufio.Reader) error {
	return func(conn net.Conn, r *bufio.Reader) error {
		_, err := readHead(r)
		io.WriteString(conn, answer)
		return err
	}
}

// socksOnly reads and writes in turn: numbers of bytes, and answers.
func socksOnly(steps ...any) func(net.Conn, *bufio.Reader) error {
	return func(conn net.Conn, r *bufio.Reader) error {
		for _, step := range steps {
			if n, ok := step.(int); ok {
				if _, err := r.Discard(n); err != nil {
					return err
				}
			} else if _, err := io.WriteString(conn, step.(string)); err != nil {
				return err
			}
		}
		return nil
	}
}
