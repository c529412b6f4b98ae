package streamchannel

import (
	"context"
	"sync"
)

// inbox is where messages wait for the receiver of a channel, and what that
// channel's end is. Its Receive, Done and Err keep the contract.
type inbox[R any] struct {
	mu        sync.Mutex
	receiving bool
	arrived   []arrival[R]
	pushed    chan struct{} // holds a token after a push; the receiver may find nothing all the same
	taken     chan struct{} // holds a token after a message was taken
	done      chan struct{} // closed with mu held
	err       error         // why it is over
}

// arrival is a message, or an error about one.
type arrival[R any] struct {
	m   R
	err error
}

func newInbox[R any]() *inbox[R] {
	return &inbox[R]{
		pushed: make(chan struct{}, 1),
		taken:  make(chan struct{}, 1),
		done:   make(chan struct{}),
	}
}

// put adds an arrival unless limit of them are there already, or it is over.
func (b *inbox[R]) put(a arrival[R], limit int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if isClosed(b.done) || len(b.arrived) >= limit {
		return false
	}
	b.arrived = append(b.arrived, a)
	notify(b.pushed)
	return true
}

// finish ends it, if it has not ended, with what arrived before still to be
// received. It reports whether this was the end.
func (b *inbox[R]) finish(err error) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.finishLocked(err)
}

// abandon is finish for a local close, which drops what was not received.
func (b *inbox[R]) abandon(err error) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.arrived = nil
	return b.finishLocked(err)
}

func (b *inbox[R]) finishLocked(err error) bool {
	if isClosed(b.done) {
		return false
	}
	b.err = err
	close(b.done)
	return true
}

func (b *inbox[R]) Done() <-chan struct{} { return b.done }

func (b *inbox[R]) Err() error {
	if isClosed(b.done) {
		return b.err
	}
	return nil
}

func (b *inbox[R]) Receive(ctx context.Context) (none R, err error) {
	if !b.claim() {
		return none, ErrConcurrentReceive
	}
	defer b.unclaim()
	for {
		if a, ok := b.take(ctx); ok {
			return a.m, a.err
		}
		select {
		case <-b.pushed:
		case <-b.done:
		case <-ctx.Done():
		}
	}
}

// claim takes the right to receive, which one receiver has at a time.
func (b *inbox[R]) claim() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.receiving {
		return false
	}
	b.receiving = true
	return true
}

func (b *inbox[R]) unclaim() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.receiving = false
}

// take returns what Receive has to return, if it need not wait.
func (b *inbox[R]) take(ctx context.Context) (a arrival[R], ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	over := isClosed(b.done)
	if err := ctx.Err(); err != nil && !over {
		return arrival[R]{err: err}, true
	}
	if len(b.arrived) > 0 {
		notify(b.taken)
		return b.pop(), true
	}
	return arrival[R]{err: b.err}, over
}

// pop takes the oldest. mu is held.
func (b *inbox[R]) pop() arrival[R] {
	a := b.arrived[0]
	b.arrived[0] = arrival[R]{}
	if b.arrived = b.arrived[1:]; len(b.arrived) == 0 {
		b.arrived = nil
	}
	return a
}

// notify leaves a token in c, which has room for one.
func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
