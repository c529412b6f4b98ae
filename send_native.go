//go:build !js

package wschannel

import (
	"context"
	"crypto/rand"
	"net"

	"github.com/wschannel/wschannel/internal/proto"
	"github.com/wschannel/wschannel/internal/wire"
)

func (e *engine) send(ctx context.Context, t Type, data []byte) (err error) {
	if c := e.compression; c != nil && len(data) >= c.threshold {
		err = e.sendCompressed(ctx, wire.Opcode(t), data)
	} else {
		err = e.sendAs(ctx, wire.Opcode(t), 0, data)
	}
	if err == nil {
		e.tally.sent(len(data))
	}
	return err
}

// sendAs sends a message with these reserved bits.
func (e *engine) sendAs(ctx context.Context, op wire.Opcode, rsv uint8, data []byte) error {
	for {
		if err := e.sendable(ctx); err != nil {
			return err
		}
		switch e.offer(op, rsv, data) {
		case accepted:
			return nil
		case direct:
			_, err := e.writeData(ctx, op, rsv, true, data)
			return err
		case full:
			if !e.obtain(ctx, &e.frame, decided) {
				continue
			}
			if e.admits() != direct {
				e.stopWriting()
				continue
			}
			_, err := e.writeData(ctx, op, rsv, true, data)
			return err
		case occupied:
			if e.obtain(ctx, &e.message, decided) {
				e.message.release()
			}
		}
	}
}

// sendable returns why nothing can be sent, in the order of errors of the
// contract: the channel's end, then ctx.
func (e *engine) sendable(ctx context.Context) error {
	if err := e.mayNotSend(ctx); err != nil {
		return err
	}
	if e.writeError.Load() != nil {
		return e.afterFailure()
	}
	return nil
}

// mayNotSend is sendable that waits for nothing.
func (e *engine) mayNotSend(ctx context.Context) error {
	// Looked at first, so that it does not win over an end that was before.
	err := ctx.Err()
	if e.is(decided) {
		return e.end.Load()
	}
	return err
}

// acquire is sendable, and takes a right.
func (e *engine) acquire(ctx context.Context, r *right) error {
	if err := e.sendable(ctx); err != nil {
		return err
	}
	if !e.obtain(ctx, r, decided) {
		if e.is(decided) {
			return e.end.Load()
		}
		return ctx.Err()
	}
	err := e.sendable(context.Background())
	if err != nil {
		r.release()
	}
	return err
}

// writeData writes what is pending and then one data frame. It returns an error
// and false if nothing of the frame has left and the channel is as before. The
// caller has the right to write, and gives it back with the call.
func (e *engine) writeData(ctx context.Context, op wire.Opcode, rsv uint8, fin bool, payload []byte) (left bool, err error) {
	before := e.out
	left, err = e.writeFrame(ctx, op, rsv, fin, payload)
	switch {
	case err == nil:
	case left:
		err = e.writeFailed(ctx, err)
	default:
		e.out = before
		if e.is(decided) {
			err = e.end.Load() // which ctx may be done because of
		}
	}
	e.stopWriting()
	if left && err != nil {
		return true, e.afterFailure()
	}
	return left, err
}

func (e *engine) writeFrame(ctx context.Context, op wire.Opcode, rsv uint8, fin bool, payload []byte) (left bool, err error) {
	buf := e.outbox.takePending()
	if buf == nil {
		buf = takeWriteBuffer()
	}
	defer func() { giveWriteBuffer(buf) }()
	if len(buf) > 0 && len(buf)+wire.MaxHeader+len(payload) > pendingLimit {
		n, err := e.write(ctx, buf, len(payload))
		if err != nil {
			return e.withdraw(buf, n, len(buf)), err
		}
		buf = buf[:0]
	}
	others := len(buf)
	key := e.maskKey()
	buf = e.out.AppendExtended(buf, op, rsv, fin, len(payload), key)
	if len(payload) > vectorFrom && !e.out.Masked() && e.canVector() {
		n, err := e.writeVector(ctx, buf, payload)
		return err == nil || e.withdraw(buf, n, others), err
	}
	for pos := 0; ; {
		n := min(len(payload), pendingLimit-len(buf))
		buf, pos = e.out.AppendPayload(buf, payload[:n], key, pos)
		payload = payload[n:]
		n, err := e.write(ctx, buf, len(payload))
		if err != nil {
			return e.withdraw(buf, n, others) || left, err
		}
		if len(payload) == 0 {
			return true, nil
		}
		left, others, buf = true, 0, buf[:0]
	}
}

// withdraw puts back what others have to send, the first bytes of a write that
// has failed after n bytes. It reports whether more than that has left.
func (e *engine) withdraw(buf []byte, n, others int) (left bool) {
	if n == broken || n > others {
		return true
	}
	if n < others {
		e.outbox.putBack(buf[n:others])
	}
	return false
}

// vectorFrom is the length in bytes from which a payload is written without a
// copy, if it can be.
const vectorFrom = 16 << 10

// canVector reports whether header and payload can be written in one system
// call without a copy.
func (e *engine) canVector() bool {
	switch e.link.Load().transport.(type) {
	case *net.TCPConn, *net.UnixConn, vectorWriter:
		return true
	}
	return false
}

// maskKey returns a new masking key: "derived from a strong source of entropy"
// (RFC 6455 §5.3).
func (e *engine) maskKey() (key [4]byte) {
	if !e.server {
		rand.Read(key[:])
	}
	return key
}

// writeFailed begins the end of the channel after a frame of which a part may
// have left. The caller still has the right to write, and nobody writes after
// it. It returns err.
func (e *engine) writeFailed(ctx context.Context, err error) error {
	e.writeError.CompareAndSwap(nil, &err) // before it is lost, so that reading tells the same
	switch {
	case e.closeSent():
		// It was a pong. Whether the peer has closed too is for reading to tell.
	case e.is(decided):
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
	if !e.obtain(context.Background(), &e.frame, finished) {
		return
	}
	if e.writeError.Load() != nil || e.is(decided) && (op == wire.Ping || !e.awaitsClose()) {
		e.stopWriting()
		return
	}
	ctx := context.Background()
	buf := e.outbox.takePending()
	if buf == nil {
		buf = takeWriteBuffer()
	}
	buf = e.out.AppendControl(buf, op, payload, e.maskKey())
	_, err := e.write(ctx, buf, 0)
	giveWriteBuffer(buf)
	if err != nil {
		e.writeFailed(ctx, err)
	}
	e.stopWriting()
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

// closeSent reports whether our close frame has been written.
func (e *engine) closeSent() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.closing == proto.CloseSent || e.closing == proto.Closed
}

// writeClose writes the close frame for end, behind all that was accepted.
func (e *engine) writeClose(end *CloseError) error {
	q := e.queue.Load()
	if q != nil {
		if rested := q.seal(); rested != nil {
			select {
			case <-rested:
			case <-e.when(finished):
				return errHungUp
			}
		}
	}
	if !e.obtain(context.Background(), &e.frame, finished) {
		return errHungUp
	}
	defer e.frame.release()
	if q != nil && e.writeError.Load() == nil {
		if err := e.flushQueue(q); err != nil {
			return err
		}
	}
	buf := e.outbox.shutOff()
	if cause := e.writeError.Load(); cause != nil {
		return *cause
	}
	e.mu.Lock()
	e.closing = e.closing.Sent()
	e.mu.Unlock()
	if buf == nil {
		buf = takeWriteBuffer()
	}
	buf = e.out.AppendClose(buf, end.Code, end.Reason, e.maskKey())
	_, err := e.write(context.Background(), buf, 0)
	giveWriteBuffer(buf)
	return err
}
