package streamchannel

import (
	"context"
	"errors"
	"iter"
)

// Messages returns the messages of a stream as they come, for a range loop:
//
//	for m, err := range streamchannel.Messages(ctx, ch) {
//		if err != nil {
//			return err
//		}
//		…
//	}
//
// After a clean end the loop just ends. Any other error, of a ctx that is done
// too, comes once and last; only after a *[DecodeError], which is about one
// message, does the loop go on if its body lets it. Breaking out of the loop
// harms nothing, and inside its body the stream may be received from by other
// means.
func Messages[R any](ctx context.Context, stream Stream[R]) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		for {
			m, err := stream.Receive(ctx)
			if errors.Is(err, ErrClosed) && clean(err) {
				return
			}
			if !yield(m, err) || err != nil && !isDecodeError(err) {
				return
			}
		}
	}
}

// SendAll sends every message of a sequence, each when the one before has been
// accepted. It returns nil at the end of the sequence, which it leaves at the
// first error of a Send to return that. It does not close the sink.
func SendAll[S any](ctx context.Context, sink Sink[S], messages iter.Seq[S]) error {
	for m := range messages {
		if err := sink.Send(ctx, m); err != nil {
			return err
		}
	}
	return nil
}
