package streamchannel_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/wschannel/wschannel/streamchannel"
)

type (
	intMux        = *streamchannel.Mux[int, int]
	intMuxChannel = *streamchannel.MuxChannel[int, int]
	intEnvelope   = streamchannel.Envelope[int]
	intCarrier    = streamchannel.Channel[intEnvelope, intEnvelope]
)

// muxed gives run two Muxes that are connected, and what they run on. At the end
// of the bubble nothing of them may be left.
func muxed(t *testing.T, run func(t *testing.T, a, b intMux, below intCarrier)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		near, far := streamchannel.Pair[intEnvelope, intEnvelope](1)
		a, b := streamchannel.NewMux(near, nil), streamchannel.NewMux(far, nil)
		defer b.Close()
		defer a.Close()
		run(t, a, b, near)
	})
}

// kinds are the kinds of channels, each as seen from one end. others are ten more
// channels at the second end which must notice nothing.
var kinds = map[string]func(t *testing.T, a, b intMux) (v1, v2 intMuxChannel){
	"default": func(_ *testing.T, a, b intMux) (v1, v2 intMuxChannel) { return a.Default(), b.Default() },
	"opened":  func(t *testing.T, a, b intMux) (v1, v2 intMuxChannel) { return openJoin(t, a, b) },
	"joined": func(t *testing.T, a, b intMux) (v1, v2 intMuxChannel) {
		v2, v1 = openJoin(t, b, a)
		return v1, v2
	},
}

func openJoin(t *testing.T, a, b intMux) (opened, joined intMuxChannel) {
	t.Helper()
	opened, err := a.Open()
	if err != nil {
		t.Fatal(err)
	}
	joined, err = b.Join(opened.ID())
	if err != nil {
		t.Fatal(err)
	}
	return opened, joined
}

// eachKind runs a test with each kind of channel, beside ten others.
func eachKind(t *testing.T, run func(t *testing.T, v1, v2 intMuxChannel)) {
	for name, connect := range kinds {
		t.Run(name, func(t *testing.T) {
			muxed(t, func(t *testing.T, a, b intMux, below intCarrier) {
				v1, v2 := connect(t, a, b)
				var others []intMuxChannel
				for range 5 {
					x, y := openJoin(t, a, b)
					z, w := openJoin(t, b, a)
					others = append(others, x, y, z, w)
				}
				run(t, v1, v2)
				synctest.Wait()
				for _, c := range others {
					if err := c.Err(); err != nil {
						t.Errorf("another channel has ended: %v", err)
					}
					if n, err := c.Receive(cancelled()); err != context.Canceled {
						t.Errorf("another channel received %d, %v", n, err)
					}
				}
				if err := below.Err(); err != nil {
					t.Errorf("what they run on has ended: %v", err)
				}
			})
		})
	}
}

// T123 T129 T136
func TestMuxDelivers(t *testing.T) {
	eachKind(t, func(t *testing.T, v1, v2 intMuxChannel) {
		sendAll(t, v1, 1, 2)
		for _, want := range []int{1, 2} {
			if n, err := v2.Receive(t.Context()); n != want || err != nil {
				t.Errorf("received %d, %v, want %d", n, err, want)
			}
		}
	})
}

// T124 T125 T130 T131 T137 T138: a close ends both ends, and what they run on
// stays open as long as another channel is. T128 T134 T141
func TestMuxCloses(t *testing.T) {
	eachKind(t, func(t *testing.T, v1, v2 intMuxChannel) {
		v1.Close()
		for _, v := range []intMuxChannel{v1, v2} {
			want(t, "received", collect(t, v))
			<-v.Done()
		}
	})
}

// T126 T132 T139: who stops receiving does not close. T150 T154
func TestMuxStopReceiving(t *testing.T) {
	eachKind(t, func(t *testing.T, v1, v2 intMuxChannel) {
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan error, 1)
		go func() { _, err := v1.Receive(ctx); stopped <- err }()
		synctest.Wait()
		cancel()
		if err := <-stopped; err != context.Canceled || v1.Err() != nil {
			t.Errorf("Receive: %v, Err: %v", err, v1.Err())
		}
		sendAll(t, v1, 1, 2, 3)
		v1.Close()
		want(t, "sent", collect(t, v2), 1, 2, 3)
	})
}

// T148 T152: a local close in the middle of what is under way.
func TestMuxCloseInTheMiddle(t *testing.T) {
	eachKind(t, func(t *testing.T, v1, v2 intMuxChannel) {
		sendAll(t, v1, 1, 2, 3)
		var got []int
		for n := range streamchannel.Messages(t.Context(), v2) {
			got = append(got, n)
			v2.Close()
		}
		want(t, "received", got, 1)
	})
}

// T149 T151 T153 T155: what is sent after the peer's close goes nowhere, also if
// nobody was receiving when that came.
func TestMuxSendAfterPeersClose(t *testing.T) {
	eachKind(t, func(t *testing.T, v1, v2 intMuxChannel) {
		v1.Close()
		<-v2.Done()
		if err := v2.Send(t.Context(), 3); err != streamchannel.ErrClosed {
			t.Errorf("Send: %v", err)
		}
		v2.Close()
		synctest.Wait()
		want(t, "received", collect(t, v1))
	})
}

// T127 T133 T140: the last channel closes what all run on, whichever it is.
func TestMuxLastChannel(t *testing.T) {
	for name, connect := range kinds {
		t.Run(name, func(t *testing.T) {
			muxed(t, func(t *testing.T, a, b intMux, below intCarrier) {
				v1, _ := connect(t, a, b)
				if v1 != a.Default() {
					a.Default().Close()
					synctest.Wait()
				}
				if err := below.Err(); err != nil {
					t.Fatalf("ended too early: %v", err)
				}
				v1.Close()
				<-below.Done()
				<-a.Done()
				<-b.Done()
			})
		})
	}
}

// T135: both ends may open a channel under the same ID.
func TestMuxSameID(t *testing.T) {
	muxed(t, func(t *testing.T, a, b intMux, _ intCarrier) {
		v1, v2 := openJoin(t, a, b)
		w2, w1 := openJoin(t, b, a)
		if v1.ID() != w2.ID() || v1.ID() != v2.ID() || v1.ID() != 1 {
			t.Fatalf("ids %d %d %d %d", v1.ID(), v2.ID(), w1.ID(), w2.ID())
		}
		for i, c := range []intMuxChannel{v1, v2, w1, w2} {
			sendAll(t, c, i)
		}
		for c, want := range map[intMuxChannel]int{v2: 0, v1: 1, w2: 2, w1: 3} {
			if n, err := c.Receive(t.Context()); n != want || err != nil {
				t.Errorf("received %d, %v, want %d", n, err, want)
			}
		}
	})
}

// T142: an ID is joined once.
func TestMuxJoinErrors(t *testing.T) {
	muxed(t, func(t *testing.T, a, b intMux, _ intCarrier) {
		v1, v2 := openJoin(t, a, b)
		refused := func(id uint64) {
			t.Helper()
			var bad *streamchannel.IDError
			if c, err := b.Join(id); c != nil || !errors.As(err, &bad) || bad.ID != id || errors.Is(err, streamchannel.ErrClosed) {
				t.Errorf("Join(%d): %v, %v", id, c, err)
			}
		}
		refused(v1.ID())
		v2.Close()
		refused(v1.ID())
		for _, id := range []uint64{0, 2, 1 << 53, 1<<53 - 1, 1<<64 - 1} {
			refused(id)
		}
	})
}

// T143: what comes before the channel is taken waits for it.
func TestMuxEarlyMessages(t *testing.T) {
	take := map[string]func(t *testing.T, b intMux) (intMuxChannel, error){
		"Join":   func(_ *testing.T, b intMux) (intMuxChannel, error) { return b.Join(1) },
		"Accept": func(t *testing.T, b intMux) (intMuxChannel, error) { return b.Accept(t.Context()) },
	}
	for name, take := range take {
		muxed(t, func(t *testing.T, a, b intMux, _ intCarrier) {
			v1, _ := a.Open()
			sendAll(t, v1, 1)
			synctest.Wait()
			sendAll(t, v1, 2)
			v2, err := take(t, b)
			if err != nil || v2.ID() != v1.ID() {
				t.Fatalf("%s: %v", name, err)
			}
			sendAll(t, v2, 3)
			if n, err := v1.Receive(t.Context()); n != 3 || err != nil {
				t.Errorf("%s: the other way: %d, %v", name, n, err)
			}
			v1.Close()
			want(t, name, collect(t, v2), 1, 2)
		})
	}
	// A peer that answers before we have opened: it has guessed the ID.
	muxed(t, func(t *testing.T, a, b intMux, _ intCarrier) {
		v2, _ := b.Join(1)
		sendAll(t, v2, 1)
		synctest.Wait()
		v1, _ := a.Open()
		if n, err := v1.Receive(t.Context()); n != 1 || err != nil {
			t.Errorf("received %d, %v", n, err)
		}
	})
}

// T144 X29: the close of a channel that nobody has taken is remembered.
func TestMuxEarlyClose(t *testing.T) {
	muxed(t, func(t *testing.T, a, b intMux, _ intCarrier) {
		v1, _ := a.Open()
		v1.Close()
		synctest.Wait()
		v2, err := b.Join(v1.ID())
		if err != nil {
			t.Fatal(err)
		}
		want(t, "received", collect(t, v2))
		if err := v2.Send(t.Context(), 1); err != streamchannel.ErrClosed {
			t.Errorf("Send: %v", err)
		}
	})
}

// T145: the end of what they run on is the end of all.
func TestMuxEnd(t *testing.T) {
	muxed(t, func(t *testing.T, a, b intMux, below intCarrier) {
		v1, v2 := openJoin(t, a, b)
		sendAll(t, v1, 1)
		sendAll(t, b.Default(), 2)
		unknown, _ := b.Open()
		sendAll(t, unknown, 3)
		synctest.Wait()
		below.Close()
		for _, m := range []intMux{a, b} {
			<-m.Done()
			if err := m.Err(); err != streamchannel.ErrClosed {
				t.Errorf("Err: %v", err)
			}
		}
		want(t, "joined", collect(t, v2), 1)
		want(t, "default", collect(t, a.Default()), 2)
		want(t, "opened", collect(t, v1))
		c, err := a.Accept(cancelled())
		if err != nil {
			t.Fatalf("Accept of one that had arrived: %v", err)
		}
		want(t, "accepted", collect(t, c), 3)
		if c, err := a.Accept(t.Context()); err != streamchannel.ErrClosed {
			t.Errorf("Accept: %v, %v", c, err)
		}
	})
}

// T146 T173: then there are no new channels.
func TestMuxOpenAfterTheEnd(t *testing.T) {
	muxed(t, func(t *testing.T, a, b intMux, _ intCarrier) {
		a.Default().Close()
		<-b.Done()
		for _, m := range []intMux{a, b} {
			for range 2 {
				if c, err := m.Open(); !errors.Is(err, streamchannel.ErrClosed) {
					t.Errorf("Open: %v, %v", c, err)
				}
			}
			if c, err := m.Join(1); !errors.Is(err, streamchannel.ErrClosed) {
				t.Errorf("Join: %v, %v", c, err)
			}
			if err := m.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
	})
}

// Close of a Mux lets go out what was accepted before, and ends everything.
func TestMuxClose(t *testing.T) {
	muxed(t, func(t *testing.T, a, b intMux, _ intCarrier) {
		v1, v2 := openJoin(t, a, b)
		sendAll(t, v1, 1, 2, 3)
		if err := a.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if n, err := v1.Receive(t.Context()); err != streamchannel.ErrClosed {
			t.Errorf("received %d, %v", n, err)
		}
		want(t, "received", collect(t, v2), 1, 2, 3)
		<-a.Done()
		<-b.Done()
	})
}

// Accept waits, gives each channel once, and stops with ctx.
func TestMuxAccept(t *testing.T) {
	muxed(t, func(t *testing.T, a, b intMux, _ intCarrier) {
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { _, err := b.Accept(ctx); result <- err }()
		synctest.Wait()
		cancel()
		if err := <-result; err != context.Canceled {
			t.Errorf("Accept: %v", err)
		}

		got := make(chan uint64, 10)
		for range 10 {
			go func() {
				c, err := b.Accept(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				got <- c.ID()
			}()
		}
		synctest.Wait()
		for n := range 10 {
			v, _ := a.Open()
			sendAll(t, v, n, n)
		}
		seen := map[uint64]bool{}
		for range 10 {
			id := <-got
			if seen[id] {
				t.Errorf("channel %d was given twice", id)
			}
			seen[id] = true
		}
	})
}

// What a Mux runs on fails for a reason of its own: that is the end of all.
func TestMuxFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, _ := streamchannel.Pair[intEnvelope, intEnvelope](0)
		ctx, cancel := context.WithCancel(t.Context())
		go near.Receive(ctx) // which nobody may but the Mux
		synctest.Wait()
		m := streamchannel.NewMux(near, nil)
		<-m.Done()
		err := m.Err()
		if !errors.Is(err, streamchannel.ErrConcurrentReceive) || !errors.Is(err, streamchannel.ErrClosed) || m.Default().Err() != err {
			t.Errorf("Err: %v, of the default channel: %v", err, m.Default().Err())
		}
		<-near.Done()
		cancel()
	})
}

// Sends that wait return at the end, and one that is cancelled returns at once
// though what it runs on takes nothing.
func TestMuxBlockedSends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, _ := streamchannel.Pair[intEnvelope, intEnvelope](0)
		m := streamchannel.NewMux(near, nil)
		v, _ := m.Open()
		results := make(chan error, 3)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { results <- m.Default().Send(ctx, 1) }() // the writer has this one
		synctest.Wait()
		go func() { results <- m.Default().Send(ctx, 2) }()
		synctest.Wait()
		cancel()
		accepted, refused := <-results, <-results
		if accepted != nil {
			accepted, refused = refused, accepted
		}
		if accepted != nil || refused != context.Canceled {
			t.Errorf("Send: %v and %v, want one accepted and one cancelled", accepted, refused)
		}
		go func() { results <- v.Send(t.Context(), 3) }()
		synctest.Wait()
		v.Close()
		if err := <-results; err != streamchannel.ErrClosed {
			t.Errorf("Send: %v", err)
		}
		if err := m.Close(); err != nil { // after 5 s, as nobody takes anything
			t.Errorf("Close: %v", err)
		}
		if m.Err() == nil {
			<-m.Done()
		}
	})
}

func TestMuxNegativeOptions(t *testing.T) {
	for _, o := range []streamchannel.MuxOptions{{Capacity: -1}, {Backlog: -1}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("no panic for %+v", o)
				}
			}()
			near, _ := streamchannel.Pair[intEnvelope, intEnvelope](0)
			streamchannel.NewMux(near, &o)
		}()
	}
}
