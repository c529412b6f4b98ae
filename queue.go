package wschannel

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/wschannel/wschannel/status"
)

// A sendQueue holds messages that the transport could not take at once, in front
// of the engine: they are neither framed nor compressed, so they can be dropped.
// Only channels with another policy than Block have one, and members of groups.
//
// While something waits, one goroutine at a time has the turn, and sends. It is
// the queue's own, drain, or somebody who has waited in the queue for the turn to
// send by themselves: a Send with the policy Block, and NextWriter. So the order
// is that of the calls. While nobody has the turn nothing waits, and who wants to
// send goes directly to the engine, until the queue is sealed: the close sends
// what waits then.
type sendQueue struct {
	c      *Channel
	policy Policy // of Send
	limit  int    // in bytes

	busy atomic.Bool // somebody has the turn, or it is sealed; changed with mu

	mu     sync.Mutex
	held   bool     // somebody has the turn
	items  []queued // items[from:] wait
	from   int
	stats  QueueStats
	sealed bool          // nothing is accepted any more
	over   bool          // what comes back is dropped
	rested chan struct{} // closed when nobody has the turn any more, if not nil
	joined []*member     // of groups
}

// outgoing is a message as it was given to be sent.
type outgoing struct {
	Message
	//lint:ignore U1000 only native platforms have SendPlain
	plain    bool      // not to be compressed
	prepared *Prepared // what Message is of, nil if it was not prepared
}

// A queued item is a message, or somebody who waits for the turn.
type queued struct {
	outgoing
	turn chan struct{} // nil for a message
}

// messageOverhead is how many bytes a waiting message costs beside its data.
const messageOverhead = 64

func (o *outgoing) size() int { return len(o.Data) + messageOverhead }

// errTooSlow says that a message has found no room, and that this was the end.
var errTooSlow = errors.New("wschannel: too slow")

// limitSending gives a new channel the queue that its options ask for, if any.
func (c *Channel) limitSending(o *Options) {
	if o != nil && (o.WhenFull != Block || o.SendQueue != 0) {
		c.engine.queue.Store(&sendQueue{c: c, policy: o.WhenFull, limit: max(0, either(o.SendQueue, defaultSendQueue))})
	}
}

// defaultSendQueue is the limit in bytes if the options say nothing.
const defaultSendQueue = 256 << 10

// sendQueue returns the channel's queue, and makes one if there is none.
func (c *Channel) sendQueue() *sendQueue {
	if q := c.engine.queue.Load(); q != nil {
		return q
	}
	c.engine.queue.CompareAndSwap(nil, &sendQueue{c: c, limit: defaultSendQueue})
	return c.engine.queue.Load()
}

// send is Send of a channel that has a queue.
func (q *sendQueue) send(ctx context.Context, o outgoing) error {
	if q.policy == Block {
		waited, err := q.takeTurn(ctx)
		if err != nil {
			return err
		}
		err = q.c.engine.deliver(ctx, o)
		if waited {
			q.passTurn()
		}
		return err
	}
	if err := q.c.engine.mayNotSend(ctx); err != nil {
		return err
	}
	_, err := q.offer(o, q.policy)
	if err == errTooSlow {
		err = q.c.engine.outcome()
	}
	return err
}

// offer has a message sent, or queued, or does what the policy says; it waits for
// nothing. It returns how many messages it has dropped. An error means that the
// message was not accepted: errTooSlow if the channel was closed for it.
func (q *sendQueue) offer(o outgoing, policy Policy) (dropped int, err error) {
	e := &q.c.engine
	if !q.busy.Load() {
		if taken, err := e.sendNow(o); taken || err != nil {
			return 0, err
		}
	}
	dropped, err = q.place(o, policy)
	if err == errTooSlow {
		e.closeDecided()
	}
	return dropped, err
}

// place is offer of what the transport does not take at once. It decides the end,
// if that is the policy, and leaves the rest of it to the caller.
func (q *sendQueue) place(o outgoing, policy Policy) (dropped int, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.sealed {
		return 0, q.c.engine.outcome()
	}
	if !q.fits(&o) {
		switch policy {
		case DropOldest:
			for !q.fits(&o) {
				q.dropFirst()
				dropped++
			}
		case DropNewest:
			q.stats.Dropped++
			q.c.engine.tally.lost(1, 0)
			return 1, nil
		case CloseTryAgainLater, ClosePolicyViolation:
			return q.end(policy.code())
		default:
			q.stats.Refused++
			q.c.engine.tally.lost(0, 1)
			return 0, ErrQueueFull
		}
	}
	if o.prepared == nil {
		o.Data = slices.Clone(o.Data)
	}
	q.stats.Queued++
	q.items = append(q.items, queued{outgoing: o})
	q.count(&o, +1)
	if !q.held {
		q.held = true
		q.busy.Store(true)
		go q.drain()
	}
	return dropped, nil
}

// end decides the end of a channel whose peer is too slow. The caller has q.mu.
func (q *sendQueue) end(code status.Code) (dropped int, err error) {
	end := &CloseError{Code: code, Reason: tooSlow, Cause: &SlowPeerError{q.stats.Messages, q.stats.Bytes}}
	if first := q.c.engine.decide(end); first != end {
		return 0, first
	}
	q.close()
	return q.dropAll(), errTooSlow
}

// drain sends what waits, until nothing does or it is somebody else's turn.
func (q *sendQueue) drain() {
	for {
		q.mu.Lock()
		if q.sealed || q.from == len(q.items) {
			q.rest()
			q.mu.Unlock()
			return
		}
		next := q.take()
		q.mu.Unlock()
		if next.turn != nil {
			close(next.turn)
			return
		}
		if q.c.engine.deliver(context.Background(), next.outgoing) != nil {
			// The channel has ended. Its close sends what waits, unless it is over
			// or the peer is too slow.
			q.mu.Lock()
			q.close()
			q.items = slices.Insert(q.items, q.from, next)
			q.count(&next.outgoing, +1)
			if q.over || q.c.engine.outcome().slow() {
				q.dropAll()
			}
			q.mu.Unlock()
		}
	}
}

// takeTurn waits until all is sent that waits now. If it had to, the caller has
// the turn, and passes it on.
func (q *sendQueue) takeTurn(ctx context.Context) (waited bool, err error) {
	e := &q.c.engine
	if err := e.mayNotSend(ctx); err != nil {
		return false, err
	}
	if !q.busy.Load() {
		return false, nil
	}
	q.mu.Lock()
	if !q.held || q.sealed {
		q.mu.Unlock()
		return false, nil
	}
	turn := make(chan struct{})
	q.items = append(q.items, queued{turn: turn})
	q.mu.Unlock()
	if e.awaitTurn(ctx, turn) {
		return true, nil
	}
	q.mu.Lock()
	at := slices.IndexFunc(q.items, func(i queued) bool { return i.turn == turn })
	if at >= 0 {
		q.items = slices.Delete(q.items, at, at+1)
	}
	q.mu.Unlock()
	if at < 0 {
		<-turn // it was given, or is about to be
		q.passTurn()
	}
	return false, e.mayNotSend(ctx)
}

// passTurn gives the turn back.
func (q *sendQueue) passTurn() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.sealed || q.from == len(q.items) {
		q.rest()
		return
	}
	go q.drain()
}

// rest ends the turn. The caller has q.mu.
func (q *sendQueue) rest() {
	q.held = false
	q.busy.Store(q.sealed)
	if q.rested != nil {
		close(q.rested)
		q.rested = nil
	}
}

// seal has nothing accepted any more. It returns a channel that is closed when
// nobody has the turn any more, nil if nobody has it.
func (q *sendQueue) seal() (rested <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.close()
	if q.held && q.rested == nil {
		q.rested = make(chan struct{})
	}
	return q.rested
}

// next takes the next message from a queue that is sealed and at rest.
func (q *sendQueue) next() (o outgoing, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.from < len(q.items) {
		i := q.take()
		if i.turn == nil {
			return i.outgoing, true
		}
		close(i.turn) // whoever waits may look for it here no more
	}
	return outgoing{}, false
}

// drop drops what waits, for good.
func (q *sendQueue) drop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.close()
	q.over = true
	q.dropAll()
}

// leaveGroups ends the memberships of a channel that is over.
func (q *sendQueue) leaveGroups() {
	q.mu.Lock()
	joined := q.joined
	q.joined = nil
	q.mu.Unlock()
	for _, m := range joined {
		m.group.remove(m)
	}
}

func (q *sendQueue) figures() QueueStats {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.stats
}

// waiting returns how many bytes of messages wait.
func (q *sendQueue) waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.stats.Bytes - q.stats.Messages*messageOverhead
}

// What follows is for who has q.mu.

// close has nothing accepted any more.
func (q *sendQueue) close() {
	q.sealed = true
	q.busy.Store(true)
}

// fits reports whether there is room. If no message waits, any has room: one that
// is longer than the limit can be sent, too.
func (q *sendQueue) fits(o *outgoing) bool {
	return q.stats.Messages == 0 || o.size() <= q.limit-q.stats.Bytes
}

// count counts a message that has come, or with -1 one that goes.
func (q *sendQueue) count(o *outgoing, n int) {
	q.stats.Messages += n
	q.stats.Bytes += n * o.size()
}

// take takes the first item; there is one.
func (q *sendQueue) take() queued {
	i := q.items[q.from]
	q.remove(q.from)
	return i
}

// remove removes an item.
func (q *sendQueue) remove(at int) {
	if i := &q.items[at]; i.turn == nil {
		q.count(&i.outgoing, -1)
	}
	if at > q.from {
		q.items = slices.Delete(q.items, at, at+1)
		return
	}
	q.items[at] = queued{}
	q.from++
	switch {
	case q.from == len(q.items):
		q.items, q.from = nil, 0
	case q.from > len(q.items)/2 && len(q.items) == cap(q.items):
		// Before they grow, so that a queue which never empties does not either.
		q.items, q.from = slices.Delete(q.items, 0, q.from), 0
	}
}

// dropFirst drops the message that has waited longest; there is one.
func (q *sendQueue) dropFirst() {
	q.remove(q.from + slices.IndexFunc(q.items[q.from:], func(i queued) bool { return i.turn == nil }))
	q.stats.Dropped++
	q.c.engine.tally.lost(1, 0)
}

// dropAll drops all messages, and returns how many.
func (q *sendQueue) dropAll() (dropped int) {
	for q.stats.Messages > 0 {
		q.dropFirst()
		dropped++
	}
	return dropped
}
