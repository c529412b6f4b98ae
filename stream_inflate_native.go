//go:build !js

package wschannel

import (
	"context"
	"io"
	"slices"

	"github.com/wschannel/wschannel/internal/deflate"
	"github.com/wschannel/wschannel/internal/proto"
	"github.com/wschannel/wschannel/internal/wire"
	"github.com/wschannel/wschannel/status"
)

// startInflating makes r read a message that comes compressed.
func (r *messageReader) startInflating(op wire.Opcode) {
	r.inflating = deflate.NewStream(r.e.compression.received)
	r.isText = op == wire.Text
}

func (r *messageReader) stopInflating() {
	if r.inflating != nil {
		r.inflating.Release()
		r.inflating, r.piece = nil, nil
	}
}

// readInflated is Read of a message that comes compressed. The caller has the
// right to read.
func (r *messageReader) readInflated(ctx context.Context, p []byte) (int, error) {
	for {
		n, err := r.inflating.Read(p)
		switch {
		case n > 0:
			if r.isText && !r.text.Valid(p[:n]) {
				return 0, r.spoiled(ctx, "8.1", notText)
			}
			return n, nil
		case err == deflate.ErrMore:
			if err := r.feed(ctx); err != nil {
				return 0, err
			}
		case err != io.EOF:
			return 0, r.spoiled(ctx, "7.4.1", notDeflate)
		case !r.text.Done():
			return 0, r.spoiled(ctx, "8.1", notText)
		default:
			r.stopInflating()
			r.last = true
			return 0, io.EOF
		}
	}
}

// spoiled fails the connection and returns its end.
func (r *messageReader) spoiled(ctx context.Context, section, text string) error {
	r.stopInflating()
	r.e.streaming = false
	r.e.spoiled(status.InvalidFramePayloadData, section, text)
	return r.e.awaitOver(ctx)
}

// feed hands the next part of the message to what inflates it.
func (r *messageReader) feed(ctx context.Context) error {
	e := r.e
	if h, payload, ok := e.inbox.peek(); ok {
		// A part that came while nobody was reading.
		r.give(slices.Clone(payload), h.Fin)
		e.inbox.take(payload)
		return nil
	}
	if r.piece == nil {
		r.piece = make([]byte, smallBuffer)
	}
	e.in.Stream(r.piece)
	for {
		switch ev := e.in.Next(); ev.Kind {
		case proto.Part:
			e.streaming = !ev.Last
			r.give(ev.Data, ev.Last)
			return nil
		case proto.More, proto.Over:
			if err := e.await(ctx); err != nil {
				e.in.Release()
				return err
			}
		default:
			e.handle(ev)
		}
	}
}

func (r *messageReader) give(part []byte, last bool) {
	r.inflating.Feed(part)
	if last {
		r.inflating.End()
	}
}

// skim reads what is left of a message that was dropped: later ones may refer
// to it. The caller has the right to read.
func (e *engine) skim(ctx context.Context, c *compression) error {
	var scrap [1 << 10]byte
	for r := c.skimming; r.inflating != nil; {
		if _, err := r.readInflated(ctx, scrap[:]); err != nil && err != io.EOF {
			if r.inflating == nil {
				c.skimming = nil
			}
			return err
		}
	}
	c.skimming = nil
	return nil
}
