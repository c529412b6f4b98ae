package wschannel

import (
	"context"
	"io"
	"time"
	"unsafe"

	"github.com/wschannel/wschannel/internal/wire"
)

// Send sends a message, and waits until it is accepted or ctx is done; with
// WhenFull of [Options] it does not wait for the peer, see [Policy]. A nil
// error means that the message is accepted in order, before all that is sent
// later and before a close; it does not mean that the peer has received it.
// m.Data is not kept after the call.
//
// A message of another type than Text or Binary is refused with
// [ErrInvalidType], text that is not UTF-8 with [ErrInvalidUTF8]. At the end of
// the channel Send returns the *[CloseError] of [Channel.Err].
//
// A ctx that is done before the message was accepted withdraws it. If a part of
// it has left already, or over TLS and over streams without deadlines if its
// writing has begun, the channel cannot go on: it ends with 1006 and the error
// of ctx as its cause.
func (c *Channel) Send(ctx context.Context, m Message) error {
	if err := checkMessage(m.Type, m.Data); err != nil {
		return err
	}
	if q := c.engine.queue.Load(); q != nil {
		return q.send(ctx, outgoing{Message: m})
	}
	return c.engine.send(ctx, m.Type, m.Data)
}

// SendText is Send for a text message.
func (c *Channel) SendText(ctx context.Context, s string) error {
	// Send only reads the bytes, so the string may lend them.
	return c.Send(ctx, Message{Text, unsafe.Slice(unsafe.StringData(s), len(s))})
}

// SendBinary is Send for a binary message.
func (c *Channel) SendBinary(ctx context.Context, data []byte) error {
	return c.Send(ctx, Message{Binary, data})
}

// NextWriter begins a message whose length need not be known, and returns a
// writer of its payload. Closing the writer ends the message; it must be
// closed, for other sends wait while it is open. What is written is not kept
// after the call. A writer is for one goroutine at a time.
//
// Where messages are compressed, one of more than 4 KiB is compressed whatever
// the threshold, and takes a compressor for as long as it is open: a MiB or so.
//
// Close always completes the message. To give one up, as when its source has
// failed, cancel ctx instead and then Close.
//
// ctx governs the writes too. A message of which no frame has left can be given
// up: then a ctx that is done withdraws it. Once a frame has left, that ends
// the channel, and Close of the writer fails. Text that is not UTF-8 is refused
// with [ErrInvalidUTF8]: a Write of it takes nothing; a Close inside a
// character gives the message up in the same way.
func (c *Channel) NextWriter(ctx context.Context, t Type) (io.WriteCloser, error) {
	if err := checkMessage(t, nil); err != nil {
		return nil, err
	}
	q := c.engine.queue.Load()
	if q == nil {
		return c.engine.nextWriter(ctx, t)
	}
	waited, err := q.takeTurn(ctx)
	if err != nil {
		return nil, err
	}
	w, err := c.engine.nextWriter(ctx, t)
	if waited {
		q.passTurn()
	}
	return w, err
}

// Ping sends a ping and waits for the peer's pong (RFC 6455 §5.5.2). It returns
// the time between the two. If nobody receives, it has the channel attended to
// at once; without a ReceiveBuffer, or when that is full, somebody has to
// receive for the pong to be seen. Ping need not be used to keep a channel
// alive: PingInterval of [Options] does that. In browsers it fails with
// errors.ErrUnsupported.
func (c *Channel) Ping(ctx context.Context) (time.Duration, error) {
	return c.engine.ping(ctx)
}

// Buffered returns how many bytes, framing included, wait to be taken by the
// transport, and in the send queue. It is a glimpse: use it to see that a peer is slow, not to decide
// whether Send would block.
func (c *Channel) Buffered() int {
	n := c.engine.buffered()
	if q := c.engine.queue.Load(); q != nil {
		n += q.waiting()
	}
	return n
}

// checkMessage refuses what must not be sent.
func checkMessage(t Type, data []byte) error {
	switch {
	case t == Text && !wire.ValidUTF8(data):
		return ErrInvalidUTF8
	case t != Text && t != Binary:
		return ErrInvalidType
	}
	return nil
}
