//go:build !js

package wschannel

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/wschannel/wschannel/internal/proto"
	"github.com/wschannel/wschannel/internal/wire"
)

const (
	// pendingLimit is how many bytes of frames may wait to be written.
	pendingLimit = 64 << 10
	// deferLimit is the longest message that waits although nobody is writing,
	// because more messages are about to be answered.
	deferLimit = 16 << 10
)

// An outbox holds what was accepted while somebody else was writing, or while
// more of what was received waits to be answered: whole frames, in order. Who
// has the right to write takes them along.
//
// Whoever leaves something here tries to get the right to write after that, and
// whoever gives that right back looks here after that: so nothing is left behind.
type outbox struct {
	some atomic.Bool // something is pending
	open atomic.Bool // NextWriter has begun a message: no other may begin
	shut atomic.Bool // the close frame was taken: nothing is accepted any more

	flushing bool // a goroutine writes what is pending, or is about to
	mu       sync.Mutex
	pending  []byte // a pooled buffer, or nil
}

// What became of a message that was offered.
type acceptance uint8

const (
	accepted acceptance = iota // it will be written in turn
	direct                     // the caller has the right to write, and writes it
	occupied                   // a message of NextWriter is open
	full                       // there is no room until something was written
	ending                     // the end is decided: nothing is accepted any more
)

// offer accepts a message, or says what its sender has to do.
func (e *engine) offer(op wire.Opcode, rsv uint8, data []byte) acceptance {
	if !e.answering.Load() || len(data) > deferLimit {
		// The usual case: nobody is writing.
		if e.frame.try() {
			if a := e.admits(); a != direct {
				e.stopWriting()
				return a
			}
			return direct
		}
	}
	a, flushing := e.enqueue(op, rsv, data)
	if a == accepted && !flushing && e.frame.try() {
		e.stopWriting() // nobody is writing, so somebody has to
	}
	return a
}

// enqueue leaves a message to whoever writes next, if it may. flushing says that
// somebody is sure to come.
func (e *engine) enqueue(op wire.Opcode, rsv uint8, data []byte) (a acceptance, flushing bool) {
	b := &e.outbox
	b.mu.Lock()
	defer b.mu.Unlock()
	if a := e.admits(); a != direct {
		return a, false
	}
	if len(b.pending)+wire.MaxHeader+len(data) > pendingLimit {
		return full, false
	}
	if b.pending == nil {
		b.pending = takeWriteBuffer()
		b.some.Store(true)
	}
	w := proto.NewWriter(e.server)
	key := e.maskKey()
	b.pending = w.AppendExtended(b.pending, op, rsv, true, len(data), key)
	b.pending, _ = w.AppendPayload(b.pending, data, key, 0)
	return accepted, b.flushing
}

// admits returns direct if whoever has the right to write may begin a message.
func (e *engine) admits() acceptance {
	switch {
	case e.outbox.shut.Load(), e.writeError.Load() != nil:
		return ending
	case e.outbox.open.Load():
		return occupied
	}
	return direct
}

// stopWriting gives the right to write back. What is pending is left to a
// goroutine: it writes as soon as whoever sends blocks or yields.
func (e *engine) stopWriting() {
	e.frame.release()
	b := &e.outbox
	if !b.some.Load() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pending != nil && !b.flushing {
		b.flushing = true
		if e.flushes == nil {
			e.flushes = e.flush // once, so that nothing is allocated after that
		}
		go e.flushes()
	}
}

// flush writes what is pending until nothing is.
func (e *engine) flush() {
	b := &e.outbox
	for e.obtain(context.Background(), &e.frame, finished) {
		p := b.takePending()
		if p != nil && e.writeError.Load() == nil {
			_, err := e.write(context.Background(), p, 0)
			giveWriteBuffer(p)
			if err != nil {
				e.writeFailed(context.Background(), err)
				e.frame.release()
				e.afterFailure()
				return
			}
		}
		e.frame.release()
		b.mu.Lock()
		b.flushing = b.pending != nil
		more := b.flushing
		b.mu.Unlock()
		if !more {
			return
		}
	}
}

// takePending returns what is pending, nil if nothing is. The caller has the
// right to write, and writes it first.
func (b *outbox) takePending() []byte {
	if !b.some.Load() {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.pending
	b.pending = nil
	b.some.Store(false)
	return p
}

// shutOff accepts nothing any more, and returns what is pending.
func (b *outbox) shutOff() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shut.Store(true)
	p := b.pending
	b.pending = nil
	b.some.Store(false)
	return p
}

// putBack makes p, a part of what takePending has returned, the first again.
func (b *outbox) putBack(p []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pending = append(append(takeWriteBuffer(), p...), b.pending...)
	b.some.Store(true)
}

// setOpen lets a message of NextWriter be the only one, or ends that.
func (b *outbox) setOpen(open bool) {
	b.mu.Lock() // for what is being left here
	b.open.Store(open)
	b.mu.Unlock()
}

// waiting returns how many bytes are pending.
func (b *outbox) waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.pending)
}
