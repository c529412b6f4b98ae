//go:build !js

package wschannel

import (
	"fmt"
	"os"
	"time"
)

// A keepalive pings a silent peer, and ends the channel if that brings nothing.
type keepalive struct {
	timer  *time.Timer // nil if there is no PingInterval
	pinged int64       // when a ping was sent that nothing has followed yet, or 0
}

// checkAlive runs when a ping or the end may be due. Only bytes from the peer
// put off the ping; a write that had been blocked and went on is a sign of
// life too.
func (e *engine) checkAlive() {
	if isClosed(e.ended) {
		return
	}
	k := &e.keepalive
	interval, timeout := int64(e.set.pingInterval), int64(e.set.pingTimeout)
	now, heard := e.now(), e.heard.Load()
	if k.pinged == 0 || max(heard, e.moved.Load()) >= k.pinged {
		k.pinged = 0
		if silence := now - heard; silence < interval {
			k.timer.Reset(time.Duration(interval - silence))
			return
		}
	} else if timeout > 0 {
		if left := k.pinged + timeout - now; left > 0 {
			k.timer.Reset(time.Duration(min(left, interval)))
			return
		}
		if e.inRead.Load() {
			e.lose(fmt.Errorf("no sign of life for %v after a ping: %w", e.set.pingTimeout, os.ErrDeadlineExceeded))
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
		next = min(next, timeout)
	}
	k.timer.Reset(time.Duration(next))
}
