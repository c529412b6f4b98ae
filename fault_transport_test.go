//go:build !js

package wschannel

import (
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

var errInjected = errors.New("injected")

// The calls that a transport gets.
const (
	callRead          = "Read"
	callWrite         = "Write"
	callReadDeadline  = "SetReadDeadline"
	callWriteDeadline = "SetWriteDeadline"
	callClose         = "Close"
)

// A faultKind is a way in which calls of a transport go wrong.
type faultKind struct {
	name   string
	calls  []string // that go wrong
	err    error
	some   bool // a half of what was asked for is done before
	always bool // all calls after it go wrong too
	// harmless is true if a channel must not mind, inexact if only a channel
	// must not mind that knows what has left.
	harmless, inexact bool
}

var faultKinds = []faultKind{
	{name: "error", calls: []string{callRead, callWrite, callReadDeadline, callWriteDeadline, callClose}, err: errInjected},
	{name: "error for good", calls: []string{callRead, callWrite, callReadDeadline, callWriteDeadline, callClose}, err: errInjected, always: true},
	{name: "no deadlines any more", calls: []string{callReadDeadline, callWriteDeadline}, err: errInjected, always: true},
	{name: "error after a part", calls: []string{callWrite}, err: errInjected, some: true},
	{name: "error with data", calls: []string{callRead}, err: errInjected, some: true, always: true},
	{name: "EOF", calls: []string{callRead}, err: io.EOF, always: true},
	{name: "EOF with data", calls: []string{callRead}, err: io.EOF, some: true, always: true},
	{name: "closed", calls: []string{callRead, callWrite}, err: net.ErrClosed, always: true},
	{name: "timeout of a read", calls: []string{callRead}, err: os.ErrDeadlineExceeded, harmless: true},
	{name: "timeout of a write", calls: []string{callWrite}, err: os.ErrDeadlineExceeded, harmless: true, inexact: true},
	{name: "timeout after a part", calls: []string{callRead, callWrite}, err: os.ErrDeadlineExceeded, some: true, harmless: true, inexact: true},
	{name: "nothing read", calls: []string{callRead}, harmless: true},
	{name: "nothing read any more", calls: []string{callRead}, always: true},
}

// A faultPlan decides which call goes wrong: the at-th of those that its kind
// can harm.
type faultPlan struct {
	kind faultKind
	at   int

	mu     sync.Mutex
	count  int
	failed string   // the call that went wrong first
	early  bool     // before the end of the channel was decided
	begun  bool     // calls are counted
	c      *Channel // nil if there is none yet
}

// begin lets calls be counted from now on. c is the channel on the transport,
// nil if there is none yet.
func (p *faultPlan) begin(c *Channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begun, p.c = true, c
}

// fails reports whether this call goes wrong, and whether it does a part of its
// work before.
func (p *faultPlan) fails(call string) (wrong, some bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.begun || !slices.Contains(p.kind.calls, call) {
		return false, false
	}
	p.count++
	if p.failed == "" && p.count == p.at+1 {
		p.failed = call
		p.early = p.c == nil || p.c.engine.end.Load() == nil
		return true, p.kind.some
	}
	return p.failed != "" && p.kind.always, false
}

// outcome returns the call that went wrong first, if one did, and whether that
// was before the end of the channel.
func (p *faultPlan) outcome() (failed string, early bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed, p.early
}

// A faultConn does what its plan says, and otherwise what the connection does.
// It closes that in any case.
type faultConn struct {
	net.Conn
	plan *faultPlan
	left bool // it is not that of the channel any more
}

func (c *faultConn) Read(p []byte) (n int, err error) {
	wrong, some := c.plan.fails(callRead)
	if !wrong {
		return c.Conn.Read(p)
	}
	if some {
		n, err = c.Conn.Read(p[:(len(p)+1)/2])
	}
	return n, either(err, c.plan.kind.err)
}

func (c *faultConn) Write(p []byte) (n int, err error) {
	wrong, some := c.plan.fails(callWrite)
	if !wrong {
		return c.Conn.Write(p)
	}
	if some {
		if n, err = c.Conn.Write(p[:len(p)/2]); n > 0 {
			err = nil // if that was a part of the half, a part it is
		}
	}
	return n, either(err, c.plan.kind.err)
}

func (c *faultConn) SetReadDeadline(at time.Time) error {
	if wrong, _ := c.plan.fails(callReadDeadline); wrong {
		return c.plan.kind.err
	}
	return c.Conn.SetReadDeadline(at)
}

func (c *faultConn) SetWriteDeadline(at time.Time) error {
	if wrong, _ := c.plan.fails(callWriteDeadline); wrong {
		return c.plan.kind.err
	}
	return c.Conn.SetWriteDeadline(at)
}

func (c *faultConn) Close() error {
	err := c.Conn.Close()
	if c.left {
		return err
	}
	if wrong, _ := c.plan.fails(callClose); wrong {
		return c.plan.kind.err
	}
	return err
}

// A faultSocket lets the socket underneath be seen, so that it counts as exact.
type faultSocket struct{ faultConn }

func (c *faultSocket) SyscallConn() (syscall.RawConn, error) {
	socket, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	raw, err := socket.SyscallConn()
	return &faultDescriptor{raw, c.plan}, err
}

// over has the engine go past Read and Write of it, as on any socket. That the old
// one is closed is no call of the new one.
func (c *faultSocket) over(conn net.Conn) net.Conn {
	c.left = true
	return &faultSocket{faultConn{Conn: conn, plan: c.plan}}
}

// A faultDescriptor is the same for who goes past Read and Write of the socket.
type faultDescriptor struct {
	syscall.RawConn
	plan *faultPlan
}

func (d *faultDescriptor) Read(f func(fd uintptr) bool) error {
	return d.perform(callRead, d.RawConn.Read, f)
}

func (d *faultDescriptor) Write(f func(fd uintptr) bool) error {
	return d.perform(callWrite, d.RawConn.Write, f)
}

func (d *faultDescriptor) perform(call string, do func(func(uintptr) bool) error, f func(uintptr) bool) (err error) {
	wrong, some := d.plan.fails(call)
	if !wrong || some {
		err = do(f)
	}
	if wrong {
		err = either(err, d.plan.kind.err)
	}
	return err
}

func (c *faultSocket) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// A faultStream has no deadlines.
type faultStream struct{ conn *faultConn }

func (c *faultStream) Read(p []byte) (int, error)  { return c.conn.Read(p) }
func (c *faultStream) Write(p []byte) (int, error) { return c.conn.Write(p) }
func (c *faultStream) Close() error                { return c.conn.Close() }

// A crumbConn moves one byte at a time. If it is exact its writes say how much
// has left and go on after that, as those of a socket whose buffer is full.
type crumbConn struct {
	net.Conn
	exact bool
}

func (c *crumbConn) Read(p []byte) (int, error) { return c.Conn.Read(p[:min(1, len(p))]) }

func (c *crumbConn) Write(p []byte) (int, error) {
	for i := range p {
		if n, err := c.Conn.Write(p[i : i+1]); err != nil {
			return i + n, err
		}
		if c.exact && i+1 < len(p) {
			return i + 1, os.ErrDeadlineExceeded
		}
	}
	return len(p), nil
}

// A crumbSocket counts as exact: New asks for the method, not for what it does.
type crumbSocket struct{ crumbConn }

func (c *crumbSocket) SyscallConn() (syscall.RawConn, error) { return nil, errors.ErrUnsupported }

// A choppyConn moves at most size bytes at a time. If it is exact its writes say
// so, as those of a crumbConn.
type choppyConn struct {
	net.Conn
	size  int
	exact bool
}

func (c *choppyConn) Read(p []byte) (int, error) { return c.Conn.Read(p[:min(c.size, len(p))]) }

func (c *choppyConn) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var k int
		k, err = c.Conn.Write(p[n:min(n+c.size, len(p))])
		if n += k; c.exact && err == nil && n < len(p) {
			err = os.ErrDeadlineExceeded
		}
	}
	return n, err
}

// A shortConn writes one byte too few and says nothing.
type shortConn struct{ net.Conn }

func (c *shortConn) Write(p []byte) (int, error) { return c.Conn.Write(p[:len(p)-1]) }

// A shortSocket counts as exact.
type shortSocket struct{ shortConn }

func (c *shortSocket) SyscallConn() (syscall.RawConn, error) { return nil, errors.ErrUnsupported }
