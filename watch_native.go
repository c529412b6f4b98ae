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
	state  atomic.Int32    // idle, blocking or poking
	closed bool            // with mu
	last   <-chan struct{} // Done of the ctx of the last begin

	mu         sync.Mutex
	registered *registration // nil before there was a ctx that can be done
}

// A registration is that of a ctx.
type registration struct {
	ctx  context.Context // nil for none
	stop func() bool
	wake func() // looks whether it is done
}

const (
	idle     int32 = iota
	blocking       // between begin and end
	poking         // the same, and the goroutine is being woken at this moment
)

// begin says that an operation of e under ctx is about to block. After it, whoever
// blocks has to look whether ctx is done already.
func (w *watch) begin(e *engine, ctx context.Context) {
	ctx = e.awaited(ctx)
	done := ctx.Done()
	if done != w.last {
		w.register(e, ctx, done)
	}
	w.state.Store(blocking)
}

func (w *watch) register(e *engine, ctx context.Context, done <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drop()
	w.last = done
	if w.closed || done == nil {
		return
	}
	if w.registered == nil {
		w.registered = &registration{wake: func() { w.wake(e) }}
	}
	r := w.registered
	r.ctx = ctx
	r.stop = context.AfterFunc(ctx, r.wake)
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
	if r := w.registered; r != nil && r.ctx != nil {
		r.stop()
		r.ctx, r.stop = nil, nil
	}
}

func (w *watch) wake(e *engine) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ctx := w.registered.ctx
	if ctx != nil && ctx.Err() != nil && w.state.CompareAndSwap(blocking, poking) {
		if w == &e.readWatch {
			e.wakeReader()
		} else {
			e.wakeWriter()
		}
		w.state.Store(blocking)
	}
}
