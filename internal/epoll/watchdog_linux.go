package epoll

import (
	"sync/atomic"
	"time"
)

// A watchdog sees that no handler holds up a loop. It sleeps while no handler
// runs.
type watchdog struct {
	timer *time.Timer
	awake atomic.Bool
	wary  atomic.Int64 // until when all handlers run on goroutines, in Unix nanoseconds

	// Of look.
	seen   uint64 // busy, when it was looked last
	stalls int    // in quick succession
	last   time.Time
}

const (
	// patience is how long a handler may hold up a loop: at most twice as long
	// goes by until that is noticed.
	patience = 10 * time.Millisecond
	// distance is how many times the handler of a socket runs on a goroutine after
	// it has held up its loop.
	distance = 64
	// A loop that was held up wariness times, each time less than calm after the
	// last, runs all handlers on goroutines for as long.
	wariness = 4
	calm     = time.Second
)

// wakeWatchdog has look called from now on.
func (l *loop) wakeWatchdog() {
	d := &l.watchdog
	if !d.awake.Load() && d.awake.CompareAndSwap(false, true) {
		d.timer.Reset(patience)
	}
}

// look gives the loop to another goroutine if the same handler runs as at the
// last look.
func (l *loop) look() {
	d := &l.watchdog
	switch now := l.busy.Load(); {
	case now != d.seen:
	case now%2 == 1:
		if l.busy.CompareAndSwap(now, now+1) {
			l.current.distant.Store(distance)
			d.stalled()
			go l.runs()
		}
	default:
		d.awake.Store(false)
		// A handler that has begun since then either sees that, or is seen here.
		if l.busy.Load() == now || !d.awake.CompareAndSwap(false, true) {
			return
		}
	}
	d.seen = l.busy.Load()
	d.timer.Reset(patience)
}

func (d *watchdog) stalled() {
	now := time.Now()
	if now.Sub(d.last) > calm {
		d.stalls = 0
	}
	d.last = now
	if d.stalls++; d.stalls >= wariness {
		d.wary.Store(now.Add(calm).UnixNano())
	}
}

// isWary reports whether no handler is to run on the loop.
func (l *loop) isWary() bool {
	until := l.watchdog.wary.Load()
	return until != 0 && time.Now().UnixNano() < until
}

// isDistant reports whether the handler of c is not to run on the loop this time.
func (c *Conn) isDistant() bool {
	return c.distant.Load() > 0 && c.distant.Add(-1) >= 0
}

// handOver is called before a goroutine waits. That may be the one that is the loop,
// so it is the loop no more.
func (l *loop) handOver() {
	if now := l.busy.Load(); now%2 == 1 && l.busy.CompareAndSwap(now, now+1) {
		go l.runs()
	}
}
