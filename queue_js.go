package wschannel

import "context"

// deliver sends a message, and waits until the platform has room.
func (e *engine) deliver(ctx context.Context, o outgoing) error {
	return e.send(ctx, o.Type, o.Data)
}

// sendNow gives a message to the platform if that has room, and reports whether
// it did.
func (e *engine) sendNow(o outgoing) (taken bool, err error) {
	if !e.message.try() {
		return false, nil
	}
	defer e.message.release()
	if e.socket.Get("readyState").Int() != open || e.buffered() >= highWater {
		return false, nil
	}
	err = e.hand(o.Type, o.Data)
	return err == nil, err
}

// awaitTurn waits for the turn. It returns false if the end or ctx came first.
func (e *engine) awaitTurn(ctx context.Context, turn <-chan struct{}) bool {
	select {
	case <-turn:
		return true
	case <-e.ended:
	case <-ctx.Done():
	}
	return false
}

// flushQueue gives what waits in the queue to the platform, before it closes the
// socket. The platform holds more than usual then. An error says that it has not
// taken everything, and that there is nothing left to be closed.
func (e *engine) flushQueue(q *sendQueue) error {
	return q.flush(func(o outgoing) error { return e.hand(o.Type, o.Data) })
}
