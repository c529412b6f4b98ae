package wschannel

import "maps"

// A walk over the open channels adds up what they have counted. Between its steps
// channels open and end, and still each is counted once: as it was at the step
// that came to it, or as it ended, if it ended before.
type walk struct {
	turn uint32  // which walk it is: those it has come to have the same
	sum  *Counts // what it has come to so far, nil while there is none
	next *tally  // of the channels that are open
}

// stride is how many channels a step looks at: few, for nobody opens or ends one
// meanwhile.
const stride = 128

// startWalk returns what was counted by the channels that are over, to which the
// steps of a walk add the others. The caller has snapshots.
func (c *Counters) startWalk() *Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.total
	s.Ended = maps.Clone(s.Ended)
	s.Failed = maps.Clone(s.Failed)
	c.walk = walk{turn: c.walk.turn + 1, sum: &s, next: c.open}
	return &s
}

// stroll makes a step, and appends to engines those that it has looked at: none if
// the walk is over.
func (c *Counters) stroll(engines []*engine) []*engine {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := &c.walk
	for range stride {
		t := w.next
		if t == nil {
			break
		}
		w.sum.add(t.load())
		t.turn = w.turn
		w.next = t.next
		engines = append(engines, t.e)
	}
	if len(engines) == 0 {
		w.sum = nil
	}
	return engines
}

// opened is told of a channel that opens. A walk that is under way does not know
// of it: it would come to it only at its end. The caller has mu.
func (w *walk) opened(t *tally) { t.turn = w.turn }

// ended is told of a channel that is over, and of all that it has counted. The
// caller has mu.
func (w *walk) ended(t *tally, all traffic) {
	if w.next == t {
		w.next = t.next
	}
	if w.sum != nil && t.turn != w.turn {
		w.sum.add(all)
	}
}
