//go:build unix

package main

import (
	"context"
	"os"
	"syscall"
	"testing"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

// TestBinary is about what only a program of its own can show: signals, and the
// real standard streams.
func TestBinary(t *testing.T) {
	const binary = "wschannel" // TestMain has put it on the PATH

	t.Run("demo", func(t *testing.T) {
		p := execute(t, nil, binary, "demo")
		p.wantExit(exitOK)
		p.stdout.await(t, "All of it went as it should")
	})
	for _, signal := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run("serve and "+signal.String(), func(t *testing.T) {
			p := execute(t, nil, binary, "serve", "-listen", "127.0.0.1:0")
			c := dial(t, p.stderr.await(t, `^listening on (\S+)\n`))
			wantEcho(t, c, wschannel.Message{Type: wschannel.Text, Data: []byte("here")})
			p.signal(signal)
			_, err := c.Receive(t.Context())
			wantPeerClose(t, err, status.GoingAway)
			p.wantExit(exitOK)
		})
		t.Run("connect and "+signal.String(), func(t *testing.T) {
			ended := make(chan error, 1)
			url := serveChannels(t, func(ctx context.Context, c *wschannel.Channel) {
				c.SendText(ctx, "welcome")
				_, err := c.Receive(ctx)
				ended <- err
			})
			p := execute(t, endless(t), binary, "connect", url)
			p.stdout.await(t, "^welcome\n$")
			p.signal(signal)
			wantPeerClose(t, <-ended, status.NormalClosure)
			p.wantExit(exitOK)
		})
	}
	t.Run("serve and two signals", func(t *testing.T) {
		p := execute(t, nil, binary, "serve", "-listen", "127.0.0.1:0")
		conn := mute(t, p.stderr.await(t, `^listening on (\S+)\n`))
		p.signal(syscall.SIGINT)
		awaitClose(t, conn)
		p.signal(syscall.SIGINT)
		p.wantExit(exitFailed)
	})
	t.Run("connect and nobody who reads the output", func(t *testing.T) {
		ended := make(chan error, 1)
		url := serveChannels(t, func(ctx context.Context, c *wschannel.Channel) {
			c.SendText(ctx, "to nobody")
			_, err := c.Receive(ctx)
			ended <- err
		})
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		p := newProcess(t, endless(t), binary, "connect", url)
		p.cmd.Stdout = w
		p.start()
		w.Close()
		wantPeerClose(t, <-ended, status.NormalClosure)
		p.wantExit(exitOK)
		p.stderr.want(t, "standard error", closedNormally)
	})
}
