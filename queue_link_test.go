//go:build !js

package wschannel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel/internal/faultlink"
)

// A linkedQueue is a channel that several goroutines send to at the same time,
// each in its own way, over a link that stalls or breaks.
type linkedQueue struct {
	t         *testing.T
	near, far *Channel
	link      *faultlink.Link
	policy    Policy // for what is published
	limit     int
	fragments bool // NextWriter's messages may leave in several frames
	group     Group
	counts    Counters
	received  []string

	mu       sync.Mutex
	accepted map[string]bool // whether a message was; not of those that were published
}

// longestQueued is the length in bytes that these messages do not reach.
const longestQueued = 3000

func newLinkedQueue(t *testing.T, random *rand.Rand) *linkedQueue {
	p := faultlink.Plan{
		Seed: random.Uint64(),
		Kind: faultlink.Kind(random.IntN(1 + len(faultlink.Kinds))),
		Way:  faultlink.Ways[random.IntN(2)],
		At:   random.Int64N(120_000),
		For:  time.Duration(random.IntN(1000)) * time.Millisecond,
	}
	if p.Way == faultlink.Back {
		p.At %= 30 // no more than control frames come there
	}
	if random.IntN(2) == 0 {
		p.Piece, p.Delay = 2000, time.Duration(1+random.IntN(10))*time.Millisecond
	}
	q := &linkedQueue{t: t, limit: 1 << (8 + random.IntN(8)), fragments: random.IntN(2) == 0, accepted: make(map[string]bool)}
	o := &StreamOptions{
		Options:     Options{WriteTimeout: 2 * time.Second, CloseTimeout: 2 * time.Second, PingInterval: time.Second, PingTimeout: time.Second},
		Compression: Compression{Mode: CompressionMode(random.IntN(3))},
	}
	near, far, link := faultlink.Pipe(p)
	role := Role(1 + random.IntN(2))
	q.link = link
	q.far = New(far, RoleClient+RoleServer-role, o)
	o.SendQueue, o.Counters = q.limit, &q.counts
	o.WhenFull = Policy(random.IntN(1 + int(ClosePolicyViolation)))
	q.policy = o.WhenFull
	if q.policy == Block {
		q.policy = Policy(1 + random.IntN(int(ClosePolicyViolation)))
	}
	q.group.WhenFull = q.policy
	q.near = New(near, role, o)
	if err := q.group.Join(q.near); err != nil {
		t.Fatal(err)
	}
	return q
}

// pause waits for a moment, or not.
func pause(random *rand.Rand, longest int) {
	if n := random.IntN(2 * longest); n < longest {
		<-time.After(time.Duration(n) * time.Millisecond)
	}
}

// send sends numbered messages, of which some are given up.
func (q *linkedQueue) send(random *rand.Rand, name string, send func(context.Context, string) error) {
	for i := 0; i < 25 && q.near.Err() == nil; i++ {
		text := fmt.Sprint(name, " ", i, " ", strings.Repeat("x", random.IntN(longestQueued-20)))
		if name == "streamed" && q.fragments {
			text += strings.Repeat("y", random.IntN(2*fragmentSize))
		}
		ctx, cancel := context.WithCancel(q.t.Context())
		if random.IntN(8) == 0 {
			time.AfterFunc(time.Duration(random.IntN(100))*time.Millisecond, cancel)
		}
		err := send(ctx, text)
		cancel()
		if name != "published" {
			q.mu.Lock()
			q.accepted[text] = err == nil
			q.mu.Unlock()
		}
		// One message has always room, and one may have come back.
		const one = longestQueued + messageOverhead
		if s := q.near.QueueStats(); s.Bytes > max(q.limit, one)+one {
			q.t.Errorf("%d bytes wait; %d may, and one message more", s.Bytes, q.limit)
		}
		pause(random, 20)
	}
}

func (q *linkedQueue) stream(ctx context.Context, text string) error {
	w, err := q.near.NextWriter(ctx, Text)
	if err != nil {
		return err
	}
	for part := range 4 {
		io.WriteString(w, text[part*len(text)/4:(part+1)*len(text)/4])
		<-time.After(5 * time.Millisecond)
	}
	return w.Close()
}

func (q *linkedQueue) publish(_ context.Context, text string) error {
	return q.group.Publish(Message{Text, []byte(text)})
}

// check looks at what has become of all messages. whole says that the channel was
// closed in good order.
func (q *linkedQueue) check(whole bool) {
	last := make(map[string]int)
	doubtful := 0
	for _, text := range q.received {
		var name string
		var n int
		fmt.Sscan(text, &name, &n)
		if before, ok := last[name]; ok && before >= n {
			q.t.Errorf("message %d of %s has come behind %d", n, name, before)
		}
		last[name] = n
		if doubtful > 0 {
			q.t.Errorf("message %d of %s has come behind one that was refused or withdrawn", n, name)
		}
		accepted, known := q.accepted[text]
		if name == "published" {
			continue
		}
		if !known {
			q.t.Errorf("a message that nobody has sent: %.40q and so on", text)
		}
		if !accepted {
			doubtful++ // as its Send says, the channel has ended because of it
		}
	}
	accepted := int64(q.group.Stats().Sent)
	if q.policy == DropNewest {
		accepted += int64(q.group.Stats().Dropped)
	}
	for _, ok := range q.accepted {
		if ok {
			accepted++
		}
	}
	s, count := q.near.QueueStats(), q.counts.Snapshot()
	if count.MessagesOut+count.Dropped != accepted || s.Messages != 0 || s.Bytes != 0 || int64(s.Dropped) != count.Dropped {
		q.t.Errorf("%d messages were accepted, %d are counted as sent, %d as dropped; the queue: %+v", accepted, count.MessagesOut, count.Dropped, s)
	}
	if n := len(q.received) - doubtful; int64(n) > count.MessagesOut || whole && (int64(n) < count.MessagesOut || doubtful > 0) {
		q.t.Errorf("%d messages have come, and %d that were withdrawn; %d are counted as sent", n, doubtful, count.MessagesOut)
	}
	if whole && !q.fragments && s.Dropped > 0 && q.policy != DropOldest && q.policy != DropNewest {
		q.t.Errorf("a close in good order has dropped something: %+v", s)
	}
	for _, c := range []*Channel{q.near, q.far} {
		if e, ok := errors.AsType[*ProtocolError](c.Err()); ok {
			q.t.Errorf("one end has not kept to the protocol: %v", e)
		}
	}
}

// Whatever a link does, each message that was accepted is counted as sent or as
// dropped, once; those of one sender come in order; and no more waits than may.
func TestQueueOverBadLinks(t *testing.T) {
	wholes, lost, dropped := 0, 0, uint64(0)
	for i := range uint64(faultlink.Samples(120)) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(faultlink.Seed(), i))
			q := newLinkedQueue(t, random)
			defer q.link.Close()
			reader := async(func() error {
				random := rand.New(rand.NewPCG(faultlink.Seed()+1, i))
				for m, err := range q.far.Messages(t.Context()) {
					if err != nil {
						return err
					}
					q.received = append(q.received, string(m.Data))
					pause(random, 20)
				}
				return nil
			})
			var senders sync.WaitGroup
			for name, send := range map[string]func(context.Context, string) error{
				"sent": q.near.SendText, "also": q.near.SendText, "streamed": q.stream, "published": q.publish,
			} {
				random := rand.New(rand.NewPCG(faultlink.Seed()+i, uint64(len(name))))
				senders.Go(func() { q.send(random, name, send) })
			}
			if random.IntN(2) == 0 {
				senders.Wait()
			} else {
				pause(random, 400)
			}
			whole := false
			switch random.IntN(4) {
			case 0, 1:
				whole = q.near.Close() == nil && q.near.CloseCode() == 1000
			case 2:
				q.far.Close()
			case 3:
				q.near.CloseNow()
			}
			senders.Wait()
			<-q.near.Done()
			<-q.far.Done()
			<-reader
			synctest.Wait()
			q.check(whole)
			dropped += q.near.QueueStats().Dropped
			if whole {
				wholes++
			}
			if q.near.CloseCode() == 1006 {
				lost++
			}
			if t.Failed() {
				t.Errorf("again with %s=%d; number %d of %v, policy %d, %d bytes may wait; the end is %v",
					faultlink.SeedVariable, faultlink.Seed(), i, q.link.Plan(), q.policy, q.limit, q.near.Err())
			}
		})
	}
	if wholes == 0 || lost == 0 || dropped == 0 {
		t.Errorf("too little has happened: %d were closed in good order, %d lost, %d messages dropped", wholes, lost, dropped)
	}
}
