package streamchannel

import (
	"context"
	"errors"
	"sync"

	"github.com/wschannel/wschannel/status"
)

// Pipe forwards every message of a to b and every message of b to a, until one
// of them ends or ctx is done. It is the only receiver of both meanwhile. It
// returns when it has stopped using them.
//
// When one channel ends, Pipe forwards all that had arrived from it, closes
// the other one, and returns nil if the end was clean, and otherwise the end's
// error. Where both are [Coded] the other one is closed with the same code and
// reason; with status.BadGateway where the code is one that cannot be sent, as
// when a connection was lost; and without a code where there was none. What the other one still sends meanwhile has nowhere to go: it is
// received, so that nobody waits for a send, and dropped.
//
// An end comes before ctx, even one that makes ctx done, as the end of its channel
// does for a handler of wschannel.Server: what had arrived still goes out, for 5 s
// at most, and the other channel is closed.
//
// Without an end, Pipe closes neither, and both can be used further. It stops
// when ctx is done, with an error that satisfies errors.Is(err, ctx.Err()), or
// when a channel returns another error for a single message, with that error.
// In each direction a message may then be lost that was received and not yet
// accepted by the other channel. If several things happen at a time, the first
// that Pipe meets with decides.
//
// Pipe holds one message in each direction, and receives the next one when the
// other channel has accepted it. It runs in the calling goroutine and in one
// more, which has ended when Pipe returns.
func Pipe[T, U any](ctx context.Context, a Channel[T, U], b Channel[U, T]) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var once sync.Once
	var result error
	finish := func(err error, ended, other ender) {
		if !errors.Is(err, ErrClosed) && isOver(other) {
			return // its end comes before ctx, and the other direction meets with it
		}
		// Once: what the second direction meets with is the work of the first.
		once.Do(func() {
			stop()
			result = err
			if errors.Is(err, ErrClosed) {
				closed := closeLike(other, ended)
				if clean(err) {
					result = closed
				}
			}
		})
	}

	var other sync.WaitGroup
	other.Go(func() { finish(forward(ctx, b, a, b.Done()), b, a) })
	finish(forward(ctx, a, b, a.Done()), a, b)
	other.Wait()
	return result
}

// closeLike closes a channel as another one has ended.
func closeLike(ch, ended ender) error {
	if _, ok := ended.(Coded); ok {
		<-ended.Done() // soon: its Receive has returned the end
	}
	code, reason := codeOf(ended)
	var err error
	switch {
	case code == 0:
		return ch.Close()
	case code == status.NoStatusReceived:
		err = CloseWith(ch, 0, "")
	case code.Valid():
		err = CloseWith(ch, code, reason)
	default:
		err = CloseWith(ch, status.BadGateway, "")
	}
	if errors.Is(err, ErrClosed) {
		return nil // as Close does where a channel is over or being closed
	}
	return err
}

// forward sends to dst what it receives from src, until src ends or one of them
// fails. It does not stop when dst ends, but drains src: the peer there may be
// waiting for a send, and would not receive the rest of what dst had sent.
//
// Once src is over it ends soon, and ctx does not count any more but for sending
// what is left.
func forward[M any](ctx context.Context, src Stream[M], dst Sink[M], over <-chan struct{}) error {
	sending := ctx
	for open := true; ; {
		m, err := src.Receive(ctx)
		if err != nil {
			return err
		}
		if !open {
			continue
		}
		err = dst.Send(sending, m)
		if err != nil && sending == ctx && ctx.Err() != nil && isClosed(over) && !errors.Is(err, ErrClosed) {
			var cancel context.CancelFunc
			sending, cancel = context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
			defer cancel()
			err = dst.Send(sending, m)
		}
		switch {
		case errors.Is(err, ErrClosed) || err != nil && sending != ctx:
			open = false
		case err != nil:
			return err
		}
	}
}
