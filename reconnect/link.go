package reconnect

import (
	"bytes"

	"github.com/wschannel/wschannel/streamchannel"
)

// link is one connection of a channel, whose mu guards it.
type link[R, S any] struct {
	streamchannel.Channel[R, S]
	ending bool          // a Send has met its end
	users  int           // calls of Send and Receive that are inside
	quiet  chan struct{} // closed when there are none any more; nil until somebody waits for that

	taken   []S // the last messages that it took, if somebody wants to know
	earlier int // how many it took before
}

// leave ends what users++ has begun.
func (l *link[R, S]) leave() {
	l.users--
	if l.users == 0 && l.quiet != nil {
		close(l.quiet)
	}
}

// took remembers a message that a link took or may have taken.
func (c *Channel[R, S]) took(l *link[R, S], m S) {
	if c.set.onDoubt == nil {
		return
	}
	l.taken = append(l.taken, m)
	if len(l.taken) > c.set.doubtLimit {
		clear(l.taken[:1])
		l.taken = l.taken[1:]
		l.earlier++
	}
}

// open returns the link if a Send may go to it directly. The caller holds mu.
func (c *Channel[R, S]) open() *link[R, S] {
	if c.link == nil || !c.flushed || c.link.ending || isClosed(c.link.Done()) {
		return nil
	}
	return c.link
}

// hint wakes one of those who wait for room, if there is any. The caller holds mu.
func (c *Channel[R, S]) hint() {
	if len(c.queue) < c.set.queueLimit {
		signal(c.room)
	}
}

// isQueueEmpty reports whether nothing waits for a link. The caller holds mu.
func (c *Channel[R, S]) isQueueEmpty() bool { return len(c.again)+len(c.queue) == 0 }

// pop takes the next message that waits for a link. The caller holds mu.
func (c *Channel[R, S]) pop() (m S, ok bool) {
	from := &c.again
	if len(c.again) == 0 {
		from = &c.queue
	}
	if len(*from) == 0 {
		return m, false
	}
	m = (*from)[0]
	clear((*from)[:1]) // nothing is kept of what has gone
	*from = (*from)[1:]
	c.hint()
	return m, true
}

// takeBacklog takes what has arrived first. The caller holds mu.
func (c *Channel[R, S]) takeBacklog() (R, error) {
	first := c.backlog[0]
	clear(c.backlog[:1])
	c.backlog = c.backlog[1:]
	if len(c.backlog) == maxBacklog {
		signal(c.drained)
	}
	return first.m, first.err
}

// drop reports a message that is given up. The caller does not hold mu.
func (c *Channel[R, S]) drop(m S, why error) {
	if c.set.onDrop != nil {
		c.set.onDrop(m, why)
	}
}

// own returns m, or a copy that shares no memory with it where it is known how
// to make one.
func own[T any](m T) T {
	switch v := any(m).(type) {
	case []byte:
		return any(bytes.Clone(v)).(T)
	case interface{ Clone() T }:
		return v.Clone()
	}
	return m
}

// hangUp ends a link without waiting, if it can do that.
func hangUp(link interface{ Close() error }) {
	if l, ok := link.(interface{ CloseNow() error }); ok {
		l.CloseNow()
		return
	}
	link.Close()
}

// signal leaves a token; one is enough for whoever looks at everything then.
func signal(tokens chan<- struct{}) {
	select {
	case tokens <- struct{}{}:
	default:
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
