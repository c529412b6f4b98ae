package streamchannel

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// WhenFull says what happens to a message for a [Subscription] whose buffer is
// full.
type WhenFull uint8

const (
	// WaitWhenFull receives nothing more for anybody until there is room: the
	// slowest of these subscriptions sets the pace, and none loses a message.
	WaitWhenFull WhenFull = iota

	// DropWhenFull drops the oldest message of the buffer for it. Dropped of
	// the subscription counts them.
	DropWhenFull

	// EndWhenFull ends the subscription behind what its buffer holds, with
	// [ErrOverflow].
	EndWhenFull
)

// ErrOverflow is the end of a channel or a subscription that was too slow: its
// buffer was full when a message came. It satisfies errors.Is(err, [ErrClosed])
// and is not clean.
var ErrOverflow error = &failure{errors.New("receive buffer is full")}

// A FanOut gives one stream to many receivers: each of its subscriptions gets
// every message that comes after it was made.
//
// Once the stream is over, a ctx that is done is ignored only if the stream has a
// method Done as that of [Channel].
//
// It has no goroutine: whoever waits in Receive of a subscription receives for
// all of them, so that the stream is not touched while nobody waits. Messages
// are copied for each subscription as [Pair] does.
type FanOut[R any] struct {
	stream Stream[R]
	turn   chan struct{} // holds a token while somebody receives from stream
	room   chan struct{} // holds a token after one that others wait for got room

	mu   sync.Mutex
	subs []*Subscription[R] // replaced by each change
	end  error
}

// NewFanOut returns a FanOut of a stream, which nobody else may receive from as
// long as there are subscriptions.
func NewFanOut[R any](stream Stream[R]) *FanOut[R] {
	return &FanOut[R]{stream: stream, turn: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// Subscribe returns a new subscription, which holds up to capacity messages that
// were not received. It panics if capacity is below 1. If the stream has ended,
// so has the subscription.
func (f *FanOut[R]) Subscribe(capacity int, full WhenFull) *Subscription[R] {
	if capacity < 1 {
		panic("streamchannel: capacity of a subscription is below 1")
	}
	s := &Subscription[R]{fan: f, inbox: newInbox[R](), capacity: capacity, full: full}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.end != nil {
		s.finish(f.end)
	} else {
		f.subs = append(slices.Clip(f.subs), s)
	}
	return s
}

// receive receives one message for everybody, in the turn of s. It returns an
// error only if that is for s alone.
func (f *FanOut[R]) receive(ctx context.Context, s *Subscription[R]) error {
	for !f.hasRoom() {
		select {
		case <-f.room:
		case <-s.inbox.done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	both, stop := either(f.ignoredWhenOver(ctx), s.ctx)
	defer stop()
	m, err := f.stream.Receive(both)
	switch {
	case err == nil || isDecodeError(err):
		f.distribute(m, err)
	case errors.Is(err, ErrClosed):
		f.finish(err)
	case both.Err() == nil:
		return err
	}
	return nil // what there is for s lies in its inbox
}

// ignoredWhenOver returns ctx as long as the stream is not known to be over: then
// it counts no more, by the contract.
func (f *FanOut[R]) ignoredWhenOver(ctx context.Context) context.Context {
	if ch, ok := f.stream.(interface{ Done() <-chan struct{} }); ok && isClosed(ch.Done()) {
		return context.WithoutCancel(ctx)
	}
	return ctx
}

func (f *FanOut[R]) hasRoom() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !slices.ContainsFunc(f.subs, func(s *Subscription[R]) bool {
		return s.full == WaitWhenFull && s.isFull()
	})
}

func (f *FanOut[R]) distribute(m R, err error) {
	f.mu.Lock()
	subs := f.subs
	f.mu.Unlock()
	for _, s := range subs {
		// Not under the lock: Clone is the user's code.
		if !s.deliver(arrival[R]{own(m), err}) {
			f.forget(s)
		}
	}
}

func (f *FanOut[R]) forget(s *Subscription[R]) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.subs = slices.DeleteFunc(slices.Clone(f.subs), func(other *Subscription[R]) bool { return other == s })
}

func (f *FanOut[R]) finish(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.end = err
	for _, s := range f.subs {
		s.finish(err)
	}
	f.subs = nil
}

// A Subscription is the [Stream] of one receiver of a [FanOut].
type Subscription[R any] struct {
	fan      *FanOut[R]
	inbox    *inbox[R]
	capacity int
	full     WhenFull
	dropped  int             // guarded by inbox.mu
	ctx      context.Context // done when the subscription is over
	cancel   context.CancelFunc
}

// Receive returns the next message. The rules of [Stream] apply; the end is that
// of the stream, [ErrClosed] after Close, or [ErrOverflow].
func (s *Subscription[R]) Receive(ctx context.Context) (R, error) {
	var none R
	if !s.inbox.claim() {
		return none, ErrConcurrentReceive
	}
	defer s.inbox.unclaim()
	for {
		if a, ok := s.inbox.take(s.fan.ignoredWhenOver(ctx)); ok {
			s.gotRoom()
			return a.m, a.err
		}
		select {
		case s.fan.turn <- struct{}{}:
			if err := s.receiveInTurn(ctx); err != nil {
				return none, err
			}
			continue
		default:
		}
		select {
		case <-s.inbox.pushed:
		case <-s.inbox.done:
		case <-ctx.Done():
			if !s.isReady() { // also if it is only for its turn that it waits
				return none, ctx.Err()
			}
		case s.fan.turn <- struct{}{}:
			if err := s.receiveInTurn(ctx); err != nil {
				return none, err
			}
		}
	}
}

func (s *Subscription[R]) receiveInTurn(ctx context.Context) error {
	defer func() { <-s.fan.turn }()
	if s.isReady() { // by whoever had the turn before
		return nil
	}
	return s.fan.receive(ctx, s)
}

// Close ends the subscription and drops what it holds. The stream and other
// subscriptions go on. It returns nil.
func (s *Subscription[R]) Close() error {
	s.inbox.abandon(ErrClosed)
	s.cancel()
	s.fan.forget(s)
	s.gotRoom()
	return nil
}

// Dropped returns how many messages were dropped by [DropWhenFull].
func (s *Subscription[R]) Dropped() int {
	s.inbox.mu.Lock()
	defer s.inbox.mu.Unlock()
	return s.dropped
}

func (s *Subscription[R]) finish(err error) {
	s.inbox.finish(err)
	s.cancel()
}

// deliver reports whether the subscription goes on.
func (s *Subscription[R]) deliver(a arrival[R]) bool {
	if s.full == DropWhenFull {
		s.inbox.mu.Lock()
		if len(s.inbox.arrived) == s.capacity {
			s.inbox.pop()
			s.dropped++
		}
		s.inbox.mu.Unlock()
	}
	if s.inbox.put(a, s.capacity) {
		return true
	}
	s.finish(ErrOverflow)
	return false
}

func (s *Subscription[R]) isFull() bool {
	s.inbox.mu.Lock()
	defer s.inbox.mu.Unlock()
	return len(s.inbox.arrived) >= s.capacity
}

func (s *Subscription[R]) isReady() bool {
	s.inbox.mu.Lock()
	defer s.inbox.mu.Unlock()
	return len(s.inbox.arrived) > 0 || isClosed(s.inbox.done)
}

func (s *Subscription[R]) gotRoom() {
	if s.full == WaitWhenFull {
		notify(s.fan.room)
	}
}
