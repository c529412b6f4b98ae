//go:build !js

package wschannel

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// A watch wakes a goroutine that is blocked in the transport when the ctx of
// its operation is done. A ctx is registered once, however often it is used,
// and until another one comes or the channel is over. One goroutine at a time
// calls begin and end.
type watch struct {
	poke  func()          // wakes the goroutine
	state atomic.Int32    // idle, blocking or poking
	last  <-chan struct{} // Done of the ctx of the last begin

	mu     sync.Mutex
	ctx    context.Context
	stop   func() bool
	closed bool
}

const (
	idle     int32 = iota
	blocking       // between begin and end
	poking         // the same, and the goroutine is being woken at this moment
)

// begin says that an operation under ctx is about to block. After it, whoever
// blocks has to look whether ctx is done already.
func (w *watch) begin(ctx context.Context) {
	done := ctx.Done()
	if done != w.last {
		w.register(ctx, done)
	}
	w.state.Store(blocking)
}

func (w *watch) register(ctx context.Context, done <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drop()
	w.last = done
	if !w.closed && done != nil {
		w.ctx = ctx
		w.stop = context.AfterFunc(ctx, w.wake)
	}
}

// end says that the operation is done. From now on its ctx wakes nobody.
func (w *watch) end() {
	for w.state.Load() != idle && !w.state.CompareAndSwap(blocking, idle) {
		runtime.Gosched() // until the poke that is under way is done
	}
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
	w.ctx, w.stop = nil, nil
}

func (w *watch) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ctx != nil && w.ctx.Err() != nil && w.state.CompareAndSwap(blocking, poking) {
		w.poke()
		w.state.Store(blocking)
	}
}
