//go:build !js

package wschannel_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

// A handshake by hand, in the client's role (T071).
func TestNewClient(t *testing.T) {
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := wschannel.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		ctx := context.Background()
		c.SendText(ctx, "hello!")
		if m, err := c.Receive(ctx); string(m.Data) != "ping" {
			t.Errorf("the server got %q, %v", m.Data, err)
		}
		c.SendText(ctx, "pong")
		if _, err := c.Receive(ctx); err == nil || c.CloseCode() != status.NormalClosure {
			t.Errorf("the server's end is %v", err)
		}
	}))
	const key = "x3JJHMbDL1EzLkh9GBhXDw=="
	head, r, conn := exchange(t, strings.TrimPrefix(url, "ws://"), "GET / HTTP/1.1\r\nHost: localhost\r\n"+
		"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "+key+"\r\n\r\n")
	if got := field(head, "Sec-WebSocket-Accept"); len(got) != 1 || got[0] != wschannel.SignKey(key) {
		t.Fatalf("the response is %q", head)
	}
	early, _ := r.Peek(r.Buffered())
	c := wschannel.New(conn, wschannel.RoleClient, &wschannel.StreamOptions{Buffered: early})
	ctx := patiently(t)
	if m, err := c.Receive(ctx); string(m.Data) != "hello!" {
		t.Errorf("got %q, %v", m.Data, err)
	}
	if err := c.SendText(ctx, "ping"); err != nil {
		t.Error(err)
	}
	if m, err := c.Receive(ctx); string(m.Data) != "pong" {
		t.Errorf("got %q, %v", m.Data, err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := c.Receive(ctx); !errors.Is(err, wschannel.ErrLocalClose) {
		t.Errorf("after the close: %v", err)
	}
}

// A handshake by hand, in the server's role (T072).
func TestNewServer(t *testing.T) {
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Protocol: by-hand\r\nSec-WebSocket-Accept: "+wschannel.SignKey(r.Header["Sec-Websocket-Key"][0])+"\r\n\r\n")
		early, _ := rw.Reader.Peek(rw.Reader.Buffered())
		c := wschannel.New(conn, wschannel.RoleServer, &wschannel.StreamOptions{Protocol: "by-hand", Buffered: early})
		ctx := context.Background()
		c.SendText(ctx, "hello!")
		if m, err := c.Receive(ctx); string(m.Data) != "ping" {
			t.Errorf("the server got %q, %v", m.Data, err)
		}
		c.SendText(ctx, "pong")
		if err := c.Close(); err != nil || c.Protocol() != "by-hand" {
			t.Errorf("the server closed with %v, protocol %q", err, c.Protocol())
		}
	}))
	c, err := wschannel.Connect(t.Context(), url, &wschannel.Options{Protocols: []string{"by-hand"}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for m, err := range c.Messages(patiently(t)) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, string(m.Data)); len(got) == 1 {
			if err := c.SendText(patiently(t), "ping"); err != nil {
				t.Error(err)
			}
		}
	}
	if strings.Join(got, " ") != "hello! pong" || c.CloseCode() != status.NormalClosure {
		t.Errorf("got %q, ended with %v", got, c.Err())
	}
}

// Both ends are made of sockets that are open already (T051, T053).
func TestNewOnBothEnds(t *testing.T) {
	served := make(chan error, 1)
	hostport := listen(t, func(conn net.Conn) {
		c := wschannel.New(conn, wschannel.RoleServer, nil)
		ctx := patiently(t)
		err := c.SendText(ctx, "hello!")
		if m, e := c.Receive(ctx); string(m.Data) != "ping" {
			err = errors.Join(err, e, errors.New("the server did not get the ping"))
		}
		err = errors.Join(err, c.SendText(ctx, "pong"), c.CloseWith(3678, "raisin"))
		served <- err
	})
	conn, err := net.Dial("tcp", hostport)
	if err != nil {
		t.Fatal(err)
	}
	c := wschannel.New(conn, wschannel.RoleClient, nil)
	hangUpAfter(t, c)
	if err := c.SendText(patiently(t), "ping"); err != nil {
		t.Error(err)
	}
	var got []string
	var last error
	for m, err := range c.Messages(patiently(t)) {
		if err != nil {
			last = err
			break
		}
		got = append(got, string(m.Data))
	}
	if strings.Join(got, " ") != "hello! pong" {
		t.Errorf("got %q", got)
	}
	var end *wschannel.CloseError
	if !errors.As(last, &end) || !end.Remote || c.CloseCode() != 3678 || c.CloseReason() != "raisin" {
		t.Errorf("ended with %v, code %d and reason %q", last, c.CloseCode(), c.CloseReason())
	}
	if err := wait(t, "the server", served); err != nil {
		t.Error(err)
	}
}

// What was read before the channel existed comes first, wherever it was cut,
// and the caller's memory is not written to.
func TestNewBuffered(t *testing.T) {
	frames := frame(0x81, "first") + frame(0x89, "?") + frame(0x82, strings.Repeat("second ", 20)) + frame(0x01, "th") + frame(0x80, "ird")
	for cut := range len(frames) + 1 {
		near, far := net.Pipe()
		buffered := []byte(frames[:cut])
		c := wschannel.New(near, wschannel.RoleClient, &wschannel.StreamOptions{Buffered: buffered})
		go io.WriteString(far, frames[cut:])
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			untilClosed(far) // there is a pong in it
		}()
		for _, want := range []string{"first", strings.Repeat("second ", 20), "third"} {
			if m, err := c.Receive(patiently(t)); err != nil || string(m.Data) != want {
				t.Fatalf("cut at %d: got %q, %v; want %q", cut, m.Data, err, want)
			}
		}
		if string(buffered) != frames[:cut] {
			t.Errorf("cut at %d: Buffered has been written to", cut)
		}
		c.CloseNow()
		wait(t, "the connection to be closed", closed)
	}
}

// What was read before has arrived, also if the channel is lost before anybody
// receives.
func TestNewBufferedAndLost(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	c := wschannel.New(near, wschannel.RoleClient, &wschannel.StreamOptions{
		Options:  wschannel.Options{ReceiveBuffer: -1},
		Buffered: []byte(frame(0x81, "first") + frame(0x82, strings.Repeat("x", 10_000)) + frame(0x81, "cut")[:4]),
	})
	ctx, cancel := context.WithCancel(patiently(t))
	go func() {
		far.Read(make([]byte, 10)) // so that a part of the message has left
		cancel()
	}()
	if err := c.SendText(ctx, strings.Repeat("x", 1000)); err == nil || err != c.Err() {
		t.Fatalf("Send: %v, the end: %v", err, c.Err())
	}
	for _, want := range []string{"first", strings.Repeat("x", 10_000)} {
		if m, err := c.Receive(patiently(t)); string(m.Data) != want {
			t.Errorf("got %d bytes, %v; want %d", len(m.Data), err, len(want))
		}
	}
	if m, err := c.Receive(patiently(t)); err != c.Err() {
		t.Errorf("got %q, %v; want the end", m.Data, err)
	}
}

// Only two roles exist.
func TestNewRole(t *testing.T) {
	for _, role := range []wschannel.Role{0, 3, 255} {
		func() {
			defer func() {
				if text, _ := recover().(string); !strings.HasPrefix(text, "wschannel: invalid Role ") {
					t.Errorf("role %d: the panic is %q", role, text)
				}
			}()
			near, _ := net.Pipe()
			wschannel.New(near, role, nil)
			t.Errorf("role %d is accepted", role)
		}()
	}
}

// A stream that is missing is found where it is missing.
func TestNewNil(t *testing.T) {
	defer func() {
		if v := recover(); v != "wschannel: New without a stream" {
			t.Errorf("the panic is %v", v)
		}
	}()
	wschannel.New(nil, wschannel.RoleClient, nil)
	t.Error("nil is accepted")
}

// Who masks (RFC 6455 §5.1): clients do, servers do not.
func TestNewMasks(t *testing.T) {
	for _, test := range []struct {
		role wschannel.Role
		want string
	}{
		{wschannel.RoleServer, "\x81\x02hi"},
		{wschannel.RoleClient, "\x81\x82"},
	} {
		near, far := net.Pipe()
		c := wschannel.New(near, test.role, nil)
		sent := make(chan error, 1)
		go func() { sent <- c.SendText(patiently(t), "hi") }()
		got := make([]byte, len(test.want))
		if _, err := io.ReadFull(far, got); err != nil || string(got) != test.want {
			t.Errorf("role %d sends %q, %v; want %q", test.role, got, err, test.want)
		}
		c.CloseNow()
		wait(t, "Send", sent)
	}
}

func TestUnderlying(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	for _, test := range []struct {
		rwc  io.ReadWriteCloser
		want net.Conn
	}{
		{near, near},
		{struct{ io.ReadWriteCloser }{near}, nil},
	} {
		c := wschannel.New(test.rwc, wschannel.RoleClient, nil)
		if got := c.Underlying(); got != test.want {
			t.Errorf("Underlying is %T, want %T", got, test.want)
		}
		c.CloseNow()
	}

	accepted := make(chan net.Conn, 1)
	url := serve(t, &wschannel.Server{Handler: func(_ context.Context, c *wschannel.Channel) { accepted <- c.Underlying() }})
	c, err := wschannel.Connect(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	server := wait(t, "the server", accepted)
	if client := c.Underlying(); client.LocalAddr().String() != server.RemoteAddr().String() {
		t.Errorf("the client is at %v, the server sees %v", client.LocalAddr(), server.RemoteAddr())
	}
}

// The example of RFC 6455 §1.3, and that of T071 (X19).
func TestSignKey(t *testing.T) {
	for key, want := range map[string]string{
		"dGhlIHNhbXBsZSBub25jZQ==": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
		"x3JJHMbDL1EzLkh9GBhXDw==": "HSmrc0sMlYUkAGmm5OPpG2HaGWk=",
	} {
		if got := wschannel.SignKey(key); got != want {
			t.Errorf("SignKey(%s) is %s, want %s", key, got, want)
		}
	}
}
