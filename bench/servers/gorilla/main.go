// An echo server on github.com/gorilla/websocket.
package main

import (
	"net"
	"net/http"

	"github.com/gorilla/websocket"
	"github.com/wschannel/wschannel/bench/internal/serve"
)

func main() {
	serve.Main([]string{"default"}, start)
}

var members serve.Members[*websocket.Conn]

func start(l net.Listener, o serve.Options) {
	// The buffers of net/http are used again, as the documentation recommends
	// when memory counts: sizes of zero.
	upgrader := websocket.Upgrader{EnableCompression: o.Deflate}
	serve.HTTP(l, func(w http.ResponseWriter, r *http.Request) {
		c, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		c.SetReadLimit(serve.MessageLimit)
		for {
			t, data, err := c.ReadMessage()
			if err != nil {
				return
			}
			if err := c.WriteMessage(t, data); err != nil {
				return
			}
		}
	}, func(w http.ResponseWriter, r *http.Request) {
		c, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		members.Join(c)
		defer members.Leave(c)
		for {
			t, data, err := c.ReadMessage()
			if err != nil {
				return
			}
			prepared, err := websocket.NewPreparedMessage(t, data)
			if err != nil {
				return
			}
			members.Each(func(c *websocket.Conn) { c.WritePreparedMessage(prepared) })
		}
	})
}
