// An echo server on github.com/coder/websocket.
package main

import (
	"io"
	"net"
	"net/http"

	"github.com/coder/websocket"
	"github.com/wschannel/wschannel/bench/internal/serve"
)

func main() {
	serve.Main([]string{"default"}, start)
}

var members serve.Members[*websocket.Conn]

func start(l net.Listener, o serve.Options) {
	options := &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled}
	if o.Deflate {
		options.CompressionMode = websocket.CompressionNoContextTakeover
	}
	serve.HTTP(l, func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, options)
		if err != nil {
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(serve.MessageLimit)
		for {
			t, in, err := c.Reader(r.Context())
			if err != nil {
				return
			}
			out, err := c.Writer(r.Context(), t)
			if err != nil {
				return
			}
			if _, err := io.Copy(out, in); err != nil {
				return
			}
			if err := out.Close(); err != nil {
				return
			}
		}
	}, func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, options)
		if err != nil {
			return
		}
		defer c.CloseNow()
		members.Join(c)
		defer members.Leave(c)
		for {
			t, data, err := c.Read(r.Context())
			if err != nil {
				return
			}
			members.Each(func(c *websocket.Conn) { c.Write(r.Context(), t, data) })
		}
	})
}
