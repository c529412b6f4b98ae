//go:build !js

package wschannel

import (
	"context"
	"errors"
	"math"

	"github.com/wschannel/wschannel/internal/proto"
	"github.com/wschannel/wschannel/internal/wire"
)

// claim takes the right to be the receiver.
func (e *engine) claim() error {
	if !e.reading.claim() {
		return ErrConcurrentReceive
	}
	return nil
}

// unclaim gives it up.
func (e *engine) unclaim() { e.reading.unclaim() }

var errStopped = errors.New("wschannel: listening was stopped")

// receiveOnce is receive for who is the receiver during the call.
func (e *engine) receiveOnce(ctx context.Context, dst []byte) (Type, []byte, error) {
	if _, err := e.mayReceive(ctx); err == nil && e.reading.begin() {
		// The usual case: nobody else is reading.
		defer e.endReceiving()
		return e.receiveNext(ctx, dst, nil)
	}
	if err := e.claim(); err != nil {
		return 0, dst, err
	}
	defer e.unclaim()
	return e.receive(ctx, dst, nil)
}

func (e *engine) endReceiving() {
	if e.in.Empty() {
		e.park()
	}
	e.reading.end()
	e.awaitReceiver()
}

// receive returns the next message, appended to dst. Before it does, it asks
// commit, if there is one; a message that is refused is the next one again.
func (e *engine) receive(ctx context.Context, dst []byte, commit func() bool) (Type, []byte, error) {
	if err := e.startReading(ctx); err != nil {
		return 0, dst, err
	}
	defer e.stopReading()
	if commit != nil && ctx.Err() != nil {
		// A listener that was stopped; once the channel is over startReading
		// lets it pass. The next receiver may have begun.
		return 0, dst, errStopped
	}
	return e.receiveNext(ctx, dst, commit)
}

// receiveNext is receive for who has the right to read.
func (e *engine) receiveNext(ctx context.Context, dst []byte, commit func() bool) (Type, []byte, error) {
	if err := e.dropStream(ctx); err != nil {
		return 0, dst, err
	}
	op, data, err := e.nextMessage(ctx, dst)
	if err != nil {
		return 0, dst, err
	}
	if commit != nil && !commit() {
		e.mailbox().putBack(op, data[len(dst):])
		return 0, dst, errStopped
	}
	e.tally.received(1, len(data)-len(dst))
	return Type(op), data, nil
}

func (e *engine) nextMessage(ctx context.Context, dst []byte) (wire.Opcode, []byte, error) {
	if h, payload, ok := e.inbox.peek(); ok {
		data, ok := dst, true
		if h.Rsv == 0 {
			data = append(dst, payload...)
		} else {
			data, ok = e.inflate(h.Opcode, dst, payload)
		}
		if ok {
			e.inPlace = false
			e.inbox.take(payload)
			e.expectReplies(e.inbox.size() > 0)
			return h.Opcode, data, nil
		}
	}
	e.collect(ctx, dst)
	for {
		if op, data, ok := e.wholeMessage(ctx, dst); ok {
			e.handled++
			e.expectReplies(e.in.Ready())
			return op, data, nil
		}
		switch ev := e.in.Next(); ev.Kind {
		case proto.Message:
			data, ok := ev.Data, true
			e.inPlace = ev.InPlace && !ev.Compressed
			if ev.Compressed {
				into, payload := data[:len(dst)], data[len(dst):]
				if ev.InPlace {
					into, payload = dst, data
				}
				data, ok = e.inflate(ev.Opcode, into, payload)
			}
			if ok {
				e.handled++
				e.expectReplies(e.in.Ready())
				return ev.Opcode, data, nil
			}
		case proto.Lack:
			e.makeRoom(ctx, e.in.Wants())
		case proto.More, proto.Over:
			if err := e.await(ctx); err != nil {
				if ctx != dry {
					e.in.Release()
				}
				return 0, nil, err
			}
		default:
			e.handle(ev)
		}
	}
}

// wholeMessage returns the next message if all of it has come, in one frame: nearly
// always.
func (e *engine) wholeMessage(ctx context.Context, dst []byte) (op wire.Opcode, data []byte, ok bool) {
	if op, data, ok = e.in.Whole(); ok {
		e.inPlace = ctx == dry
		return op, data, true
	}
	if e.compression == nil {
		return 0, nil, false
	}
	if op, data, ok = e.in.WholeCompressed(); ok {
		e.inPlace = false
		data, ok = e.inflate(op, dst, data)
	}
	return op, data, ok
}

// mailbox returns the inbox, to add to.
func (e *engine) mailbox() *inbox {
	if e.inbox == nil {
		e.inbox = &inbox{}
	}
	return e.inbox
}

// collect has the Reader collect the next message.
func (e *engine) collect(ctx context.Context, dst []byte) {
	if ctx != dry {
		e.in.Collect(dst)
	} else if _, ok := e.in.Lent(); !ok { // else it goes on
		e.in.CollectInPlace()
	}
}

// expectReplies says whether more messages lie here, whose replies may leave
// together with that to the last one.
func (e *engine) expectReplies(more bool) {
	if more != e.answering.Load() {
		e.answering.Store(more)
	}
}

// startReading takes the right to read for a receiver, and sees to the order
// of errors: a local close, then the end, then ctx.
func (e *engine) startReading(ctx context.Context) error {
	e.reading.enter()
	err := e.takeReading(ctx)
	if err != nil {
		e.leave()
	}
	return err
}

// stopReading gives the right to read back.
func (e *engine) stopReading() {
	if e.in.Empty() {
		e.park()
	}
	e.reading.release()
	e.leave()
}

func (e *engine) leave() {
	e.reading.leave()
	e.awaitReceiver()
}

// mayReceive returns why nothing is received, if so, and whether ctx is heeded.
func (e *engine) mayReceive(ctx context.Context) (heed bool, err error) {
	// Looked at first, so that it does not win over an end that was before.
	err = ctx.Err()
	switch {
	case e.is(deafened):
		return false, e.end.Load()
	case e.isOver():
		return false, nil
	}
	return true, err
}

func (e *engine) takeReading(ctx context.Context) error {
	for {
		heed, err := e.mayReceive(ctx)
		if err != nil {
			return err
		}
		if e.reading.try() {
			return nil
		}
		// Whoever attends to the channel gives way to the receiver.
		e.wakeReader()
		cancelled := e.awaited(ctx).Done()
		if !heed {
			cancelled = nil
		}
		if e.reading.take(cancelled, e.when(deafened)) {
			if !e.is(deafened) && (!heed || ctx.Err() == nil) {
				return nil
			}
			e.reading.release()
		}
	}
}

// await waits for bytes on behalf of a receiver.
func (e *engine) await(ctx context.Context) error {
	err := e.fill(ctx, math.MaxInt, receiving)
	if err == errDry || err == errOthers {
		return err
	}
	if err != nil && e.is(decided) {
		return e.awaitOver(ctx)
	}
	e.fresh = e.fresh || err == nil
	return err
}

// awaitOver waits until the channel is over and returns its end.
func (e *engine) awaitOver(ctx context.Context) error {
	if !e.isOver() {
		if ctx == dry {
			return errDry
		}
		select {
		case <-e.when(finished):
		case <-e.when(deafened):
		case <-e.awaited(ctx).Done():
			if !e.isOver() && !e.is(deafened) {
				return ctx.Err()
			}
		}
	}
	return e.end.Load()
}

// handle does what an event asks for that is no part of a message.
func (e *engine) handle(ev proto.Event) {
	e.handled++
	switch ev.Kind {
	case proto.Ping:
		e.answerPing(ev.Data)
	case proto.Pong:
		e.takePong(ev.Data)
	case proto.Close:
		e.peerClosed(ev.Code, string(ev.Data))
	case proto.Violation:
		e.violated(ev.Violation)
	}
}
