// A limit to compare clients with: TCP without any protocol, a goroutine for each
// connection, which writes frames that were built beforehand and counts bytes.
package main

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"

	"github.com/wschannel/wschannel/bench/internal/drive"
)

func main() {
	drive.Main([]string{"goroutines"}, dial)
}

type conn struct {
	net.Conn
	frames []byte // Depth frames, one behind the other
	frame  int    // length of one
	reply  int    // length of a reply
	buf    []byte
}

func dial(_ string, c *drive.Config) (drive.Conn, error) {
	tcp, err := net.Dial("tcp", c.Addr)
	if err != nil {
		return nil, err
	}
	_, err = io.WriteString(tcp, "GET / HTTP/1.1\r\nHost: "+c.Addr+"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\nSec-WebSocket-Version: 13\r\n\r\n")
	if err != nil {
		return nil, err
	}
	for answer, one := []byte(nil), make([]byte, 1); !bytes.HasSuffix(answer, []byte("\r\n\r\n")); answer = append(answer, one...) {
		if _, err := tcp.Read(one); err != nil {
			return nil, err
		}
	}
	reply := length([]byte{0x82}, 0, len(c.Payload))
	frame := append(length([]byte{0x82}, 0x80, len(c.Payload)), 0x37, 0xFA, 0x21, 0x3D)
	key := [4]byte(frame[len(frame)-4:])
	for i, b := range c.Payload {
		frame = append(frame, b^key[i%4])
	}
	return &conn{tcp, bytes.Repeat(frame, c.Depth), len(frame), len(reply) + len(c.Payload), make([]byte, 64<<10)}, nil
}

// length appends the length of a payload as RFC 6455 §5.2 has it.
func length(b []byte, mask byte, n int) []byte {
	switch {
	case n <= 125:
		return append(b, mask|byte(n))
	case n <= 0xFFFF:
		return binary.BigEndian.AppendUint16(append(b, mask|126), uint16(n))
	}
	return binary.BigEndian.AppendUint64(append(b, mask|127), uint64(n))
}

func (c *conn) Echo(messages int) error {
	sent := min(messages, len(c.frames)/c.frame)
	if _, err := c.Write(c.frames[:sent*c.frame]); err != nil {
		return err
	}
	for received := 0; received < messages*c.reply; {
		n, err := c.Read(c.buf)
		if err != nil {
			return err
		}
		whole := (received+n)/c.reply - received/c.reply
		received += n
		again := min(whole, messages-sent)
		if again > 0 {
			if _, err := c.Write(c.frames[:again*c.frame]); err != nil {
				return err
			}
			sent += again
		}
	}
	return nil
}
