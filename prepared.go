//go:build !js

package wschannel

import (
	"context"
	"slices"
	"sync"

	"github.com/wschannel/wschannel/internal/deflate"
	"github.com/wschannel/wschannel/internal/wire"
)

// A Prepared is a message for many channels: it is checked once, and compressed
// once for each kind of [Compression] that the channels have agreed upon. It
// may be used by any number of goroutines at the same time.
type Prepared struct {
	message Message

	mu         sync.Mutex
	compressed map[deflate.How]*variant
}

// A variant is the message compressed in one way.
type variant struct {
	once sync.Once
	data []byte // nil if it does not get any shorter
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
// sent to many cannot refer to what each of them got before.
func (c *Channel) SendPrepared(ctx context.Context, p *Prepared) error {
	return c.engine.sendPrepared(ctx, p)
}

// SendPlain is [Channel.Send] without compression: for data that is compressed
// already, or that must not betray itself by its length.
func (c *Channel) SendPlain(ctx context.Context, m Message) error {
	if err := checkMessage(m.Type, m.Data); err != nil {
		return err
	}
	return c.engine.sendPlain(ctx, m.Type, m.Data)
}

// shortened returns the message compressed in one way, nil if that is no use.
func (p *Prepared) shortened(how deflate.How) []byte {
	p.mu.Lock()
	v := p.compressed[how]
	if v == nil {
		if p.compressed == nil {
			p.compressed = make(map[deflate.How]*variant)
		}
		v = new(variant)
		p.compressed[how] = v
	}
	p.mu.Unlock()
	v.once.Do(func() {
		if short := deflate.Compress(nil, p.message.Data, how, nil); len(short) < len(p.message.Data) {
			v.data = slices.Clip(short)
		}
	})
	return v.data
}

func (e *engine) sendPrepared(ctx context.Context, p *Prepared) error {
	op, data := wire.Opcode(p.message.Type), p.message.Data
	c := e.compression
	if c == nil || len(data) < c.threshold {
		return e.sendAs(ctx, op, 0, data)
	}
	short := p.shortened(c.how)
	if short == nil {
		return e.sendAs(ctx, op, 0, data)
	}
	if err := e.beginCompressed(ctx); err != nil {
		return err
	}
	err := e.sendAs(ctx, op, wire.Rsv1, short)
	e.endCompressed(err == nil, data)
	return err
}
