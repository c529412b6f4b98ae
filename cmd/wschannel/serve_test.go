package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

// startServe runs serve on a free port and returns its URL.
func startServe(t *testing.T, args ...string) (r *running, url string) {
	t.Helper()
	r = start(t, strings.NewReader(""), append([]string{"serve", "-listen", "127.0.0.1:0"}, args...)...)
	t.Cleanup(func() { // has no effect on one that has ended
		r.signals <- nil
		r.signals <- nil
	})
	return r, r.stderr.await(t, `^listening on (ws://127\.0\.0\.1:\d+/)\n`)
}

// dial connects to a server under test.
func dial(t *testing.T, url string) *wschannel.Channel {
	t.Helper()
	c, err := wschannel.Connect(t.Context(), url, &wschannel.Options{MessageLimit: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow() })
	return c
}

func TestServeEchoes(t *testing.T) {
	_, url := startServe(t)
	c := dial(t, url)
	for _, m := range []wschannel.Message{
		{Type: wschannel.Text, Data: []byte("Grüße")},
		{Type: wschannel.Text, Data: []byte{}},
		{Type: wschannel.Binary, Data: []byte{}},
		{Type: wschannel.Binary, Data: []byte{0xff, 0}},
		{Type: wschannel.Binary, Data: bytes.Repeat([]byte("0123456789abcdef"), 1<<16)}, // 1 MiB
	} {
		wantEcho(t, c, m)
	}
}

func wantEcho(t *testing.T, c *wschannel.Channel, m wschannel.Message) {
	t.Helper()
	if err := c.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	got, err := c.Receive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Type != m.Type || !bytes.Equal(got.Data, m.Data) {
		t.Errorf("sent %v of %d bytes, the echo is %v of %d", m.Type, len(m.Data), got.Type, len(got.Data))
	}
}

func TestServeMaxMessage(t *testing.T) {
	const mebibyte = 1 << 20
	for _, test := range []struct {
		name   string
		args   []string
		echoed int // bytes
		tooBig int // bytes, or 0
	}{
		{"by default", nil, mebibyte, mebibyte + 1},
		{"zero is the default", []string{"-max-message", "0"}, mebibyte, mebibyte + 1},
		{"larger", []string{"-max-message", "3145728"}, 3 * mebibyte, 3*mebibyte + 1},
		{"smaller", []string{"-max-message", "5"}, 5, 6},
		{"none", []string{"-max-message", "-1"}, 5 * mebibyte, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, url := startServe(t, test.args...)
			c := dial(t, url)
			wantEcho(t, c, wschannel.Message{Type: wschannel.Binary, Data: make([]byte, test.echoed)})
			if test.tooBig == 0 {
				return
			}
			c.SendBinary(t.Context(), make([]byte, test.tooBig)) // it may be cut off before all of it is sent
			_, err := c.Receive(t.Context())
			wantPeerClose(t, err, status.MessageTooBig)
		})
	}
}

const goodRequest = "GET /any/path HTTP/1.1\r\n" +
	"Host: HOST\r\n" +
	"Upgrade: websocket\r\n" +
	"Connection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
	"Sec-WebSocket-Version: 13\r\n" +
	"\r\n"

// request sends a request to the server at url, and returns the connection and
// the response, whose body has been read.
func request(t *testing.T, url, request string) (conn net.Conn, response *http.Response, body string) {
	t.Helper()
	host := strings.TrimSuffix(strings.TrimPrefix(url, "ws://"), "/")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, strings.ReplaceAll(request, "HOST", host)); err != nil {
		t.Fatal(err)
	}
	response, err = http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusSwitchingProtocols {
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		body = string(text)
	}
	return conn, response, body
}

func TestServeHandshake(t *testing.T) {
	r, url := startServe(t)
	_, response, _ := request(t, url, goodRequest)
	if response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("status %d, want 101", response.StatusCode)
	}
	// The key and its answer are those of RFC 6455 §1.3.
	if got, want := response.Header.Get("Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="; got != want {
		t.Errorf("Sec-WebSocket-Accept: %s, want %s", got, want)
	}

	for _, test := range []struct {
		name     string
		old, new string // what is changed in the handshake
		status   int
		body     string
		header   [2]string
	}{
		{"a plain request", "Upgrade: websocket\r\nConnection: Upgrade\r\n", "",
			426, "this address takes WebSocket connections only", [2]string{"Upgrade", "websocket"}},
		{"another version", "Version: 13", "Version: 8",
			426, "Sec-WebSocket-Version header must be \"13\"", [2]string{"Sec-WebSocket-Version", "13"}},
		{"a short key", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ==",
			400, "Sec-WebSocket-Key header must be 16 bytes", [2]string{}},
		{"another method", "GET", "POST",
			405, "must be GET", [2]string{"Allow", "GET"}},
		{"a foreign page", "\r\n\r\n", "\r\nOrigin: http://example.com\r\n\r\n",
			403, "Origin header must name the host", [2]string{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, response, body := request(t, url, strings.Replace(goodRequest, test.old, test.new, 1))
			if response.StatusCode != test.status {
				t.Errorf("status %d, want %d", response.StatusCode, test.status)
			}
			if !strings.Contains(body, test.body) || !strings.HasSuffix(body, "\n") {
				t.Errorf("body %q, want a line with %q", body, test.body)
			}
			if name := test.header[0]; name != "" && response.Header.Get(name) != test.header[1] {
				t.Errorf("header %v, want %q in it", response.Header, test.header)
			}
		})
	}
	r.stderr.want(t, "standard error", "listening on "+url+"\n")
}

func TestServeSameOrigin(t *testing.T) {
	_, url := startServe(t)
	_, response, _ := request(t, url, strings.Replace(goodRequest, "\r\n\r\n", "\r\nOrigin: http://HOST\r\n\r\n", 1))
	if response.StatusCode != http.StatusSwitchingProtocols {
		t.Errorf("status %d, want 101", response.StatusCode)
	}
}

func TestServeDrains(t *testing.T) {
	r, url := startServe(t)
	var channels []*wschannel.Channel
	for range 3 {
		c := dial(t, url)
		wantEcho(t, c, wschannel.Message{Type: wschannel.Text, Data: []byte("here")})
		channels = append(channels, c)
	}
	r.signals <- nil
	for _, c := range channels {
		_, err := c.Receive(t.Context())
		wantPeerClose(t, err, status.GoingAway)
	}
	r.wantExit(exitOK)
	r.stdout.want(t, "standard output", "")
	r.stderr.want(t, "standard error", "listening on "+url+"\nclosing all channels (interrupt again to exit at once)\n")
	if _, err := wschannel.Connect(t.Context(), url, nil); err == nil {
		t.Error("it still accepts channels")
	}
}

// A connection that is not a channel yet must not hold up the end.
func TestServeDrainsBesideSilentConnection(t *testing.T) {
	r, url := startServe(t)
	conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(url, "ws://"), "/"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	wantEcho(t, dial(t, url), wschannel.Message{Type: wschannel.Text, Data: []byte("here")})
	r.signals <- nil
	r.wantExit(exitOK)
}

// mute opens a channel that will not answer a close.
func mute(t *testing.T, url string) net.Conn {
	t.Helper()
	conn, _, _ := request(t, url, goodRequest)
	if _, err := conn.Write([]byte("\x81\x81\x00\x00\x00\x00a")); err != nil {
		t.Fatal(err)
	}
	// Its echo tells that the channel is in use.
	wantBytes(t, conn, "\x81\x01a")
	return conn
}

// awaitClose waits for the server's close frame.
func awaitClose(t *testing.T, conn net.Conn) {
	t.Helper()
	wantBytes(t, conn, "\x88\x02\x03\xe9") // 1001
}

func wantBytes(t *testing.T, conn net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
		t.Fatalf("got % x and %v, want % x", got, err, want)
	}
}

func TestServeSecondInterrupt(t *testing.T) {
	r, url := startServe(t)
	conn := mute(t, url)
	r.signals <- nil
	awaitClose(t, conn)
	r.signals <- nil
	r.wantExit(exitFailed)
	r.stderr.await(t, `wschannel: not all channels were closed: interrupted again\n`)
}

func TestServeCannotListen(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	r := start(t, strings.NewReader(""), "serve", "-listen", taken.Addr().String())
	r.wantExit(exitFailed)
	r.stderr.await(t, "^wschannel: .*address already in use\n$")
}

func TestAddressURL(t *testing.T) {
	for _, test := range []struct {
		addr net.TCPAddr
		want string
	}{
		{net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}, "ws://127.0.0.1:8080/"},
		{net.TCPAddr{IP: net.IPv6loopback, Port: 80}, "ws://[::1]:80/"},
		{net.TCPAddr{IP: net.IPv6unspecified, Port: 8080}, "ws://[::]:8080/"},
		{net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0", Port: 8080}, "ws://[fe80::1%25eth0]:8080/"},
	} {
		if got := addressURL("ws", &test.addr, "/"); got != test.want {
			t.Errorf("%v: %s, want %s", &test.addr, got, test.want)
		}
	}
}

// drain gives up when its time is over; then the channels have been cut off.
func TestDrainFails(t *testing.T) {
	release := make(chan struct{})
	entered := make(chan struct{})
	channels := &wschannel.Server{Handler: func(context.Context, *wschannel.Channel) {
		close(entered)
		<-release
	}}
	defer close(release)
	server := &http.Server{Handler: channels}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(listener)
	defer server.Close()
	dial(t, addressURL("ws", listener.Addr(), "/"))
	<-entered
	if err := drain(channels, server, time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
}
