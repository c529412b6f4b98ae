// A client on github.com/lxzan/gws.
package main

import (
	"github.com/lxzan/gws"
	"github.com/wschannel/wschannel/bench/internal/drive"
)

func main() {
	drive.Main([]string{"default"}, dial)
}

type handler struct {
	gws.BuiltinEventHandler
	drive.Events
}

func (h *handler) OnMessage(_ *gws.Conn, m *gws.Message) {
	defer m.Close()
	h.Reply(m.Bytes())
}

func dial(_ string, c *drive.Config) (drive.Conn, error) {
	h := &handler{}
	conn, _, err := gws.NewClient(h, &gws.ClientOption{Addr: "ws://" + c.Addr + "/echo", CheckUtf8Enabled: true})
	if err != nil {
		return nil, err
	}
	h.Events = drive.Events{Config: c, Send: func() error { return conn.WriteMessage(gws.OpcodeBinary, c.Payload) }}
	go conn.ReadLoop()
	return &h.Events, nil
}
