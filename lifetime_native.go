//go:build !js

package wschannel

import (
	"sync"
	"sync/atomic"
)

// A phase is how far a channel has come to its end.
type phase uint8

const (
	decided  phase = iota // nothing is accepted for sending any more
	deafened              // nothing is to be received any more
	finished              // the channel is over
	phases
)

// A lifetime is the phases that a channel has come to. Whoever waits for one has
// something made to wait for, which most channels never need.
type lifetime struct {
	reached atomic.Uint32          // a bit for each
	mu      sync.Mutex             // the engine's
	signals *[phases]chan struct{} // nil, or closed when it is reached
}

// is reports whether a channel has come that far.
func (l *lifetime) is(p phase) bool { return l.reached.Load()&(1<<p) != 0 }

// when returns a channel that is closed when p is reached.
func (l *lifetime) when(p phase) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.signals == nil {
		l.signals = new([phases]chan struct{})
	}
	c := l.signals[p]
	if c == nil {
		c = make(chan struct{})
		l.signals[p] = c
		if l.is(p) {
			close(c)
		}
	}
	return c
}

// reach returns false if p was reached before. The caller has mu.
func (l *lifetime) reach(p phase) bool {
	if l.is(p) {
		return false
	}
	l.reached.Or(1 << p) // first, so that whoever was woken sees it
	if l.signals != nil && l.signals[p] != nil {
		close(l.signals[p])
	}
	return true
}

// isOver reports whether Done is closed.
func (l *lifetime) isOver() bool {
	if !l.is(finished) {
		return false
	}
	l.mu.Lock() // Done is closed a moment later
	defer l.mu.Unlock()
	return true
}
