//go:build !js

package wschannel

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wschannel/wschannel/internal/faultlink"
)

// A queueModel is what a send queue ought to be, as plainly as it can be said.
type queueModel struct {
	policy  Policy
	limit   int
	waiting []string
	coming  []string // has left the queue, or was never in it
	stats   QueueStats
}

func (m *queueModel) fits(text string) bool {
	n := len(text) + messageOverhead
	for _, w := range m.waiting {
		n += len(w) + messageOverhead
	}
	return n <= m.limit || len(m.waiting) == 0
}

// offer is Send of a message that the transport does not take at once.
func (m *queueModel) offer(text string) error {
	if !m.fits(text) {
		switch m.policy {
		case Fail:
			m.stats.Refused++
			return ErrQueueFull
		case DropNewest:
			m.stats.Dropped++
			return nil
		case DropOldest:
			for !m.fits(text) {
				m.waiting = m.waiting[1:]
				m.stats.Dropped++
			}
		default:
			m.stats.Dropped += uint64(len(m.waiting))
			m.waiting = nil
			return errTooSlow
		}
	}
	m.stats.Queued++
	m.waiting = append(m.waiting, text)
	return nil
}

// left has so many messages leave the queue.
func (m *queueModel) left(n int) {
	m.coming = append(m.coming, m.waiting[:n]...)
	m.waiting = m.waiting[n:]
}

// A queueTest holds the queue of a channel against its model, step by step.
type queueTest struct {
	*queueModel
	t        *testing.T
	random   *rand.Rand
	c        *Channel
	group    Group
	counters Counters
	p        *peer
	reads    chan struct{} // frames that the peer may read
	received []string
	offered  int // messages in all
	ended    bool

	writer   io.WriteCloser // of a message of which nothing has left, nil if there is none
	withdraw context.CancelFunc
	at       int // in coming, where it will be

	completing bool     // a message of NextWriter
	failed     []string // such messages
}

func newQueueTest(t *testing.T, random *rand.Rand, role Role, policy Policy) *queueTest {
	q := &queueTest{
		queueModel: &queueModel{policy: policy, limit: 1 << (9 + random.IntN(10))},
		t:          t,
		random:     random,
		reads:      make(chan struct{}, 1000),
	}
	o := &Options{WhenFull: policy, SendQueue: q.limit, WriteTimeout: -1, PingInterval: -1, Counters: &q.counters}
	if random.IntN(2) == 0 { // then the queue is only for publications
		o.WhenFull, q.group.WhenFull = Block, policy
	}
	q.c, q.p = withPeer(t, netPipe, role, o)
	q.p.in = bufio.NewReaderSize(exactly{q.p.conn}, 16)
	if err := q.group.Join(q.c); err != nil {
		t.Fatal(err)
	}
	go func() {
		for range q.reads {
			if first, text, err := q.p.read(); err == nil && first == textFrame {
				q.received = append(q.received, text)
			}
		}
	}()
	return q
}

// rest waits until nothing moves, and looks at the queue then.
func (q *queueTest) rest() {
	q.t.Helper()
	synctest.Wait()
	s := q.c.QueueStats()
	if s.Messages > len(q.waiting) {
		q.t.Fatalf("%d messages wait; want no more than %d", s.Messages, len(q.waiting))
	}
	q.left(len(q.waiting) - s.Messages)
	want := q.stats
	want.Messages = len(q.waiting)
	for _, text := range q.waiting {
		want.Bytes += len(text) + messageOverhead
	}
	if q.ended { // what has left the queue may be dropped, too
		want.Dropped = max(want.Dropped, s.Dropped)
	}
	if s != want {
		q.t.Fatalf("the queue: %+v; want %+v", s, want)
	}
	if s.Bytes > q.limit && s.Messages > 1 {
		q.t.Fatalf("%d bytes wait; %d may", s.Bytes, q.limit)
	}
}

// send sends a message, alone or to the group.
func (q *queueTest) send() {
	q.t.Helper()
	long := []int{0, 10, 1000, 20_000, pendingLimit}[q.random.IntN(5)]
	text := fmt.Sprint(q.offered, " ", strings.Repeat("x", q.random.IntN(long+1)))
	q.offered++
	alone := q.c.sendQueue().policy != Block && q.random.IntN(2) == 0
	before, queued := q.group.Stats(), q.c.QueueStats().Queued
	var err error
	if alone {
		err = q.c.SendText(q.t.Context(), text)
	} else if err := q.group.Publish(Message{Text, []byte(text)}); err != nil {
		q.t.Fatal(err)
	}
	var want error
	dropped := q.stats.Dropped
	if len(q.waiting) > 0 || q.c.QueueStats().Queued > queued {
		want = q.offer(text)
	} else {
		q.coming = append(q.coming, text) // at once
	}
	dropped = q.stats.Dropped - dropped
	q.ended = want == errTooSlow
	switch {
	case alone && want == errTooSlow:
		if end, ok := err.(*CloseError); !ok || !end.slow() {
			q.t.Fatalf("Send: %v", err)
		}
	case alone && err != want:
		q.t.Fatalf("Send: %v; want %v", err, want)
	case !alone:
		after := before
		after.Published++
		after.Dropped += dropped
		switch {
		case want == ErrQueueFull:
			after.Dropped++
		case want == errTooSlow:
			after.Closed++
		case dropped == 0 || q.policy != DropNewest:
			after.Sent++
		}
		if got := q.group.Stats(); got != after {
			q.t.Fatalf("the group: %+v; want %+v", got, after)
		}
	}
}

// open begins a message with NextWriter.
func (q *queueTest) open() {
	var ctx context.Context
	ctx, q.withdraw = context.WithCancel(q.t.Context())
	w, err := q.c.NextWriter(ctx, Text)
	if err != nil {
		q.t.Fatalf("NextWriter: %v", err)
	}
	q.writer, q.at = w, len(q.coming)
}

// complete ends that message, or gives it up.
func (q *queueTest) complete() {
	w, withdraw := q.writer, q.withdraw
	q.writer = nil
	if q.random.IntN(3) == 0 {
		withdraw()
		return
	}
	text := fmt.Sprint(q.offered, " streamed")
	q.offered++
	q.coming = slices.Insert(q.coming, q.at, text)
	q.completing = true
	go func() {
		io.WriteString(w, text)
		if w.Close() != nil {
			q.failed = append(q.failed, text) // the end came first
		}
		withdraw()
		q.completing = false
	}()
}

// end ends the channel in one of several ways, and checks what has become of all
// messages.
func (q *queueTest) end() {
	q.t.Helper()
	whole := true // all that was accepted comes
	if !q.ended {
		switch q.random.IntN(5) {
		case 0:
			go q.c.Close()
		case 1:
			q.p.sendClose(1000, "")
		case 2:
			whole = false
			q.c.CloseNow()
		case 3:
			whole = false
			q.p.conn.Close()
			go q.c.Close()
		case 4: // and the connection is lost in the midst of what was waiting
			whole = false
			go q.c.Close()
			for range q.random.IntN(10) {
				q.reads <- struct{}{}
			}
			synctest.Wait()
			q.p.conn.Close()
		}
	} else {
		whole = false
	}
	for len(q.reads) < cap(q.reads) {
		q.reads <- struct{}{}
	}
	synctest.Wait()
	q.c.CloseNow()
	synctest.Wait()
	q.left(len(q.waiting))
	q.coming = slices.DeleteFunc(q.coming, func(text string) bool { return slices.Contains(q.failed, text) })
	q.offered -= len(q.failed)
	if n := min(len(q.received), len(q.coming)); !slices.Equal(q.received, q.coming[:n]) || whole && n < len(q.coming) {
		q.t.Errorf("received %s; want %s", shortly(q.received), shortly(q.coming))
	}
	s, count := q.c.QueueStats(), q.counters.Snapshot()
	refused := int64(q.stats.Refused)
	if q.group.Stats().Closed > 0 || q.ended {
		refused++
	}
	if count.MessagesOut+count.Dropped+refused != int64(q.offered) || count.Refused != int64(s.Refused) || count.Dropped != int64(s.Dropped) {
		q.t.Errorf("of %d messages %d are counted as sent, %d as dropped, %d were refused", q.offered, count.MessagesOut, count.Dropped, refused)
	}
	if s.Messages != 0 || s.Bytes != 0 || whole && s.Dropped != q.stats.Dropped || count.MessagesOut < int64(len(q.received)) {
		q.t.Errorf("the queue, in the end: %+v; want %+v", s, q.stats)
	}
}

// shortly returns the numbers of messages.
func shortly(texts []string) string {
	var b strings.Builder
	for _, text := range texts {
		b.WriteString(text[:strings.Index(text, " ")+1])
	}
	return b.String()
}

// The queue does what its model does, whatever is sent, published, streamed and
// read in which order: who is refused, what is dropped, what comes and when.
func TestQueueAsItsModel(t *testing.T) {
	for policy := Fail; policy <= ClosePolicyViolation; policy++ {
		for seed := range uint64(faultlink.Samples(30)) {
			inBubble(t, func(t *testing.T, role Role) {
				defer func() {
					if t.Failed() {
						t.Errorf("policy %d, seed %d+%d", policy, faultlink.Seed(), seed)
					}
				}()
				q := newQueueTest(t, rand.New(rand.NewPCG(faultlink.Seed()+seed, uint64(policy))), role, policy)
				defer close(q.reads)
				for range 80 {
					switch q.random.IntN(8) {
					default:
						q.send()
					case 0, 1, 2:
						q.reads <- struct{}{}
					case 3:
						if q.writer != nil {
							q.complete()
						} else if !q.completing && !q.c.sendQueue().busy.Load() {
							q.open()
						}
					}
					if q.rest(); q.ended {
						break
					}
				}
				q.end()
				if q.writer != nil {
					q.withdraw()
				}
			})
		}
	}
}
