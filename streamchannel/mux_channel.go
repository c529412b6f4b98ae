package streamchannel

import (
	"context"
	"errors"
	"sync/atomic"
)

// A MuxChannel is one of the channels of a [Mux]. It keeps the contract, with the
// limit that [MuxOptions] states. Its end is [ErrClosed] if it was closed at
// either end, [ErrOverflow], or that of the Mux. A Send that is cancelled while
// its message is being sent has been accepted.
type MuxChannel[R, S any] struct {
	mux     *Mux[R, S]
	inbox   *inbox[R]
	id      uint64
	in, out uint64 // the ids of what comes and of what goes
	pending bool   // nobody took it yet; guarded by mux.mu
}

var _ Channel[int, int] = (*MuxChannel[int, int])(nil)

// muxRequest is a message to be sent.
type muxRequest[R, S any] struct {
	c      *MuxChannel[R, S]
	m      S
	result chan error // has room for it
	state  atomic.Int32
}

// States of a muxRequest: whoever leaves the first one decides.
const (
	muxWaiting   = iota
	muxSending   // by the writer: it will go out
	muxWithdrawn // by the sender: it will not
)

// ID returns the id under which the channel was opened, 0 for the default
// channel. Both ends have the same, and each end may have opened one under it.
func (c *MuxChannel[R, S]) ID() uint64 { return c.id }

// Receive is that of [Stream].
func (c *MuxChannel[R, S]) Receive(ctx context.Context) (R, error) { return c.inbox.Receive(ctx) }

// Done is that of [Channel].
func (c *MuxChannel[R, S]) Done() <-chan struct{} { return c.inbox.Done() }

// Err is that of [Channel].
func (c *MuxChannel[R, S]) Err() error { return c.inbox.Err() }

// Send is that of [Sink]. Messages are copied as those of [Pair].
func (c *MuxChannel[R, S]) Send(ctx context.Context, m S) error {
	r := &muxRequest[R, S]{c: c, m: own(m), result: make(chan error, 1)}
	if !isClosed(c.inbox.done) && ctx.Err() == nil {
		select {
		case c.mux.requests <- r:
			if done, err := c.sent(ctx, r); done {
				return err
			}
		case <-c.inbox.done:
		case <-ctx.Done():
		}
	}
	if isClosed(c.inbox.done) {
		return c.inbox.err
	}
	return ctx.Err()
}

// sent waits for what becomes of a message that the writer has. It reports
// whether that was decided, and not withdrawn.
func (c *MuxChannel[R, S]) sent(ctx context.Context, r *muxRequest[R, S]) (decided bool, err error) {
	select {
	case err := <-r.result:
		if errors.Is(err, ErrClosed) {
			<-c.inbox.done // soon: the reader sees that too
		}
		if err != nil && isClosed(c.inbox.done) {
			err = c.inbox.err
		}
		return true, err
	case <-c.inbox.done:
	case <-ctx.Done():
	}
	return !r.state.CompareAndSwap(muxWaiting, muxWithdrawn), nil
}

// Close closes this channel and no other, and tells the peer. It returns nil.
func (c *MuxChannel[R, S]) Close() error {
	m := c.mux
	m.mu.Lock()
	defer m.mu.Unlock()
	if c.inbox.abandon(ErrClosed) && !m.closing {
		m.tellClosed(c.out, false)
		m.remove(c)
	}
	return nil
}
