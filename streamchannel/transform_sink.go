package streamchannel

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/wschannel/wschannel/status"
)

// closeTimeout is how long a Close of this package waits at most for what was
// accepted to go out.
const closeTimeout = 5 * time.Second

// steppedSink is the sink side with a state. The fields below turn belong to
// whoever has put a token into it.
type steppedSink[R, S, N any] struct {
	sameEnd
	ch      Channel[R, N]
	closing chan struct{} // closed by the first close of this side
	flushed chan struct{} // closed when that close has sent what was left
	mu      sync.Mutex    // guards the closing of closing
	turn    chan struct{}
	step    func(S, func(N)) error
	flush   func(func(N))
	emit    func(N)
	emitted []N
}

func newSteppedSink[R, S, N any](ch Channel[R, N], out Transformer[S, N]) *steppedSink[R, S, N] {
	c := &steppedSink[R, S, N]{sameEnd: sameEnd{ch}, ch: ch, turn: make(chan struct{}, 1)}
	c.closing, c.flushed = make(chan struct{}), make(chan struct{})
	c.step, c.flush = out.start()
	c.emit = func(n N) { c.emitted = append(c.emitted, n) }
	return c
}

func (c *steppedSink[R, S, N]) Receive(ctx context.Context) (R, error) { return c.ch.Receive(ctx) }

func (c *steppedSink[R, S, N]) Send(ctx context.Context, m S) error {
	if err := c.takeTurn(ctx); err != nil {
		return err
	}
	handedOn := false
	defer func() {
		if !handedOn {
			c.endTurn()
		}
	}()
	if err := c.step(m, c.emit); err != nil {
		return &EncodeError{err}
	}
	for i, n := range c.emitted {
		err := c.ch.Send(ctx, n)
		switch {
		case err == nil:
		case ctx.Err() == nil || errors.Is(err, ErrClosed):
			return err
		default:
			// The state has moved on, so the message counts as accepted.
			handedOn = true
			go func() {
				defer c.endTurn()
				SendAll(context.WithoutCancel(ctx), c.ch, slices.Values(c.emitted[i:]))
			}()
			return nil
		}
	}
	return nil
}

// takeTurn waits for the turn. The end and then ctx precede a turn that is free.
func (c *steppedSink[R, S, N]) takeTurn(ctx context.Context) error {
	if !isClosed(c.closing) && !isOver(c.ch) && ctx.Err() == nil {
		select {
		case c.turn <- struct{}{}:
			return nil
		case <-c.closing:
		case <-c.ch.Done():
		case <-ctx.Done():
		}
	}
	switch {
	case isClosed(c.closing):
		<-c.ch.Done() // soon: this side is closing it
		return c.ch.Err()
	case isOver(c.ch):
		return c.ch.Err()
	}
	return ctx.Err()
}

func (c *steppedSink[R, S, N]) endTurn() {
	clear(c.emitted)
	c.emitted = c.emitted[:0]
	if cap(c.emitted) > keptCapacity {
		c.emitted = nil
	}
	<-c.turn
}

func (c *steppedSink[R, S, N]) Close() error {
	c.finish()
	return c.sameEnd.Close()
}

func (c *steppedSink[R, S, N]) CloseWith(code status.Code, reason string) error {
	if closable(code, reason) { // not for what will be refused
		c.finish()
	}
	return c.sameEnd.CloseWith(code, reason)
}

// finish sends what is left in the state, or waits until another close has.
func (c *steppedSink[R, S, N]) finish() {
	c.mu.Lock()
	first := !isClosed(c.closing)
	if first {
		close(c.closing)
	}
	c.mu.Unlock()
	if !first {
		<-c.flushed
		return
	}
	defer close(c.flushed)
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	select {
	case c.turn <- struct{}{}:
	case <-c.ch.Done():
		return
	case <-ctx.Done():
		return
	}
	defer c.endTurn()
	c.flush(c.emit)
	SendAll(ctx, c.ch, slices.Values(c.emitted))
}
