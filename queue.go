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
// While something waits, one goroutine at a time has the turn, and sends: drain,
// or somebody who has waited for the turn to send by themselves (queue_turn.go).
// While nobody has the turn nothing waits, and who wants to send goes directly to
// the engine, until the queue is sealed: the close sends what waits then.
//
// A message that was accepted is counted once, when it has left the queue: as
// sent if the engine has accepted it, and otherwise as dropped.
type sendQueue struct {
	c     *Channel
	limit int // in bytes

	mu       sync.Mutex
	messages fifo[outgoing]
	turns    fifo[turn]
	gone     uint64 // messages that have left the queue
	stats    QueueStats
	rested   chan struct{} // closed when nobody has the turn any more, if not nil
	joined   []*member     // of groups

	busy   atomic.Bool // held or sealed; changed with mu
	held   bool        // somebody has the turn
	sealed bool        // nothing is accepted any more
	over   bool        // what comes back is dropped
	policy Policy      // of Send
}

// outgoing is a message as it was given to be sent.
type outgoing struct {
	Message
	//lint:ignore U1000 only native platforms have SendPlain
	plain    bool      // not to be compressed
	prepared *Prepared // what Message is of, nil if it was not prepared
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
		q.c.engine.closeDecided()
		err = q.c.engine.outcome()
	}
	return err
}

// offer has a message sent, or queued, or does what the policy says; it waits for
// nothing. It returns how many messages it has dropped. An error means that the
// message was not accepted. errTooSlow means that this is the end, which is
// decided; the rest of it is for the caller to do, with closeDecided.
func (q *sendQueue) offer(o outgoing, policy Policy) (dropped int, err error) {
	if !q.busy.Load() {
		if taken, err := q.c.engine.sendNow(o); taken || err != nil {
			return 0, err
		}
	}
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
	q.messages.push(o)
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
	for o, ok := q.next(); ok; o, ok = q.next() {
		if q.c.engine.deliver(context.Background(), o) != nil {
			q.takeBack(o)
		}
	}
}

// takeBack makes a message the first again that could not be sent, for the channel
// has ended. Its close sends what waits, unless it is over or the peer is too slow.
func (q *sendQueue) takeBack(o outgoing) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.close()
	q.messages.putBack(o)
	q.gone--
	q.count(&o, +1)
	if q.over || q.c.engine.outcome().slow() {
		q.dropAll()
	}
}

// flush sends what waits in a queue that is sealed and at rest. After an error of
// send it drops the rest.
func (q *sendQueue) flush(send func(outgoing) error) error {
	for {
		q.mu.Lock()
		if q.messages.len() == 0 {
			q.mu.Unlock()
			return nil
		}
		o := q.take()
		q.mu.Unlock()
		if err := send(o); err != nil {
			q.takeBack(o)
			q.drop()
			return err
		}
	}
}

// drop drops what waits, for good.
func (q *sendQueue) drop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.close()
	q.over = true
	q.dropAll()
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
	return q.messages.len() == 0 || o.size() <= q.limit-q.stats.Bytes
}

// count counts a message that has come, or with -1 one that goes.
func (q *sendQueue) count(o *outgoing, n int) {
	q.stats.Messages += n
	q.stats.Bytes += n * o.size()
}

// take takes the first message; there is one.
func (q *sendQueue) take() outgoing {
	o := q.messages.pop()
	q.gone++
	q.count(&o, -1)
	return o
}

// dropFirst drops the message that has waited longest; there is one.
func (q *sendQueue) dropFirst() {
	q.take()
	q.stats.Dropped++
	q.c.engine.tally.lost(1, 0)
}

// dropAll drops all messages, and returns how many.
func (q *sendQueue) dropAll() (dropped int) {
	for q.messages.len() > 0 {
		q.dropFirst()
		dropped++
	}
	return dropped
}
