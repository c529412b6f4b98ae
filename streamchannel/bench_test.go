package streamchannel_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/wschannel/wschannel/streamchannel"
)

// intChannel is what is measured: one message is sent into one end and received
// from the other. What a wrapper costs is the difference to the pair alone.
type intChannel = streamchannel.Channel[int, int]

// measured are the channels, and how many allocations a message may cost.
func measured() []measuredChannel {
	number := streamchannel.Map(func(n int) (int, error) { return n, nil })
	every := streamchannel.Filter(func(int) bool { return true })
	same := streamchannel.Stateful(func() (step func(int, func(int)) error, flush func(func(int))) {
		return func(n int, emit func(int)) error { emit(n); return nil }, func(func(int)) {}
	})
	return []measuredChannel{
		{"Pair", 1, func(near, far intChannel) (from, to intChannel) { return near, far }},
		{"Map received", 1, func(near, far intChannel) (from, to intChannel) {
			return near, streamchannel.TransformStream(far, number)
		}},
		{"Map sent", 1, func(near, far intChannel) (from, to intChannel) {
			return streamchannel.TransformSink(near, number), far
		}},
		{"Filter received", 1, func(near, far intChannel) (from, to intChannel) {
			return near, streamchannel.TransformStream(far, every)
		}},
		{"Stateful received", 1, func(near, far intChannel) (from, to intChannel) {
			return near, streamchannel.TransformStream(far, same)
		}},
		{"Stateful sent", 1, func(near, far intChannel) (from, to intChannel) { return streamchannel.TransformSink(near, same), far }},
		{"WithStream", 1, func(near, far intChannel) (from, to intChannel) { return near, streamchannel.WithStream(far, far) }},
		{"WithSink", 1, func(near, far intChannel) (from, to intChannel) { return streamchannel.WithSink(near, near), far }},
		{"Disconnector", 1, func(near, far intChannel) (from, to intChannel) {
			return streamchannel.WithDisconnector(near, new(streamchannel.Disconnector)), far
		}},
		{"Deferred", 1, func(near, far intChannel) (from, to intChannel) {
			d := streamchannel.NewDeferred[int, int](0)
			d.Resolve(near, nil)
			return d, far
		}},
		{"FanOut to one", 7, func(near, far intChannel) (from, to intChannel) {
			return near, streamchannel.WithStream(far, streamchannel.NewFanOut(far).Subscribe(1, streamchannel.WaitWhenFull))
		}},
		{"Guard received", 2, func(near, far intChannel) (from, to intChannel) { return near, streamchannel.Guard(far, far) }},
		{"Guard sent", 6, func(near, far intChannel) (from, to intChannel) { return streamchannel.Guard(near, near), far }},
		{"FromChans both", 7, func(intChannel, intChannel) (from, to intChannel) {
			there, back := make(chan int, 1), make(chan int, 1)
			return streamchannel.FromChans(back, there), streamchannel.FromChans(there, back)
		}},
		{"Pipe", 2, func(near, far intChannel) (from, to intChannel) {
			a, b := streamchannel.Pair[int, int](1)
			go streamchannel.Pipe(context.Background(), far, a)
			return near, b
		}},
		{"Mux both", 6, func(intChannel, intChannel) (from, to intChannel) {
			near, far := streamchannel.Pair[intEnvelope, intEnvelope](1)
			return streamchannel.NewMux(near, nil).Default(), streamchannel.NewMux(far, nil).Default()
		}},
		{"JSON both", 6, func(intChannel, intChannel) (from, to intChannel) {
			near, far := streamchannel.Pair[string, string](1)
			return streamchannel.JSON[int, int](near, nil), streamchannel.JSON[int, int](far, nil)
		}},
	}
}

type measuredChannel struct {
	name    string
	allocs  float64
	connect func(near, far intChannel) (from, to intChannel)
}

// carry sends a message through.
func carry(tb testing.TB, from, to intChannel) {
	if err := from.Send(tb.Context(), 1); err != nil {
		tb.Fatal(err)
	}
	if _, err := to.Receive(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}

func BenchmarkMessage(b *testing.B) {
	for _, c := range measured() {
		b.Run(c.name, func(b *testing.B) {
			from, to := c.connect(streamchannel.Pair[int, int](1))
			defer to.Close()
			defer from.Close()
			b.ReportAllocs()
			for b.Loop() {
				carry(b, from, to)
			}
		})
	}
}

// Messages that are bytes, through a Mux on each kind of carrier.
func BenchmarkEnvelopes(b *testing.B) {
	for name, carrier := range carriers {
		for _, size := range []int{100, 1 << 10, 16 << 10} {
			b.Run(fmt.Sprintf("on=%s/size=%d", name, size), func(b *testing.B) {
				near, far := carrier()
				defer far.Close()
				defer near.Close()
				message := make([]byte, size)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					if err := near.Default().Send(b.Context(), message); err != nil {
						b.Fatal(err)
					}
					if _, err := far.Default().Receive(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
