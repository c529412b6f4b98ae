package wschannel

import "sync/atomic"

// A right is a lock that can be waited for together with other events. Taking
// and releasing it costs two atomic operations while nobody waits. Whoever waits
// is given it in turn, so nobody is passed over for ever. The zero right is free.
type right struct {
	held    atomic.Bool
	waiting atomic.Int32
	// given holds a token when the right, still held, has been given to whoever
	// waits. If that one has gone away, the token waits for the next. It is made
	// by the first who waits: for most rights nobody ever does.
	given atomic.Pointer[chan struct{}]
}

// try takes the right if it is free.
func (r *right) try() bool { return r.held.CompareAndSwap(false, true) || r.tryGiven() }

func (r *right) tryGiven() bool {
	given := r.given.Load()
	if given == nil {
		return false
	}
	select {
	case <-*given:
		return true
	default:
		return false
	}
}

// take waits for the right. It returns false if one of the channels was closed
// before.
func (r *right) take(a, b <-chan struct{}) bool {
	if r.try() {
		return true
	}
	given := r.handover() // before anybody is told of somebody waiting
	r.waiting.Add(1)
	defer r.waiting.Add(-1)
	// Once more: a release in between has seen nobody waiting.
	if r.try() {
		return true
	}
	select {
	case <-given:
		return true
	case <-a:
	case <-b:
	}
	return false
}

// handover returns what given points at.
func (r *right) handover() chan struct{} {
	if r.given.Load() == nil {
		given := make(chan struct{}, 1)
		r.given.CompareAndSwap(nil, &given)
	}
	return *r.given.Load()
}

// release gives the right back.
func (r *right) release() {
	r.held.Store(false)
	if r.waiting.Load() > 0 && r.held.CompareAndSwap(false, true) {
		*r.given.Load() <- struct{}{}
	}
}
