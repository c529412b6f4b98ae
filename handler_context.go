//go:build !js

package wschannel

import (
	"context"
	"reflect"
	"sync/atomic"
	"time"
)

// A handlerContext is the ctx of a Server's handler: it has the values of
// another one, and ends when its channel is over. What can be waited for is made
// when somebody asks for it. The channel itself does not: its own end wakes
// whoever is blocked in it.
type handlerContext struct {
	c         *Channel
	values    context.Context // whose end means nothing
	cancelled atomic.Pointer[cancelledContext]
}

// A cancelledContext is one with what ends it.
type cancelledContext struct {
	context.Context
	cancel context.CancelFunc
}

// made returns the context that contexts derived from h are children of.
func (h *handlerContext) made() *cancelledContext {
	if m := h.cancelled.Load(); m != nil {
		return m
	}
	e := &h.c.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	m := h.cancelled.Load()
	if m == nil {
		m = &cancelledContext{}
		m.Context, m.cancel = context.WithCancel(context.WithoutCancel(h.values))
		if e.is(finished) {
			m.cancel() // end has come too early for it, or will find nothing to do
		}
		h.cancelled.Store(m)
	}
	return m
}

// end is called once, when the channel is over.
func (h *handlerContext) end() {
	h.c.engine.mu.Lock()
	m := h.cancelled.Load()
	h.c.engine.mu.Unlock()
	if m != nil {
		m.cancel()
	}
}

func (h *handlerContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (h *handlerContext) Done() <-chan struct{}       { return h.made().Done() }

func (h *handlerContext) Err() error {
	if m := h.cancelled.Load(); m != nil {
		return m.Err()
	}
	if h.c.engine.isOver() {
		return context.Canceled
	}
	return nil
}

func (h *handlerContext) Value(key any) any {
	if m := h.cancelled.Load(); m != nil {
		return m.Value(key) // package context asks for what it made
	}
	return context.WithoutCancel(h.values).Value(key)
}

// awaited returns the ctx that has to be watched while e waits under ctx: one
// that ends only with the channel need not be.
func (e *engine) awaited(ctx context.Context) context.Context {
	if h, ok := ctx.(*handlerContext); ok && &h.c.engine == e {
		return context.Background()
	}
	return ctx
}

// cancellable is the type of the contexts that can be cancelled.
var cancellable = func() reflect.Type {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return reflect.TypeOf(ctx)
}()

// valuesOf returns a context with the same values. Those of a request lie below
// two that end with it, and would keep a quarter of a kilobyte for each channel.
func valuesOf(ctx context.Context) context.Context {
	for reflect.TypeOf(ctx) == cancellable {
		parent := reflect.ValueOf(ctx).Elem().FieldByName("Context")
		if !parent.IsValid() || !parent.CanInterface() {
			break // it is made in another way than when this was written
		}
		below, ok := parent.Interface().(context.Context)
		if !ok {
			break
		}
		ctx = below
	}
	return ctx
}
