package wschannel

import (
	"iter"
	"slices"
	"sync"
	"sync/atomic"
)

// A Group is a set of channels that the same messages are sent to: the members of
// a room, the subscribers of a topic. The zero Group is empty and ready for use.
// Its methods may be called by any number of goroutines at the same time. A Group
// must not be copied.
//
// Publishing never waits for a member. What a member's transport does not take at
// once waits in the send queue of that member's channel, and when that is full a
// [Policy] says what to do: WhenFull of the channel's [Options], or that of the
// group for a channel with the policy Block. So a slow member neither delays the
// others, nor takes more memory than its queue.
//
// All members see the publications of a group in the same order, and each of them
// in order with what was sent to its channel by other means. A channel may be in
// any number of groups.
type Group struct {
	// WhenFull is the policy for publications to channels that have the policy
	// Block for what is sent to them alone. Block itself would hold up all the
	// others, so here it stands for CloseTryAgainLater. It must not be changed
	// after the first publication. Default: CloseTryAgainLater.
	WhenFull Policy

	publishing sync.Mutex
	receivers  []*member // of the publication under way

	mu      sync.Mutex
	members []*member

	published, sent, dropped, closed atomic.Uint64
}

// A member is a channel in a group.
type member struct {
	group *Group
	queue *sendQueue
	at    int // in members
}

// GroupStats are the figures of a [Group], from its beginning on.
type GroupStats struct {
	// Published is how many messages were published.
	Published uint64
	// Sent is how many times one was accepted for a member, to be sent at once
	// or from its queue.
	Sent uint64
	// Dropped is how many messages members have lost because of publications
	// that found their queue full: these publications, or others that waited.
	Dropped uint64
	// Closed is how many members were closed because of that.
	Closed uint64
}

// Join makes a channel a member. It leaves by itself when it is over. Join does
// nothing for a channel that is a member already, and returns the error of
// [Channel.Err] for one that is over.
func (g *Group) Join(c *Channel) error {
	q := c.sendQueue()
	q.mu.Lock()
	defer q.mu.Unlock()
	if c.engine.isOver() {
		return c.Err()
	}
	if q.memberOf(g) >= 0 {
		return nil
	}
	m := &member{group: g, queue: q}
	q.joined = append(q.joined, m)
	g.mu.Lock()
	m.at = len(g.members)
	g.members = append(g.members, m)
	g.mu.Unlock()
	return nil
}

// Leave ends a channel's membership. What was published before is still sent.
func (g *Group) Leave(c *Channel) {
	q := c.engine.queue.Load()
	if q == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock() // not before, or who joins meanwhile is a member twice
	if at := q.memberOf(g); at >= 0 {
		m := q.joined[at]
		q.joined = slices.Delete(q.joined, at, at+1)
		g.remove(m)
	}
}

// memberOf returns where in joined the membership of a group is, -1 if there is
// none. The caller has q.mu.
func (q *sendQueue) memberOf(g *Group) int {
	return slices.IndexFunc(q.joined, func(m *member) bool { return m.group == g })
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

// remove removes a member, who was taken from joined of its queue.
func (g *Group) remove(m *member) {
	g.mu.Lock()
	defer g.mu.Unlock()
	last := len(g.members) - 1
	g.members[m.at] = g.members[last]
	g.members[m.at].at = m.at
	g.members[last] = nil
	g.members = g.members[:last]
}

// Len returns the number of members.
func (g *Group) Len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.members)
}

// Members returns the channels that are members when the loop begins, in no
// particular order. Anything may be done to the group inside the loop.
func (g *Group) Members() iter.Seq[*Channel] {
	return func(yield func(*Channel) bool) {
		g.mu.Lock()
		members := slices.Clone(g.members)
		g.mu.Unlock()
		for _, m := range members {
			if !yield(m.queue.c) {
				return
			}
		}
	}
}

// Publish sends a message to all members but those of except. m.Data is not kept
// after the call. It refuses what Send refuses: [ErrInvalidType],
// [ErrInvalidUTF8].
func (g *Group) Publish(m Message, except ...*Channel) error {
	p, err := Prepare(m)
	if err == nil {
		g.PublishPrepared(p, except...)
	}
	return err
}

// PublishPrepared is Publish of the message that p was prepared from. It
// allocates nothing for members who take it at once. It panics if p was not made
// by Prepare.
func (g *Group) PublishPrepared(p *Prepared, except ...*Channel) {
	if p.message.Type == 0 {
		panic("wschannel: PublishPrepared of what Prepare has not made")
	}
	policy := g.WhenFull
	if policy == Block {
		policy = CloseTryAgainLater
	}
	g.publishing.Lock() // so that all members see the same order
	defer g.publishing.Unlock()
	g.mu.Lock()
	g.receivers = append(g.receivers[:0], g.members...)
	g.mu.Unlock()
	var sent, lost, closed uint64
	o := outgoing{Message: p.message, prepared: p}
	for _, m := range g.receivers {
		q := m.queue
		if slices.Contains(except, q.c) || q.c.engine.outcome() != nil {
			continue
		}
		own := policy
		if q.policy != Block {
			own = q.policy
		}
		dropped, err := q.offer(o, own)
		lost += uint64(dropped)
		switch {
		case err == nil:
			if dropped == 0 || own != DropNewest {
				sent++
			}
		case err == errTooSlow:
			go q.c.engine.closeDecided() // for that calls the transport
			closed++
		case err == ErrQueueFull:
			lost++
		}
	}
	clear(g.receivers)
	g.published.Add(1)
	g.sent.Add(sent)
	g.dropped.Add(lost)
	g.closed.Add(closed)
}

// Stats returns the figures of the group.
func (g *Group) Stats() GroupStats {
	return GroupStats{
		Published: g.published.Load(),
		Sent:      g.sent.Load(),
		Dropped:   g.dropped.Load(),
		Closed:    g.closed.Load(),
	}
}
