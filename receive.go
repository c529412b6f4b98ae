package wschannel

import (
	"context"
	"errors"
	"io"
	"iter"
)

// Receive returns the next message, and waits for it until ctx is done. The
// message is the caller's own.
//
// A ctx that is done harms nothing, also in the middle of a message: the next
// receive goes on where this one stopped. At the end of the channel Receive
// first hands out what had arrived before the peer's close, then returns the
// *[CloseError] of [Channel.Err], for ever; a local close drops what was not
// received. A second receiver at the same time gets [ErrConcurrentReceive].
func (c *Channel) Receive(ctx context.Context) (Message, error) {
	t, data, err := c.ReceiveAppend(ctx, nil)
	if err != nil {
		return Message{}, err
	}
	if data == nil {
		data = []byte{}
	}
	return Message{t, data}, nil
}

// ReceiveAppend is Receive into memory of the caller's: it appends the next
// message to dst and returns the extended slice, as append does. It allocates
// nothing if dst has the capacity. On an error it returns dst as it was given,
// and an unfinished message waits for the next receive.
func (c *Channel) ReceiveAppend(ctx context.Context, dst []byte) (Type, []byte, error) {
	return c.engine.receiveOnce(ctx, dst)
}

// Messages returns the messages as they come, for a range loop:
//
//	for m, err := range ch.Messages(ctx) {
//		if err != nil {
//			return err
//		}
//		…
//	}
//
// After a clean end (1000, 1001, no code, or a local close) the loop just
// ends. Any other error, of a ctx that is done too, comes once and last.
// Breaking out of the loop does not close the channel, and inside its body the
// channel may be received from by other means.
func (c *Channel) Messages(ctx context.Context) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		for {
			m, err := c.Receive(ctx)
			if err != nil {
				if end, ok := errors.AsType[*CloseError](err); !ok || !end.Clean() {
					yield(Message{}, err)
				}
				return
			}
			if !yield(m, nil) {
				return
			}
		}
	}
}

// NextReader waits for the next message and returns its type and a reader of
// its payload, which ends with io.EOF. It holds no more than a buffer of the
// message, so neither MessageLimit nor FragmentLimit applies. A message of
// which an earlier receive was cancelled in the middle is read from its
// beginning. One that came compressed is inflated as it is read; that takes 45
// KiB, whatever it inflates to.
//
// ctx governs the reads too. Whoever reads is a receiver: one at a time. The
// next receive, of whatever form, drops what was not read, and the reader then
// fails with [ErrReaderStale]. If compressed messages refer to earlier ones, that
// receive waits for the rest of what it drops. At the end of the channel reads
// return the error of that end.
func (c *Channel) NextReader(ctx context.Context) (Type, io.Reader, error) {
	if err := c.engine.claim(); err != nil {
		return 0, nil, err
	}
	defer c.engine.unclaim()
	return c.engine.nextReader(ctx)
}
