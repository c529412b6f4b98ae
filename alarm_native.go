//go:build !js

package wschannel

import (
	"math"
	"sync"
	"time"
)

// An alarm is something that a channel has to look after at a certain time.
type alarm uint8

const (
	attendAlarm alarm = iota
	aliveAlarm
	alarms
)

// An alarmClock lets several alarms share one timer.
type alarmClock struct {
	mu    sync.Mutex
	timer *time.Timer   // nil before the first alarm
	due   [alarms]int64 // in ns since the channel was made, or unset
}

// unset is when an alarm goes off that is not set.
const unset = math.MaxInt64

// remind sets an alarm, unless the channel is over.
func (e *engine) remind(which alarm, after time.Duration) {
	c := &e.clock
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.is(finished) {
		return
	}
	now := e.now()
	c.due[which] = now + min(int64(after), unset-1-now)
	e.setTimer(now)
}

// setTimer sets the timer for the next alarm. The caller has the clock's lock.
func (e *engine) setTimer(now int64) {
	c := &e.clock
	next := int64(unset)
	for _, due := range c.due {
		next = min(next, due)
	}
	switch after := time.Duration(next - now); {
	case next == unset:
	case c.timer == nil:
		c.timer = time.AfterFunc(after, e.ring)
	default:
		c.timer.Reset(after)
	}
}

// ring runs when the timer fires.
func (e *engine) ring() {
	c := &e.clock
	c.mu.Lock()
	now := e.now()
	var rings [alarms]bool
	for i, due := range c.due {
		if rings[i] = due <= now; rings[i] {
			c.due[i] = unset
		}
	}
	e.setTimer(now)
	c.mu.Unlock()
	if rings[aliveAlarm] {
		e.checkAlive()
	}
	if rings[attendAlarm] {
		e.considerAttending() // last, for it may stay
	}
}

// stop stops the clock of a channel that is over.
func (c *alarmClock) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.due {
		c.due[i] = unset // a timer that fires just now must not set itself again
	}
	if c.timer != nil {
		c.timer.Stop()
	}
}
