// Package channeltest tests that a channel keeps the contract of package
// streamchannel: order, closing, cancelling, concurrent use. It is for everyone
// who implements a streamchannel.Channel or wraps one.
//
//	func TestContract(t *testing.T) {
//		channeltest.Run(t, func(t *testing.T) (near, far channeltest.Channel) {
//			…
//		})
//	}
//
// A channel of other messages than []byte is tested through
// streamchannel.Codec, which turns them into []byte and back.
package channeltest

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel/streamchannel"
)

// Channel is what is tested: messages that refer to memory, so that it shows
// whom it belongs to.
type Channel = streamchannel.Channel[[]byte, []byte]

// window is the most that a rule leaves unreceived, in messages. All of them
// together are less than a KiB.
const window = 64

// patience is how long a rule may take. Nothing is measured with it.
const patience = 30 * time.Second

// Run tests every rule of the contract in a subtest of its own, on two ends of
// a channel that are connected to each other. connect makes them, anew for each
// rule; it may use t for what has to be cleaned up after that rule. The ends may
// be of different kinds: rules are tested on both.
//
// The channel may hold any number of messages between the ends, and one end may
// learn late what the other one did. It must have room for 64 messages of a few
// bytes, or make Send wait.
func Run(t *testing.T, connect func(t *testing.T) (near, far Channel)) {
	run(t, connect, func(t *testing.T, rule func(*testing.T, func())) {
		rule(t, func() { yield(50) })
	})
}

// RunInBubble is Run with each rule in a bubble of testing/synctest. It finds
// more, for there the rules can wait until every goroutine is blocked, and one
// that outlives the channel is a failure. It is for channels in memory: sockets
// do not work in a bubble.
func RunInBubble(t *testing.T, connect func(t *testing.T) (near, far Channel)) {
	run(t, connect, func(t *testing.T, rule func(*testing.T, func())) {
		synctest.Test(t, func(t *testing.T) { rule(t, synctest.Wait) })
	})
}

func run(t *testing.T, connect func(*testing.T) (near, far Channel), around func(*testing.T, func(*testing.T, func()))) {
	for _, c := range contract {
		for _, swapped := range []bool{false, true} {
			name := c.name
			if swapped {
				name += ", the other way"
			}
			t.Run(name, func(t *testing.T) {
				around(t, func(t *testing.T, settle func()) {
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					defer cancel()
					p := &proof{T: t, ctx: ctx, settle: settle}
					p.near, p.far = connect(t)
					if swapped {
						p.near, p.far = p.far, p.near
					}
					defer p.background.Wait()
					defer p.closeBoth()
					c.rule(p)
				})
			})
		}
	}
}

// proof is the test of one rule. Its methods are the words in which the rules
// are written.
type proof struct {
	*testing.T
	ctx        context.Context
	settle     func() // waits until other goroutines are blocked; outside a bubble it only makes that likely
	near, far  Channel
	background sync.WaitGroup
}

// closeBoth closes both ends at once, as neither has anything to wait for then.
func (t *proof) closeBoth() {
	t.background.Go(func() { t.far.Close() })
	t.near.Close()
}

func (t *proof) send(ch Channel, m string) {
	t.Helper()
	if err := ch.Send(t.ctx, []byte(m)); err != nil {
		t.Errorf("Send(%q): %v", m, err)
	}
}

func (t *proof) receive(ch Channel, want string) {
	t.Helper()
	if m, err := ch.Receive(t.ctx); err != nil || string(m) != want {
		t.Fatalf("Receive: %q, %v, want %q", m, err, want)
	}
}

func (t *proof) close(ch Channel) {
	t.Helper()
	if err := ch.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// fill sends until ch takes no more and Send waits, or the window is full. It
// returns how many messages were accepted, and the error that ended it, if any.
func (t *proof) fill(ctx context.Context, ch Channel) (accepted int, err error) {
	for accepted < window {
		if err := ch.Send(ctx, []byte(strconv.Itoa(accepted))); err != nil {
			return accepted, err
		}
		accepted++
	}
	return accepted, nil
}

// over waits until ch is over, and returns Err.
func (t *proof) over(ch Channel) error {
	t.Helper()
	select {
	case <-ch.Done():
	case <-t.ctx.Done():
		t.Fatal("Done is not closed")
	}
	end := ch.Err()
	t.isEnd(end)
	return end
}

// end demands that Receive returns the end, for ever.
func (t *proof) end(ch Channel) {
	t.Helper()
	for range 2 {
		m, err := ch.Receive(t.ctx)
		if err == nil {
			t.Fatalf("Receive: %q after the end", m)
		}
		t.isEnd(err)
	}
}

func (t *proof) isEnd(err error) {
	t.Helper()
	t.is(err, streamchannel.ErrClosed)
}

func (t *proof) is(err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}

type receipt struct {
	m   string
	err error
}

// goReceive receives one message in another goroutine.
func (t *proof) goReceive(ctx context.Context, ch Channel) <-chan receipt {
	received := make(chan receipt, 1)
	t.background.Go(func() {
		m, err := ch.Receive(ctx)
		received <- receipt{string(m), err}
	})
	return received
}

// goReceiveAlone is goReceive, and returns when that receiver is known to wait.
func (t *proof) goReceiveAlone(ch Channel) <-chan receipt {
	t.Helper()
	received := t.goReceive(t.ctx, ch)
	for t.settle(); t.ctx.Err() == nil; yield(1) {
		_, err := ch.Receive(cancelled())
		if errors.Is(err, streamchannel.ErrConcurrentReceive) {
			return received
		}
		t.is(err, context.Canceled)
		select {
		case r := <-received:
			// It came while the one above was the receiver.
			t.is(r.err, streamchannel.ErrConcurrentReceive)
			received = t.goReceive(t.ctx, ch)
			t.settle()
		default:
		}
	}
	t.Fatal("a second Receive does not return ErrConcurrentReceive")
	return nil
}

// cancelled returns a context that is done.
func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func expired(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 0)
	t.Cleanup(cancel)
	return ctx
}

// yield lets other goroutines run.
func yield(times int) {
	for range times {
		runtime.Gosched()
	}
}

// sometime lets other goroutines run, so that a race has many outcomes.
func sometime(atMost int) { yield(rand.IntN(atMost)) }

// message is the i-th message of sender s.
func message(s, i int) string { return strconv.Itoa(s) + " " + strconv.Itoa(i) }

func senderOf(m string) int {
	s, _, _ := strings.Cut(m, " ")
	n, _ := strconv.Atoi(s)
	return n
}
