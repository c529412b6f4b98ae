//go:build !js

package wschannel

import (
	"context"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"github.com/wschannel/wschannel/internal/wire"
)

// A control holds the control frames that wait to be written: one pong, for
// "it MAY elect to send a Pong frame for only the most recently processed Ping"
// (RFC 6455 §5.5.3), and one ping. Receivers leave them here and never write,
// for a write could block; a short-lived goroutine does.
type control struct {
	mu     sync.Mutex
	lastID uint64         // of the newest ping
	frames *controlFrames // nil if there is nothing to do
}

// controlFrames are those of one channel, until they have been written, and until
// the pongs have come that are waited for.
type controlFrames struct {
	running bool // the goroutine
	pong    [wire.MaxControl]byte
	pongLen int
	ponging bool // a pong waits
	pinging bool // a ping waits
	waiters []*pingWaiter
}

// use returns the frames, to add to. The caller has c.mu.
func (c *control) use() *controlFrames {
	if c.frames == nil {
		c.frames = &controlFrames{}
	}
	return c.frames
}

// rest forgets the frames if there is nothing to do. The caller has c.mu.
func (c *control) rest() {
	if f := c.frames; f != nil && !f.running && len(f.waiters) == 0 {
		c.frames = nil
	}
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
	f := c.use()
	f.pongLen = copy(f.pong[:], payload)
	f.ponging = true
	e.wakeControl(f)
}

// sendPing has a ping written. The caller has c.mu.
func (e *engine) sendPing() (id uint64) {
	c := &e.control
	c.lastID++
	f := c.use()
	f.pinging = true
	e.wakeControl(f)
	return c.lastID
}

func (e *engine) wakeControl(f *controlFrames) {
	if !f.running {
		f.running = true
		go e.writeControls(f)
	}
}

// writeControls writes what waits until nothing does.
func (e *engine) writeControls(f *controlFrames) {
	c := &e.control
	var payload [wire.MaxControl]byte
	for {
		op, n := wire.Pong, 0
		c.mu.Lock()
		switch {
		case f.ponging:
			f.ponging = false
			n = copy(payload[:], f.pong[:f.pongLen])
		case f.pinging:
			f.pinging = false
			op, n = wire.Ping, 8
			binary.BigEndian.PutUint64(payload[:], c.lastID)
			now := time.Now()
			for _, w := range f.waiters {
				if w.sent.IsZero() {
					w.sent = now
				}
			}
			e.tally.pinged(c.lastID, now)
		default:
			f.running = false
			c.rest()
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
	e.tally.ponged(id)
	f := c.frames
	if f == nil {
		return // nobody waits any more
	}
	waiting := f.waiters[:0]
	for _, w := range f.waiters {
		if w.sent.IsZero() || w.id > id {
			waiting = append(waiting, w)
		} else {
			w.pong <- time.Since(w.sent)
		}
	}
	clear(f.waiters[len(waiting):])
	f.waiters = waiting
	c.rest()
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
	f := c.use()
	f.waiters = append(f.waiters, w)
	e.sendPing()
	c.mu.Unlock()
	if e.set.receiveBuffer > 0 && !e.reading.anybody() {
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
	f.waiters = slices.DeleteFunc(f.waiters, func(other *pingWaiter) bool { return other == w })
	c.rest()
	return 0, ctx.Err()
}
