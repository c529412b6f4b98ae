//go:build !js

package wschannel

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/wschannel/wschannel/internal/proto"
	"github.com/wschannel/wschannel/internal/wire"
)

const (
	// pieceSize is how many bytes are given to the transport at a time, unless
	// they can be written without a copy.
	pieceSize = 32 << 10
	// recordSize is the same for transports whose writes cannot be resumed: a
	// TLS record.
	recordSize = 16 << 10
)

// acquire takes the right to send, in the order of errors of the contract: the
// channel's end, then ctx.
func (e *engine) acquire(ctx context.Context, r right) error {
	// Looked at first, so that it does not win over an end that was before.
	err := ctx.Err()
	if isClosed(e.ended) {
		return e.end.Load()
	}
	if err != nil {
		return err
	}
	if !r.try() {
		select {
		case r <- struct{}{}:
		case <-e.ended:
			return e.end.Load()
		case <-ctx.Done():
			if !isClosed(e.ended) {
				return ctx.Err()
			}
			return e.end.Load()
		}
	}
	if e.writeError.Load() != nil {
		r.release()
		return e.afterFailure()
	}
	if isClosed(e.ended) {
		r.release()
		return e.end.Load()
	}
	return nil
}

func (e *engine) send(ctx context.Context, t Type, data []byte) error {
	if err := e.acquire(ctx, e.message); err != nil {
		return err
	}
	defer e.message.release()
	_, err := e.writeData(ctx, wire.Opcode(t), true, data)
	return err
}

// writeData writes one data frame. It returns an error and false if nothing of
// the frame has left and the channel is as before. The caller has the right to
// send a message.
func (e *engine) writeData(ctx context.Context, op wire.Opcode, fin bool, payload []byte) (left bool, err error) {
	if err := e.acquire(ctx, e.frame); err != nil {
		return false, err
	}
	before := e.out
	left, err = e.writeFrame(ctx, op, fin, payload)
	switch {
	case err == nil:
	case left:
		err = e.writeFailed(ctx, err)
	default:
		e.out = before
	}
	e.frame.release()
	if left && err != nil {
		return true, e.afterFailure()
	}
	return left, err
}

// writeFrame is writeData with the right to write a frame.
func (e *engine) writeFrame(ctx context.Context, op wire.Opcode, fin bool, payload []byte) (left bool, err error) {
	key := e.maskKey()
	head := e.out.AppendHeader(e.scratch[:0], op, fin, len(payload), key)
	if len(payload) > pieceSize && !e.out.Masked() && e.canVector() {
		e.scratch = head[:0]
		e.vector = [2][]byte{head, payload}
		e.buffers = e.vector[:]
		defer func() { e.buffers, e.vector = nil, [2][]byte{} }()
		return e.write(ctx, nil, len(head)+len(payload))
	}
	size := pieceSize
	if !e.exact {
		size = recordSize
	}
	for pos, piece := 0, head; ; piece = piece[:0] {
		n := min(len(payload), size-len(piece))
		piece = append(piece, payload[:n]...)
		if e.out.Masked() {
			pos = wire.Mask(piece[len(piece)-n:], key, pos)
		}
		payload = payload[n:]
		e.scratch = piece[:0]
		began, err := e.write(ctx, piece, len(piece)+len(payload))
		left = left || began
		if err != nil || len(payload) == 0 {
			return left, err
		}
	}
}

// canVector reports whether header and payload can be written in one system
// call without a copy.
func (e *engine) canVector() bool {
	switch e.conn.(type) {
	case *net.TCPConn, *net.UnixConn:
		return true
	}
	return false
}

// maskKey returns a new masking key: "derived from a strong source of entropy"
// (RFC 6455 §5.3).
func (e *engine) maskKey() (key [4]byte) {
	if e.out.Masked() {
		rand.Read(key[:])
	}
	return key
}

// write gives p, or e.buffers if p is nil, to the transport. unsent is how many
// bytes wait for that, all in all. left says whether the peer may see a part of
// them; it is also true if the transport is lost, so that the channel cannot go
// on anyway. The caller has the right to write a frame.
func (e *engine) write(ctx context.Context, p []byte, unsent int) (left bool, err error) {
	left, err = e.writeBefore(ctx, p, unsent)
	if err == nil && e.tls != nil {
		// Reading may have to write, to answer a key update (RFC 8446 §4.6.3),
		// and what is left of a deadline would break the connection then.
		err = e.tls.SetWriteDeadline(time.Time{})
	}
	return left, err
}

// writeBefore is write, and may leave a deadline behind.
func (e *engine) writeBefore(ctx context.Context, p []byte, unsent int) (left bool, err error) {
	e.writeWatch.begin(ctx)
	defer e.writeWatch.end()
	e.unsent.Store(int64(unsent))
	defer e.unsent.Store(0)
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
		if err := e.conn.SetWriteDeadline(deadline); err != nil {
			return true, err
		}
		// After the deadline, so that a ctx that is done in between is seen.
		if err := ctx.Err(); err != nil {
			return left, err
		}
		n, err := e.writeOnce(&p)
		now := time.Now()
		left = left || n > 0 || !e.exact
		if now.Sub(began) > blockedWrite && n > 0 {
			e.moved.Store(e.now())
		}
		if err == nil {
			return true, nil
		}
		if n > 0 {
			progress = now
			e.unsent.Add(-int64(n))
		}
		switch {
		case !isTimeout(err):
			return true, err
		case ctx.Err() != nil:
			return left, ctx.Err()
		case !e.exact || timeout > 0 && now.Sub(progress) >= timeout:
			return true, fmt.Errorf("the peer has taken nothing for %v: %w", timeout, os.ErrDeadlineExceeded)
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

func (e *engine) writeOnce(p *[]byte) (n int, err error) {
	if *p == nil {
		n, err := e.buffers.WriteTo(e.netConn)
		return int(n), err
	}
	n, err = e.conn.Write(*p)
	if n < 0 || n > len(*p) {
		return 0, errWrongCount
	}
	*p = (*p)[n:]
	if err == nil && len(*p) > 0 {
		err = io.ErrShortWrite
	}
	return n, err
}

// writeFailed begins the end of the channel after a frame of which a part may
// have left. The caller still has the right to write, and nobody writes after
// it. It returns err.
func (e *engine) writeFailed(ctx context.Context, err error) error {
	e.writeError.CompareAndSwap(nil, &err) // before it is lost, so that reading tells the same
	switch {
	case isClosed(e.ended):
		// The closing handshake cannot go on behind half a frame.
		e.hangUp(err)
	case ctx.Err() != nil || isTimeout(err):
		e.lose(err)
	}
	return err
}

// afterFailure waits for the end that writeFailed has begun, without the right
// to write, and returns it.
func (e *engine) afterFailure() error {
	e.salvage(*e.writeError.Load())
	return e.end.Load()
}

// writeControl writes a ping or pong, unless it is too late for that. After a
// close of ours pongs go on: they are due until a close frame has come (RFC 6455
// §5.5.2).
func (e *engine) writeControl(op wire.Opcode, payload []byte) {
	select {
	case e.frame <- struct{}{}:
	case <-e.done:
		return
	}
	if e.writeError.Load() != nil || isClosed(e.ended) && (op == wire.Ping || !e.awaitsClose()) {
		e.frame.release()
		return
	}
	ctx := context.Background()
	e.scratch = e.out.AppendControl(e.scratch[:0], op, payload, e.maskKey())
	_, err := e.write(ctx, e.scratch, len(e.scratch))
	if err != nil {
		e.writeFailed(ctx, err)
	}
	e.frame.release()
	if err != nil {
		e.afterFailure()
	}
}

// awaitsClose reports whether this side has closed and the peer's close frame
// has not come.
func (e *engine) awaitsClose() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.end.Load().local() && (e.closing == proto.Open || e.closing == proto.CloseSent)
}

// writeClose writes the close frame for end, behind all that was accepted.
func (e *engine) writeClose(end *CloseError) error {
	select {
	case e.frame <- struct{}{}:
	case <-e.done:
		return errHungUp
	}
	defer e.frame.release()
	if cause := e.writeError.Load(); cause != nil {
		return *cause
	}
	e.mu.Lock()
	e.closing = e.closing.Sent()
	e.mu.Unlock()
	e.scratch = e.out.AppendClose(e.scratch[:0], end.Code, end.Reason, e.maskKey())
	_, err := e.write(context.Background(), e.scratch, len(e.scratch))
	return err
}
