// A client on github.com/lesismal/nbio, non-blocking.
package main

import (
	"log"

	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"
	"github.com/lesismal/nbio/nbhttp/websocket"
	"github.com/wschannel/wschannel/bench/internal/drive"
)

func main() {
	logging.SetLevel(logging.LevelNone)
	engine := nbhttp.NewEngine(nbhttp.Config{})
	if err := engine.Start(); err != nil {
		log.Fatal(err)
	}
	drive.Main([]string{"nonblocking"}, func(_ string, c *drive.Config) (drive.Conn, error) {
		e := &drive.Events{Config: c}
		u := websocket.NewUpgrader()
		u.OnMessage(func(_ *websocket.Conn, _ websocket.MessageType, data []byte) { e.Reply(data) })
		dialer := &websocket.Dialer{Engine: engine, Upgrader: u}
		conn, _, err := dialer.Dial("ws://"+c.Addr+"/echo", nil)
		e.Send = func() error { return conn.WriteMessage(websocket.BinaryMessage, c.Payload) }
		return e, err
	})
}
