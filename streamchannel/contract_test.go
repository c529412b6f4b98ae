package streamchannel

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// bytesChannel is what the contract is proved on: messages that refer to memory.
type bytesChannel = Channel[[]byte, []byte]

// testContract proves the rules of the package documentation on channels that
// connect makes: two ends, connected to each other. They may hold any number of
// messages between them, and one end may learn late what the other did.
func testContract(t *testing.T, connect func(*testing.T) (near, far bytesChannel)) {
	for _, c := range contract {
		t.Run(c.name, func(t *testing.T) {
			// In a bubble a wait that nothing ends is a failure, and so is a
			// goroutine that outlives the test.
			synctest.Test(t, func(t *testing.T) {
				p := &proof{T: t}
				p.near, p.far = connect(t)
				defer p.background.Wait()
				defer p.far.Close()
				defer p.near.Close()
				c.rule(p)
			})
		})
	}
}

// settle returns when every other goroutine waits.
func settle() { synctest.Wait() }

// proof is the test of one rule.
type proof struct {
	*testing.T
	near, far  bytesChannel
	background sync.WaitGroup
}

var contract = []struct {
	name string
	rule func(*proof)
}{
	{"1 order of one sender", ruleOrder},
	{"1 concurrent sends do not mix", ruleConcurrentSends},
	{"1 accepted before a close is delivered", ruleAcceptedBeforeClose},
	{"1 cancelled before acceptance is not sent", ruleCancelledSend},
	{"2 arrived before the peer's close is delivered", ruleArrivedBeforeClose},
	{"2 local close drops the unread", ruleLocalCloseDrops},
	{"2 local close after the peer's drops the unread", ruleLocalCloseAfterPeers},
	{"3 cancelled receive harms nothing", ruleCancelledReceive},
	{"3 cancelled receives lose nothing", ruleCancelledReceives},
	{"3 one receiver", ruleOneReceiver},
	{"4 before the end", ruleBeforeEnd},
	{"4 after the end", ruleAfterEnd},
	{"4 waiting calls return at a local close", func(t *proof) { ruleWaitingCalls(t, t.far) }},
	{"4 waiting calls return at the peer's close", func(t *proof) { ruleWaitingCalls(t, t.near) }},
	{"5 close from anywhere", ruleCloseAnywhere},
	{"5 close waits for nobody", ruleCloseWaitsForNobody},
	{"6 ownership", ruleOwnership},
	{"7 errors of send", ruleSendErrors},
	{"7 errors of receive", ruleReceiveErrors},
}

func ruleOrder(t *proof) {
	const count = 100
	t.background.Go(func() {
		for i := range count {
			t.send(t.far, strconv.Itoa(i))
		}
	})
	for i := range count {
		t.receive(t.near, strconv.Itoa(i))
	}
}

func ruleConcurrentSends(t *proof) {
	const senders, count = 8, 50
	for s := range senders {
		t.background.Go(func() {
			for i := range count {
				t.send(t.far, message(s, i))
			}
		})
	}
	var got []string
	for range senders * count {
		m, err := t.near.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(m))
	}
	t.inOrder(got, senders)
}

// Close falls somewhere into the work of several senders: what they were told
// had been accepted is delivered, then comes the end.
func ruleAcceptedBeforeClose(t *proof) {
	const senders = 4
	var accepted [senders][]string
	var all sync.WaitGroup
	for s := range senders {
		all.Go(func() {
			for i := 0; ; i++ {
				m := message(s, i)
				if err := t.far.Send(t.Context(), []byte(m)); err != nil {
					t.isEnd(err)
					return
				}
				accepted[s] = append(accepted[s], m)
			}
		})
	}
	var received [senders][]string
	for n := 0; ; n++ {
		if n == 100 {
			t.background.Go(func() { t.close(t.far) })
		}
		m, err := t.near.Receive(t.Context())
		if err != nil {
			t.isEnd(err)
			break
		}
		s := senderOf(string(m))
		received[s] = append(received[s], string(m))
	}
	all.Wait()
	for s := range senders {
		if n := len(accepted[s]); len(received[s]) < n || !slices.Equal(received[s][:n], accepted[s]) {
			t.Errorf("sender %d: accepted %d messages, other ones received", s, n)
		}
	}
}

func ruleCancelledSend(t *proof) {
	// As many messages as the channel takes without a receiver.
	ctx, cancel := context.WithCancel(t.Context())
	accepted, stopped := make(chan int), make(chan error)
	t.background.Go(func() {
		for n := 0; ; n++ {
			if err := t.far.Send(ctx, []byte(strconv.Itoa(n))); err != nil {
				accepted <- n
				stopped <- err
				return
			}
		}
	})
	settle()
	cancel()
	n := <-accepted
	t.is(<-stopped, context.Canceled)

	t.background.Go(func() { t.send(t.far, "after") })
	for i := range n {
		t.receive(t.near, strconv.Itoa(i))
	}
	t.receive(t.near, "after")
}

func ruleArrivedBeforeClose(t *proof) {
	t.background.Go(func() {
		for i := range 3 {
			t.send(t.far, strconv.Itoa(i))
		}
		t.close(t.far)
	})
	settle()
	for i := range 3 {
		t.receive(t.near, strconv.Itoa(i))
	}
	t.end(t.near)
}

func ruleLocalCloseDrops(t *proof) {
	t.background.Go(func() { t.far.Send(t.Context(), []byte("dropped")) })
	settle()
	t.close(t.near)
	t.end(t.near)
}

func ruleLocalCloseAfterPeers(t *proof) {
	t.background.Go(func() {
		t.far.Send(t.Context(), []byte("dropped"))
		t.far.Close()
	})
	settle()
	t.close(t.near)
	t.end(t.near)
}

func ruleCancelledReceive(t *proof) {
	ctx, cancel := context.WithCancel(t.Context())
	received := t.goReceive(ctx, t.near)
	settle()
	cancel()
	t.is((<-received).err, context.Canceled)

	t.background.Go(func() { t.send(t.far, "next") })
	t.receive(t.near, "next")
}

// The cancelling runs against the arrival of messages: whatever wins, all are
// received, in order, once.
func ruleCancelledReceives(t *proof) {
	const count = 500
	t.background.Go(func() {
		for i := range count {
			t.send(t.far, strconv.Itoa(i))
		}
	})
	for next := 0; next < count; {
		ctx, cancel := context.WithCancel(t.Context())
		t.background.Go(func() {
			yield(rand.IntN(4))
			cancel()
		})
		m, err := t.near.Receive(ctx)
		switch {
		case err != nil:
			t.is(err, context.Canceled)
		case string(m) != strconv.Itoa(next):
			t.Fatalf("received %q, want %d", m, next)
		default:
			next++
		}
	}
}

func ruleOneReceiver(t *proof) {
	first := t.goReceive(t.Context(), t.near)
	settle()
	for range 2 {
		_, err := t.near.Receive(t.Context())
		t.is(err, ErrConcurrentReceive)
		if errors.Is(err, ErrClosed) {
			t.Error("a misuse is reported as an end")
		}
	}

	t.background.Go(func() { t.send(t.far, "for the first") })
	if got := <-first; got.err != nil || got.m != "for the first" {
		t.Errorf("first receiver: %q, %v", got.m, got.err)
	}
	t.background.Go(func() { t.send(t.far, "for the next") })
	t.receive(t.near, "for the next")
}

func ruleBeforeEnd(t *proof) {
	for _, ch := range []bytesChannel{t.near, t.far} {
		if err := ch.Err(); err != nil {
			t.Errorf("Err before the end: %v", err)
		}
		if done := ch.Done(); done != ch.Done() {
			t.Error("Done is not always the same")
		}
		select {
		case <-ch.Done():
			t.Error("Done is closed before the end")
		default:
		}
	}
}

func ruleAfterEnd(t *proof) {
	t.close(t.far)
	for _, ch := range []bytesChannel{t.near, t.far} {
		<-ch.Done()
		end := ch.Err()
		t.isEnd(end)
		for range 3 {
			if err := ch.Err(); err != end {
				t.Errorf("Err: %v, then %v", end, err)
			}
			if err := ch.Send(t.Context(), nil); err != end {
				t.Errorf("Send: %v, want %v", err, end)
			}
			if _, err := ch.Receive(t.Context()); err != end {
				t.Errorf("Receive: %v, want %v", err, end)
			}
		}
	}
}

func ruleWaitingCalls(t *proof, closer bytesChannel) {
	sent := make(chan error)
	t.background.Go(func() { // sends until nothing more is accepted, and waits
		for {
			if err := t.far.Send(t.Context(), []byte("x")); err != nil {
				sent <- err
				return
			}
		}
	})
	received := t.goReceive(t.Context(), t.far)
	settle()
	t.close(closer)
	t.isEnd(<-sent)
	t.isEnd((<-received).err)
}

func ruleCloseAnywhere(t *proof) {
	var all sync.WaitGroup
	for _, ch := range []bytesChannel{t.near, t.far} {
		all.Go(func() {
			for {
				if err := ch.Send(t.Context(), []byte("x")); err != nil {
					t.isEnd(err)
					return
				}
			}
		})
		all.Go(func() {
			for {
				if _, err := ch.Receive(t.Context()); err != nil {
					t.isEnd(err)
					return
				}
			}
		})
		for range 4 {
			all.Go(func() {
				yield(rand.IntN(100))
				t.close(ch)
			})
		}
	}
	all.Wait()
	t.close(t.near)
	t.end(t.near)
	t.end(t.far)
}

func ruleCloseWaitsForNobody(t *proof) {
	for _, ch := range []bytesChannel{t.near, t.far} {
		t.background.Go(func() {
			for ch.Send(t.Context(), []byte("unread")) == nil {
			}
		})
	}
	settle()
	t.close(t.far)
	<-t.far.Done()
}

func ruleOwnership(t *proof) {
	const count = 20
	t.background.Go(func() {
		buffer := make([]byte, 3)
		for i := range count {
			copy(buffer, strings.Repeat(string(rune('a'+i)), len(buffer)))
			if err := t.far.Send(t.Context(), buffer); err != nil {
				t.Error(err)
			}
			clear(buffer)
		}
	})
	settle()
	var all [][]byte
	for i := range count {
		m, err := t.near.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.Repeat(string(rune('a'+i)), 3); string(m) != want {
			t.Fatalf("received %q, want %q", m, want)
		}
		all = append(all, m)
	}
	for i, m := range all {
		if want := bytes.Repeat([]byte{byte('a' + i)}, 3); !bytes.Equal(m, want) {
			t.Errorf("message %d became %q", i, m)
		}
		clear(m)
	}
}

func ruleSendErrors(t *proof) {
	// ctx before acceptance, also if a receiver is waiting for the message.
	received := t.goReceive(t.Context(), t.near)
	settle()
	t.is(t.far.Send(cancelled(), []byte("never sent")), context.Canceled)
	t.background.Go(func() { t.send(t.far, "sent") })
	if got := <-received; got.m != "sent" {
		t.Errorf("received %q, %v", got.m, got.err)
	}

	// The end before ctx, whoever closed.
	t.close(t.far)
	for _, ch := range []bytesChannel{t.near, t.far} {
		<-ch.Done()
		t.isEnd(ch.Send(cancelled(), []byte("x")))
	}
}

func ruleReceiveErrors(t *proof) {
	// A concurrent receiver before ctx.
	first := t.goReceive(t.Context(), t.near)
	settle()
	_, err := t.near.Receive(cancelled())
	t.is(err, ErrConcurrentReceive)
	t.background.Go(func() { t.send(t.far, "first") })
	<-first

	// ctx before a message that lies ready.
	t.background.Go(func() { t.send(t.far, "ready") })
	settle()
	for _, ctx := range []context.Context{cancelled(), expired(t.T)} {
		_, err := t.near.Receive(ctx)
		t.is(err, ctx.Err())
	}
	t.receive(t.near, "ready")

	// Once the channel is over: what had arrived, then the end, before ctx.
	sent := make(chan error, 1)
	t.background.Go(func() { sent <- t.far.Send(t.Context(), []byte("last")) })
	settle()
	t.close(t.far)
	settle()
	select {
	case <-t.near.Done():
		if <-sent != nil {
			break // the channel holds no message without a receiver
		}
		if m, err := t.near.Receive(cancelled()); err != nil || string(m) != "last" {
			t.Errorf("received %q, %v", m, err)
		}
	default: // near sees the close behind the message
		t.receive(t.near, "last")
		<-t.near.Done()
	}
	for _, ch := range []bytesChannel{t.near, t.far} { // the peer's close, and a local one
		_, err := ch.Receive(cancelled())
		t.isEnd(err)
	}
}

// The words in which the rules are written.

func (t *proof) send(ch bytesChannel, m string) {
	t.Helper()
	if err := ch.Send(t.Context(), []byte(m)); err != nil {
		t.Errorf("Send(%q): %v", m, err)
	}
}

func (t *proof) receive(ch bytesChannel, want string) {
	t.Helper()
	if m, err := ch.Receive(t.Context()); err != nil || string(m) != want {
		t.Fatalf("Receive: %q, %v, want %q", m, err, want)
	}
}

func (t *proof) close(ch bytesChannel) {
	t.Helper()
	if err := ch.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func (t *proof) end(ch bytesChannel) {
	t.Helper()
	for range 2 {
		m, err := ch.Receive(t.Context())
		if err == nil {
			t.Fatalf("Receive: %q after the end", m)
		}
		t.isEnd(err)
	}
}

func (t *proof) isEnd(err error) {
	t.Helper()
	t.is(err, ErrClosed)
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
func (t *proof) goReceive(ctx context.Context, ch bytesChannel) <-chan receipt {
	received := make(chan receipt, 1)
	t.background.Go(func() {
		m, err := ch.Receive(ctx)
		received <- receipt{string(m), err}
	})
	return received
}

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

// yield lets other goroutines run, so that a race has many outcomes.
func yield(times int) {
	for range times {
		runtime.Gosched()
	}
}

// message is the i-th message of sender s.
func message(s, i int) string { return strconv.Itoa(s) + " " + strconv.Itoa(i) }

func senderOf(m string) int {
	s, _, _ := strings.Cut(m, " ")
	n, _ := strconv.Atoi(s)
	return n
}

// inOrder checks that each sender's messages are there in order.
func (t *proof) inOrder(got []string, senders int) {
	t.Helper()
	next := make([]int, senders)
	for _, m := range got {
		s := senderOf(m)
		if m != message(s, next[s]) {
			t.Errorf("received %q, want number %d", m, next[s])
		}
		next[s]++
	}
}
