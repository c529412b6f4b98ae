package wschannel

import "sync/atomic"

// A right is a lock that can be waited for together with other events. Taking
// and releasing it costs two atomic operations while nobody waits. Whoever waits
// is given it in turn, so nobody is passed over for ever. The zero right is free.
type right struct {
	// state has a bit for whether it is held, above that how many wait, and from
	// the bit rightNotes on what is to change in one step with them.
	state atomic.Uint64
	// given holds a token when the right, still held, has been given to whoever
	// waits. If that one has gone away, the token waits for the next. It is made
	// by the first who waits: for most rights nobody ever does.
	given atomic.Pointer[chan struct{}]
}

const (
	rightHeld   = 1
	rightWaiter = 1 << 1
	rightNotes  = 1 << 24
)

// try takes the right if it is free.
func (r *right) try() bool { return r.seize() || r.tryGiven() }

// seize takes it if it is not held.
func (r *right) seize() bool {
	for s := r.state.Load(); s&rightHeld == 0; s = r.state.Load() {
		if r.state.CompareAndSwap(s, s|rightHeld) {
			return true
		}
	}
	return false
}

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
	r.state.Add(rightWaiter)
	defer r.state.Add(minus(rightWaiter))
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
func (r *right) release() { r.releaseAnd(0) }

// releaseAnd gives the right back, and adds to the notes.
func (r *right) releaseAnd(notes uint64) {
	s := r.state.Add(notes + minus(rightHeld))
	if s%rightNotes >= rightWaiter && r.seize() {
		*r.given.Load() <- struct{}{}
	}
}

func minus(n uint64) uint64 { return -n }
