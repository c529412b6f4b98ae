//go:build unix

package wschannel

import (
	"crypto/tls"
	"syscall"
)

// socketError returns the error that the kernel has noted for a socket, as the
// reset by a peer. It tells of a lost connection while nothing is read.
func socketError(conn transport) error {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	s, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return nil
	}
	var errno int
	if raw.Control(func(fd uintptr) {
		errno, err = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ERROR)
	}) != nil || err != nil || errno == 0 {
		return nil
	}
	return syscall.Errno(errno)
}
