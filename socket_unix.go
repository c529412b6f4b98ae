//go:build unix

package wschannel

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"syscall"
)

// A socket reads and writes a descriptor without the detours that a net.Conn
// takes: a read needs no buffer while it waits, and a write that the system takes
// at once needs no deadline. Both are calls into syscall.RawConn with functions
// that are made once; what they need and find lies here. Reading is for whoever
// has the right to read, writing for whoever has the right to write.
type socket struct {
	raw syscall.RawConn

	space    func() []byte // lends the memory to read into
	blocks   func() error  // is called before a read waits; an error ends it
	tryRead  func(fd uintptr) bool
	told     bool // blocks was called
	readN    int
	readErr  error
	tryWrite func(fd uintptr) bool
	out      []byte
	writeN   int
	writeErr error
}

// newSocket returns nil if conn is not a socket of the standard library: what
// wraps one has to see its reads and writes.
func newSocket(conn transport) *socket {
	switch conn.(type) {
	case *net.TCPConn, *net.UnixConn, plainSocket:
	default:
		return nil
	}
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil
	}
	s := &socket{raw: raw}
	s.tryRead, s.tryWrite = s.readOnce, s.writeOnce
	return s
}

// A plainSocket is one that a test has put a fault in.
type plainSocket interface {
	syscall.Conn
	isPlainSocket()
}

// read waits until there is something to read, and reads it.
func (s *socket) read() (n int, err error) {
	s.told, s.readN, s.readErr = false, 0, nil
	if err := s.raw.Read(s.tryRead); err != nil && s.readN == 0 {
		return 0, err
	}
	return s.readN, s.readErr
}

// readOnce returns false to wait for the descriptor to become readable.
func (s *socket) readOnce(fd uintptr) bool {
	for {
		p := s.space()
		n, err := sysRead(int(fd), p)
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			if !s.told {
				s.told = true
				s.readErr = s.blocks()
			}
			return s.readErr != nil
		case err != nil:
			s.readErr = os.NewSyscallError("read", err)
			return true
		case n == 0 && len(p) > 0:
			s.readErr = io.EOF
			return true
		default:
			s.readN = n
			return true
		}
	}
}

// writeNow writes what the system takes of p without waiting.
func (s *socket) writeNow(p []byte) (n int, err error) {
	s.out, s.writeN, s.writeErr = p, 0, nil
	err = s.raw.Write(s.tryWrite)
	s.out = nil
	if err != nil && !isTimeout(err) { // a deadline that has passed is no news
		return 0, err
	}
	return s.writeN, s.writeErr
}

func (s *socket) writeOnce(fd uintptr) bool {
	for s.writeN < len(s.out) {
		n, err := sysWrite(int(fd), s.out[s.writeN:])
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return true
		case err != nil:
			s.writeErr = os.NewSyscallError("write", err)
			return true
		default:
			s.writeN += n
		}
	}
	return true
}

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
