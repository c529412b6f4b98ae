package streamchannel

import "context"

// Transform puts a Transformer on each side of a channel: in on what is
// received, out on what is sent. See [TransformStream] and [TransformSink].
func Transform[R, S, M, N any](ch Channel[M, N], in Transformer[M, R], out Transformer[S, N]) Channel[R, S] {
	return TransformSink(TransformStream(ch, in), out)
}

// TransformStream puts a Transformer on what is received. The rest of the
// channel is as before.
//
// A [Stateful] Transformer is flushed at the end of the channel, unless that is
// a local close, which drops what was not received. A message may become many:
// they wait in memory until they have been received.
func TransformStream[R, S, M any](ch Channel[M, S], in Transformer[M, R]) Channel[R, S] {
	if in.single != nil {
		return &mappedStream[R, S, M]{sameEnd{ch}, ch, in.single}
	}
	return newSteppedStream(ch, in)
}

// TransformSink puts a Transformer on what is sent. The rest of the channel is
// as before.
//
// With a [Stateful] Transformer sends take turns, and Send accepts a message
// when step has taken it; what step makes of a message is judged last. If ctx
// is then done before all that became of the message has been sent, Send returns
// nil, the rest goes out in a goroutine of its own, and other sends wait. Close
// flushes the Transformer; when nobody takes what is left it gives up after 5 s.
func TransformSink[R, S, N any](ch Channel[R, N], out Transformer[S, N]) Channel[R, S] {
	if out.single != nil {
		return &mappedSink[R, S, N]{sameEnd{ch}, ch, out.single}
	}
	return newSteppedSink(ch, out)
}

// mappedStream is the stream side without a state.
type mappedStream[R, S, M any] struct {
	sameEnd
	ch     Channel[M, S]
	single func(M) (R, bool, error)
}

func (c *mappedStream[R, S, M]) Send(ctx context.Context, m S) error { return c.ch.Send(ctx, m) }

func (c *mappedStream[R, S, M]) Receive(ctx context.Context) (none R, err error) {
	for {
		m, err := c.ch.Receive(ctx)
		if err != nil {
			return none, err
		}
		r, keep, err := c.single(m)
		switch {
		case err != nil:
			return none, &DecodeError{err}
		case keep:
			return r, nil
		}
	}
}

// mappedSink is the sink side without a state.
type mappedSink[R, S, N any] struct {
	sameEnd
	ch     Channel[R, N]
	single func(S) (N, bool, error)
}

func (c *mappedSink[R, S, N]) Receive(ctx context.Context) (R, error) { return c.ch.Receive(ctx) }

func (c *mappedSink[R, S, N]) Send(ctx context.Context, m S) error {
	n, keep, err := c.single(m)
	switch {
	case err != nil:
		return &EncodeError{err}
	case keep:
		return c.ch.Send(ctx, n)
	case isOver(c.ch):
		return c.ch.Err()
	}
	return ctx.Err()
}
