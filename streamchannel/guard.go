package streamchannel

import (
	"context"
	"errors"
	"io"
	"time"
)

// Guard makes a channel of a stream and a sink that do not keep the contract of
// this package: it adds what they lack. They have to do three things:
//
//   - Receive and Send return soon after their ctx is done;
//   - an error from Receive is the end of the stream, unless it is a
//     *[DecodeError], which is about one message;
//   - an error from Send means that the message was not sent. If the error
//     satisfies ErrClosed it is the end of the sink.
//
// In return they are called by one goroutine at a time. Close of the sink is
// called once, when no Send is running, after a local close or the end of one of
// the two. A stream or a sink that ends ends the channel: with its error if that
// satisfies ErrClosed, with [ErrClosed] after io.EOF, and otherwise with an error
// that wraps its error and is not clean. Messages are copied on both sides as
// [Pair] does.
//
// Guard receives one message ahead, in a goroutine that runs until the end, so
// that Done tells of it while nobody receives. Close waits at most 5 s for a Send
// that does not return.
func Guard[R, S any](stream Stream[R], sink Sink[S]) Channel[R, S] {
	ctx, cancel := context.WithCancel(context.Background())
	g := &guarded[R, S]{inbox: newInbox[R](), sink: sink, ctx: ctx, cancel: cancel, turn: make(chan struct{}, 1)}
	go g.read(stream)
	return g
}

type guarded[R, S any] struct {
	*inbox[R]
	sink   Sink[S]
	ctx    context.Context // done when the channel is over
	cancel context.CancelFunc
	turn   chan struct{} // holds a token while the sink is in use
}

// read receives one message ahead.
func (g *guarded[R, S]) read(stream Stream[R]) {
	for {
		m, err := stream.Receive(g.ctx)
		if err != nil && !isDecodeError(err) {
			if g.finish(asEnd(err)) {
				g.closeSink()
			}
			return
		}
		for a := (arrival[R]{own(m), err}); !g.put(a, 1); {
			select {
			case <-g.taken:
			case <-g.done:
				return
			}
		}
	}
}

func (g *guarded[R, S]) Send(ctx context.Context, m S) error {
	m = own(m)
	if !isClosed(g.done) && ctx.Err() == nil {
		select {
		case g.turn <- struct{}{}:
			return g.send(ctx, m)
		case <-g.done:
		case <-ctx.Done():
		}
	}
	if isClosed(g.done) {
		return g.err
	}
	return ctx.Err()
}

// send has the turn, which may have come together with the end or with ctx.
func (g *guarded[R, S]) send(ctx context.Context, m S) error {
	both, stop := either(ctx, g.ctx)
	err := both.Err()
	if err == nil {
		err = g.sink.Send(both, m)
	}
	stop()
	<-g.turn
	switch {
	case err == nil:
		return nil
	case isClosed(g.done):
		return g.err
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, ErrClosed):
		if g.finish(err) {
			g.closeSink()
		}
		return g.err
	}
	return err
}

func (g *guarded[R, S]) Close() error {
	if !g.abandon(ErrClosed) {
		return nil
	}
	return g.closeSink()
}

// closeSink follows the end: it makes stream and sink return, and closes the
// sink.
func (g *guarded[R, S]) closeSink() error {
	g.cancel()
	late := time.NewTimer(closeTimeout)
	defer late.Stop()
	select {
	case g.turn <- struct{}{}: // and nobody else gets it any more
		return g.sink.Close()
	case <-late.C:
		return errSendHangs
	}
}

var errSendHangs = errors.New("streamchannel: the sink's Send does not return when its context is done")

// either returns a context that is done when one of the two is, with the values
// of the first.
func either(a, b context.Context) (context.Context, func()) {
	if a == context.Background() {
		return b, func() {}
	}
	ctx, cancel := context.WithCancel(a)
	stop := context.AfterFunc(b, cancel)
	return ctx, func() { stop(); cancel() }
}

// asEnd returns an error of any kind as that of an end.
func asEnd(err error) error {
	switch {
	case errors.Is(err, ErrClosed):
		return err
	case err == io.EOF:
		return ErrClosed
	}
	return &failure{err}
}

// failure is an end that is not clean, by an error that knows nothing of ends.
type failure struct{ cause error }

func (e *failure) Error() string        { return "streamchannel: failed: " + e.cause.Error() }
func (e *failure) Unwrap() error        { return e.cause }
func (e *failure) Is(target error) bool { return target == ErrClosed }
func (e *failure) Clean() bool          { return false }
