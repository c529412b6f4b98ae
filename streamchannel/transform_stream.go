package streamchannel

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/wschannel/wschannel/status"
)

// steppedStream is the stream side with a state. The fields below receiving
// belong to whoever has set it.
type steppedStream[R, S, M any] struct {
	sameEnd
	ch        Channel[M, S]
	closed    atomic.Bool // by this side
	receiving atomic.Bool
	step      func(M, func(R)) error
	flush     func(func(R))
	emit      func(R)
	ready     []R // what step and flush have made
	next      int // in ready
	end       error
}

func newSteppedStream[R, S, M any](ch Channel[M, S], in Transformer[M, R]) *steppedStream[R, S, M] {
	c := &steppedStream[R, S, M]{sameEnd: sameEnd{ch}, ch: ch}
	c.step, c.flush = in.start()
	c.emit = func(m R) { c.ready = append(c.ready, m) }
	return c
}

func (c *steppedStream[R, S, M]) Send(ctx context.Context, m S) error { return c.ch.Send(ctx, m) }

func (c *steppedStream[R, S, M]) Receive(ctx context.Context) (none R, err error) {
	if !c.receiving.CompareAndSwap(false, true) {
		return none, ErrConcurrentReceive
	}
	defer c.receiving.Store(false)
	for {
		if c.closed.Load() {
			c.drop()
		} else if err := ctx.Err(); err != nil && !isOver(c.ch) {
			return none, err
		}
		if c.next < len(c.ready) {
			m := c.ready[c.next]
			c.ready[c.next] = none
			c.next++
			return m, nil
		}
		c.drop()
		if c.end != nil {
			return none, c.end
		}

		m, err := c.ch.Receive(ctx)
		switch {
		case errors.Is(err, ErrClosed):
			c.end = err
			if !c.closed.Load() {
				c.flush(c.emit)
			}
		case err != nil:
			return none, err
		default:
			if err := c.step(m, c.emit); err != nil {
				c.drop()
				return none, &DecodeError{err}
			}
		}
	}
}

// drop forgets what has been handed out, and what has not.
func (c *steppedStream[R, S, M]) drop() {
	clear(c.ready[c.next:])
	c.ready, c.next = c.ready[:0], 0
	if cap(c.ready) > keptCapacity {
		c.ready = nil
	}
}

// keptCapacity is how many elements of a slice are kept for the next time.
const keptCapacity = 64

func (c *steppedStream[R, S, M]) Close() error {
	c.closed.Store(true)
	return c.sameEnd.Close()
}

func (c *steppedStream[R, S, M]) CloseWith(code status.Code, reason string) error {
	err := c.sameEnd.CloseWith(code, reason)
	if err == nil || isOver(c.ch) { // if it was not refused
		c.closed.Store(true)
	}
	return err
}
