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

// A plain socket is read and written through its descriptor, without the detours
// that a net.Conn takes: a read needs no buffer while it waits, and a write that the
// system takes at once needs no deadline. Both are calls into syscall.RawConn with
// functions that are made once, and lie beside what they need and find. Reading is
// for whoever has the right to read, writing for whoever has the right to write.
// What is not under way is shared, for an idle channel has no use for it.

// A socketRead is one read.
type socketRead struct {
	try  func(fd uintptr) bool
	e    *engine // lends the memory to read into, and is told before a read waits
	told bool    // e was told
	n    int
	err  error
}

var socketReads = sync.Pool{New: func() any {
	r := &socketRead{}
	r.try = r.once
	return r
}}

// A socketWrite is one write.
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

// rawSocket returns nil if conn is not a socket of the standard library: what
// wraps one has to see its reads and writes.
func rawSocket(conn transport) syscall.RawConn {
	switch conn.(type) {
	case *net.TCPConn, *net.UnixConn, plainSocket:
	default:
		return nil
	}
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// A plainSocket is one that a test has put a fault in.
type plainSocket interface {
	syscall.Conn
	over(net.Conn) net.Conn // the same with another socket
}

// readSocket waits until there is something to read, and reads it.
func (e *engine) readSocket() (n int, err error) {
	r := socketReads.Get().(*socketRead)
	r.e, r.told, r.n, r.err = e, false, 0, nil
	err = e.raw.Read(r.try)
	n, failed := r.n, r.err
	r.e, r.err = nil, nil
	socketReads.Put(r)
	if err != nil && n == 0 {
		return 0, err
	}
	return n, failed
}

// once returns false to wait for the descriptor to become readable.
func (r *socketRead) once(fd uintptr) bool {
	e := r.e
	for {
		p := e.space(int(fd))
		n, err := sysRead(int(fd), p)
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			if !r.told {
				r.told = true
				r.err = e.blocks()
			}
			return r.err != nil
		case err != nil:
			r.err = os.NewSyscallError("read", err)
			return true
		case n == 0 && len(p) > 0:
			r.err = io.EOF
			return true
		default:
			r.n = n
			e.readsLeft = max(e.readsLeft-1, 0)
			e.tookAll = n < len(p)
			return true
		}
	}
}

// writeSocket writes what the system takes of p without waiting.
func (e *engine) writeSocket(p []byte) (n int, err error) {
	w := socketWrites.Get().(*socketWrite)
	w.p, w.n, w.err = p, 0, nil
	err = e.raw.Write(w.try)
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
