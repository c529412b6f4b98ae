package streamchannel_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/wschannel/wschannel/streamchannel"
)

type subscription = *streamchannel.Subscription[int]

// fan returns a FanOut of one end of a pair, and the other end.
func fan(capacity int) (*streamchannel.FanOut[int], streamchannel.Channel[int, int]) {
	near, far := streamchannel.Pair[int, int](capacity)
	return streamchannel.NewFanOut(near), far
}

func receive(t *testing.T, s subscription, want ...int) {
	t.Helper()
	for _, want := range want {
		if n, err := s.Receive(t.Context()); n != want || err != nil {
			t.Errorf("received %d, %v, want %d", n, err, want)
		}
	}
}

// Everybody gets everything, however they take turns, and then the end.
func TestFanOut(t *testing.T) {
	const count, receivers = 1000, 4
	synctest.Test(t, func(t *testing.T) {
		f, far := fan(1)
		done := make(chan []int)
		for i := range receivers {
			s := f.Subscribe(1+i, streamchannel.WaitWhenFull)
			go func() { done <- collect(t, s) }()
		}
		for n := range count {
			sendAll(t, far, n)
		}
		far.Close()
		for range receivers {
			got := <-done
			for i, n := range got {
				if n != i {
					t.Fatalf("message %d is %d", i, n)
				}
			}
			if len(got) != count {
				t.Errorf("received %d messages, want %d", len(got), count)
			}
		}
	})
}

// While nobody receives, nothing is taken from the stream.
func TestFanOutIsLazy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, far := fan(0)
		s := f.Subscribe(10, streamchannel.WaitWhenFull)
		ctx, cancel := context.WithCancel(t.Context())
		go far.Send(ctx, 1)
		synctest.Wait()
		cancel()
		synctest.Wait()
		go sendAll(t, far, 2)
		receive(t, s, 2)
	})
}

func TestFanOutPolicies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, far := fan(10)
		quick := f.Subscribe(1, streamchannel.WaitWhenFull)
		dropping := f.Subscribe(2, streamchannel.DropWhenFull)
		ending := f.Subscribe(2, streamchannel.EndWhenFull)
		sendAll(t, far, 1, 2, 3, 4)
		receive(t, quick, 1, 2, 3, 4)

		receive(t, dropping, 3, 4)
		if n := dropping.Dropped(); n != 2 {
			t.Errorf("dropped %d, want 2", n)
		}

		receive(t, ending, 1, 2)
		_, err := ending.Receive(t.Context())
		if err != streamchannel.ErrOverflow || !errors.Is(err, streamchannel.ErrClosed) {
			t.Errorf("Receive: %v", err)
		}

		// The slowest of those that wait sets the pace; it must not be waited
		// for any more when it has closed.
		slow := f.Subscribe(1, streamchannel.WaitWhenFull)
		sendAll(t, far, 5, 6)
		receive(t, quick, 5)
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { _, err := quick.Receive(ctx); result <- err }()
		synctest.Wait()
		cancel()
		if err := <-result; err != context.Canceled {
			t.Errorf("Receive: %v", err)
		}
		next := make(chan int, 1)
		go func() { n, _ := quick.Receive(t.Context()); next <- n }()
		synctest.Wait()
		if len(next) > 0 {
			t.Error("did not wait for the slow one")
		}
		slow.Close()
		if n := <-next; n != 6 {
			t.Errorf("received %d, want 6", n)
		}
	})
}

// Whoever has the turn may leave; another one goes on.
func TestFanOutTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, far := fan(0)
		first, second := f.Subscribe(1, streamchannel.WaitWhenFull), f.Subscribe(1, streamchannel.WaitWhenFull)
		ctx, cancel := context.WithCancel(t.Context())
		left, got := make(chan error, 1), make(chan int, 1)
		go func() { _, err := first.Receive(ctx); left <- err }()
		synctest.Wait()
		go func() { n, _ := second.Receive(t.Context()); got <- n }()
		synctest.Wait()
		if _, err := first.Receive(t.Context()); err != streamchannel.ErrConcurrentReceive {
			t.Errorf("Receive: %v", err)
		}
		cancel()
		if err := <-left; err != context.Canceled {
			t.Errorf("Receive: %v", err)
		}
		sendAll(t, far, 1)
		if n := <-got; n != 1 {
			t.Errorf("received %d", n)
		}
		receive(t, first, 1)

		go func() { _, err := first.Receive(t.Context()); left <- err }()
		synctest.Wait()
		first.Close()
		if err := <-left; err != streamchannel.ErrClosed {
			t.Errorf("Receive: %v", err)
		}
	})
}

// An error about one message is for everybody, one about the call is not.
func TestFanOutErrors(t *testing.T) {
	near, far := streamchannel.Pair[string, string](3)
	f := streamchannel.NewFanOut(streamchannel.JSON[int, int](near, nil))
	a, b := f.Subscribe(3, streamchannel.WaitWhenFull), f.Subscribe(3, streamchannel.WaitWhenFull)
	sendAll(t, far, "1", "x", "3")
	for _, s := range []subscription{a, b} {
		receive(t, s, 1)
		var bad *streamchannel.DecodeError
		if _, err := s.Receive(t.Context()); !errors.As(err, &bad) {
			t.Errorf("Receive: %v", err)
		}
		receive(t, s, 3)
	}
	far.Close()
	for _, s := range []subscription{a, b, f.Subscribe(1, streamchannel.DropWhenFull)} {
		if _, err := s.Receive(cancelled()); err != streamchannel.ErrClosed {
			t.Errorf("Receive: %v", err)
		}
	}

	failing := streamchannel.NewFanOut(receivesNothing{}).Subscribe(1, streamchannel.WaitWhenFull)
	if _, err := failing.Receive(t.Context()); err != errNegative {
		t.Errorf("Receive: %v", err)
	}
}

// Each subscription has messages of its own.
func TestFanOutOwnership(t *testing.T) {
	near, far := bytesPair(1)
	f := streamchannel.NewFanOut(near)
	a, b := f.Subscribe(1, streamchannel.WaitWhenFull), f.Subscribe(1, streamchannel.WaitWhenFull)
	sendAll(t, far, []byte("x"))
	m, _ := a.Receive(t.Context())
	clear(m)
	if m, _ := b.Receive(t.Context()); string(m) != "x" {
		t.Errorf("%q", m)
	}
}

func TestSubscribeWithoutRoom(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	f, _ := fan(0)
	f.Subscribe(0, streamchannel.WaitWhenFull)
}

// Who waits for another one's turn is not bound to it.
func TestFanOutCancelledBesideTheTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, far := fan(0)
		first, second := f.Subscribe(1, streamchannel.WaitWhenFull), f.Subscribe(1, streamchannel.WaitWhenFull)
		got := make(chan int, 1)
		go func() { n, _ := first.Receive(t.Context()); got <- n }()
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { _, err := second.Receive(ctx); result <- err }()
		synctest.Wait()
		cancel()
		if err := <-result; err != context.Canceled {
			t.Errorf("Receive: %v", err)
		}
		sendAll(t, far, 1)
		receive(t, second, 1)
		if n := <-got; n != 1 {
			t.Errorf("received %d", n)
		}

		// And who waits for room, in its own turn, neither.
		sent := make(chan struct{})
		go func() { sendAll(t, far, 2, 3); close(sent) }()
		receive(t, first, 2) // second holds it too, and is full
		ctx, cancel = context.WithCancel(t.Context())
		go func() { _, err := first.Receive(ctx); result <- err }()
		synctest.Wait()
		cancel()
		if err := <-result; err != context.Canceled {
			t.Errorf("Receive: %v", err)
		}
		receive(t, second, 2, 3)
		receive(t, first, 3)
		<-sent
	})
}

// After the end there is nothing to subscribe to.
func TestSubscribeAfterTheEnd(t *testing.T) {
	f, far := fan(0)
	s := f.Subscribe(1, streamchannel.WaitWhenFull)
	far.Close()
	for _, s := range []subscription{s, f.Subscribe(1, streamchannel.WaitWhenFull)} {
		if _, err := s.Receive(t.Context()); err != streamchannel.ErrClosed {
			t.Errorf("Receive: %v", err)
		}
	}
}

// A shy message can be cloned only while it may subscribe.
type shy struct{ subscribe func() }

func (m shy) Clone() shy {
	m.subscribe()
	return m
}

// Clone is the user's code, and may use the FanOut.
func TestFanOutCloneSubscribes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := streamchannel.Pair[shy, shy](1)
		defer far.Close()
		f := streamchannel.NewFanOut(near)
		s := f.Subscribe(1, streamchannel.WaitWhenFull)
		ready := false
		err := far.Send(t.Context(), shy{func() {
			if ready {
				f.Subscribe(1, streamchannel.DropWhenFull)
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		ready = true
		if _, err := s.Receive(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
