//go:build !js

package wschannel

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// withHandlerContext returns a channel with the ctx that a Server would give to
// its handler, over one with a value that has ended.
func withHandlerContext(t *testing.T, role Role) (context.Context, *Channel, *peer) {
	type key struct{}
	c, p := withPeer(t, netPipe, role, nil)
	values, cancel := context.WithCancelCause(context.WithValue(t.Context(), key{}, "value"))
	cancel(errors.New("the request is over"))
	h := &handlerContext{c: c, values: values}
	c.engine.onEnd = func(step lastStep, _ traffic) {
		if step == stepOver {
			h.end()
		}
	}
	t.Cleanup(func() {
		if h.Value(key{}) != "value" {
			t.Error("a value is lost")
		}
	})
	return h, c, p
}

// The ctx of a handler ends with its channel, whatever was asked of it before.
func TestHandlerContext(t *testing.T) {
	type derived struct {
		name string
		ask  func(ctx context.Context) (done <-chan struct{})
	}
	for _, tt := range []derived{
		{"nothing asked", func(context.Context) <-chan struct{} { return nil }},
		{"Done", context.Context.Done},
		{"WithCancel", func(ctx context.Context) <-chan struct{} {
			ctx, cancel := context.WithCancel(ctx)
			t.Cleanup(cancel)
			return ctx.Done()
		}},
		{"WithValue", func(ctx context.Context) <-chan struct{} {
			return context.WithValue(ctx, t, t).Done()
		}},
		{"AfterFunc", func(ctx context.Context) <-chan struct{} {
			called := make(chan struct{})
			context.AfterFunc(ctx, func() { close(called) })
			return called
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, role Role) {
				ctx, c, _ := withHandlerContext(t, role)
				done := tt.ask(ctx)
				if done != nil && isClosed(done) || ctx.Err() != nil || context.Cause(ctx) != nil {
					t.Fatalf("over before the channel: %v, %v", ctx.Err(), context.Cause(ctx))
				}
				if _, ok := ctx.Deadline(); ok {
					t.Error("there is a deadline")
				}
				c.CloseNow()
				synctest.Wait()
				if done != nil && !isClosed(done) || ctx.Err() != context.Canceled || context.Cause(ctx) != context.Canceled {
					t.Errorf("not over after the channel: %v, %v", ctx.Err(), context.Cause(ctx))
				}
				if late := tt.ask(ctx); late != nil {
					<-late
				}
				if !isClosed(ctx.Done()) {
					t.Error("Done is not closed")
				}
			})
		})
	}
}

// Whoever is blocked under the ctx of the handler learns of the end of the
// channel, and has it not watched.
func TestHandlerContextIsNotWatched(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		ctx, c, p := withHandlerContext(t, role)
		received := async(func() error { _, err := c.Receive(ctx); return err })
		pinged := async(func() error { _, err := c.Ping(ctx); return err })
		p.expect(pingFrame, "\x00\x00\x00\x00\x00\x00\x00\x01")
		sent := async(func() error { return c.SendText(ctx, strings.Repeat("long", 25_000)) })
		synctest.Wait()
		if c.engine.readWatch.last != nil || c.engine.blockage.Load().watch.last != nil {
			t.Error("the ctx is watched")
		}
		if ctx.(*handlerContext).cancelled.Load() != nil {
			t.Error("something to wait for was made")
		}
		time.Sleep(time.Second)
		c.CloseNow()
		for _, err := range []error{<-received, <-pinged, <-sent} {
			if !errors.Is(err, ErrLocalClose) {
				t.Errorf("got %v", err)
			}
		}

		// Of another channel it is a ctx like others.
		other, _ := withPeer(t, netPipe, role, nil)
		if _, err := other.Receive(ctx); err != context.Canceled {
			t.Errorf("Receive on another channel: %v", err)
		}
	})
}

// What of a ctx ends is not kept for its values.
func TestHandlerContextKeepsOnlyValues(t *testing.T) {
	type key string
	cancelled := func(ctx context.Context) context.Context {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		return ctx
	}
	one := context.WithValue(context.Background(), key("one"), 1)
	two := context.WithValue(cancelled(one), key("two"), 2)
	timed, cancel := context.WithTimeout(two, 0)
	defer cancel()
	foreign := foreignContext{cancelled(one)}
	for _, tt := range []struct {
		name      string
		ctx, kept context.Context
	}{
		{"nothing else", context.Background(), context.Background()},
		{"values", one, one},
		{"of a request", cancelled(cancelled(one)), one},
		{"values above one that ends", cancelled(two), two},
		{"a deadline", cancelled(timed), timed},
		{"of another package", foreign, foreign},
	} {
		t.Run(tt.name, func(t *testing.T) {
			kept := valuesOf(tt.ctx)
			if kept != tt.kept {
				t.Errorf("kept %v, want %v", kept, tt.kept)
			}
			for _, k := range []key{"one", "two"} {
				if got, want := kept.Value(k), tt.ctx.Value(k); got != want {
					t.Errorf("%s is %v, want %v", k, got, want)
				}
			}
		})
	}
}

// A foreignContext is one that package context has not made.
type foreignContext struct{ context.Context }
