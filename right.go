package wschannel

import "sync/atomic"

// A right is a lock that can be waited for together with other events. Taking
// and releasing it costs two atomic operations while nobody waits. Whoever waits
// is given it in turn, so nobody is passed over for ever.
type right struct {
	held    atomic.Bool
	waiting atomic.Int32
	// given holds a token when the right, still held, has been given to whoever
	// waits. If that one has gone away, the token waits for the next.
	given chan struct{}
}

func newRight() right { return right{given: make(chan struct{}, 1)} }

// try takes the right if it is free.
func (r *right) try() bool {
	if r.held.CompareAndSwap(false, true) {
		return true
	}
	select {
	case <-r.given:
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
	r.waiting.Add(1)
	defer r.waiting.Add(-1)
	// Once more: a release in between has seen nobody waiting.
	if r.try() {
		return true
	}
	select {
	case <-r.given:
		return true
	case <-a:
	case <-b:
	}
	return false
}

// release gives the right back.
func (r *right) release() {
	r.held.Store(false)
	if r.waiting.Load() > 0 && r.held.CompareAndSwap(false, true) {
		r.given <- struct{}{}
	}
}
