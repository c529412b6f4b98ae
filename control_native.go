//go:build !js

package wschannel

import (
	"context"
	"encoding/binary"
	"sync"
	"time"

	"github.com/wschannel/wschannel/internal/wire"
)

// A control holds the control frames that wait to be written: one pong, for
// "it MAY elect to send a Pong frame for only the most recently processed Ping"
// (RFC 6455 §5.5.3), and one ping. Receivers leave them here and never write,
// for a write could block; a short-lived goroutine does.
type control struct {
	mu      sync.Mutex
	running bool // the goroutine
	pong    [wire.MaxControl]byte
	pongLen int
	ponging bool   // a pong waits
	pinging bool   // a ping waits
	lastID  uint64 // of the newest ping
	waiters []*pingWaiter
}

// A pingWaiter is a Ping that waits for its pong.
type pingWaiter struct {
	id   uint64
	sent time.Time // when its ping was written, zero before
	pong chan time.Duration
}

// answerPing has a pong written.
func (e *engine) answerPing(payload []byte) {
	c := &e.control
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pongLen = copy(c.pong[:], payload)
	c.ponging = true
	e.wakeControl()
}

// sendPing has a ping written. The caller has c.mu.
func (e *engine) sendPing() (id uint64) {
	c := &e.control
	c.lastID++
	c.pinging = true
	e.wakeControl()
	return c.lastID
}

func (e *engine) wakeControl() {
	if c := &e.control; !c.running {
		c.running = true
		go e.writeControls()
	}
}

// writeControls writes what waits until nothing does.
func (e *engine) writeControls() {
	c := &e.control
	var payload [wire.MaxControl]byte
	for {
		op, n := wire.Pong, 0
		c.mu.Lock()
		switch {
		case c.ponging:
			c.ponging = false
			n = copy(payload[:], c.pong[:c.pongLen])
		case c.pinging:
			c.pinging = false
			op, n = wire.Ping, 8
			binary.BigEndian.PutUint64(payload[:], c.lastID)
			now := time.Now()
			for _, w := range c.waiters {
				if w.sent.IsZero() {
					w.sent = now
				}
			}
		default:
			c.running = false
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		e.writeControl(op, payload[:n])
	}
}

// takePong wakes those whose ping it answers. A peer may leave out older pings
// (RFC 6455 §5.5.3), so a pong answers all up to its own.
func (e *engine) takePong(payload []byte) {
	if len(payload) != 8 {
		return // an unsolicited pong: "A response ... is not expected."
	}
	id := binary.BigEndian.Uint64(payload)
	c := &e.control
	c.mu.Lock()
	defer c.mu.Unlock()
	if id > c.lastID {
		return // as above
	}
	waiting := c.waiters[:0]
	for _, w := range c.waiters {
		if w.sent.IsZero() || w.id > id {
			waiting = append(waiting, w)
		} else {
			w.pong <- time.Since(w.sent)
		}
	}
	clear(c.waiters[len(waiting):])
	c.waiters = waiting
}

func (e *engine) ping(ctx context.Context) (time.Duration, error) {
	if e.is(decided) {
		return 0, e.end.Load()
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	w := &pingWaiter{pong: make(chan time.Duration, 1)}
	c := &e.control
	c.mu.Lock()
	w.id = c.lastID + 1
	c.waiters = append(c.waiters, w)
	e.sendPing()
	c.mu.Unlock()
	if e.attention.timer != nil && !e.presence.anybody() {
		go e.attend() // somebody has to read the pong
	}
	select {
	case d := <-w.pong:
		return d, nil
	case <-e.when(decided):
		return 0, e.end.Load()
	case <-e.awaited(ctx).Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.waiters {
		if c.waiters[i] == w {
			c.waiters = append(c.waiters[:i], c.waiters[i+1:]...)
			break
		}
	}
	return 0, ctx.Err()
}
