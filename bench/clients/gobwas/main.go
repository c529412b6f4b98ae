// A client on github.com/gobwas/ws: frames handled as its documentation shows, with
// memory that is used again.
package main

import (
	"context"
	"io"

	"github.com/gobwas/ws"
	"github.com/wschannel/wschannel/bench/internal/drive"
)

func main() {
	drive.Main([]string{"default"}, dial)
}

func dial(_ string, c *drive.Config) (drive.Conn, error) {
	conn, buffered, _, err := ws.Dial(context.Background(), "ws://"+c.Addr+"/echo")
	if err != nil {
		return nil, err
	}
	if buffered != nil {
		ws.PutReader(buffered) // nothing comes before the first message is sent
	}
	var out, in []byte
	return drive.Blocking{
		Config: c,
		Send: func() error {
			h := ws.Header{Fin: true, OpCode: ws.OpBinary, Masked: true, Mask: ws.NewMask(), Length: int64(len(c.Payload))}
			if err := ws.WriteHeader(conn, h); err != nil {
				return err
			}
			out = append(out[:0], c.Payload...)
			ws.Cipher(out, h.Mask, 0)
			_, err := conn.Write(out)
			return err
		},
		Receive: func() ([]byte, error) {
			h, err := ws.ReadHeader(conn)
			if err != nil {
				return nil, err
			}
			if int64(cap(in)) < h.Length {
				in = make([]byte, h.Length)
			}
			in = in[:h.Length]
			_, err = io.ReadFull(conn, in)
			return in, err
		},
	}, nil
}
