package streamchannel

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

func TestPairTypes(t *testing.T) {
	numbers, words := Pair[int, string](1)
	if err := numbers.Send(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	if err := words.Send(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if n, err := numbers.Receive(t.Context()); n != 1 || err != nil {
		t.Error(n, err)
	}
	if s, err := words.Receive(t.Context()); s != "one" || err != nil {
		t.Error(s, err)
	}
}

func TestPairNegativeCapacity(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	Pair[int, int](-1)
}

// A Pair accepts as many messages as its capacity says, and not one more.
func TestPairCapacity(t *testing.T) {
	for _, capacity := range []int{0, 1, 5} {
		synctest.Test(t, func(t *testing.T) {
			in, out := Pair[int, int](capacity)
			accepted := 0
			go func() {
				for out.Send(t.Context(), accepted) == nil {
					accepted++
				}
			}()
			synctest.Wait()
			if accepted != capacity {
				t.Errorf("accepted %d, want %d", accepted, capacity)
			}
			in.Receive(t.Context())
			synctest.Wait()
			if accepted != capacity+1 {
				t.Errorf("accepted %d after one was received, want %d", accepted, capacity+1)
			}
			in.Close()
		})
	}
}

// Sends that wait are accepted in the order in which they came, also if one of
// them gives up.
func TestPairTurns(t *testing.T) {
	for _, capacity := range []int{0, 1} {
		synctest.Test(t, func(t *testing.T) {
			in, out := Pair[int, int](capacity)
			ctx, cancel := context.WithCancel(t.Context())
			for i := range 5 {
				ctx := ctx
				if i != 2 {
					ctx = t.Context()
				}
				go out.Send(ctx, i)
				synctest.Wait()
			}
			cancel()
			synctest.Wait()
			for _, want := range []int{0, 1, 3, 4} {
				if got, err := in.Receive(t.Context()); got != want || err != nil {
					t.Errorf("received %d, %v, want %d", got, err, want)
				}
			}
		})
	}
}

// A Send that waits when either end closes was not accepted: its message is
// not among those that the other end still hands out.
func TestPairWaitingSendAtClose(t *testing.T) {
	for _, capacity := range []int{0, 3} {
		synctest.Test(t, func(t *testing.T) {
			in, out := Pair[int, int](capacity)
			for i := range capacity {
				out.Send(t.Context(), i)
			}
			result := make(chan error, 1)
			go func() { result <- out.Send(t.Context(), -1) }()
			synctest.Wait()
			out.Close()
			if err := <-result; err != ErrClosed {
				t.Errorf("waiting Send: %v", err)
			}
			for want := range capacity {
				if got, err := in.Receive(t.Context()); got != want || err != nil {
					t.Errorf("received %d, %v, want %d", got, err, want)
				}
			}
			if got, err := in.Receive(t.Context()); err != ErrClosed {
				t.Errorf("received %d, %v after the end", got, err)
			}
		})
	}
}

// lateContext is done, and calls also, just when Send begins to wait: all that
// can end the wait has happened before Send looks at it.
type lateContext struct {
	context.Context
	cancel context.CancelFunc
	also   func()
}

func late(t *testing.T, also func()) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	return &lateContext{ctx, cancel, also}
}

func (c *lateContext) Done() <-chan struct{} {
	c.cancel()
	c.also()
	return c.Context.Done()
}

func TestPairSendRaces(t *testing.T) {
	for range 100 { // as select chooses at random
		in, out := Pair[int, int](0)
		receive := func() { in.Receive(t.Context()) }
		if err := out.Send(late(t, func() {}), 1); err != context.Canceled {
			t.Fatalf("cancelled: %v", err)
		}
		if err := out.Send(late(t, receive), 1); err != nil {
			t.Fatalf("received, cancelled: %v", err)
		}
		if err := out.Send(late(t, func() { receive(); in.Close() }), 1); err != nil {
			t.Fatalf("received, closed, cancelled: %v", err)
		}
		in, out = Pair[int, int](0)
		if err := out.Send(late(t, func() { in.Close() }), 1); err != ErrClosed {
			t.Fatalf("closed, cancelled: %v", err)
		}
	}
}

func TestPairReceiveRaces(t *testing.T) {
	for range 100 {
		in, out := Pair[int, int](1)
		send := func() { out.Send(t.Context(), 1) }
		if _, err := in.Receive(late(t, send)); err != context.Canceled {
			t.Fatalf("sent, cancelled: %v", err)
		}
		if m, err := in.Receive(t.Context()); m != 1 || err != nil {
			t.Fatalf("next Receive: %v, %v", m, err)
		}
		m, err := in.Receive(late(t, func() { send(); out.Close() }))
		if m != 1 || err != nil {
			t.Fatalf("sent, closed, cancelled: %v, %v", m, err)
		}
		in, out = Pair[int, int](1)
		_, err = in.Receive(late(t, func() { send(); in.Close() }))
		if err != ErrClosed {
			t.Fatalf("sent, closed here, cancelled: %v", err)
		}
	}
}

// However sends, cancels and closes meet: a Send that returned nil was received
// once, one that returned an error was not, and each sender's order is kept.
// Only an end that closes drops what it has accepted and not received.
func TestPairStress(t *testing.T) {
	for _, capacity := range []int{0, 1, 7} {
		for _, receiverCloses := range []bool{false, true} {
			for range 20 {
				synctest.Test(t, func(t *testing.T) {
					stressPair(t, capacity, receiverCloses)
				})
			}
		}
	}
}

func stressPair(t *testing.T, capacity int, receiverCloses bool) {
	const senders, count = 4, 100
	in, out := Pair[string, string](capacity)
	var accepted [senders][]string
	var sending sync.WaitGroup
	for s := range senders {
		sending.Go(func() {
			for i := range count {
				m := message(s, i)
				if out.Send(soonCancelled(t), m) == nil {
					accepted[s] = append(accepted[s], m)
				}
			}
		})
	}
	closer := out
	if receiverCloses {
		closer = in
	}
	go func() {
		if rand.IntN(2) == 0 {
			sending.Wait()
		}
		yield(rand.IntN(2000))
		closer.Close()
	}()

	var received [senders][]string
	for {
		m, err := in.Receive(soonCancelled(t))
		if err == ErrClosed {
			break
		}
		if err == nil {
			s := senderOf(m)
			received[s] = append(received[s], m)
		}
	}
	sending.Wait()
	for s := range senders {
		want := accepted[s]
		if receiverCloses {
			want = want[:min(len(want), len(received[s]))]
		}
		if !slices.Equal(received[s], want) {
			t.Errorf("sender %d: accepted %q, received %q", s, accepted[s], received[s])
		}
	}
}

// soonCancelled returns a context that is cancelled in a moment, or a little later.
func soonCancelled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		yield(rand.IntN(20))
		cancel()
	}()
	return ctx
}

type document struct{ words []string }

func (d document) Clone() document { return document{slices.Clone(d.words)} }

type header map[string]string

func (h header) Clone() header { return maps.Clone(h) }

// Rule 6 for the messages that Send knows how to copy.
func TestPairCopies(t *testing.T) {
	in, out := Pair[document, header](1)
	sent := document{[]string{"a"}}
	out.Send(t.Context(), sent)
	sent.words[0] = "b"
	if got, _ := in.Receive(t.Context()); got.words[0] != "a" {
		t.Errorf("document became %q", got.words)
	}

	h := header{"k": "a"}
	in.Send(t.Context(), h)
	h["k"] = "b"
	if got, _ := out.Receive(t.Context()); got["k"] != "a" {
		t.Errorf("header became %q", got)
	}
}

// Nil and empty are different messages.
func TestPairNilBytes(t *testing.T) {
	in, out := Pair[[]byte, any](2)
	out.Send(t.Context(), nil)
	out.Send(t.Context(), []byte{})
	if m, err := in.Receive(t.Context()); m != nil || err != nil {
		t.Errorf("received %#v, %v, want nil", m, err)
	}
	if m, err := in.Receive(t.Context()); m == nil || err != nil {
		t.Errorf("received %#v, %v, want an empty slice", m, err)
	}

	in.Send(t.Context(), nil)
	if m, err := out.Receive(t.Context()); m != nil || err != nil {
		t.Errorf("received %#v, %v, want nil", m, err)
	}
}
