//go:build !js

package wschannel

import (
	"context"
	"strconv"
	"sync"

	"github.com/wschannel/wschannel/internal/deflate"
	"github.com/wschannel/wschannel/internal/handshake"
	"github.com/wschannel/wschannel/internal/wire"
	"github.com/wschannel/wschannel/status"
)

// A compression is what an engine keeps for permessage-deflate. There is none
// if that was not agreed upon.
type compression struct {
	how         deflate.How
	threshold   int
	takeover    bool // either way
	receiveBits int
	sent        *deflate.Window // nil without context takeover; with the right to send a message
	received    *deflate.Window // likewise; with the right to read
	skimming    *messageReader  // one that was dropped and moves received on
}

// compress makes a new channel use what was agreed upon, nil for nothing.
func (e *engine) compress(c Compression, agreed *handshake.Deflate) {
	if agreed == nil {
		return
	}
	c = c.filled()
	e.compression = &compression{
		how:         deflate.How{Level: c.Level, Bits: agreed.SendBits},
		threshold:   c.Threshold,
		takeover:    agreed.SendTakeover || agreed.ReceiveTakeover,
		receiveBits: agreed.ReceiveBits,
	}
	if agreed.SendTakeover {
		e.compression.sent = deflate.NewWindow(agreed.SendBits)
	}
	if agreed.ReceiveTakeover {
		e.compression.received = deflate.NewWindow(agreed.ReceiveBits)
	}
	e.in.AllowCompression()
}

// inflate appends a message that came compressed to dst. It returns false if
// that was the end of the channel. The caller has the right to read.
func (e *engine) inflate(op wire.Opcode, dst, payload []byte) (data []byte, ok bool) {
	limit := e.set.messageLimit
	data, err := deflate.Inflate(dst, payload, limit, e.compression.received)
	switch {
	case err == deflate.ErrTooLong:
		e.spoiled(status.MessageTooBig, "7.4.1", "compressed message of more than "+strconv.Itoa(limit)+" bytes, the limit")
	case err != nil:
		e.spoiled(status.InvalidFramePayloadData, "7.4.1", notDeflate)
	case op == wire.Text && !wire.ValidUTF8(data[len(dst):]):
		e.spoiled(status.InvalidFramePayloadData, "8.1", notText)
	default:
		return data, true
	}
	return dst, false
}

const (
	notDeflate = "compressed message that cannot be inflated"
	notText    = "compressed text message that is not UTF-8"
)

// spoiled fails the connection for what came compressed: nothing can be
// received any more. The caller has the right to read.
func (e *engine) spoiled(code status.Code, section, text string) {
	e.inbox = nil
	e.in.Stop()
	e.violated(&wire.Violation{Code: code, Section: section, Text: text})
}

// A payload is what a message is sent as.
type payload struct {
	data []byte
	rsv  uint8
	buf  *[]byte // data lies in it, if it is not the caller's
}

// payloadBuffers are for what messages are compressed to.
var payloadBuffers = sync.Pool{New: func() any { return new([]byte) }}

// maxPayloadBuffer is the largest of them in bytes that is kept.
const maxPayloadBuffer = 64 << 10

// pack compresses data if that makes it shorter. With context takeover the
// caller has the right to send a message.
func (c *compression) pack(data []byte) payload {
	buf := payloadBuffers.Get().(*[]byte)
	*buf = deflate.Compress((*buf)[:0], data, c.how, c.sent)
	p := payload{data: *buf, rsv: wire.Rsv1, buf: buf}
	if len(p.data) >= len(data) {
		p.release()
		return payload{data: data}
	}
	return p
}

func (p *payload) release() {
	if p.buf != nil && cap(*p.buf) <= maxPayloadBuffer {
		payloadBuffers.Put(p.buf)
	}
	p.buf = nil
}

// sendCompressed is send for a message that is worth it. With context takeover
// it takes the right to send a message: then no other one comes in between what
// this one refers to and this one, and other short messages may still be left in
// the outbox.
func (e *engine) sendCompressed(ctx context.Context, op wire.Opcode, data []byte) error {
	if err := e.beginCompressed(ctx); err != nil {
		return err
	}
	p := e.compression.pack(data)
	err := e.sendAs(ctx, op, p.rsv, p.data)
	p.release()
	e.endCompressed(err == nil && p.rsv != 0, data)
	return err
}

// beginCompressed begins a message that is compressed, if nothing is in the way.
func (e *engine) beginCompressed(ctx context.Context) error {
	if e.compression.sent == nil {
		return e.sendable(ctx)
	}
	return e.acquire(ctx, &e.message)
}

// endCompressed ends it. sent says that data was sent compressed.
func (e *engine) endCompressed(sent bool, data []byte) {
	w := e.compression.sent
	if w == nil {
		return
	}
	if sent {
		w.Add(data)
	}
	e.message.release()
}
