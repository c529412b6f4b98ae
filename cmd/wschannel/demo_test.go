package main

import (
	"context"
	"flag"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

var update = flag.Bool("update", false, "rewrite testdata/demo.txt")

func TestDemo(t *testing.T) {
	r := start(t, strings.NewReader(""), "demo")
	r.wantExit(exitOK)
	r.stderr.want(t, "standard error", "")

	// Nothing but what is measured differs from one time to another.
	got := regexp.MustCompile(`\S+ \(measured\)`).ReplaceAllString(r.stdout.String(), "… (measured)")
	const golden = "testdata/demo.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the transcript is\n%s\nwant (go test -update rewrites it)\n%s", got, want)
	}
}

// pipe returns two channels that are connected.
func pipe(t *testing.T) (client, server *wschannel.Channel) {
	a, b := net.Pipe()
	client, server = wschannel.New(a, wschannel.RoleClient, nil), wschannel.New(b, wschannel.RoleServer, nil)
	t.Cleanup(func() {
		client.CloseNow()
		server.CloseNow()
	})
	return client, server
}

// The demo must notice what goes wrong.
func TestDemoNotices(t *testing.T) {
	ctx := t.Context()
	s := &stage{out: io.Discard}
	for _, test := range []struct {
		name string
		play func(peer *wschannel.Channel) // what the other side does
		see  func(c *wschannel.Channel) error
		want string
	}{
		{
			"another message",
			func(peer *wschannel.Channel) { peer.SendText(ctx, "no") },
			func(c *wschannel.Channel) error {
				_, bob := pipe(t)
				return s.pass(ctx, "bob", "alice", bob, c, wschannel.Message{Type: wschannel.Text, Data: []byte("yes")})
			},
			"bob sent a text message of 3 bytes, alice received another one: text, 2 bytes",
		},
		{
			"another type",
			func(peer *wschannel.Channel) { peer.SendBinary(ctx, []byte("yes")) },
			func(c *wschannel.Channel) error {
				_, bob := pipe(t)
				return s.pass(ctx, "bob", "alice", bob, c, wschannel.Message{Type: wschannel.Text, Data: []byte("yes")})
			},
			"alice received another one: binary, 3 bytes",
		},
		{
			"another code",
			func(peer *wschannel.Channel) { peer.CloseWith(4002, "x") },
			func(c *wschannel.Channel) error { return s.expectEnd(ctx, "bob", c, 4001, "x") },
			"expected that bob sees a close with 4001 \"x\"",
		},
		{
			"another reason",
			func(peer *wschannel.Channel) { peer.CloseWith(4001, "y") },
			func(c *wschannel.Channel) error { return s.expectEnd(ctx, "bob", c, 4001, "x") },
			"expected that bob sees a close with 4001 \"x\"",
		},
		{
			"a close from the wrong side",
			func(peer *wschannel.Channel) { peer.Receive(ctx) },
			func(c *wschannel.Channel) error {
				c.CloseWith(4001, "x")
				return s.expectEnd(ctx, "bob", c, 4001, "x")
			},
			"expected that bob sees a close with 4001 \"x\"",
		},
		{
			"a message in place of a close",
			func(peer *wschannel.Channel) { peer.SendText(ctx, "x") },
			func(c *wschannel.Channel) error { return s.expectEnd(ctx, "bob", c, status.GoingAway, "") },
			"got text 1 byte and the error <nil>",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, peer := pipe(t)
			go test.play(peer)
			err := test.see(c)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestDemoIsBounded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := play(ctx, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), context.Canceled.Error()) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}
