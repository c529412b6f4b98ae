//go:build unix

package wschannel

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

// A socket reads and writes a descriptor without the detours that a net.Conn
// takes: a read needs no buffer while it waits, and a write that the system takes
// at once needs no deadline. Both are calls into syscall.RawConn with functions
// that are made once; what they need and find lies here. Reading is for whoever
// has the right to read, writing for whoever has the right to write.
type socket struct {
	raw     syscall.RawConn
	e       *engine // lends the memory to read into, and is told before a read waits
	tryRead func(fd uintptr) bool
	fd      int32 // of the read under way, otherwise -1
	told    bool  // e was told
	drained bool  // the last read took all that there was
	reads   int8  // how many more of them a listener on a loop may make in a row
	readN   int
	readErr error
}

// A socketWrite is one write. Those that are not under way are shared, for an
// idle channel has no use for one.
type socketWrite struct {
	try func(fd uintptr) bool
	p   []byte
	n   int // bytes of p that have left
	err error
}

var socketWrites = sync.Pool{New: func() any {
	w := &socketWrite{}
	w.try = w.once
	return w
}}

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
	s := &socket{raw: raw, fd: -1}
	s.tryRead = s.readOnce
	return s
}

// A plainSocket is one that a test has put a fault in.
type plainSocket interface {
	syscall.Conn
	over(net.Conn) net.Conn // the same with another socket
}

// read waits until there is something to read, and reads it.
func (s *socket) read() (n int, err error) {
	s.told, s.readN, s.readErr = false, 0, nil
	err = s.raw.Read(s.tryRead)
	s.fd = -1
	if err != nil && s.readN == 0 {
		return 0, err
	}
	return s.readN, s.readErr
}

// available returns how many bytes lie in the socket during a read, 0 if that is not
// known.
func (s *socket) available() int { return sysAvailable(int(s.fd)) }

// readOnce returns false to wait for the descriptor to become readable.
func (s *socket) readOnce(fd uintptr) bool {
	s.fd = int32(fd)
	for {
		p := s.e.space()
		n, err := sysRead(int(fd), p)
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			if !s.told {
				s.told = true
				s.readErr = s.e.blocks()
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
			s.reads = max(s.reads-1, 0)
			s.drained = n < len(p)
			return true
		}
	}
}

// writeNow writes what the system takes of p without waiting.
func (s *socket) writeNow(p []byte) (n int, err error) {
	w := socketWrites.Get().(*socketWrite)
	w.p, w.n, w.err = p, 0, nil
	err = s.raw.Write(w.try)
	n, failed := w.n, w.err
	w.p, w.err = nil, nil
	socketWrites.Put(w)
	if err != nil && !isTimeout(err) { // a deadline that has passed is no news
		return 0, err
	}
	return n, failed
}

func (w *socketWrite) once(fd uintptr) bool {
	for w.n < len(w.p) {
		n, err := sysWrite(int(fd), w.p[w.n:])
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return true
		case err != nil:
			w.err = os.NewSyscallError("write", err)
			return true
		default:
			w.n += n
		}
	}
	return true
}

// socketError returns the error that the kernel has noted for a socket, as the
// reset by a peer. It tells of a lost connection while nothing is read.
func socketError(conn transport) error {
	var errno int
	var err error
	asked := onSocket(conn, func(fd int) {
		errno, err = syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ERROR)
	})
	if !asked || err != nil || errno == 0 {
		return nil
	}
	return syscall.Errno(errno)
}

// dropUnsent has the system forget what a peer has not taken in time, when the
// connection is closed: it would offer it for minutes, and may hold megabytes.
func dropUnsent(conn transport) {
	onSocket(conn, func(fd int) {
		// An error leaves it as it is.
		_ = syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
	})
}

// onSocket calls f with the descriptor of a connection, if there is one.
func onSocket(conn transport, f func(fd int)) (called bool) {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	s, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := s.SyscallConn()
	return err == nil && raw.Control(func(fd uintptr) { f(int(fd)) }) == nil
}
