package faultlink

import (
	"errors"
	"net"
	"syscall"
)

// closeWrite ends what is sent to an endpoint; a connection that has no such
// thing is closed.
func closeWrite(to net.Conn) {
	half, ok := to.(interface{ CloseWrite() error })
	if !ok {
		to.Close()
		return
	}
	half.CloseWrite()
}

// reset cuts a connection off at once: on TCP the endpoint gets an RST, and what
// had not arrived is lost.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

func isReset(err error) bool { return errors.Is(err, syscall.ECONNRESET) }
