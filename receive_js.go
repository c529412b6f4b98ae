package wschannel

import (
	"context"
	"errors"
	"io"
	"time"
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

// receiveOnce is receive for who is the receiver during the call.
func (e *engine) receiveOnce(ctx context.Context, dst []byte) (Type, []byte, error) {
	if err := e.claim(); err != nil {
		return 0, dst, err
	}
	defer e.unclaim()
	return e.receive(ctx, dst, nil)
}

// receive returns the next message, appended to dst. Before it does, it asks
// commit, if there is one; a message that is refused is the next one again.
func (e *engine) receive(ctx context.Context, dst []byte, commit func() bool) (Type, []byte, error) {
	m, err := e.next(ctx, commit)
	if err != nil {
		return 0, dst, err
	}
	if dst == nil {
		return m.t, m.data, nil
	}
	return m.t, append(dst, m.data...), nil
}

// next waits for the next message. The order of errors is: a local close, then
// the end, then ctx.
func (e *engine) next(ctx context.Context, commit func() bool) (*received, error) {
	if err := e.startReading(ctx); err != nil {
		return nil, err
	}
	defer e.reading.release()
	e.stream = nil
	for {
		// Looked at first, so that it does not win over an end that was before.
		err := ctx.Err()
		over := isClosed(e.done)
		if isClosed(e.deaf) {
			return nil, e.end.Load()
		}
		if err != nil && !over {
			return nil, err
		}
		e.mu.Lock()
		m := e.inbox.take()
		e.mu.Unlock()
		switch {
		case m == nil && over:
			return nil, e.end.Load()
		case m != nil && commit != nil && !commit():
			e.mu.Lock()
			if !isClosed(e.deaf) {
				e.inbox.putBack(m)
			}
			e.mu.Unlock()
			return nil, errStopped
		case m != nil:
			e.tally.received(1, len(m.data))
			return m, nil
		}
		select {
		case <-e.arrived:
		case <-e.done:
		case <-e.deaf:
		case <-ctx.Done():
		}
	}
}

// startReading takes the right to read. Only a listener that was stopped and is
// about to leave can have it still.
func (e *engine) startReading(ctx context.Context) error {
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
	if e.reading.take(e.deaf, cancelled) {
		return nil
	}
	if isClosed(e.deaf) {
		return e.end.Load()
	}
	return ctx.Err()
}

// A messageReader reads one message, which is there as a whole. While it is the
// engine's stream it is the one that may.
type messageReader struct {
	e    *engine
	ctx  context.Context
	rest []byte
}

func (e *engine) nextReader(ctx context.Context) (Type, io.Reader, error) {
	m, err := e.next(ctx, nil)
	if err != nil {
		return 0, nil, err
	}
	r := &messageReader{e, ctx, m.data}
	e.stream = r
	return m.t, r, nil
}

func (r *messageReader) Read(p []byte) (int, error) {
	e := r.e
	if err := e.claim(); err != nil {
		return 0, err
	}
	defer e.unclaim()
	if err := e.startReading(r.ctx); err != nil {
		return 0, err
	}
	defer e.reading.release()
	switch {
	case e.stream != r:
		return 0, ErrReaderStale
	case len(p) == 0:
		return 0, nil
	case len(r.rest) == 0:
		return 0, io.EOF
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// ping: "No API is defined for sending a Ping frame" to scripts.
func (e *engine) ping(context.Context) (time.Duration, error) { return 0, errNoPing }

var errNoPing error = &annotated{"wschannel: a browser sends no pings for scripts: ", errors.ErrUnsupported}
