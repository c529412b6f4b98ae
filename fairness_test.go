//go:build !js

package wschannel

import (
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
)

// A flooding connection always has more to read.
type flooding struct {
	net.Conn
	frames string
	at     int
}

func (c *flooding) Read(p []byte) (n int, err error) {
	for n < len(p) {
		m := copy(p[n:], c.frames[c.at:])
		c.at = (c.at + m) % len(c.frames)
		n += m
	}
	return n, nil
}

// A peer that sends all the time does not keep a processor to itself: others run
// after a few reads, long before the scheduler would see to that.
func TestFloodedReceiverGivesWay(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const size = 38
	frames := strings.Repeat("\x82\xA0\x00\x00\x00\x00"+strings.Repeat("x", size-6), 1000)
	for _, tt := range []struct {
		name    string
		receive func(c *Channel) error
	}{
		{"Receive", func(c *Channel) error { _, err := c.Receive(t.Context()); return err }},
		{"NextReader", func(c *Channel) error { _, _, err := c.NextReader(t.Context()); return err }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn, peer := net.Pipe()
			defer peer.Close()
			c := newOn(t, &flooding{Conn: conn, frames: frames}, RoleServer, silent)
			for range 5 {
				var ran atomic.Bool
				go ran.Store(true)
				n := 0
				for ; !ran.Load(); n++ {
					if err := tt.receive(c); err != nil {
						t.Fatal(err)
					}
				}
				if most := 10 * (128 + smallBuffer/size); n > most {
					t.Errorf("%d messages were received before another goroutine ran; at most %d wanted", n, most)
				}
			}
		})
	}
}
