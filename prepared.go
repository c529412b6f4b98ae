package wschannel

import "context"

// A Prepared is a message for many channels: it is checked once, and compressed
// once for each kind of [Compression] that the channels have agreed upon. It may
// be used by any number of goroutines at the same time.
type Prepared struct {
	message Message
	//lint:ignore U1000 only native platforms have some
	forms forms // in which it is sent, besides as it stands
}

// Prepare prepares a message. Its data is not kept after the call. It refuses
// what Send refuses: [ErrInvalidType], [ErrInvalidUTF8].
func Prepare(m Message) (*Prepared, error) {
	if err := checkMessage(m.Type, m.Data); err != nil {
		return nil, err
	}
	return &Prepared{message: m.Clone()}, nil
}

// SendPrepared is [Channel.Send] of the message that p was prepared from. With
// CompressionContext it is compressed as with CompressionStateless: what is
// sent to many cannot refer to what each of them got before. A Prepared that was
// not made by Prepare is refused with [ErrInvalidType].
func (c *Channel) SendPrepared(ctx context.Context, p *Prepared) error {
	if p.message.Type == 0 {
		return ErrInvalidType
	}
	o := outgoing{Message: p.message, prepared: p}
	if q := c.engine.queue.Load(); q != nil {
		return q.send(ctx, o)
	}
	return c.engine.deliver(ctx, o)
}
