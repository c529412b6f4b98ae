package epoll

import (
	"sync"
	"sync/atomic"
	"time"
)

// A gate is where goroutines wait for one direction of a socket.
type gate struct {
	state   atomic.Uint32 // what is
	waiting atomic.Int32
	mu      sync.Mutex
	more    *waitingRoom // made when somebody waits
}

// What can be the case at a gate.
const (
	ready  = 1 << iota // an event has come since it was tried last
	passed             // the deadline has
	shut               // the socket is closed
)

// is reports whether any of these is the case.
func (g *gate) is(any uint32) bool { return g.state.Load()&any != 0 }

// set makes it the case, or not.
func (g *gate) set(what uint32, on bool) {
	if on {
		g.state.Or(what)
	} else {
		g.state.And(^what)
	}
}

// A waitingRoom is what a gate needs that few need at any time.
type waitingRoom struct {
	cond  sync.Cond
	at    time.Time // the deadline
	timer *time.Timer
}

// room returns the waiting room. The caller has g.mu.
func (g *gate) room() *waitingRoom {
	if g.more == nil {
		g.more = &waitingRoom{}
		g.more.cond.L = &g.mu
	}
	return g.more
}

// wait returns when there was an event, the deadline has passed or the socket was
// closed.
func (g *gate) wait() {
	g.mu.Lock()
	defer g.mu.Unlock()
	room := g.room()
	g.waiting.Add(1) // first: whoever changes something looks here after that
	for !g.is(ready | passed | shut) {
		room.cond.Wait()
	}
	g.waiting.Add(-1)
}

func (g *gate) wake() {
	if g.waiting.Load() > 0 {
		g.mu.Lock()
		g.more.cond.Broadcast()
		g.mu.Unlock()
	}
}

// open says that there was an event.
func (g *gate) open() {
	g.set(ready, true)
	g.wake()
}

// shut says that the socket is closed.
func (g *gate) shut() {
	g.set(shut, true)
	g.mu.Lock()
	if g.more != nil && g.more.timer != nil {
		g.more.timer.Stop()
	}
	g.mu.Unlock()
	g.wake()
}

// setDeadline reports whether it has passed.
func (g *gate) setDeadline(at time.Time) (over bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	left := time.Until(at)
	over = !at.IsZero() && left <= 0
	if g.is(shut) { // since who calls has looked
		return over
	}
	if g.more == nil && (at.IsZero() || over) {
		g.set(passed, over)
		return over
	}
	room := g.room()
	room.at = at
	switch {
	case at.IsZero() || over:
		if room.timer != nil {
			room.timer.Stop()
		}
	case room.timer == nil:
		room.timer = time.AfterFunc(left, g.expire)
	default:
		room.timer.Reset(left)
	}
	g.set(passed, over)
	if over {
		room.cond.Broadcast()
	}
	return over
}

// expire runs when the deadline, or one that was moved since, has passed.
func (g *gate) expire() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if at := g.more.at; !at.IsZero() && time.Until(at) <= 0 {
		g.set(passed, true)
		g.more.cond.Broadcast()
	}
}
