package wschannel

import (
	"errors"
	"strconv"

	"github.com/wschannel/wschannel/status"
)

// A Policy is what Send does with a message that the peer is too slow for: the
// transport does not take it at once, and the send queue has no room for it.
// WhenFull of [Options] chooses one.
type Policy uint8

// The policies. With any but Block a Send never waits for the peer.
const (
	Block                Policy = iota // wait for room, or for ctx
	Fail                               // refuse the message with ErrQueueFull
	DropOldest                         // accept it, and drop those that have waited longest
	DropNewest                         // accept it, and drop it
	CloseTryAgainLater                 // close the channel with status.TryAgainLater, 1013
	ClosePolicyViolation               // close the channel with status.PolicyViolation, 1008
)

// code returns the close code of a policy, 0 if it does not close.
func (p Policy) code() status.Code {
	switch p {
	case CloseTryAgainLater:
		return status.TryAgainLater
	case ClosePolicyViolation:
		return status.PolicyViolation
	}
	return 0
}

// check refuses what is no policy.
func (p Policy) check() error {
	if p > ClosePolicyViolation {
		return errors.New("Options.WhenFull is " + strconv.Itoa(int(p)) + "; expected one of the policies, Block to ClosePolicyViolation")
	}
	return nil
}

// ErrQueueFull is what Send returns under the policy [Fail] for a message that
// finds no room. Nothing was sent and the channel is as before.
var ErrQueueFull = errors.New("wschannel: the send queue is full")

// A SlowPeerError is the Cause of the [CloseError] of a channel that was closed
// by [CloseTryAgainLater] or [ClosePolicyViolation]. It tells what was waiting
// when a message came for which there was no room; all of it is dropped.
type SlowPeerError struct {
	// Messages is how many messages were in the send queue.
	Messages int
	// Bytes is their size, as SendQueue of [Options] counts it.
	Bytes int
}

// Error tells what was waiting.
func (e *SlowPeerError) Error() string {
	return "the peer is too slow: " + strconv.Itoa(e.Messages) + " messages wait that take " +
		strconv.Itoa(e.Bytes) + " bytes, and there is no room for another one"
}

// slow reports whether that is why the channel was closed.
func (e *CloseError) slow() bool {
	_, ok := e.Cause.(*SlowPeerError)
	return ok
}

// tooSlow is the reason that such a peer is told.
const tooSlow = "too slow for what is sent"

// QueueStats are the figures of a channel's send queue, from the channel's
// beginning on.
type QueueStats struct {
	// Messages is how many messages wait now, and Bytes their size, as
	// SendQueue of [Options] counts it.
	Messages, Bytes int
	// Queued is how many messages have had to wait, those that wait now too.
	Queued uint64
	// Dropped is how many messages were accepted and dropped: for want of room,
	// or because the channel has ended.
	Dropped uint64
	// Refused is how many messages were refused with [ErrQueueFull].
	Refused uint64
}

// QueueStats returns the figures of the send queue. They are all zero for a
// channel with the policy [Block] that has never been in a [Group].
func (c *Channel) QueueStats() QueueStats {
	if q := c.engine.queue.Load(); q != nil {
		return q.figures()
	}
	return QueueStats{}
}
