// A client on github.com/gorilla/websocket.
package main

import (
	"github.com/gorilla/websocket"
	"github.com/wschannel/wschannel/bench/internal/drive"
)

func main() {
	drive.Main([]string{"default"}, dial)
}

func dial(_ string, c *drive.Config) (drive.Conn, error) {
	conn, _, err := websocket.DefaultDialer.Dial("ws://"+c.Addr+"/echo", nil)
	if err != nil {
		return nil, err
	}
	return drive.Blocking{
		Config: c,
		Send:   func() error { return conn.WriteMessage(websocket.BinaryMessage, c.Payload) },
		Receive: func() ([]byte, error) {
			_, data, err := conn.ReadMessage()
			return data, err
		},
	}, nil
}
