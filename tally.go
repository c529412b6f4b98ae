package wschannel

import (
	"sync/atomic"

	"github.com/wschannel/wschannel/status"
)

// A register is what a tally has on every platform. A tally counts for one
// channel, so that channels do not contend for the memory of their Counters. A
// nil *tally counts nothing.
type register struct {
	e                *engine
	counters         *Counters // nil if only the log of a Server wants to know
	in, out          flow
	dropped, refused atomic.Int64
	over             atomic.Bool
	turn             uint32 // the last walk that has come to it, with counters.mu
	next, prev       *tally // the open ones, with counters.mu
}

// A flow is what goes one way.
type flow struct{ messages, bytes, wire atomic.Int64 }

// traffic is what a tally has counted.
type traffic struct {
	in, out          quantity
	dropped, refused int64
}

type quantity struct{ messages, bytes, wire int64 }

// newTally returns what counts for the channel of e, which is open now.
func newTally(e *engine, c *Counters) *tally {
	t := new(tally)
	t.e, t.counters = e, c
	if c == nil {
		return t
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total.Open++
	c.total.Opened++
	c.walk.opened(t)
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

// lost counts messages that a send queue has dropped or refused.
func (t *tally) lost(dropped, refused int64) {
	if t != nil {
		t.dropped.Add(dropped)
		t.refused.Add(refused)
		t.late()
	}
}

func (t *tally) add(f *flow, messages, bytes int) {
	if messages > 0 {
		f.messages.Add(int64(messages))
	}
	f.bytes.Add(int64(bytes))
	t.late()
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
	c.walk.ended(t, sum)
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
	return traffic{t.in.load(), t.out.load(), t.dropped.Load(), t.refused.Load()}
}

func (f *flow) load() quantity {
	return quantity{f.messages.Load(), f.bytes.Load(), f.wire.Load()}
}

// take returns what was counted, and begins anew.
func (t *tally) take() traffic {
	return traffic{t.in.take(), t.out.take(), t.dropped.Swap(0), t.refused.Swap(0)}
}

func (f *flow) take() quantity {
	return quantity{f.messages.Swap(0), f.bytes.Swap(0), f.wire.Swap(0)}
}
