// An echo server on github.com/gobwas/ws: its upgrade without net/http, a
// goroutine for each connection, frames handled as its documentation shows.
package main

import (
	"io"
	"net"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
	"github.com/gobwas/ws/wsutil"
	"github.com/wschannel/wschannel/bench/internal/serve"
)

func main() {
	serve.Main([]string{"default"}, start)
}

var members serve.Members[net.Conn]

func start(l net.Listener, o serve.Options) {
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go handle(c, o)
		}
	}()
}

func handle(c net.Conn, o serve.Options) {
	defer c.Close()
	broadcasting := false
	u := ws.Upgrader{OnRequest: func(uri []byte) error {
		broadcasting = string(uri) == serve.Broadcast
		return nil
	}}
	if o.Deflate {
		e := wsflate.Extension{Parameters: wsflate.DefaultParameters}
		u.Negotiate = e.Negotiate
	}
	if _, err := u.Upgrade(c); err != nil {
		return
	}
	switch {
	case broadcasting:
		broadcast(c)
	case o.Deflate:
		deflated(c)
	default:
		echo(c)
	}
}

func echo(c net.Conn) {
	var payload []byte
	for {
		h, err := ws.ReadHeader(c)
		if err != nil || h.Length > serve.MessageLimit {
			return
		}
		if int64(cap(payload)) < h.Length {
			payload = make([]byte, h.Length)
		}
		payload = payload[:h.Length]
		if _, err := io.ReadFull(c, payload); err != nil {
			return
		}
		ws.Cipher(payload, h.Mask, 0)
		if h.OpCode == ws.OpClose {
			return
		}
		h.Masked = false
		if err := ws.WriteHeader(c, h); err != nil {
			return
		}
		if _, err := c.Write(payload); err != nil {
			return
		}
	}
}

func deflated(c net.Conn) {
	for {
		h, err := ws.ReadHeader(c)
		if err != nil || h.OpCode == ws.OpClose || h.Length > serve.MessageLimit {
			return
		}
		frame := ws.Frame{Header: h, Payload: make([]byte, h.Length)}
		if _, err := io.ReadFull(c, frame.Payload); err != nil {
			return
		}
		frame, err = wsflate.DecompressFrame(ws.UnmaskFrameInPlace(frame))
		if err != nil {
			return
		}
		out, err := wsflate.CompressFrame(ws.NewTextFrame(frame.Payload))
		if err != nil {
			return
		}
		if err := ws.WriteFrame(c, out); err != nil {
			return
		}
	}
}

func broadcast(c net.Conn) {
	members.Join(c)
	defer members.Leave(c)
	for {
		data, op, err := wsutil.ReadClientData(c)
		if err != nil {
			return
		}
		frame := ws.MustCompileFrame(ws.NewFrame(op, true, data))
		members.Each(func(c net.Conn) { c.Write(frame) })
	}
}
