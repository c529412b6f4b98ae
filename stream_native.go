//go:build !js

package wschannel

import (
	"context"
	"io"
	"sync"

	"github.com/wschannel/wschannel/internal/deflate"
	"github.com/wschannel/wschannel/internal/proto"
	"github.com/wschannel/wschannel/internal/wire"
)

// A messageReader reads one message. While it is the engine's stream it is the
// one that may.
type messageReader struct {
	e    *engine
	ctx  context.Context
	rest []byte // of a message that had come whole
	last bool   // nothing follows rest

	inflating *deflate.Stream // of a message that comes compressed
	piece     []byte          // what it is fed with
	isText    bool
	text      proto.UTF8
}

func (e *engine) nextReader(ctx context.Context) (Type, io.Reader, error) {
	if err := e.startReading(ctx); err != nil {
		return 0, nil, err
	}
	defer e.stopReading()
	if err := e.dropStream(ctx); err != nil {
		return 0, nil, err
	}
	if h, payload, ok := e.inbox.peek(); ok {
		e.stream = &messageReader{e: e, ctx: ctx, rest: append([]byte(nil), payload...), last: true}
		if h.Rsv != 0 {
			e.stream.startInflating(h.Opcode)
			e.stream.give(e.stream.rest, true)
			e.stream.rest = nil
		}
		e.inbox.take(payload)
		e.tally.received(1, 0)
		return Type(h.Opcode), e.stream, nil
	}
	e.in.Stream(nil)
	for {
		switch ev := e.in.Next(); ev.Kind {
		case proto.Start:
			e.handled++
			e.stream, e.streaming = &messageReader{e: e, ctx: ctx}, true
			if ev.Compressed {
				e.stream.startInflating(ev.Opcode)
			}
			e.tally.received(1, 0)
			return Type(ev.Opcode), e.stream, nil
		case proto.More, proto.Over:
			if err := e.await(ctx); err != nil {
				return 0, nil, err
			}
		default:
			e.handle(ev)
		}
	}
}

// dropStream drops what is left of a message that was being streamed. The
// caller has the right to read.
func (e *engine) dropStream(ctx context.Context) error {
	if r := e.stream; r != nil {
		e.stream = nil
		if r.inflating != nil && e.compression.received != nil {
			e.compression.skimming = r
		} else {
			r.stopInflating()
			e.inbox.dropParts()
			if e.streaming {
				e.streaming = false
				e.in.Skip()
			}
		}
	}
	if c := e.compression; c != nil && c.skimming != nil {
		return e.skim(ctx, c)
	}
	return nil
}

func (r *messageReader) Read(p []byte) (int, error) {
	n, err := r.read(p)
	if n > 0 {
		r.e.tally.received(0, n)
	}
	return n, err
}

func (r *messageReader) read(p []byte) (int, error) {
	e := r.e
	if err := e.claim(); err != nil {
		return 0, err
	}
	defer e.unclaim()
	if err := e.startReading(r.ctx); err != nil {
		return 0, err
	}
	defer e.stopReading()
	switch {
	case e.stream != r:
		return 0, ErrReaderStale
	case len(p) == 0:
		return 0, nil
	case r.inflating != nil:
		return r.readInflated(r.ctx, p)
	case len(r.rest) > 0 || r.last:
		return r.fromRest(p)
	}
	if h, payload, ok := e.inbox.peek(); ok {
		// A part that came while nobody was reading.
		r.rest, r.last = append([]byte(nil), payload...), h.Fin
		e.inbox.take(payload)
		return r.fromRest(p)
	}
	e.in.Stream(p)
	for {
		switch ev := e.in.Next(); ev.Kind {
		case proto.Part:
			if r.last = ev.Last; r.last {
				e.streaming = false
				if len(ev.Data) == 0 {
					return 0, io.EOF
				}
			}
			return len(ev.Data), nil
		case proto.More, proto.Over:
			if err := e.await(r.ctx); err != nil {
				e.in.Release()
				return 0, err
			}
		default:
			e.handle(ev)
		}
	}
}

func (r *messageReader) fromRest(p []byte) (int, error) {
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	if n == 0 && r.last {
		return 0, io.EOF
	}
	return n, nil
}

// fragmentSize is how many bytes a messageWriter collects for a frame.
const fragmentSize = 4 << 10

// A messageWriter writes one message. It has the right to send one until it is
// closed.
type messageWriter struct {
	e    *engine
	ctx  context.Context
	op   wire.Opcode
	stop func() bool // of what watches ctx between writes

	mu   sync.Mutex
	buf  []byte
	zip  *deflate.Writer // of a long message that is compressed
	text proto.UTF8
	size int   // in bytes, so far
	left bool  // a frame has left
	err  error // why nothing can be written any more
}

func (e *engine) nextWriter(ctx context.Context, t Type) (io.WriteCloser, error) {
	if err := e.acquire(ctx, &e.message); err != nil {
		return nil, err
	}
	e.outbox.setOpen(true)
	w := &messageWriter{e: e, ctx: ctx, op: wire.Opcode(t)}
	w.mu.Lock() // cancelled may run at once
	w.stop = context.AfterFunc(ctx, w.cancelled)
	w.mu.Unlock()
	return w, nil
}

func (w *messageWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.usable(); err != nil {
		return 0, err
	}
	if text := w.text; w.op == wire.Text {
		if !text.Valid(p) {
			return 0, ErrInvalidUTF8
		}
		w.text = text
	}
	w.size += len(p)
	if w.zip == nil && len(w.buf)+len(p) <= fragmentSize {
		w.buf = append(w.buf, p...)
		return len(p), nil
	}
	flush := w.flush
	if w.e.compression != nil {
		flush = w.flushCompressed
	}
	if err := flush(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// flush writes what is collected and p, as fragments.
func (w *messageWriter) flush(p []byte) error {
	for _, fragment := range [...][]byte{w.buf, p} {
		if len(fragment) == 0 {
			continue
		}
		if err := w.frame(0, false, fragment); err != nil {
			return err
		}
	}
	w.buf = w.buf[:0]
	return nil
}

func (w *messageWriter) frame(rsv uint8, fin bool, payload []byte) error {
	err := w.e.acquire(w.ctx, &w.e.frame)
	if err == nil {
		var left bool
		left, err = w.e.writeData(w.ctx, w.op, rsv, fin, payload)
		w.left = w.left || left
	}
	if err != nil {
		w.giveUp(err)
		return w.err
	}
	return nil
}

func (w *messageWriter) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.usable(); err != nil {
		return err
	}
	if !w.text.Done() {
		w.giveUp(ErrInvalidUTF8)
		return w.err
	}
	if err := w.last(); err != nil {
		return err
	}
	w.e.tally.sent(w.size)
	w.e.outbox.setOpen(false)
	w.end(ErrWriterClosed)
	return nil
}

// usable returns why the writer is not, if so.
func (w *messageWriter) usable() error {
	switch {
	case w.err != nil:
	case w.e.is(decided):
		w.giveUp(w.e.end.Load())
	case w.ctx.Err() != nil:
		w.giveUp(w.ctx.Err())
	}
	return w.err
}

// cancelled runs when ctx is done.
func (w *messageWriter) cancelled() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.usable()
}

// giveUp withdraws the message. If a frame of it has left, the channel cannot
// go on, and behind that no other message can begin.
func (w *messageWriter) giveUp(err error) {
	if w.left {
		w.e.lose(err)
		err = w.e.end.Load()
	} else {
		w.e.outbox.setOpen(false)
	}
	w.end(err)
}

// end lets other messages be sent.
func (w *messageWriter) end(err error) {
	w.err, w.buf = err, nil
	if w.zip != nil {
		w.zip.Release()
		w.zip = nil
	}
	w.stop()
	w.e.message.release()
}
