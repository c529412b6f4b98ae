//go:build !js

package wschannel

import (
	"fmt"
	"os"
	"time"
)

// A keepalive pings a silent peer, and ends the channel if that brings nothing.
type keepalive struct {
	pinged int64 // when a ping was sent that nothing has followed yet, or 0
	waited bool  // when it was looked last, somebody was waiting for bytes
}

// checkAlive is called when a ping or the end may be due. Only bytes from the peer
// put off the ping; a write that had been blocked and went on is a sign of
// life too.
func (e *engine) checkAlive() {
	if e.is(decided) {
		return
	}
	k := &e.keepalive
	interval, timeout := int64(e.set.pingInterval), int64(e.set.pingTimeout)
	now, heard := e.now(), e.heard.Load()
	waits := e.inRead.Load()
	waitedSince := waits && k.waited
	k.waited = waits
	alive := heard
	if b := e.blockage.Load(); b != nil {
		alive = max(heard, b.moved.Load())
	}
	if k.pinged == 0 || alive >= k.pinged {
		k.pinged = 0
		if silence := now - heard; silence < interval {
			e.remind(aliveAlarm, time.Duration(interval-silence))
			return
		}
	} else if timeout > 0 {
		// The last look but one is shortly before the end: a wait that has just
		// begun may be about to bring what lies there.
		shortly := timeout / judgeAfter
		switch left := k.pinged + timeout - now; {
		case left > shortly:
			e.remind(aliveAlarm, time.Duration(min(left-shortly, interval)))
			return
		case left > 0:
			e.remind(aliveAlarm, time.Duration(min(left, interval)))
			return
		case waitedSince:
			e.lose(fmt.Errorf("no sign of life for %v after a ping: %w", e.set.pingTimeout, os.ErrDeadlineExceeded))
			return
		case waits:
			e.remind(aliveAlarm, time.Duration(shortly))
			return
		}
		// Nobody reads, so nobody can tell. But a ping that cannot be written
		// would tell that the connection is lost.
	}
	k.pinged = now
	e.control.mu.Lock()
	e.sendPing()
	e.control.mu.Unlock()
	next := interval
	if timeout > 0 {
		next = min(next, timeout-timeout/judgeAfter)
	}
	e.remind(aliveAlarm, time.Duration(next))
}

// judgeAfter is the part of PingTimeout for which somebody must at least have
// waited before the peer is judged: a tenth.
const judgeAfter = 10
