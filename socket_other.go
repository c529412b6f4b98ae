//go:build !unix && !js

package wschannel

import (
	"crypto/tls"
	"net"
	"syscall"
)

// rawSocket returns nil: on this system a net.Conn is read and written as it is.
func rawSocket(transport) syscall.RawConn { return nil }

func (e *engine) readSocket() (int, error)        { panic("no socket") }
func (e *engine) writeSocket([]byte) (int, error) { panic("no socket") }
func sysAvailable(fd int) int                     { panic("no socket") }

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
