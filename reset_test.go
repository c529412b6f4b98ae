//go:build !js

package wschannel

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// The system forgets what a peer has not taken within WriteTimeout: the peer gets
// what had arrived, and then a reset in place of megabytes.
func TestUnsentIsDroppedWithThePeer(t *testing.T) {
	for _, on := range []struct {
		name    string
		connect connector
		listen  bool
	}{{"TCP", tcpPair, false}, {"TLS", tlsPair, false}, {"TCP, listening", tcpPair, true}} {
		t.Run(on.name, func(t *testing.T) {
			near, conn := on.connect(t)
			peer := near.(net.Conn)
			if t, ok := peer.(*tls.Conn); ok {
				peer = t.NetConn() // what comes is not looked at
			}
			c := newOn(t, conn, RoleServer, &Options{WriteTimeout: 50 * time.Millisecond, PingInterval: -1})
			if on.listen {
				c.ListenView(nil, nil)
			}
			var err error
			for data := make([]byte, 64<<10); err == nil; {
				err = c.SendBinary(t.Context(), data)
			}
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, peer); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the peer reads %v, want a reset", err)
			}
		})
	}
}
