package streamchannel

import (
	"context"

	"github.com/wschannel/wschannel/status"
)

// WithStream returns ch with another stream: what is received comes from stream
// and nowhere else. Sending, closing and the end are those of ch.
//
// stream has to be one that is made of ch and ends as ch does, as one that
// counts what passes. For one of another origin there is [Guard].
func WithStream[R, S, M any](ch Channel[M, S], stream Stream[R]) Channel[R, S] {
	return &otherStream[R, S]{sameEnd{ch}, stream, ch}
}

// WithSink returns ch with another sink: what is sent, and a close, go to sink
// and nowhere else. Receiving and the end are those of ch.
//
// sink has to be one that is made of ch and passes a close on to it. For one of
// another origin there is [Guard].
func WithSink[R, S, N any](ch Channel[R, N], sink Sink[S]) Channel[R, S] {
	return &otherSink[R, S]{sameEnd{ch}, ch, sink}
}

type otherStream[R, S any] struct {
	sameEnd
	stream Stream[R]
	sink   Sink[S]
}

func (c *otherStream[R, S]) Receive(ctx context.Context) (R, error) { return c.stream.Receive(ctx) }
func (c *otherStream[R, S]) Send(ctx context.Context, m S) error    { return c.sink.Send(ctx, m) }

type otherSink[R, S any] struct {
	sameEnd
	stream Stream[R]
	sink   Sink[S]
}

func (c *otherSink[R, S]) Receive(ctx context.Context) (R, error) { return c.stream.Receive(ctx) }
func (c *otherSink[R, S]) Send(ctx context.Context, m S) error    { return c.sink.Send(ctx, m) }
func (c *otherSink[R, S]) Close() error                           { return c.sink.Close() }

func (c *otherSink[R, S]) CloseWith(code status.Code, reason string) error {
	return CloseWith(c.sink, code, reason)
}
