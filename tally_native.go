//go:build !js

package wschannel

import "time"

type tally struct {
	register

	pingID   uint64    // of the latest ping that was written
	pingedAt time.Time // when; both with the mutex of the pings
}

// read and wrote count bytes on the wire.
func (t *tally) read(n int) {
	if t != nil {
		t.in.wire.Add(int64(n))
		t.late()
	}
}

func (t *tally) wrote(n int) {
	if t != nil {
		t.out.wire.Add(int64(n))
		t.late()
	}
}

// pinged notes that a ping leaves. The caller has the mutex of the pings.
func (t *tally) pinged(id uint64, now time.Time) {
	if t != nil {
		t.pingID, t.pingedAt = id, now
	}
}

// ponged counts the round trip of the latest ping, if a pong is its own. The
// caller has the mutex of the pings.
func (t *tally) ponged(id uint64) {
	if t != nil && id != 0 && id == t.pingID {
		t.counters.roundTrip(time.Since(t.pingedAt))
		t.pingID = 0
	}
}

// limited counts a handshake that a limit was in the way of.
func (c *Counters) limited() {
	if c == nil {
		return
	}
	c.mu.Lock()
	c.total.Limited++
	c.mu.Unlock()
}

// roundTrip counts a ping that was answered.
func (c *Counters) roundTrip(d time.Duration) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r := &c.total.RoundTrips
	r.Count++
	r.Sum += d
	for i, bound := range roundTripBounds {
		if d <= bound {
			r.Within[i]++
		}
	}
}
