package channeltest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/wschannel/wschannel/streamchannel"
)

// contract has the rules of package streamchannel, by their numbers.
var contract = []struct {
	name string
	rule func(*proof)
}{
	{"1 order of one sender", ruleOrder},
	{"1 both directions at a time", ruleBothDirections},
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
	t.background.Go(func() {
		for i := range window {
			t.send(t.far, strconv.Itoa(i))
		}
	})
	for i := range window {
		t.receive(t.near, strconv.Itoa(i))
	}
}

func ruleBothDirections(t *proof) {
	t.background.Go(func() {
		for i := range window {
			m, err := t.far.Receive(t.ctx)
			if err != nil {
				t.Errorf("Receive: %v", err)
				return
			}
			if want := strconv.Itoa(i); string(m) != want {
				t.Errorf("received %q, want %q", m, want)
			}
			t.send(t.far, "echo of "+string(m))
		}
	})
	for i := range window {
		t.send(t.near, strconv.Itoa(i))
		t.receive(t.near, "echo of "+strconv.Itoa(i))
	}
}

func ruleConcurrentSends(t *proof) {
	const senders = 8
	for s := range senders {
		t.background.Go(func() {
			for i := range window / senders {
				t.send(t.far, message(s, i))
			}
		})
	}
	var next [senders]int
	for range window {
		m, err := t.near.Receive(t.ctx)
		if err != nil {
			t.Fatal(err)
		}
		s := senderOf(string(m))
		if want := message(s, next[s]); string(m) != want {
			t.Fatalf("received %q, want %q", m, want)
		}
		next[s]++
	}
}

// Close falls somewhere into the work of several senders: what they were told
// had been accepted is delivered, then comes the end.
func ruleAcceptedBeforeClose(t *proof) {
	const senders = 4
	var accepted [senders][]string
	var all sync.WaitGroup
	unreceived := make(chan struct{}, window)
	for s := range senders {
		all.Go(func() {
			for i := 0; ; i++ {
				select {
				case unreceived <- struct{}{}:
				case <-t.far.Done():
				}
				m := message(s, i)
				if err := t.far.Send(t.ctx, []byte(m)); err != nil {
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
		m, err := t.near.Receive(t.ctx)
		if err != nil {
			t.isEnd(err)
			break
		}
		select {
		case <-unreceived:
		default: // of a send that has not been counted as it saw the end
		}
		s := senderOf(string(m))
		received[s] = append(received[s], string(m))
	}
	all.Wait()
	for s := range senders {
		if n := len(accepted[s]); len(received[s]) < n || !slices.Equal(received[s][:n], accepted[s]) {
			t.Errorf("sender %d: %d messages were accepted, %d received", s, n, len(received[s]))
		}
	}
}

func ruleCancelledSend(t *proof) {
	ctx, cancel := context.WithCancel(t.ctx)
	type result struct {
		accepted int
		err      error
	}
	filled := make(chan result, 1)
	t.background.Go(func() {
		n, err := t.fill(ctx, t.far)
		filled <- result{n, err}
	})
	t.settle()
	cancel()
	got := <-filled
	if got.err != nil {
		t.is(got.err, context.Canceled)
		if err := t.far.Send(cancelled(), nil); errors.Is(err, streamchannel.ErrClosed) {
			t.is(err, context.Canceled) // a part had left, and the end says what cut it
			return
		}
	}
	t.is(t.far.Send(ctx, []byte("never sent")), context.Canceled)

	t.background.Go(func() { t.send(t.far, "after") })
	for i := range got.accepted {
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
	t.settle()
	for i := range 3 {
		t.receive(t.near, strconv.Itoa(i))
	}
	t.end(t.near)
}

func ruleLocalCloseDrops(t *proof) {
	t.background.Go(func() { t.fill(t.ctx, t.far) })
	t.receive(t.near, "0")
	t.settle()
	t.close(t.near)
	t.end(t.near)
}

func ruleLocalCloseAfterPeers(t *proof) {
	t.background.Go(func() {
		t.send(t.far, "received")
		t.far.Send(t.ctx, []byte("dropped"))
		t.close(t.far)
	})
	t.receive(t.near, "received")
	t.settle()
	t.close(t.near)
	t.end(t.near)
}

func ruleCancelledReceive(t *proof) {
	ctx, cancel := context.WithCancel(t.ctx)
	received := t.goReceive(ctx, t.near)
	t.settle()
	cancel()
	t.is((<-received).err, context.Canceled)

	t.background.Go(func() { t.send(t.far, "next") })
	t.receive(t.near, "next")
}

// The cancelling runs against the arrival of messages: whatever wins, all are
// received, in order, once.
func ruleCancelledReceives(t *proof) {
	const count = 300
	unreceived := make(chan struct{}, window)
	t.background.Go(func() {
		for i := range count {
			unreceived <- struct{}{}
			t.send(t.far, strconv.Itoa(i))
		}
	})
	for next := 0; next < count; {
		ctx, cancel := context.WithCancel(t.ctx)
		t.background.Go(func() {
			sometime(4)
			cancel()
		})
		m, err := t.near.Receive(ctx)
		switch {
		case err != nil:
			t.is(err, context.Canceled)
			if errors.Is(err, streamchannel.ErrClosed) || t.ctx.Err() != nil {
				t.FailNow()
			}
		case string(m) != strconv.Itoa(next):
			t.Fatalf("received %q, want %d", m, next)
		default:
			next++
			<-unreceived
		}
	}
}

func ruleOneReceiver(t *proof) {
	first := t.goReceiveAlone(t.near)
	for range 2 {
		_, err := t.near.Receive(t.ctx)
		t.is(err, streamchannel.ErrConcurrentReceive)
		if errors.Is(err, streamchannel.ErrClosed) {
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

func ruleOwnership(t *proof) {
	const count = 20
	t.background.Go(func() {
		buffer := make([]byte, 3)
		for i := range count {
			copy(buffer, strings.Repeat(string(rune('a'+i)), len(buffer)))
			if err := t.far.Send(t.ctx, buffer); err != nil {
				t.Error(err)
			}
			clear(buffer)
		}
	})
	t.settle()
	var all [][]byte
	for i := range count {
		m, err := t.near.Receive(t.ctx)
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
	received := t.goReceive(t.ctx, t.near)
	t.settle()
	for _, ctx := range []context.Context{cancelled(), expired(t.T)} {
		t.is(t.far.Send(ctx, []byte("never sent")), ctx.Err())
	}
	t.background.Go(func() { t.send(t.far, "sent") })
	if got := <-received; got.m != "sent" {
		t.Errorf("received %q, %v", got.m, got.err)
	}

	// The end before ctx, whoever closed.
	t.close(t.far)
	for _, ch := range []Channel{t.near, t.far} {
		t.over(ch)
		t.isEnd(ch.Send(cancelled(), []byte("x")))
	}
}

func ruleReceiveErrors(t *proof) {
	// A concurrent receiver before ctx.
	first := t.goReceiveAlone(t.near)
	_, err := t.near.Receive(cancelled())
	t.is(err, streamchannel.ErrConcurrentReceive)
	t.background.Go(func() { t.send(t.far, "first") })
	<-first

	// ctx before a message that lies ready.
	t.background.Go(func() { t.send(t.far, "ready") })
	t.settle()
	for _, ctx := range []context.Context{cancelled(), expired(t.T)} {
		_, err := t.near.Receive(ctx)
		t.is(err, ctx.Err())
	}
	t.receive(t.near, "ready")

	// Once the channel is over: what had arrived, then the end, before ctx.
	sent := make(chan error, 1)
	t.background.Go(func() { sent <- t.far.Send(t.ctx, []byte("last")) })
	t.settle()
	t.close(t.far)
	t.settle()
	accepted := <-sent == nil // if not, the channel holds no message without a receiver
	select {
	case <-t.near.Done():
		if !accepted {
			break
		}
		if m, err := t.near.Receive(cancelled()); err != nil || string(m) != "last" {
			t.Errorf("received %q, %v", m, err)
		}
	default: // near sees the close later, perhaps behind the message
		if accepted {
			t.receive(t.near, "last")
		}
	}
	for _, ch := range []Channel{t.near, t.far} { // the peer's close, and a local one
		t.over(ch)
		_, err := ch.Receive(cancelled())
		t.isEnd(err)
	}
}
