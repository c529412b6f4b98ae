package streamchannel

import "context"

// FromChans makes a channel of two Go channels: it receives from in and sends
// into out, and nobody else may do that or close out. Two goroutines that have
// made channels of the same two Go channels, each the other way round, are
// connected.
//
// The peer closes by closing in. The channel itself closes out, when it is closed
// or when in is. A peer that works on the Go channels should stop sending when
// out is closed, for then nobody receives from in.
//
// It is a [Guard]: one message is received ahead, in a goroutine that runs until
// the end, and messages are copied as [Pair] does. in and out must not be nil.
func FromChans[R, S any](in <-chan R, out chan<- S) Channel[R, S] {
	if in == nil || out == nil {
		panic("streamchannel: FromChans of a nil channel")
	}
	return Guard[R, S](chanStream[R](in), chanSink[S](out))
}

type chanStream[R any] <-chan R

func (c chanStream[R]) Receive(ctx context.Context) (none R, err error) {
	select {
	case m, open := <-c:
		if !open {
			return none, ErrClosed
		}
		return m, nil
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

type chanSink[S any] chan<- S

func (c chanSink[S]) Send(ctx context.Context, m S) error {
	select {
	case c <- m:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c chanSink[S]) Close() error {
	close(c)
	return nil
}
