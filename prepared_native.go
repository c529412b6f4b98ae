//go:build !js

package wschannel

import (
	"context"
	"slices"
	"sync"

	"github.com/wschannel/wschannel/internal/deflate"
	"github.com/wschannel/wschannel/internal/wire"
)

// forms are a prepared message compressed in different ways.
type forms struct {
	mu         sync.Mutex
	compressed map[deflate.How]*form
}

// A form is the message compressed in one way.
type form struct {
	once sync.Once
	data []byte // nil if it does not get any shorter
}

// SendPlain is [Channel.Send] without compression: for data that is compressed
// already, or that must not betray itself by its length.
func (c *Channel) SendPlain(ctx context.Context, m Message) error {
	if err := checkMessage(m.Type, m.Data); err != nil {
		return err
	}
	if q := c.engine.queue.Load(); q != nil {
		return q.send(ctx, outgoing{Message: m, plain: true})
	}
	return c.engine.sendPlain(ctx, m)
}

func (e *engine) sendPlain(ctx context.Context, m Message) error {
	err := e.sendAs(ctx, wire.Opcode(m.Type), 0, m.Data)
	if err == nil {
		e.tally.sent(len(m.Data))
	}
	return err
}

// shortened returns the message compressed in one way, nil if that is no use.
func (p *Prepared) shortened(how deflate.How) []byte {
	p.forms.mu.Lock()
	f := p.forms.compressed[how]
	if f == nil {
		if p.forms.compressed == nil {
			p.forms.compressed = make(map[deflate.How]*form)
		}
		f = new(form)
		p.forms.compressed[how] = f
	}
	p.forms.mu.Unlock()
	f.once.Do(func() {
		if short := deflate.Compress(nil, p.message.Data, how, nil); len(short) < len(p.message.Data) {
			f.data = slices.Clip(short)
		}
	})
	return f.data
}

func (e *engine) sendPrepared(ctx context.Context, p *Prepared) error {
	err := e.sendForm(ctx, p)
	if err == nil {
		e.tally.sent(len(p.message.Data))
	}
	return err
}

// sendForm sends p in the form that the channel has agreed to.
func (e *engine) sendForm(ctx context.Context, p *Prepared) error {
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
