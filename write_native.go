//go:build !js

package wschannel

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// recordSize is how many bytes are given at a time to transports whose writes
// cannot be resumed: a TLS record.
const recordSize = 16 << 10

// write gives p to the transport. rest is how many bytes of the same message
// follow. After an error, n of them have left and others may still be written, if
// n is not negative; otherwise the transport cannot go on. The caller has the
// right to write.
func (e *engine) write(ctx context.Context, p []byte, rest int) (n int, err error) {
	if e.plain {
		// Nearly always the system takes everything at once, and neither a
		// deadline nor a watch is needed.
		n, err = e.writeSocket(p)
		e.tally.wrote(n)
		if err != nil {
			return broken, err
		}
		if p = p[n:]; len(p) == 0 {
			return n, nil
		}
	}
	b := e.mayBlock()
	b.unsent.Store(int64(len(p) + rest))
	defer b.unsent.Store(0)
	for !e.exact && len(p) > recordSize {
		m, err := e.writeBlocking(ctx, p[:recordSize], nil)
		if err != nil {
			return sum(n, m), err
		}
		b.unsent.Add(-recordSize)
		n += m
		p = p[recordSize:]
	}
	m, err := e.writeBlocking(ctx, p, nil)
	return sum(n, m), err
}

// A blockage is what is known of writes that may have to wait for the peer.
type blockage struct {
	watch  watch
	unsent atomic.Int64 // bytes of the one under way
	moved  atomic.Int64 // when one that had been blocked went on, in ns since the channel was made
}

// mayBlock returns the blockage. The caller has the right to write.
func (e *engine) mayBlock() *blockage {
	b := e.blockage.Load()
	if b == nil {
		b = &blockage{}
		e.blockage.Store(b)
		if e.is(finished) { // whoever finishes it may have seen none
			b.watch.release()
		}
	}
	return b
}

// broken stands for the number of bytes that have left a transport which cannot
// go on.
const broken = -1

// sum adds to n bytes that have left another m.
func sum(n, m int) int {
	if m == broken {
		return broken
	}
	return n + m
}

// writeVector is write for a header and a payload that is not copied.
func (e *engine) writeVector(ctx context.Context, head, payload []byte) (n int, err error) {
	b := e.mayBlock()
	b.unsent.Store(int64(len(head) + len(payload)))
	defer b.unsent.Store(0)
	v := vectors.Get().(*vector)
	defer vectors.Put(v)
	v.both = [...][]byte{head, payload}
	v.left = v.both[:]
	defer clear(v.both[:])
	return e.writeBlocking(ctx, nil, v)
}

// A vector is two runs of bytes that are written as one.
type vector struct {
	both [2][]byte
	left net.Buffers // of both
}

var vectors = sync.Pool{New: func() any { return &vector{} }}

// writeBlocking gives p, or v if that is not nil, to a transport that may have
// to wait for the peer.
func (e *engine) writeBlocking(ctx context.Context, p []byte, v *vector) (n int, err error) {
	n, err = e.writeBefore(ctx, p, v)
	if n != broken && (e.plain || !e.exact) {
		// Over TLS, wrapped or not, reading may have to write, to answer a key
		// update (RFC 8446 §4.6.3), and what is left of a deadline would break
		// the connection then. On a socket the next write would meet it.
		late := e.link.Load().SetWriteDeadline(time.Time{})
		if err == nil && late != nil && !e.is(decided) { // on a close the peer may have hung up already
			return broken, late
		}
	}
	return n, err
}

// writeBefore is writeBlocking, and may leave a deadline behind.
func (e *engine) writeBefore(ctx context.Context, p []byte, v *vector) (left int, err error) {
	b := e.mayBlock()
	b.watch.begin(e, ctx)
	defer b.watch.end()
	timeout := e.set.writeTimeout
	window := timeout
	if e.exact {
		// Such a write goes on after a time-out, so progress can be looked for
		// more often than the limit asks for. The keepalive wants to know too.
		window = shorter(timeout, e.set.pingTimeout) / 4
	}
	began := time.Now()
	progress := began
	for {
		var deadline time.Time
		if window > 0 {
			deadline = time.Now().Add(window)
		}
		if err := e.link.Load().SetWriteDeadline(deadline); err != nil {
			return broken, err
		}
		// After the deadline, so that a ctx that is done in between is seen.
		if err := ctx.Err(); err != nil {
			return left, err
		}
		n, err := e.writeOnce(&p, v)
		now := time.Now()
		left += n
		e.tally.wrote(n)
		if now.Sub(began) > blockedWrite && n > 0 {
			b.moved.Store(e.now())
		}
		if err == nil {
			return left, nil
		}
		if n > 0 {
			progress = now
			b.unsent.Add(-int64(n))
		}
		switch {
		case !isTimeout(err):
			return broken, err
		case ctx.Err() != nil && e.exact:
			return left, ctx.Err()
		case ctx.Err() != nil:
			return broken, ctx.Err()
		case !e.exact || timeout > 0 && now.Sub(progress) >= timeout:
			return broken, fmt.Errorf("the peer has taken nothing for %v: %w", timeout, os.ErrDeadlineExceeded)
		}
	}
}

// shorter returns the shorter of two time-outs, of which 0 is none.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// blockedWrite is how long a write takes that had to wait for the peer.
const blockedWrite = 10 * time.Millisecond

// A vectorWriter does what net.Buffers can do only with sockets of package net.
type vectorWriter interface {
	WriteBuffers(b *net.Buffers) (int64, error)
}

func (e *engine) writeOnce(p *[]byte, v *vector) (n int, err error) {
	l := e.link.Load()
	if v != nil {
		var n int64
		if w, ok := l.transport.(vectorWriter); ok {
			n, err = w.WriteBuffers(&v.left)
		} else {
			n, err = v.left.WriteTo(e.netConn())
		}
		return int(n), err
	}
	n, err = l.Write(*p)
	if n < 0 || n > len(*p) {
		return 0, errWrongCount
	}
	*p = (*p)[n:]
	switch {
	case err == nil && len(*p) > 0:
		err = io.ErrShortWrite
	case err == io.EOF: // a TLS handshake reads, too
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
