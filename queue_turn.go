package wschannel

import "context"

// A turn is what somebody waits for who is to send by themselves, and not before
// the messages that wait already: a Send with the policy Block, and NextWriter.
// So the order is that of the calls.
type turn struct {
	behind uint64        // how many messages have to be gone
	given  chan struct{} // closed when it has come
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
	given := make(chan struct{})
	q.turns.push(turn{q.gone + uint64(q.messages.len()), given})
	q.mu.Unlock()
	if e.awaitTurn(ctx, given) {
		return true, nil
	}
	q.mu.Lock()
	waits := q.turns.remove(func(t turn) bool { return t.given == given })
	q.mu.Unlock()
	if !waits { // but was given it
		q.passTurn()
	}
	return false, e.mayNotSend(ctx)
}

// passTurn gives the turn back.
func (q *sendQueue) passTurn() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.idle() {
		q.rest()
	} else {
		go q.drain()
	}
}

// next returns the message that is next. It returns false if that is not for the
// caller to send, who has had the turn: nothing waits any more, or the turn was
// given to somebody who has waited for it.
func (q *sendQueue) next() (o outgoing, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.idle():
		q.rest()
	case q.turns.len() > 0 && q.turns.first().behind <= q.gone:
		close(q.turns.pop().given)
	default:
		return q.take(), true
	}
	return outgoing{}, false
}

// seal has nothing accepted any more. It returns a channel that is closed when
// nobody has the turn any more, nil if nobody has it. Who waits for the turn is
// not given it, but sees the end.
func (q *sendQueue) seal() (rested <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.close()
	if q.held && q.rested == nil {
		q.rested = make(chan struct{})
	}
	return q.rested
}

// idle reports whether nobody is to have the turn. The caller has q.mu.
func (q *sendQueue) idle() bool { return q.sealed || q.messages.len()+q.turns.len() == 0 }

// rest ends the turn. The caller has q.mu.
func (q *sendQueue) rest() {
	q.held = false
	q.busy.Store(q.sealed)
	if q.rested != nil {
		close(q.rested)
		q.rested = nil
	}
}
