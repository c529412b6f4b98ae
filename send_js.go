package wschannel

import (
	"context"
	"io"
	"os"
	"sync"
	"syscall/js"
	"time"

	"github.com/wschannel/wschannel/internal/proto"
	"github.com/wschannel/wschannel/status"
)

const (
	// highWater is how many bytes the platform may hold that were sent and have
	// not left. Above it sending waits.
	highWater = 1 << 20
	// pollMin and pollMax are how often it is asked, for it does not tell.
	pollMin = 1 * time.Millisecond
	pollMax = 32 * time.Millisecond
)

// open is a socket's readyState between its open event and the beginning of
// the closing handshake.
const open = 1

func (e *engine) send(ctx context.Context, t Type, data []byte) error {
	if err := e.acquire(ctx); err != nil {
		return err
	}
	defer e.message.release()
	return e.post(ctx, t, data)
}

// acquire takes the right to send, in the order of errors of the contract: the
// channel's end, then ctx.
func (e *engine) acquire(ctx context.Context) error {
	if err := e.mayNotSend(ctx); err != nil {
		return err
	}
	if !e.message.take(e.ended, ctx.Done()) {
		return e.mayNotSend(ctx)
	}
	if err := e.mayNotSend(ctx); err != nil {
		e.message.release()
		return err
	}
	return nil
}

// mayNotSend returns the channel's end or ctx's error, in that order.
func (e *engine) mayNotSend(ctx context.Context) error {
	err := ctx.Err() // looked at first, so that it does not win over an end that was before
	if isClosed(e.ended) {
		return e.end.Load()
	}
	return err
}

// post gives a message to the platform, once that has room. The caller has the
// right to send.
func (e *engine) post(ctx context.Context, t Type, data []byte) error {
	if err := e.awaitRoom(ctx); err != nil {
		return err
	}
	return e.hand(t, data)
}

// hand gives a message to the platform.
func (e *engine) hand(t Type, data []byte) error {
	err := try(func() { messageToJS(e.socket, e.sender, t, data) })
	if err != nil {
		e.lose(err)
		return e.end.Load()
	}
	if isClosed(e.ended) && e.socket.Get("readyState").Int() != open {
		return e.end.Load() // the platform drops what is sent after a close
	}
	e.tally.sent(len(data))
	return nil
}

// awaitRoom waits until the platform holds less than highWater.
func (e *engine) awaitRoom(ctx context.Context) error {
	poll := pollMin
	held := 0
	var still time.Time // since when held has not fallen
	for {
		if err := e.mayNotSend(ctx); err != nil {
			return err
		}
		if e.socket.Get("readyState").Int() != open {
			// The peer's close is known, its event is still to come.
			select {
			case <-e.ended:
			case <-ctx.Done():
			}
			continue
		}
		now := e.buffered()
		if now < highWater {
			return nil
		}
		if still.IsZero() || now < held {
			held, still = now, time.Now()
		} else if limit := e.set.writeTimeout; limit > 0 && time.Since(still) >= limit {
			e.lose(&annotated{"the peer has taken nothing for " + limit.String() + ": ", os.ErrDeadlineExceeded})
			continue
		}
		wait := time.NewTimer(poll)
		select {
		case <-wait.C:
		case <-e.ended: // bufferedAmount never falls after a close
		case <-ctx.Done():
		}
		wait.Stop()
		poll = min(2*poll, pollMax)
	}
}

// lose ends the channel because the platform does not send any more.
func (e *engine) lose(cause error) {
	e.decide(&CloseError{Code: status.AbnormalClosure, Cause: cause})
	e.finish(cause)
	e.hangUp()
}

// buffered returns what has not left yet. After the end it never will.
func (e *engine) buffered() int {
	amount := e.socket.Get("bufferedAmount")
	if amount.Type() != js.TypeNumber || isClosed(e.done) {
		return 0
	}
	return amount.Int()
}

// A messageWriter collects one message, which is sent as a whole. It has the
// right to send one until it is closed.
type messageWriter struct {
	e    *engine
	ctx  context.Context
	t    Type
	stop func() bool // of what watches ctx

	mu   sync.Mutex
	buf  []byte
	text proto.UTF8
	err  error // why nothing can be written any more
}

func (e *engine) nextWriter(ctx context.Context, t Type) (io.WriteCloser, error) {
	if err := e.acquire(ctx); err != nil {
		return nil, err
	}
	w := &messageWriter{e: e, ctx: ctx, t: t}
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
	if text := w.text; w.t == Text {
		if !text.Valid(p) {
			return 0, ErrInvalidUTF8
		}
		w.text = text
	}
	w.buf = append(w.buf, p...)
	return len(p), nil
}

func (w *messageWriter) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.usable(); err != nil {
		return err
	}
	if !w.text.Done() {
		w.end(ErrInvalidUTF8)
		return ErrInvalidUTF8
	}
	if err := w.e.post(w.ctx, w.t, w.buf); err != nil {
		w.end(err)
		return err
	}
	w.end(ErrWriterClosed)
	return nil
}

// usable returns why the writer is not, if so.
func (w *messageWriter) usable() error {
	if w.err == nil {
		if err := w.e.mayNotSend(w.ctx); err != nil {
			w.end(err)
		}
	}
	return w.err
}

// cancelled runs when ctx is done.
func (w *messageWriter) cancelled() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.usable()
}

// end lets other messages be sent.
func (w *messageWriter) end(err error) {
	w.err, w.buf = err, nil
	w.stop()
	w.e.message.release()
}
