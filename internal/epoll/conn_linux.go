package epoll

import (
	"io"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// A Conn is a socket that a loop looks after. Its methods are those of a
// net.Conn, and are as safe for concurrent use.
type Conn struct {
	fd      int32
	id      uint32       // its place in the table of the loop
	serial  int32        // tells it from others that had that place
	users   atomic.Int32 // who is in a system call with fd; closed, if it is to be closed
	loop    *loop
	in, out gate

	handler atomic.Pointer[Handler]
	turn    atomic.Int32  // resting, running, or to be run once more
	distant atomic.Int32  // how many more times the handler runs on a goroutine
	events  atomic.Uint32 // those of noted that have come: what they say lasts

	tcp  bool
	port uint16                    // with peer
	peer netip.Addr                // remote, which the system forgets after a reset
	ends atomic.Pointer[addresses] // since it was closed
}

const (
	closed = -1 << 30       // is added to users when a Conn is closed
	gone   = -1<<31 + 1<<29 // is in users when the descriptor is, too
)

// Adopt takes over a socket: what it returns has a descriptor of its own for it, so
// that the socket lives on when the one behind raw is closed, which the caller
// should do at once.
func Adopt(raw syscall.RawConn) (*Conn, error) {
	var fd int
	var err error
	tcp := false
	if cerr := raw.Control(func(old uintptr) {
		fd, err = duplicate(old)
		family, _ := syscall.GetsockoptInt(int(old), syscall.SOL_SOCKET, syscall.SO_DOMAIN)
		tcp = family == syscall.AF_INET || family == syscall.AF_INET6
	}); cerr != nil {
		return nil, cerr
	}
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	c := &Conn{fd: int32(fd), tcp: tcp}
	if tcp {
		c.peer, c.port = peerOf(fd)
	}
	if err := enlist(c); err != nil {
		syscall.Close(fd)
		return nil, err
	}
	return c, nil
}

func duplicate(fd uintptr) (int, error) {
	r, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_DUPFD_CLOEXEC, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(r), nil
}

// enter has to be called before fd is used, and leave after it.
func (c *Conn) enter() error {
	if c.users.Add(1) < 0 {
		c.leave()
		return net.ErrClosed
	}
	return nil
}

func (c *Conn) leave() {
	if c.users.Add(-1) == closed && c.users.CompareAndSwap(closed, gone) {
		c.loop.dismiss(c)
		syscall.Close(int(c.fd))
	}
}

// Close implements net.Conn: whoever waits for the socket gets net.ErrClosed, and
// the handler is called.
func (c *Conn) Close() error {
	if err := c.enter(); err != nil {
		return err
	}
	for {
		n := c.users.Load()
		if n < 0 {
			c.leave()
			return net.ErrClosed
		}
		if c.users.CompareAndSwap(n, n+closed) {
			break
		}
	}
	c.ends.Store(c.ask())
	c.in.shut()
	c.out.shut()
	c.leave()
	c.Nudge()
	return nil
}

// HungUp reports whether the peer has hung up or shut down its side. If so there is
// an end to be read, behind what has come before.
func (c *Conn) HungUp() bool { return c.events.Load()&hangUp != 0 }

// Streams reports whether a read that returns less than it was asked for has taken
// all that there was. A Unix socket stops where something else than bytes was sent,
// any other where something was sent out of band.
func (c *Conn) Streams() bool { return c.tcp && c.events.Load()&urgent == 0 }

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (n int, err error) {
	werr := c.await(&c.in, func(fd uintptr) bool {
		for {
			n, err = syscall.Read(int(fd), p)
			if err != syscall.EINTR {
				return err != syscall.EAGAIN
			}
		}
	})
	switch {
	case werr != nil:
		return 0, werr
	case err != nil:
		return 0, os.NewSyscallError("read", err)
	case n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return n, nil
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (n int, err error) {
	b := net.Buffers{p}
	m, err := c.WriteBuffers(&b)
	return int(m), err
}

// CloseWrite shuts down the writing side.
func (c *Conn) CloseWrite() error {
	if err := c.enter(); err != nil {
		return err
	}
	defer c.leave()
	return os.NewSyscallError("shutdown", syscall.Shutdown(int(c.fd), syscall.SHUT_WR))
}

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn. A deadline that has passed calls the
// handler, too.
func (c *Conn) SetReadDeadline(t time.Time) error {
	if err := c.enter(); err != nil {
		return err
	}
	defer c.leave()
	if c.in.setDeadline(t) {
		c.Nudge()
	}
	return nil
}

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	if err := c.enter(); err != nil {
		return err
	}
	defer c.leave()
	c.out.setDeadline(t)
	return nil
}

// SyscallConn implements syscall.Conn.
func (c *Conn) SyscallConn() (syscall.RawConn, error) { return (*rawConn)(c), nil }

// await calls try until it returns true, and before each time but the first waits
// for g.
func (c *Conn) await(g *gate, try func(fd uintptr) bool) error {
	for {
		if err := c.enter(); err != nil {
			return err
		}
		if g.is(passed) {
			c.leave()
			return os.ErrDeadlineExceeded
		}
		g.set(ready, false) // first: an edge during try is not to be missed
		done := try(uintptr(c.fd))
		c.leave()
		if done {
			g.open() // there may be more, for somebody else who waits
			return nil
		}
		c.loop.handOver()
		g.wait()
	}
}

// rawConn is a Conn as a syscall.RawConn.
type rawConn Conn

func (r *rawConn) Control(f func(fd uintptr)) error {
	c := (*Conn)(r)
	if err := c.enter(); err != nil {
		return err
	}
	defer c.leave()
	f(uintptr(c.fd))
	return nil
}

func (r *rawConn) Read(f func(fd uintptr) bool) error  { return (*Conn)(r).await(&r.in, f) }
func (r *rawConn) Write(f func(fd uintptr) bool) error { return (*Conn)(r).await(&r.out, f) }
