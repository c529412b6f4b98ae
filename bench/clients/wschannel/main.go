// A client on wschannel, native and, compiled for js/wasm, in Node.js.
package main

import (
	"context"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/bench/internal/drive"
)

func main() {
	drive.Main([]string{"receive", "append", "view"}, dial)
}

func dial(mode string, c *drive.Config) (drive.Conn, error) {
	ctx := context.Background()
	ch, err := wschannel.Connect(ctx, "ws://"+c.Addr+"/echo", nil)
	if err != nil {
		return nil, err
	}
	send := func() error { return ch.SendBinary(ctx, c.Payload) }
	switch mode {
	case "view":
		e := &drive.Events{Config: c, Send: send}
		ch.ListenView(func(v wschannel.View) { e.Reply(v.Data) }, nil)
		return e, nil
	case "append":
		var buf []byte
		return drive.Blocking{Config: c, Send: send, Receive: func() (_ []byte, err error) {
			_, buf, err = ch.ReceiveAppend(ctx, buf[:0])
			return buf, err
		}}, nil
	}
	return drive.Blocking{Config: c, Send: send, Receive: func() ([]byte, error) {
		m, err := ch.Receive(ctx)
		return m.Data, err
	}}, nil
}
