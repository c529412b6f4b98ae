//go:build linux

package load

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// A message may come in any number of pieces and frames; the server of the clients
// answers each once, and finds one that is wrong.
func TestRespond(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 1000, 65535, 65536, 200_000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			payload := bytes.Repeat([]byte("abcdefg"), size/7+1)[:size]
			d := Driver{cfg: Config{Payload: payload, Depth: 1}}
			frame, _ := d.buildFrames()
			head := len(frame) - size
			// The same in three frames, of which the first is empty.
			parts := appendFrameHeader(nil, 0x02, 0x80, 0)
			parts = append(parts, 1, 2, 3, 4)
			parts = appendFrameHeader(parts, 0x00, 0x80, size)
			parts = append(parts, frame[head-4:]...)
			parts = appendFrameHeader(parts, 0x80, 0x80, 0)
			parts = append(parts, 1, 2, 3, 4)

			c, failed := connect(t, payload)
			var sent []byte
			for range 8 {
				sent = append(append(sent, frame...), parts...)
			}
			go func() {
				for p := sent; len(p) > 0; {
					n := min(len(p), 1+len(p)/3)
					c.Write(p[:n])
					p = p[n:]
				}
			}()
			reply := append(appendFrameHeader(nil, 0x82, 0, size), payload...)
			got := make([]byte, 16*len(reply))
			if _, err := io.ReadFull(c, got); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, bytes.Repeat(reply, 16)) {
				t.Error("the replies are not what was sent")
			}
			if size == 0 {
				return
			}
			wrong := bytes.Clone(frame)
			wrong[len(wrong)-1] ^= 1
			c.Write(wrong) // the seventeenth message is compared
			select {
			case err := <-failed:
				if err == nil {
					t.Error("no error")
				}
			case <-time.After(10 * time.Second):
				t.Error("a message that is not as it should be was taken")
			}
		})
	}
}

// connect starts a server and shakes hands with it; failed gets its error.
func connect(t *testing.T, payload []byte) (c net.Conn, failed chan error) {
	t.Helper()
	listening := make(chan string, 1)
	failed = make(chan error, 1)
	go func() { failed <- Respond(payload, func(addr string) { listening <- addr }) }()
	var err error
	select {
	case addr := <-listening:
		c, err = net.Dial("tcp", addr)
	case err = <-failed:
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(c, "GET / HTTP/1.1\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	answer := make([]byte, 0, 200)
	for one := make([]byte, 1); !bytes.HasSuffix(answer, []byte("\r\n\r\n")); answer = append(answer, one...) {
		if _, err := c.Read(one); err != nil {
			t.Fatal(err)
		}
	}
	if want := "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"; !bytes.Contains(answer, []byte(want)) { // the example of RFC 6455 §1.3
		t.Errorf("answer %q, want %q in it", answer, want)
	}
	return c, failed
}
