//go:build !js

package wschannel_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

// Header is sent as it is, and is not changed; Host, User-Agent and the user of
// the URL become what they are in HTTP (T041, T062).
func TestDialerHeader(t *testing.T) {
	requests := make(chan string, 1)
	hostport := listen(t, respond(func(request string) string {
		requests <- request
		return switching(request, "Set-Cookie: a=b", "Server: test")
	}))
	header := http.Header{
		"Fruit":      {"apple", "pear"},
		"x-lower":    {"1"},
		"Cookie":     {"c=d"},
		"Origin":     {"https://elsewhere.example"},
		"Host":       {"virtual.example:81"},
		"User-Agent": {"custom"},
	}
	before := maps.Clone(header)
	d := wschannel.Dialer{Header: header}
	c, resp, err := d.Connect(t.Context(), "ws://user:pass@"+hostport+"/")
	if err != nil {
		t.Fatal(err)
	}
	hangUpAfter(t, c)
	if !reflect.DeepEqual(header, before) {
		t.Errorf("Header has been changed to %v", header)
	}
	request := wait(t, "the request", requests)
	for _, test := range []struct {
		name string
		want []string
	}{
		{"Fruit", []string{"apple", "pear"}},
		{"x-lower", []string{"1"}},
		{"Cookie", []string{"c=d"}},
		{"Origin", []string{"https://elsewhere.example"}},
		{"Host", []string{"virtual.example:81"}},
		{"User-Agent", []string{"custom"}}, // T062
		{"Authorization", []string{"Basic dXNlcjpwYXNz"}},
		{"Sec-WebSocket-Version", []string{"13"}},
	} {
		if got := field(request, test.name); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s is %q, want %q", test.name, got, test.want)
		}
	}
	if cookies := resp.Cookies(); len(cookies) != 1 || cookies[0].Name != "a" || resp.Header.Get("Server") != "test" {
		t.Errorf("the response's header is %v", resp.Header)
	}
}

// A client of one's own, with a transport and a time-out that does not reach
// beyond the handshake (T060, T062).
func TestDialerHTTPClient(t *testing.T) {
	agent := make(chan []string, 1)
	ended := make(chan *wschannel.Channel, 1)
	s := &wschannel.Server{
		Upgrade: func(r *http.Request) (context.Context, error) {
			agent <- r.Header["User-Agent"]
			return r.Context(), nil
		},
		Handler: func(ctx context.Context, c *wschannel.Channel) {
			echo(ctx, c)
			<-c.Done()
			ended <- c
		},
	}
	plain := serve(t, s)
	secure, trusting := serveTLS(t, s)
	custom := roundTripper(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		r.Header.Set("User-Agent", "custom")
		return http.DefaultTransport.RoundTrip(r)
	})
	for _, test := range []struct {
		name, url, agent string
		client           *http.Client
	}{
		{"the zero client", plain, "Go-http-client/1.1", &http.Client{}},
		{"http.DefaultClient", plain, "Go-http-client/1.1", http.DefaultClient},
		{"with Timeout", plain, "Go-http-client/1.1", &http.Client{Timeout: patience}},
		{"a transport around another", plain, "custom", &http.Client{Transport: custom, Timeout: patience}},
		{"TLS", secure, "Go-http-client/1.1", &http.Client{Transport: &http.Transport{TLSClientConfig: trusting}}},
		{"TLS and HTTP/2", secure, "Go-http-client/1.1", &http.Client{
			Transport: &http.Transport{TLSClientConfig: trusting, ForceAttemptHTTP2: true}, Timeout: patience}},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := *test.client
			ctx, cancel := context.WithCancel(t.Context())
			d := wschannel.Dialer{HTTPClient: test.client}
			c, _, err := d.Connect(ctx, test.url)
			if err != nil {
				t.Fatal(err)
			}
			hangUpAfter(t, c)
			if test.client.Timeout != before.Timeout || test.client.CheckRedirect != nil {
				t.Error("the client has been changed")
			}
			if got := wait(t, "the request", agent); !reflect.DeepEqual(got, []string{test.agent}) {
				t.Errorf("User-Agent is %q, want %q", got, test.agent)
			}
			// The channel does not end with the ctx of its Connect.
			cancel()
			checkEcho(t, c)
			if err := c.CloseWith(3678, "raisin"); err != nil {
				t.Error(err)
			}
			if server := wait(t, "the server's end", ended); server.CloseCode() != 3678 || server.CloseReason() != "raisin" {
				t.Errorf("the server has %v", server.Err())
			}
		})
	}
}

// Any number of goroutines may use a Dialer.
func TestDialerConcurrent(t *testing.T) {
	url := serve(t, &wschannel.Server{Handler: echo})
	d := wschannel.Dialer{
		Header:     http.Header{"Fruit": {"apple"}},
		HTTPClient: &http.Client{Timeout: patience},
		Options:    wschannel.Options{Protocols: []string{"a"}},
	}
	var connecting sync.WaitGroup
	for range 8 {
		connecting.Go(func() {
			for range 4 {
				c, _, err := d.Connect(t.Context(), url)
				if err != nil {
					t.Error(err)
					return
				}
				checkEcho(t, c)
				c.Close()
			}
		})
	}
	connecting.Wait()
}

// A certificate that nobody has signed.
func TestDialerTLS(t *testing.T) {
	url, trusting := serveTLS(t, &wschannel.Server{Handler: echo})
	leakless(t, func() {
		_, err := wschannel.Connect(t.Context(), url, nil)
		var connect *wschannel.ConnectError
		var untrusted *tls.CertificateVerificationError
		if !errors.As(err, &connect) || !errors.As(err, &untrusted) {
			t.Errorf("without the certificate's authority: %v", err)
		}
	})
	leakless(t, func() {
		c, resp, err := wschannel.Dialer{TLSConfig: trusting}.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		checkEcho(t, c)
		conn, ok := c.Underlying().(*tls.Conn)
		if !ok || !conn.ConnectionState().HandshakeComplete || resp.TLS == nil {
			t.Errorf("the channel runs on a %T, the response came over %v", c.Underlying(), resp.TLS)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A transport that never tells its connection: the body of the 101 has to do,
// if it can be written. What it holds already is not lost.
func TestDialerForeignTransport(t *testing.T) {
	answer := func(r *http.Request, body io.ReadCloser) *http.Response {
		accept := wschannel.SignKey(strings.Join(map[string][]string(r.Header)["Sec-WebSocket-Key"], ""))
		return &http.Response{
			StatusCode: 101,
			Header:     http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Accept": {accept}},
			Body:       body,
		}
	}
	for _, test := range []struct {
		name string
		body func(near net.Conn) io.ReadCloser
	}{
		{"a net.Conn", func(near net.Conn) io.ReadCloser { return near }},
		{"no deadlines", func(near net.Conn) io.ReadCloser { return struct{ io.ReadWriteCloser }{near} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			near, far := net.Pipe()
			server := wschannel.New(far, wschannel.RoleServer, nil)
			hangUpAfter(t, server)
			go echo(context.Background(), server)
			leakless(t, func() {
				d := wschannel.Dialer{HTTPClient: &http.Client{Timeout: patience, Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
					return answer(r, test.body(near)), nil
				})}}
				c, _, err := d.Connect(t.Context(), "ws://host")
				if err != nil {
					t.Fatal(err)
				}
				checkEcho(t, c)
				if err := c.Close(); err != nil {
					t.Error(err)
				}
				wait(t, "the server's end", server.Done())
				if server.CloseCode() != status.NormalClosure {
					t.Errorf("the server has %v", server.Err())
				}
			})
		})
	}

	t.Run("a body that cannot be written", func(t *testing.T) {
		body := &closeCounter{Reader: strings.NewReader("")}
		d := wschannel.Dialer{HTTPClient: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			return answer(r, body), nil
		})}}
		c, resp, err := d.Connect(t.Context(), "ws://host")
		var connect *wschannel.ConnectError
		if !errors.As(err, &connect) || c != nil || resp == nil {
			t.Fatalf("got %p, %v, %v; want a ConnectError and the response", c, resp, err)
		}
		checkMatch(t, "the error", err.Error(), `transport gives no access to the connection: .* \*wschannel_test.closeCounter`)
		if body.closed != 1 {
			t.Errorf("the body was closed %d times", body.closed)
		}
	})
}

type closeCounter struct {
	io.Reader
	closed int
}

func (c *closeCounter) Close() error { c.closed++; return nil }

// A transport whose connections have no deadlines, as those through an SSH
// tunnel.
func TestDialerConnWithoutDeadlines(t *testing.T) {
	hostport := listen(t, respond(func(request string) string {
		return switching(request) + frame(0x81, "early") + frame(0x81, "bird")
	}))
	leakless(t, func() {
		d := wschannel.Dialer{HTTPClient: &http.Client{Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, address)
				return noDeadlines{conn}, err
			},
		}}}
		c, _, err := d.Connect(t.Context(), "ws://"+hostport)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"early", "bird"} {
			if m, err := c.Receive(patiently(t)); string(m.Data) != want {
				t.Errorf("got %q, %v; want %q", m.Data, err, want)
			}
		}
		c.CloseNow()
	})
}

type noDeadlines struct{ net.Conn }

func (noDeadlines) SetDeadline(time.Time) error      { return errors.ErrUnsupported }
func (noDeadlines) SetReadDeadline(time.Time) error  { return errors.ErrUnsupported }
func (noDeadlines) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }

// The deadlines that a transport has set while it connected do not reach the
// channel.
func TestDialerDeadlines(t *testing.T) {
	url := serve(t, &wschannel.Server{Handler: echo})
	var dialed *deadlines
	d := wschannel.Dialer{HTTPClient: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			dialed = &deadlines{Conn: conn}
			dialed.SetDeadline(time.Now().Add(patience))
			return dialed, err
		},
	}}}
	c, _, err := d.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	hangUpAfter(t, c)
	if read, write, _ := dialed.get(); !read.IsZero() || !write.IsZero() {
		t.Errorf("the deadlines are %v for reading and %v for writing", read, write)
	}
	checkEcho(t, c)
}

// Frames that come in the same packet as the 101, whole and in part, are not
// lost; nor is what follows.
func TestDialerEarlyFrames(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 1000)
	want := []string{"one", big, "", "two", strings.Repeat("x", 126), "split"}
	var frames string
	for _, text := range want {
		frames += frame(0x81, text)
	}
	gate := make(chan struct{}, 1)
	serveEarly := func(conn net.Conn) {
		r := bufio.NewReader(conn)
		request, err := readHead(r)
		if err != nil {
			return
		}
		io.WriteString(conn, switching(request)+frames[:len(frames)-2])
		<-gate
		io.WriteString(conn, frames[len(frames)-2:]+frame(0x88, "\x03\xe8"))
		untilClosed(r)
	}
	serving, trusting := certificate(t)
	serveTLSEarly := func(conn net.Conn) { serveEarly(tls.Server(conn, serving)) }
	for _, test := range []struct {
		url string
		d   wschannel.Dialer
	}{
		{"ws://" + listen(t, serveEarly), wschannel.Dialer{}},
		{"ws://" + listen(t, serveEarly), wschannel.Dialer{HTTPClient: http.DefaultClient}},
		{"wss://" + listen(t, serveTLSEarly), wschannel.Dialer{TLSConfig: trusting}},
	} {
		c, _, err := test.d.Connect(t.Context(), test.url)
		if err != nil {
			t.Fatal(err)
		}
		hangUpAfter(t, c)
		for i, text := range want {
			if i == len(want)-1 {
				gate <- struct{}{}
			}
			if m, err := c.Receive(patiently(t)); err != nil || string(m.Data) != text {
				t.Fatalf("%s: message %d is %.20q, %v; want %.20q", test.url, i, m.Data, err, text)
			}
		}
		if _, err := c.Receive(patiently(t)); err == nil || c.CloseCode() != status.NormalClosure {
			t.Errorf("%s: ended with %v", test.url, err)
		}
	}
}

// What follows a 101 and is no frame, or nothing at all (T020, T022, T023).
func TestDialerGarbage(t *testing.T) {
	for _, test := range []struct {
		name, garbage string
		send          bool
		code          status.Code
		told          string // the close frame that the server gets, unmasked
	}{
		{"garbage: T022", "mumble mumble", false, status.ProtocolError, "\x03\xea"},
		{"garbage after a message: T023", "mumble mumble", true, status.ProtocolError, "\x03\xea"},
		{"nothing: T020", "", true, status.AbnormalClosure, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			rest := make(chan string, 1)
			hostport := listen(t, func(conn net.Conn) {
				r := bufio.NewReader(conn)
				request, err := readHead(r)
				if err != nil {
					return
				}
				io.WriteString(conn, switching(request)+test.garbage)
				if test.garbage == "" {
					r.Peek(1) // until the client has sent
					return
				}
				rest <- untilClosed(r)
			})
			leakless(t, func() {
				c, err := wschannel.Connect(t.Context(), "ws://"+hostport, nil)
				if err != nil {
					t.Fatal(err)
				}
				if test.send {
					c.SendText(patiently(t), "hello")
				}
				_, err = c.Receive(patiently(t))
				var end *wschannel.CloseError
				if !errors.As(err, &end) || end.Code != test.code || end.Remote || end.Clean() || end.Cause == nil {
					t.Fatalf("the end is %#v, want code %d with a cause", err, test.code)
				}
				var broken *wschannel.ProtocolError
				if test.garbage != "" && !errors.As(err, &broken) {
					t.Errorf("the cause is %v, want a ProtocolError", end.Cause)
				}
				if test.told != "" {
					frames := wait(t, "the server to read on", rest)
					if closing := unmask(t, frames); !strings.HasPrefix(closing, test.told) {
						t.Errorf("the server got a close with %q, want %q", closing, test.told)
					}
				}
			})
		})
	}
}

// unmask returns the payload of the last of a client's short frames.
func unmask(t *testing.T, frames string) string {
	t.Helper()
	var payload []byte
	for len(frames) > 0 {
		n := 6 + int(frames[1]&0x7f)
		if len(frames) < n || frames[1]&0x80 == 0 {
			t.Fatalf("%q is no masked frame", frames)
		}
		payload = []byte(frames[6:n])
		for i := range payload {
			payload[i] ^= frames[2+i%4]
		}
		frames = frames[n:]
	}
	return string(payload)
}

// A response whose header does not end.
func TestDialerEndlessHeader(t *testing.T) {
	left := make(chan int, 1)
	hostport := listen(t, func(conn net.Conn) {
		readHead(bufio.NewReader(conn))
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\n")
		sent := 0
		for {
			n, err := io.WriteString(conn, "X-Padding: 0123456789\r\n")
			sent += n
			if err != nil {
				left <- sent
				return
			}
		}
	})
	leakless(t, func() {
		c, err := wschannel.Connect(t.Context(), "ws://"+hostport, &wschannel.Options{HandshakeTimeout: -1})
		var connect *wschannel.ConnectError
		if c != nil || !errors.As(err, &connect) {
			t.Fatalf("got %p, %v; want a ConnectError", c, err)
		}
		checkMatch(t, "the error", err.Error(), "header.* exceeded 65536 bytes")
	})
	wait(t, "the server to see the client leave", left)
}
