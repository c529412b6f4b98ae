//go:build !js

package wschannel

import (
	"context"
	"slices"

	"github.com/wschannel/wschannel/internal/proto"
	"github.com/wschannel/wschannel/internal/wire"
)

// deliver sends a message, and waits for the peer if it has to.
func (e *engine) deliver(ctx context.Context, o outgoing) error {
	switch {
	case o.prepared != nil:
		return e.sendPrepared(ctx, o.prepared)
	case o.plain:
		return e.sendPlain(ctx, o.Message)
	}
	return e.send(ctx, o.Type, o.Data)
}

// sendNow sends a message if nothing has to be waited for, and reports whether it
// did. The error is for platforms that can fail here.
func (e *engine) sendNow(o outgoing) (taken bool, err error) {
	if taken = e.takeNow(o); taken {
		e.tally.sent(len(o.Data))
	}
	return taken, nil
}

func (e *engine) takeNow(o outgoing) (taken bool) {
	op := wire.Opcode(o.Type)
	c := e.compression
	if c == nil || o.plain || len(o.Data) < c.threshold {
		return e.offerNow(op, 0, o.Data, o.prepared != nil)
	}
	if c.sent != nil && !e.message.try() {
		return false
	}
	// What is compressed refers to what was sent before, but nothing refers to it
	// until it is accepted: so it may be given up here.
	var p payload
	if o.prepared == nil {
		p = c.pack(o.Data)
	} else if p.data, p.rsv = o.prepared.shortened(c.how), wire.Rsv1; p.data == nil {
		p = payload{data: o.Data}
	}
	taken = e.offerNow(op, p.rsv, p.data, o.prepared != nil)
	p.release()
	e.endCompressed(taken && p.rsv != 0, o.Data)
	return taken
}

// offerNow writes a message if the system takes it, or leaves it to whoever writes
// next. It returns false if it would have to wait for that. lasting says that data
// stays as it is after the call.
func (e *engine) offerNow(op wire.Opcode, rsv uint8, data []byte, lasting bool) bool {
	if e.plain && (!e.answering.Load() || len(data) > deferLimit) && e.frame.try() {
		if e.admits() != direct {
			e.stopWriting()
			return false
		}
		return e.writeNow(op, rsv, data, lasting)
	}
	a, flushing := e.enqueue(op, rsv, data)
	if a == accepted && !flushing && e.frame.try() {
		e.stopWriting() // nobody is writing, so somebody has to
	}
	return a == accepted
}

// writeNow writes what is pending and then a message, as far as the system takes
// that. It returns false if the message was not begun; if the system takes a part
// of it, the rest is left to others. The caller has the right to write, and gives
// it away with the call.
func (e *engine) writeNow(op wire.Opcode, rsv uint8, data []byte, lasting bool) bool {
	buf := e.outbox.takePending()
	if buf == nil {
		buf = takeWriteBuffer()
	}
	if len(buf) > 0 && len(buf)+wire.MaxHeader+len(data) > pendingLimit {
		n, err := e.writeSocket(buf)
		e.tally.wrote(n)
		if err != nil {
			e.failNow(buf, err)
			return true
		}
		if n < len(buf) {
			e.outbox.putBack(buf[n:])
			giveWriteBuffer(buf)
			e.stopWriting()
			return false
		}
		buf = buf[:0]
	}
	f := remainder{key: e.maskKey(), masked: !e.server, data: data}
	w := proto.NewWriter(e.server)
	buf = w.AppendExtended(buf, op, rsv, true, len(data), f.key)
	for {
		buf = f.appendTo(buf)
		n, err := e.writeSocket(buf)
		e.tally.wrote(n)
		switch {
		case err != nil:
			e.failNow(buf, err)
			return true
		case n < len(buf) && len(f.data) > 0:
			if !lasting {
				f.data = slices.Clone(f.data)
			}
			go e.writeRest(f, buf, n)
			return true
		case n < len(buf):
			e.outbox.putBack(buf[n:])
		case len(f.data) > 0:
			buf = buf[:0]
			continue
		}
		giveWriteBuffer(buf)
		e.stopWriting()
		return true
	}
}

// failNow begins the end of a channel whose writing has failed. It does not wait
// for that, so the message counts as accepted, and the end tells. Nor does it hang
// up itself: that may call what the application gave us, and the caller may have
// locks.
func (e *engine) failNow(buf []byte, err error) {
	e.writeError.CompareAndSwap(nil, &err) // nothing is accepted any more
	go e.failWriting(buf, err)
}

// failWriting ends a channel whose writing has failed. It has the right to write.
func (e *engine) failWriting(buf []byte, err error) {
	giveWriteBuffer(buf)
	e.writeFailed(context.Background(), err)
	e.stopWriting()
	e.afterFailure()
}

// writeRest goes on with a frame of which the system has not taken buf[n:] and what
// follows. It has the right to write.
func (e *engine) writeRest(f remainder, buf []byte, n int) {
	for {
		_, err := e.write(context.Background(), buf[n:], len(f.data))
		if err != nil {
			e.failWriting(buf, err)
			return
		}
		if len(f.data) == 0 {
			giveWriteBuffer(buf)
			e.stopWriting()
			return
		}
		buf, n = f.appendTo(buf[:0]), 0
	}
}

// A remainder is what is left of a payload that is written in pieces.
type remainder struct {
	data   []byte
	masked bool
	key    [4]byte
	pos    int // in key
}

// appendTo appends as much as a buffer has room for, and leaves the rest.
func (f *remainder) appendTo(buf []byte) []byte {
	n := min(len(f.data), pendingLimit-len(buf))
	buf = append(buf, f.data[:n]...)
	if f.masked {
		f.pos = wire.Mask(buf[len(buf)-n:], f.key, f.pos)
	}
	f.data = f.data[n:]
	return buf
}

// awaitTurn waits for the turn. It returns false if the end or ctx came first.
func (e *engine) awaitTurn(ctx context.Context, turn <-chan struct{}) bool {
	select {
	case <-turn:
		return true
	case <-e.when(decided):
	case <-e.awaited(ctx).Done():
	}
	return false
}

// flushQueue writes what waits in the queue before the close frame. It is not
// compressed: what has become of the messages before is not known here. The
// caller has the right to write, and nobody else sends.
func (e *engine) flushQueue(q *sendQueue) error {
	if e.out.InMessage() {
		q.drop() // behind half a message no other one can begin
	}
	return q.flush(func(o outgoing) error {
		_, err := e.writeFrame(context.Background(), wire.Opcode(o.Type), 0, true, o.Data)
		if err == nil {
			e.tally.sent(len(o.Data))
		}
		return err
	})
}
