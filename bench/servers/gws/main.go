// An echo server on github.com/lxzan/gws.
package main

import (
	"net"
	"net/http"

	"github.com/lxzan/gws"
	"github.com/wschannel/wschannel/bench/internal/serve"
)

func main() {
	serve.Main([]string{"default"}, start)
}

var members serve.Members[*gws.Conn]

type handler struct {
	gws.BuiltinEventHandler
	broadcast bool
}

func (h *handler) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	if !h.broadcast {
		c.WriteMessage(m.Opcode, m.Bytes())
		return
	}
	b := gws.NewBroadcaster(m.Opcode, m.Bytes())
	defer b.Close()
	members.Each(func(c *gws.Conn) { b.Broadcast(c) })
}

func start(l net.Listener, o serve.Options) {
	options := &gws.ServerOption{
		CheckUtf8Enabled:   true,
		ReadMaxPayloadSize: serve.MessageLimit,
		PermessageDeflate: gws.PermessageDeflate{
			Enabled:   o.Deflate,
			Threshold: 1,
		},
	}
	echo := gws.NewUpgrader(&handler{}, options)
	broadcast := gws.NewUpgrader(&handler{broadcast: true}, options)
	serve.HTTP(l, func(w http.ResponseWriter, r *http.Request) {
		if c, err := echo.Upgrade(w, r); err == nil {
			go c.ReadLoop() // the HTTP handler returns, which frees its memory
		}
	}, func(w http.ResponseWriter, r *http.Request) {
		c, err := broadcast.Upgrade(w, r)
		if err != nil {
			return
		}
		members.Join(c)
		go func() {
			c.ReadLoop()
			members.Leave(c)
		}()
	})
}
