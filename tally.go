package wschannel

import (
	"sync/atomic"
	"time"

	"github.com/wschannel/wschannel/status"
)

// A tally counts for one channel, so that channels do not contend for the
// memory of their Counters. A nil *tally counts nothing.
type tally struct {
	e          *engine
	counters   *Counters // nil if only the log of a Server wants to know
	in, out    flow
	over       atomic.Bool
	next, prev *tally // the open ones, with counters.mu

	pingID   uint64    // of the latest ping that was written
	pingedAt time.Time // when; both with the mutex of the pings
}

// A flow is what goes one way.
type flow struct{ messages, bytes, wire atomic.Int64 }

// traffic is what a tally has counted.
type traffic struct{ in, out quantity }

type quantity struct{ messages, bytes, wire int64 }

// newTally returns what counts for the channel of e, which is open now.
func newTally(e *engine, c *Counters) *tally {
	t := &tally{e: e, counters: c}
	if c == nil {
		return t
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total.Open++
	c.total.Opened++
	if t.next = c.open; t.next != nil {
		t.next.prev = t
	}
	c.open = t
	return t
}

// received counts messages, 0 for a part of one, and bytes.
func (t *tally) received(messages, bytes int) {
	if t != nil {
		t.add(&t.in, messages, bytes)
	}
}

// sent counts a message.
func (t *tally) sent(bytes int) {
	if t != nil {
		t.add(&t.out, 1, bytes)
	}
}

func (t *tally) add(f *flow, messages, bytes int) {
	if messages > 0 {
		f.messages.Add(int64(messages))
	}
	f.bytes.Add(int64(bytes))
	t.late()
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

// late hands on what is counted after the end, as a message that had come
// before the peer's close. It looks after the counting, and finish says that it
// is over before it hands on: so nothing is left behind.
func (t *tally) late() {
	if t.over.Load() && t.counters != nil {
		t.counters.mu.Lock()
		t.counters.total.add(t.take())
		t.counters.mu.Unlock()
	}
}

// finish counts the end of the channel and returns what it has seen until then.
func (t *tally) finish(end *CloseError) traffic {
	if t == nil {
		return traffic{}
	}
	c := t.counters
	if c == nil {
		return t.load()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t.over.Store(true)
	sum := t.take()
	c.total.add(sum)
	c.total.Open--
	if c.total.Ended == nil {
		c.total.Ended = make(map[status.Code]int64)
	}
	c.total.Ended[end.Code]++
	if t.next != nil {
		t.next.prev = t.prev
	}
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		c.open = t.next
	}
	t.next, t.prev = nil, nil
	return sum
}

// load returns what was counted.
func (t *tally) load() traffic {
	return traffic{t.in.load(), t.out.load()}
}

func (f *flow) load() quantity {
	return quantity{f.messages.Load(), f.bytes.Load(), f.wire.Load()}
}

// take returns what was counted, and begins anew.
func (t *tally) take() traffic {
	return traffic{t.in.take(), t.out.take()}
}

func (f *flow) take() quantity {
	return quantity{f.messages.Swap(0), f.bytes.Swap(0), f.wire.Swap(0)}
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
	if t != nil && id == t.pingID && id != 0 {
		t.counters.roundTrip(time.Since(t.pingedAt))
		t.pingID = 0
	}
}
