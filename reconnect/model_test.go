package reconnect_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel/reconnect"
)

// model knows what must have become of every message, while links break at
// random points. Messages are numbers.
type model struct {
	mu       sync.Mutex
	accepted map[string]bool
	arrived  map[string]int // how often, at the peer
	doubtful map[string]int // how often they were reported
	dropped  map[string]int
	links    int
	calm     bool     // links break no more
	sentBack []string // what the peer has sent, in order
	received []string
}

func (m *model) note(counts map[string]int, messages ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, message := range messages {
		counts[message]++
	}
}

func (m *model) isCalm() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calm
}

// peer serves the far end of a link until that breaks, which it does by itself
// after some messages.
func (m *model) peer(random *rand.Rand, l *fakeLink) {
	// Links hold for longer and longer, or all that is repeated would never pass.
	m.links++
	for budget := random.IntN(20 + 5*m.links); ; budget-- {
		if budget == 0 && !m.isCalm() {
			l.breaks(lost)
			return
		}
		message, err := l.far.Receive(context.Background())
		if err != nil {
			return
		}
		m.note(m.arrived, message)
		if random.IntN(2) == 0 {
			// The peer is alone in sending, and so knows what was accepted.
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			reply := strconv.Itoa(len(m.sentBack))
			if l.far.Send(ctx, reply) == nil {
				m.sentBack = append(m.sentBack, reply)
			}
			cancel()
		}
	}
}

func TestModel(t *testing.T) {
	for seed := range uint64(50) {
		for _, repeat := range []bool{false, true} {
			ok := t.Run("seed "+strconv.FormatUint(seed, 10), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { testModel(t, seed, repeat) })
			})
			if !ok {
				return
			}
		}
	}
}

func testModel(t *testing.T, seed uint64, repeat bool) {
	random := rand.New(rand.NewPCG(seed, 0))
	m := &model{accepted: map[string]bool{}, arrived: map[string]int{}, doubtful: map[string]int{}, dropped: map[string]int{}}
	var peers sync.WaitGroup
	serial := make(chan struct{}, 1) // peers follow one another, as their links do
	links := rand.New(rand.NewPCG(seed, 1))
	dial := func(context.Context) (*fakeLink, error) {
		if links.IntN(3) == 0 {
			return nil, errors.New("no route")
		}
		l := newLink(links.IntN(4))
		theirs := rand.New(rand.NewPCG(links.Uint64(), 0))
		peers.Go(func() {
			serial <- struct{}{}
			m.peer(theirs, l)
			<-serial
		})
		return l, nil
	}
	policies := []reconnect.Policy{reconnect.Block, reconnect.DropOldest, reconnect.DropNewest, reconnect.Fail}
	policy := policies[random.IntN(len(policies))]
	c := reconnect.New(dial, &options{
		WhenFull:   policy,
		QueueLimit: random.IntN(5) - 1,
		MaxDelay:   time.Second,
		DoubtLimit: 1000,
		Jitter:     func(limit time.Duration) time.Duration { return time.Duration(links.Int64N(int64(limit))) },
		OnDrop:     func(message string, _ error) { m.note(m.dropped, message) },
		OnDoubt: func(d reconnect.Doubt[string]) []string {
			m.note(m.doubtful, d.Messages...)
			if repeat {
				return d.Messages
			}
			return nil
		},
	})

	const senders, each = 3, 20
	var all sync.WaitGroup
	for s := range senders {
		pauses := make([]time.Duration, each)
		for i := range pauses {
			pauses[i] = time.Duration(random.IntN(3)) * time.Duration(random.IntN(500)) * time.Millisecond
		}
		all.Go(func() {
			for i, pause := range pauses {
				time.Sleep(pause)
				message := strconv.Itoa(s) + "-" + strconv.Itoa(i)
				err := c.Send(context.Background(), message)
				if err != nil && err != reconnect.ErrQueueFull {
					t.Errorf("Send: %v", err)
				}
				m.mu.Lock()
				m.accepted[message] = err == nil
				m.mu.Unlock()
			}
		})
	}
	reading, stop := context.WithCancel(context.Background())
	var reader sync.WaitGroup
	cancels := rand.New(rand.NewPCG(random.Uint64(), 0))
	reader.Go(func() {
		for reading.Err() == nil {
			ctx, cancel := context.WithTimeout(reading, time.Duration(cancels.IntN(300))*time.Millisecond)
			message, err := c.Receive(ctx)
			cancel()
			if err == nil {
				m.received = append(m.received, message)
			} else if !errors.Is(err, ctx.Err()) {
				t.Errorf("Receive: %v", err)
			}
		}
	})
	all.Wait()
	m.mu.Lock()
	m.calm = true
	m.mu.Unlock()
	time.Sleep(time.Minute) // everything that can arrive has arrived
	stop()
	reader.Wait()
	c.Close()
	peers.Wait()
	m.check(t, repeat)
}

func (m *model) check(t *testing.T, repeat bool) {
	for message, accepted := range m.accepted {
		arrived, doubtful, dropped := m.arrived[message], m.doubtful[message], m.dropped[message]
		switch {
		case !accepted && arrived+doubtful+dropped > 0:
			t.Errorf("%s was not accepted, and arrived %d times, was in doubt %d times, dropped %d times", message, arrived, doubtful, dropped)
		case accepted && arrived+doubtful+dropped == 0:
			t.Errorf("%s was accepted, and nobody knows what became of it", message)
		case dropped > 1:
			t.Errorf("%s was dropped %d times", message, dropped)
		case !repeat && (arrived > 1 || doubtful > 1):
			t.Errorf("%s arrived %d times, was in doubt %d times", message, arrived, doubtful)
		case !repeat && dropped > 0 && arrived+doubtful > 0:
			t.Errorf("%s was dropped, and arrived %d times, was in doubt %d times", message, arrived, doubtful)
		case repeat && accepted && arrived == 0 && dropped == 0:
			t.Errorf("%s was repeated whenever it was in doubt, and never arrived", message)
		case repeat && arrived > doubtful+1:
			t.Errorf("%s arrived %d times, was in doubt %d times", message, arrived, doubtful)
		}
	}
	if !slices.Equal(m.received, m.sentBack) {
		t.Errorf("received %v, want %v", m.received, m.sentBack)
	}
}
