package streamchannel_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel/status"
	"github.com/wschannel/wschannel/streamchannel"
)

var errRefused = errors.New("refused")

// In whatever order a Deferred is resolved, received from, sent into and closed,
// nothing is lost.
func TestDeferredResolved(t *testing.T) {
	receiveAll := func(t *testing.T, d *streamchannel.Deferred[int, int]) { want(t, "received", collect(t, d), 1, 2, 3) }
	sendThree := func(t *testing.T, d *streamchannel.Deferred[int, int]) {
		sendAll(t, d, 4, 5, 6)
		if err := d.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	for _, tt := range []struct {
		name  string
		first bool // resolved first
		use   func(*testing.T, *streamchannel.Deferred[int, int])
		want  []int // what the peer receives
	}{
		{"receive, T102", true, receiveAll, nil},
		{"send and close, T103", true, sendThree, []int{4, 5, 6}},
		{"receive before, T106", false, receiveAll, nil},
		{"send and close before, T107", false, sendThree, []int{4, 5, 6}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := streamchannel.Pair[int, int](3)
				sendAll(t, far, 1, 2, 3)
				d := streamchannel.NewDeferred[int, int](3)
				if tt.first {
					d.Resolve(near, nil)
				}
				used := make(chan struct{})
				go func() {
					defer close(used)
					tt.use(t, d)
				}()
				synctest.Wait()
				if !tt.first {
					d.Resolve(near, nil)
				}
				if tt.want == nil {
					far.Close()
				}
				<-used
				want(t, "sent", collect(t, far), tt.want...)
			})
		})
	}
}

// T104 T105 T108 T109 T111
func TestDeferredFailed(t *testing.T) {
	for _, first := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			d := streamchannel.NewDeferred[int, int](1)
			if first {
				d.Resolve(nil, errRefused)
			} else {
				sendAll(t, d, 1)
			}
			received, sent := make(chan error, 1), make(chan error, 1)
			go func() { _, err := d.Receive(t.Context()); received <- err }()
			go func() { sent <- d.Send(t.Context(), 2) }()
			synctest.Wait()
			if !first {
				d.Resolve(nil, errRefused)
			}
			<-d.Done()
			for _, err := range []error{<-received, <-sent, d.Err(), d.Send(t.Context(), 3)} {
				if err != d.Err() || !errors.Is(err, errRefused) || !errors.Is(err, streamchannel.ErrClosed) {
					t.Errorf("error %v, want %v", err, errRefused)
				}
			}
			if err := d.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			for _, err := range streamchannel.Messages(t.Context(), d) {
				if !errors.Is(err, errRefused) {
					t.Errorf("a failure is silent: %v", err)
				}
			}
		})
	}
}

// T110: resolved by the results of a function.
func TestDeferredByFunction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := streamchannel.Pair[int, int](3)
		connect := func() (streamchannel.Channel[int, int], error) { return near, nil }
		d := streamchannel.NewDeferred[int, int](3)
		sendAll(t, d, 1, 2)
		go func() { d.Resolve(connect()) }()
		sendAll(t, d, 3)
		for _, want := range []int{1, 2, 3} {
			if n, err := far.Receive(t.Context()); n != want || err != nil {
				t.Errorf("%d, %v, want %d", n, err, want)
			}
		}
		sendAll(t, far, 4)
		far.Close()
		want(t, "received", collect(t, d), 4)
		<-d.Done()
	})
}

// T112
func TestDeferredResolvedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := streamchannel.Pair[int, int](1)
		other, _ := streamchannel.Pair[int, int](1)
		d := streamchannel.NewDeferred[int, int](0)
		d.Resolve(near, nil)
		for range 2 {
			if err := d.Resolve(other, nil); err != streamchannel.ErrResolved {
				t.Errorf("Resolve: %v", err)
			}
		}
		sendAll(t, d, 1)
		d.Close()
		want(t, "sent", collect(t, far), 1)
		if other.Err() != nil {
			t.Error("the second channel was closed")
		}
	})
}

// Beyond its capacity a Deferred makes Send wait, and what was not accepted is
// not sent.
func TestDeferredCapacity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := streamchannel.Pair[int, int](0)
		d := streamchannel.NewDeferred[int, int](2)
		sendAll(t, d, 1, 2)
		ctx, cancel := context.WithCancel(t.Context())
		results := make(chan error, 2)
		go func() { results <- d.Send(ctx, 3) }()
		synctest.Wait()
		go func() { results <- d.Send(t.Context(), 4) }()
		synctest.Wait()
		if len(results) > 0 {
			t.Fatal("a third message was accepted")
		}
		cancel()
		if err := <-results; err != context.Canceled {
			t.Errorf("Send: %v", err)
		}
		d.Resolve(near, nil)
		for _, want := range []int{1, 2, 4} {
			if n, err := far.Receive(t.Context()); n != want || err != nil {
				t.Errorf("%d, %v, want %d", n, err, want)
			}
		}
		if err := <-results; err != nil {
			t.Errorf("Send: %v", err)
		}
		d.Close()
	})
}

// A message that the real channel refuses was accepted by the Deferred: that it
// could not be sent is told as the end.
func TestDeferredRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := streamchannel.Pair[string, string](1)
		d := streamchannel.NewDeferred[any, any](2)
		sendAll(t, d, any(func() {}), any(1))
		d.Resolve(streamchannel.JSON[any, any](near, nil), nil)
		<-d.Done()
		var encode *streamchannel.EncodeError
		if err := d.Err(); !errors.As(err, &encode) {
			t.Errorf("Err: %v", err)
		}
		want(t, "sent", collect(t, far))
	})
}

// An early close keeps its code. A real channel that takes nothing gets five
// seconds.
func TestDeferredEarlyClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, near := streamchannel.Pair[int, int](0)
		real := &codedChannel{Channel: near}
		d := streamchannel.NewDeferred[int, int](1)
		sendAll(t, d, 1)
		if err := d.CloseWith(1005, ""); err != streamchannel.ErrInvalidClose || d.Err() != nil {
			t.Errorf("CloseWith(1005): %v, Err: %v", err, d.Err())
		}
		if err := d.CloseWith(4000, "early"); err != nil {
			t.Errorf("CloseWith: %v", err)
		}
		if code, reason := d.CloseCode(), d.CloseReason(); code != 4000 || reason != "early" {
			t.Errorf("%v %q", code, reason)
		}
		if err := d.CloseWith(4001, "late"); err != d.Err() {
			t.Errorf("second CloseWith: %v", err)
		}
		began := time.Now()
		d.Resolve(real, nil)
		<-real.Done()
		if d := time.Since(began); d != 5*time.Second {
			t.Errorf("it took %v", d)
		}
		synctest.Wait()
		if real.code != 4000 || real.reason != "early" {
			t.Errorf("closed with %v %q", real.code, real.reason)
		}
	})
}

// codedChannel is a channel that is closed with codes.
type codedChannel struct {
	streamchannel.Channel[int, int]
	code   status.Code
	reason string
}

func (c *codedChannel) CloseWith(code status.Code, reason string) error {
	if err := c.Err(); err != nil {
		return err
	}
	c.code, c.reason = code, reason
	return c.Channel.Close()
}

func (c *codedChannel) Close() error {
	if c.Err() == nil {
		c.code = status.NormalClosure
	}
	return c.Channel.Close()
}

func (c *codedChannel) CloseCode() status.Code { return c.code }
func (c *codedChannel) CloseReason() string    { return c.reason }
