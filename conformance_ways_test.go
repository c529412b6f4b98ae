//go:build !js

package wschannel

import (
	"bytes"
	"io"
	"testing"
)

// A way is a form of receiving.
type way struct {
	name      string
	begin     func(t testing.TB, c *Channel) receiver
	unlimited bool // MessageLimit and FragmentLimit do not bind it
}

// A receiver receives the next message.
type receiver func() (Type, []byte, error)

var ways = []way{
	{"Receive", func(t testing.TB, c *Channel) receiver {
		return func() (Type, []byte, error) {
			m, err := c.Receive(t.Context())
			return m.Type, m.Data, err
		}
	}, false},
	{"ReceiveAppend", func(t testing.TB, c *Channel) receiver {
		buf := make([]byte, 0, 8)
		return func() (Type, []byte, error) { return c.ReceiveAppend(t.Context(), buf) }
	}, false},
	{"NextReader", func(t testing.TB, c *Channel) receiver { return readAll(t, c, 512) }, true},
	{"NextReader, byte by byte", func(t testing.TB, c *Channel) receiver { return readAll(t, c, 1) }, true},
	{"Listen", func(t testing.TB, c *Channel) receiver {
		messages, over := make(chan Message), make(chan error, 1)
		stop := c.Listen(func(m Message) {
			select {
			case messages <- m:
			case <-t.Context().Done():
			}
		}, func(err error) { over <- err })
		t.Cleanup(stop)
		return func() (Type, []byte, error) {
			select {
			case m := <-messages:
				return m.Type, m.Data, nil
			case err := <-over:
				return 0, nil, err
			}
		}
	}, false},
}

// readAll receives messages by NextReader and reads size bytes at a time.
func readAll(t testing.TB, c *Channel, size int) receiver {
	return func() (Type, []byte, error) {
		typ, r, err := c.NextReader(t.Context())
		if err != nil {
			return 0, nil, err
		}
		var data bytes.Buffer
		_, err = io.CopyBuffer(struct{ io.Writer }{&data}, struct{ io.Reader }{r}, make([]byte, size))
		return typ, data.Bytes(), err
	}
}
