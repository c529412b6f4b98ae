//go:build !js

package wschannel_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/wschannel/wschannel"
)

const (
	off       = wschannel.CompressionOff
	stateless = wschannel.CompressionStateless
	takeover  = wschannel.CompressionContext
)

// Two of ours agree on what both can keep to, and then understand each other.
func TestCompressionAgreed(t *testing.T) {
	for _, test := range []struct {
		name           string
		client, server wschannel.Compression
		want           wschannel.Compression // the client's, which is the server's mirrored
	}{
		{"off", wschannel.Compression{}, wschannel.Compression{}, wschannel.Compression{}},
		{"only the client", wschannel.Compression{Mode: takeover}, wschannel.Compression{}, wschannel.Compression{}},
		{"only the server", wschannel.Compression{}, wschannel.Compression{Mode: takeover}, wschannel.Compression{}},
		{"stateless", wschannel.Compression{Mode: stateless}, wschannel.Compression{Mode: stateless},
			wschannel.Compression{Mode: stateless, Level: 3, Threshold: 256, SendWindow: 15, ReceiveWindow: 15}},
		{"context", wschannel.Compression{Mode: takeover}, wschannel.Compression{Mode: takeover},
			wschannel.Compression{Mode: takeover, Level: 3, Threshold: 64, SendWindow: 12, ReceiveWindow: 12}},
		{"the client wants less", wschannel.Compression{Mode: stateless}, wschannel.Compression{Mode: takeover},
			wschannel.Compression{Mode: stateless, Level: 3, Threshold: 256, SendWindow: 12, ReceiveWindow: 12}},
		{"the server wants less", wschannel.Compression{Mode: takeover, Level: 9}, wschannel.Compression{Mode: stateless},
			wschannel.Compression{Mode: stateless, Level: 9, Threshold: 64, SendWindow: 12, ReceiveWindow: 12}},
		{"windows", wschannel.Compression{Mode: takeover, SendWindow: 9, ReceiveWindow: 15, Threshold: -1},
			wschannel.Compression{Mode: takeover, SendWindow: 10, ReceiveWindow: 14},
			wschannel.Compression{Mode: takeover, Level: 3, Threshold: 0, SendWindow: 9, ReceiveWindow: 10}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := make(chan wschannel.Compression, 1)
			s := &wschannel.Server{
				AcceptOptions: wschannel.AcceptOptions{Compression: test.server},
				Handler: func(ctx context.Context, c *wschannel.Channel) {
					got <- c.Compression()
					echo(ctx, c)
				},
			}
			d := wschannel.Dialer{Compression: test.client}
			c, _, err := d.Connect(patiently(t), serve(t, s))
			if err != nil {
				t.Fatal(err)
			}
			hangUpAfter(t, c)
			if c.Compression() != test.want {
				t.Errorf("the client has %+v; want %+v", c.Compression(), test.want)
			}
			server := wait(t, "the server", got)
			if server.Mode != test.want.Mode || server.SendWindow != test.want.ReceiveWindow || server.ReceiveWindow != test.want.SendWindow {
				t.Errorf("the server has %+v, the client %+v", server, c.Compression())
			}
			for range 3 {
				text := strings.Repeat("Hello World! ", 100)
				if err := c.SendText(patiently(t), text); err != nil {
					t.Fatal(err)
				}
				if m, err := c.Receive(patiently(t)); err != nil || string(m.Data) != text {
					t.Fatalf("got %d bytes, %v", len(m.Data), err)
				}
			}
		})
	}
}

// The header field as it goes over the wire, on both sides.
func TestCompressionOnTheWire(t *testing.T) {
	const name = "Sec-WebSocket-Extensions"
	hostport, accepted := accept(t, &wschannel.AcceptOptions{Compression: wschannel.Compression{Mode: takeover}})
	head, _, _ := exchange(t, hostport, sample(name+": foo, permessage-deflate; client_max_window_bits"))
	if got := field(head, name); !slices.Equal(got, []string{"permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"}) {
		t.Errorf("the server answers %q", got)
	}
	hangUpAfter(t, wait(t, "the channel", accepted).c)

	requests := make(chan string, 1)
	hostport = listen(t, respond(func(request string) string {
		requests <- request
		return switching(request)
	}))
	c, _, err := wschannel.Dialer{Compression: wschannel.Compression{Mode: stateless}}.Connect(patiently(t), "ws://"+hostport)
	if err != nil {
		t.Fatal(err)
	}
	hangUpAfter(t, c)
	want := "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits"
	if got := field(wait(t, "the request", requests), name); !slices.Equal(got, []string{want}) {
		t.Errorf("the client offers %q", got)
	}
	if c.Compression().Mode != off {
		t.Errorf("a server that declines leads to %+v", c.Compression())
	}
}

// Answers that were not permitted fail the handshake (RFC 6455 §9.1, RFC 7692
// §7.1).
func TestCompressionRefused(t *testing.T) {
	for _, test := range []struct {
		mode         wschannel.CompressionMode
		answer, want string
	}{
		{off, "permessage-deflate", "none was offered"},
		{takeover, "permessage-deflate; foo", "unknown parameter"},
		{takeover, "permessage-deflate", "server_max_window_bits of at most 12"},
		{takeover, "foo", "no extension but permessage-deflate"},
		{stateless, "permessage-deflate", "server_no_context_takeover"},
	} {
		hostport := listen(t, respond(func(request string) string {
			return switching(request, "Sec-WebSocket-Extensions: "+test.answer)
		}))
		_, _, err := wschannel.Dialer{Compression: wschannel.Compression{Mode: test.mode}}.Connect(patiently(t), "ws://"+hostport)
		refused, ok := errors.AsType[*wschannel.HandshakeError](err)
		if !ok || !strings.Contains(refused.Text, test.want) {
			t.Errorf("%s: got %v; want …%s…", test.answer, err, test.want)
		}
	}
}

// Wrong options are found before anything is sent.
func TestCompressionMisuse(t *testing.T) {
	for _, test := range []struct {
		c    wschannel.Compression
		want string
	}{
		{wschannel.Compression{Mode: 3}, "Compression.Mode is 3; expected"},
		{wschannel.Compression{Mode: takeover, Level: 10}, "Compression.Level is 10; expected a number from 1 to 9"},
		{wschannel.Compression{Mode: takeover, Level: -1}, "Compression.Level is -1"},
		{wschannel.Compression{Mode: takeover, SendWindow: 7}, "Compression.SendWindow is 7; expected a number from 8 to 15"},
		{wschannel.Compression{Mode: stateless, ReceiveWindow: 16}, "Compression.ReceiveWindow is 16"},
		{wschannel.Compression{Mode: takeover, ReceiveWindow: 8}, "Compression.ReceiveWindow is 8; expected a number from 9 to 15"},
	} {
		_, _, err := wschannel.Dialer{Compression: test.c}.Connect(patiently(t), "ws://127.0.0.1:1")
		if connect, ok := errors.AsType[*wschannel.ConnectError](err); !ok || !strings.Contains(connect.Error(), test.want) {
			t.Errorf("%+v: Connect: %v; want …%s…", test.c, err, test.want)
		}
		hostport, accepted := accept(t, &wschannel.AcceptOptions{Compression: test.c})
		head, _, _ := exchange(t, hostport, sample())
		checkUnusable(t, head, wait(t, "the error", accepted), test.want)

		func() {
			defer func() {
				if v, ok := recover().(string); !ok || !strings.Contains(v, "wschannel: "+test.want) {
					t.Errorf("New panics with %q; want …%s…", v, test.want)
				}
			}()
			one, _ := net.Pipe()
			wschannel.New(one, wschannel.RoleClient, &wschannel.StreamOptions{Compression: test.c})
		}()
	}
}

// A server that was asked for a window of 512 bytes keeps to it, whatever its
// own options are.
func TestCompressionHonoursTheClientsDemand(t *testing.T) {
	hostport, accepted := accept(t, &wschannel.AcceptOptions{Compression: wschannel.Compression{Mode: takeover, SendWindow: 15, Level: 9}})
	head, r, _ := exchange(t, hostport, sample("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9"))
	checkMatch(t, "the response", head, "permessage-deflate; client_no_context_takeover; server_max_window_bits=9\r\n")
	c := wait(t, "the channel", accepted).c
	hangUpAfter(t, c)
	// Two equal messages: with a larger window the second would be a reference.
	text := randomText(2000)
	var lengths []int
	for range 2 {
		if err := c.SendText(patiently(t), text); err != nil {
			t.Fatal(err)
		}
		lengths = append(lengths, frameLength(t, r))
	}
	if lengths[1] < lengths[0]*9/10 {
		t.Errorf("the same message is sent as %d bytes, then as %d", lengths[0], lengths[1])
	}
}

func randomText(n int) string {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = 'a' + byte(x>>24&15)
	}
	return string(b)
}

// frameLength reads a frame of 126 to 65,535 bytes of payload, and returns how
// many there are.
func frameLength(t *testing.T, r *bufio.Reader) int {
	t.Helper()
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil || head[0] != 0xC1 || head[1] != 126 {
		t.Fatalf("frame % x, %v", head, err)
	}
	n := int(head[2])<<8 | int(head[3])
	if _, err := r.Discard(n); err != nil {
		t.Fatal(err)
	}
	return n
}
