// A client on github.com/coder/websocket.
package main

import (
	"context"

	"github.com/coder/websocket"
	"github.com/wschannel/wschannel/bench/internal/drive"
)

func main() {
	drive.Main([]string{"default"}, dial)
}

func dial(_ string, c *drive.Config) (drive.Conn, error) {
	ctx := context.Background()
	conn, _, err := websocket.Dial(ctx, "ws://"+c.Addr+"/echo", nil)
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(4 << 20)
	return drive.Blocking{
		Config: c,
		Send:   func() error { return conn.Write(ctx, websocket.MessageBinary, c.Payload) },
		Receive: func() ([]byte, error) {
			_, data, err := conn.Read(ctx)
			return data, err
		},
	}, nil
}
