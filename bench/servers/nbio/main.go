// An echo server on github.com/lesismal/nbio: non-blocking, and with a goroutine
// for each connection.
package main

import (
	"context"
	"log"
	"net"
	"net/http"

	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"
	"github.com/lesismal/nbio/nbhttp/websocket"
	"github.com/wschannel/wschannel/bench/internal/serve"
)

func main() {
	logging.SetLevel(logging.LevelNone)
	serve.Main([]string{"nonblocking", "blocking"}, start)
}

var members serve.Members[*websocket.Conn]

func start(l net.Listener, o serve.Options) {
	upgrader := func(on func(*websocket.Conn, websocket.MessageType, []byte)) *websocket.Upgrader {
		u := websocket.NewUpgrader()
		u.EnableCompression(o.Deflate)
		if o.Deflate {
			u.OnOpen(func(c *websocket.Conn) { c.EnableWriteCompression(true) })
		}
		u.MessageLengthLimit = serve.MessageLimit
		u.OnMessage(on)
		return u
	}
	echo := upgrader(func(c *websocket.Conn, t websocket.MessageType, data []byte) { c.WriteMessage(t, data) })
	broadcast := upgrader(func(_ *websocket.Conn, t websocket.MessageType, data []byte) {
		members.Each(func(c *websocket.Conn) { c.WriteMessage(t, data) })
	})
	broadcast.OnClose(func(c *websocket.Conn, _ error) { members.Leave(c) })
	mux := http.NewServeMux()
	mux.HandleFunc(serve.Echo, func(w http.ResponseWriter, r *http.Request) { echo.Upgrade(w, r, nil) })
	mux.HandleFunc(serve.Broadcast, func(w http.ResponseWriter, r *http.Request) {
		if c, err := broadcast.Upgrade(w, r, nil); err == nil {
			members.Join(c)
		}
	})
	mode := nbhttp.IOModNonBlocking
	if o.Mode == "blocking" {
		mode = nbhttp.IOModBlocking
	}
	engine := nbhttp.NewEngine(nbhttp.Config{
		Network: "tcp",
		Addrs:   []string{l.Addr().String()},
		Handler: mux,
		IOMod:   mode,
		Context: context.Background(),
		Listen:  func(string, string) (net.Listener, error) { return l, nil },
	})
	if err := engine.Start(); err != nil {
		log.Fatal(err)
	}
}
