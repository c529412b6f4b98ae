//go:build !unix && !js

package wschannel

import (
	"crypto/tls"
	"net"
)

// A socket is not used on this system: a net.Conn is read and written as it is.
type socket struct{ e *engine }

func newSocket(transport) *socket { return nil }

func (s *socket) read() (int, error)           { panic("no socket") }
func (s *socket) available() int               { panic("no socket") }
func (s *socket) writeNow([]byte) (int, error) { panic("no socket") }

// socketError returns nil: this system cannot be asked without reading.
func socketError(transport) error { return nil }

// dropUnsent has the system forget what a peer has not taken in time, when the
// connection is closed.
func dropUnsent(conn transport) {
	if t, ok := conn.(*tls.Conn); ok {
		conn, _ = t.NetConn().(transport)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
}
