package streamchannel

import (
	"context"
	"errors"
	"sync"

	"github.com/wschannel/wschannel/status"
)

// ErrDisconnected is the end of a channel that a [Disconnector] has cut off. It
// is clean, and satisfies errors.Is(err, [ErrClosed]).
var ErrDisconnected error = disconnected{}

type disconnected struct{}

func (disconnected) Error() string        { return "streamchannel: disconnected" }
func (disconnected) Is(target error) bool { return target == ErrClosed }
func (disconnected) Clean() bool          { return true }

// A Disconnector cuts off any number of channels at once, whatever their types:
// to those who use them it looks as if their peers had gone. The zero
// Disconnector is ready for use; it must not be copied.
type Disconnector struct {
	mu    sync.Mutex
	bound []cut
	sweep int           // how many bound may become before those that are over are forgotten
	off   chan struct{} // nil until it is used, closed when that is done
	err   error         // set before off is closed
}

// cut is a channel that can be cut off.
type cut interface {
	disconnect() error
	Done() <-chan struct{}
}

// WithDisconnector returns ch as a channel that d can cut off. If d has done its
// work already, it is cut off from the beginning, and ch closed in a goroutine.
//
// d keeps a channel until that is over and some more have been bound.
func WithDisconnector[R, S any](ch Channel[R, S], d *Disconnector) Channel[R, S] {
	c := &disconnectable[R, S]{sameEnd: sameEnd{ch}, ch: ch}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off != nil {
		c.mark()
		go c.disconnect()
		return c
	}
	if len(d.bound) >= d.sweep {
		alive := d.bound[:0]
		for _, b := range d.bound {
			if !isClosed(b.Done()) {
				alive = append(alive, b)
			}
		}
		clear(d.bound[len(alive):])
		d.bound, d.sweep = alive, 2*len(alive)+16
	}
	d.bound = append(d.bound, c)
	return c
}

// Disconnect closes all channels that are bound to d, all at the same time, and
// waits until that is done: with status.GoingAway where they are [Coded]. What
// they have not received is dropped. From then on they return [ErrDisconnected],
// unless they had ended before. Disconnect returns the errors of closing them; a
// second Disconnect waits for the first and returns the same.
func (d *Disconnector) Disconnect() error {
	d.mu.Lock()
	off := d.off
	if off != nil {
		d.mu.Unlock()
		<-off
		return d.err
	}
	off = make(chan struct{})
	bound := d.bound
	d.off, d.bound = off, nil
	d.mu.Unlock()

	errs := make([]error, len(bound))
	var all sync.WaitGroup
	for i, c := range bound {
		all.Go(func() { errs[i] = c.disconnect() })
	}
	all.Wait()
	d.err = errors.Join(errs...)
	close(off)
	return d.err
}

type disconnectable[R, S any] struct {
	sameEnd
	ch  Channel[R, S]
	mu  sync.Mutex
	off bool
	end error // decided by whoever sees it first
}

// mark cuts it off, unless it has ended.
func (c *disconnectable[R, S]) mark() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end == nil && !isOver(c.ch) {
		c.off, c.end = true, ErrDisconnected
	}
}

func (c *disconnectable[R, S]) disconnect() error {
	c.mark()
	if err := CloseWith(c.ch, status.GoingAway, ""); !errors.Is(err, ErrClosed) {
		return err
	}
	return nil // it had been closed before
}

// is returns err, or if that is the end, the end as it was decided.
func (c *disconnectable[R, S]) is(err error) error {
	if !errors.Is(err, ErrClosed) {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end == nil {
		c.end = err
	}
	return c.end
}

func (c *disconnectable[R, S]) isOff() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.off
}

func (c *disconnectable[R, S]) Err() error { return c.is(c.ch.Err()) }

func (c *disconnectable[R, S]) Send(ctx context.Context, m S) error {
	if c.isOff() {
		return ErrDisconnected
	}
	return c.is(c.ch.Send(ctx, m))
}

func (c *disconnectable[R, S]) Receive(ctx context.Context) (none R, err error) {
	if c.isOff() {
		return none, ErrDisconnected
	}
	m, err := c.ch.Receive(ctx)
	return m, c.is(err)
}
