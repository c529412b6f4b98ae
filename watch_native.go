//go:build !js

package wschannel

import (
	"context"
	"sync"
)

// A watch wakes a goroutine that is blocked in the transport when the ctx of
// its operation is done. A ctx is registered once, however often it is used,
// and until another one comes or the channel is over.
type watch struct {
	poke func() // wakes the goroutine

	mu     sync.Mutex
	ctx    context.Context
	done   <-chan struct{} // of ctx
	stop   func() bool
	active bool // between begin and end
	closed bool
}

// begin says that an operation under ctx is about to block.
func (w *watch) begin(ctx context.Context) {
	done := ctx.Done()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.active = true
	if done == w.done {
		return
	}
	w.drop()
	if !w.closed {
		w.ctx, w.done = ctx, done
		if done != nil {
			w.stop = context.AfterFunc(ctx, w.wake)
		}
	}
}

// end says that the operation is done. From now on its ctx wakes nobody.
func (w *watch) end() {
	w.mu.Lock()
	w.active = false
	w.mu.Unlock()
}

// release forgets the ctx for good.
func (w *watch) release() {
	w.mu.Lock()
	w.closed = true
	w.drop()
	w.mu.Unlock()
}

func (w *watch) drop() {
	if w.stop != nil {
		w.stop()
	}
	w.ctx, w.done, w.stop = nil, nil, nil
}

func (w *watch) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.active && w.ctx != nil && w.ctx.Err() != nil {
		w.poke()
	}
}
