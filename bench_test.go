//go:build !js

package wschannel_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/streamchannel"
)

// An echoed is one message there and back over a socket, both ends in this process,
// on one kind of API. What a wrapper costs is the difference to "ReceiveAppend".
type echoed struct {
	name string
	open func(ctx context.Context, c *wschannel.Channel, message []byte) (echo func() error)
}

func ways() []echoed {
	return []echoed{
		{"Receive", func(ctx context.Context, c *wschannel.Channel, message []byte) func() error {
			return func() error {
				if err := c.SendBinary(ctx, message); err != nil {
					return err
				}
				_, err := c.Receive(ctx)
				return err
			}
		}},
		{"ReceiveAppend", func(ctx context.Context, c *wschannel.Channel, message []byte) func() error {
			buf := make([]byte, 0, len(message))
			return func() error {
				if err := c.SendBinary(ctx, message); err != nil {
					return err
				}
				_, _, err := c.ReceiveAppend(ctx, buf)
				return err
			}
		}},
		{"ListenView", func(ctx context.Context, c *wschannel.Channel, message []byte) func() error {
			come := make(chan struct{}, 1)
			ended := make(chan error, 1)
			c.ListenView(func(wschannel.View) { come <- struct{}{} }, func(err error) { ended <- err })
			return func() error {
				if err := c.SendBinary(ctx, message); err != nil {
					return err
				}
				select {
				case <-come:
					return nil
				case err := <-ended:
					return err
				}
			}
		}},
		{"NextReader and NextWriter", func(ctx context.Context, c *wschannel.Channel, message []byte) func() error {
			buf := make([]byte, len(message))
			return func() error {
				w, err := c.NextWriter(ctx, wschannel.Binary)
				if err != nil {
					return err
				}
				if _, err := w.Write(message); err != nil {
					return err
				}
				if err := w.Close(); err != nil {
					return err
				}
				_, r, err := c.NextReader(ctx)
				if err != nil {
					return err
				}
				_, err = io.ReadFull(r, buf)
				return err
			}
		}},
		{"NetConn", func(_ context.Context, c *wschannel.Channel, message []byte) func() error {
			conn := wschannel.NetConn(c)
			buf := make([]byte, len(message))
			return func() error {
				if _, err := conn.Write(message); err != nil {
					return err
				}
				_, err := io.ReadFull(conn, buf)
				return err
			}
		}},
		{"BinaryChannel", func(ctx context.Context, c *wschannel.Channel, message []byte) func() error {
			return throughBytes(ctx, c.BinaryChannel(), message)
		}},
		{"Map over BinaryChannel", func(ctx context.Context, c *wschannel.Channel, message []byte) func() error {
			same := streamchannel.Map(func(b []byte) ([]byte, error) { return b, nil })
			return throughBytes(ctx, streamchannel.Transform(c.BinaryChannel(), same, same), message)
		}},
		{"JSON over TextChannel", func(ctx context.Context, c *wschannel.Channel, message []byte) func() error {
			values := streamchannel.JSON[string, string](c.TextChannel(), nil)
			text := string(message)
			return func() error {
				if err := values.Send(ctx, text); err != nil {
					return err
				}
				_, err := values.Receive(ctx)
				return err
			}
		}},
	}
}

func throughBytes(ctx context.Context, c streamchannel.Channel[[]byte, []byte], message []byte) func() error {
	return func() error {
		if err := c.Send(ctx, message); err != nil {
			return err
		}
		_, err := c.Receive(ctx)
		return err
	}
}

func BenchmarkEcho(b *testing.B) {
	server := &wschannel.Server{Handler: func(ctx context.Context, c *wschannel.Channel) {
		var buf []byte
		for {
			t, data, err := c.ReceiveAppend(ctx, buf[:0])
			if err != nil {
				return
			}
			if err := c.Send(ctx, wschannel.Message{Type: t, Data: data}); err != nil {
				return
			}
			buf = data
		}
	}}
	listening := httptest.NewServer(server)
	defer listening.Close()
	for _, way := range ways() {
		for _, size := range []int{32, 1 << 10, 16 << 10, 256 << 10} {
			b.Run(fmt.Sprintf("by=%s/size=%d", strings.ReplaceAll(way.name, " ", "_"), size), func(b *testing.B) {
				c, err := wschannel.Connect(b.Context(), listening.URL, nil)
				if err != nil {
					b.Fatal(err)
				}
				defer c.CloseNow()
				echo := way.open(b.Context(), c, bytes.Repeat([]byte("x"), size))
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					if err := echo(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
