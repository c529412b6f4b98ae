//go:build !js

package wschannel

import (
	"context"
	"errors"
	"io"
	"math"
	"time"

	"github.com/wschannel/wschannel/internal/proto"
	"github.com/wschannel/wschannel/internal/wire"
)

// claim takes the right to be the receiver.
func (e *engine) claim() error {
	if !e.claimed.CompareAndSwap(false, true) {
		return ErrConcurrentReceive
	}
	return nil
}

// unclaim gives it up.
func (e *engine) unclaim() { e.claimed.Store(false) }

var errStopped = errors.New("wschannel: listening was stopped")

// receive returns the next message, appended to dst. Before it does, it asks
// commit, if there is one; a message that is refused is the next one again.
func (e *engine) receive(ctx context.Context, dst []byte, commit func() bool) (Type, []byte, error) {
	if err := e.startReading(ctx); err != nil {
		return 0, dst, err
	}
	defer e.stopReading()
	e.dropStream()
	op, data, err := e.nextMessage(ctx, dst)
	if err != nil {
		return 0, dst, err
	}
	if commit != nil && !commit() {
		e.inbox.putBack(op, data[len(dst):])
		return 0, dst, errStopped
	}
	return Type(op), data, nil
}

func (e *engine) nextMessage(ctx context.Context, dst []byte) (wire.Opcode, []byte, error) {
	if h, payload, ok := e.inbox.peek(); ok {
		dst = append(dst, payload...)
		e.inbox.take(payload)
		return h.Opcode, dst, nil
	}
	e.in.Collect(dst)
	for {
		switch ev := e.in.Next(); ev.Kind {
		case proto.Message:
			return ev.Opcode, ev.Data, nil
		case proto.More, proto.Over:
			if err := e.await(ctx); err != nil {
				e.in.Release()
				return 0, nil, err
			}
		default:
			e.handle(ev)
		}
	}
}

// startReading takes the right to read for a receiver, and sees to the order
// of errors: a local close, then the end, then ctx.
func (e *engine) startReading(ctx context.Context) error {
	e.present.Add(1)
	err := e.takeReading(ctx)
	if err != nil {
		e.leave()
	}
	return err
}

// stopReading gives the right to read back.
func (e *engine) stopReading() {
	e.reading.release()
	e.leave()
}

func (e *engine) leave() {
	e.attention.receives.Add(1)
	e.present.Add(-1)
	e.awaitReceiver()
}

func (e *engine) takeReading(ctx context.Context) error {
	for {
		// Looked at first, so that it does not win over an end that was before.
		err := ctx.Err()
		if isClosed(e.deaf) {
			return e.end.Load()
		}
		cancelled := ctx.Done()
		if isClosed(e.done) {
			cancelled = nil
		} else if err != nil {
			return err
		}
		if e.reading.try() {
			// ctx once more: a listener that was stopped in between must not
			// touch what the next receiver has begun.
			if cancelled == nil || ctx.Err() == nil {
				return nil
			}
			e.reading.release()
			continue
		}
		// Whoever attends to the channel gives way to the receiver.
		e.wakeReader()
		select {
		case e.reading <- struct{}{}:
			if !isClosed(e.deaf) && (cancelled == nil || ctx.Err() == nil) {
				return nil
			}
			e.reading.release()
		case <-cancelled:
		case <-e.deaf:
		}
	}
}

// await waits for bytes on behalf of a receiver.
func (e *engine) await(ctx context.Context) error {
	err := e.fill(ctx, math.MaxInt, func() error {
		if err := e.undecided(); err != nil {
			return err
		}
		return ctx.Err()
	})
	if err != nil && isClosed(e.ended) {
		return e.awaitOver(ctx)
	}
	e.fresh = e.fresh || err == nil
	return err
}

var errEnded = errors.New("wschannel: the channel has ended")

// undecided returns an error when the end of the channel is decided.
func (e *engine) undecided() error {
	if isClosed(e.ended) {
		return errEnded
	}
	return nil
}

// awaitOver waits until the channel is over and returns its end.
func (e *engine) awaitOver(ctx context.Context) error {
	if !isClosed(e.done) {
		select {
		case <-e.done:
		case <-e.deaf:
		case <-ctx.Done():
			if !isClosed(e.done) && !isClosed(e.deaf) {
				return ctx.Err()
			}
		}
	}
	return e.end.Load()
}

// fill reads once into in, at most limit bytes. Before it blocks, and whenever
// it is woken, it asks may; an error of may is returned. A transport that fails
// ends the channel. The caller has the right to read.
func (e *engine) fill(ctx context.Context, limit int, may func() error) error {
	e.readWatch.begin(ctx)
	defer e.readWatch.end()
	seen := e.wakes.Load()
	for fruitless := 0; fruitless < maxFruitless; {
		if isClosed(e.done) {
			return e.end.Load()
		}
		if err := may(); err != nil {
			return err
		}
		space := e.in.Space()
		n, err := e.read(space[:min(len(space), limit)])
		if n > 0 {
			e.in.Filled(n)
			return nil
		}
		if wakes := e.wakes.Load(); wakes == seen {
			fruitless++ // nobody has asked for this
		} else {
			seen = wakes
		}
		if isTimeout(err) {
			// A wake-up. Only the reader clears the deadline, and looks for
			// the reason after that: so it misses none.
			err = e.conn.SetReadDeadline(time.Time{})
		}
		if err != nil {
			return e.readFailed(err)
		}
	}
	return e.readFailed(io.ErrNoProgress)
}

// maxFruitless is how many reads in a row may bring nothing.
const maxFruitless = 100

// read reads what was there before the channel, then from the transport.
func (e *engine) read(p []byte) (n int, err error) {
	if len(e.prefix) > 0 {
		n = copy(p, e.prefix)
		e.prefix = e.prefix[n:]
		return n, nil
	}
	e.inRead.Store(true)
	n, err = e.conn.Read(p)
	e.inRead.Store(false)
	if n < 0 || n > len(p) {
		return 0, errWrongCount
	}
	if n > 0 {
		e.heard.Store(e.now())
	}
	return n, err
}

// errWrongCount is of a stream that claims to have read or written more bytes
// than it was asked to.
var errWrongCount = errors.New("the stream returned an impossible count")

func (e *engine) readFailed(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if cause := e.writeError.Load(); cause != nil {
		err = *cause // it came first
	}
	e.lose(err)
	return err
}

// handle does what an event asks for that is no part of a message.
func (e *engine) handle(ev proto.Event) {
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
