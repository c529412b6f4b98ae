package streamchannel_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/wschannel/wschannel/streamchannel"
	"github.com/wschannel/wschannel/streamchannel/channeltest"
)

// sloppyStream lends its memory, names its ends as it likes, and has another one
// each time.
type sloppyStream struct {
	stream streamchannel.Stream[[]byte]
	buffer []byte
}

func (s *sloppyStream) Receive(ctx context.Context) ([]byte, error) {
	m, err := s.stream.Receive(ctx)
	if errors.Is(err, streamchannel.ErrClosed) {
		return nil, io.EOF
	}
	s.buffer = append(s.buffer[:0], m...)
	return s.buffer, err
}

// sloppySink keeps what it is given, and cannot be used by two at a time.
type sloppySink struct {
	t      *testing.T
	sink   streamchannel.Sink[[]byte]
	kept   [][]byte
	closed bool
}

func (s *sloppySink) Send(ctx context.Context, m []byte) error {
	if s.closed {
		s.t.Error("Send after Close")
	}
	s.kept = append(s.kept, m)
	err := s.sink.Send(ctx, m)
	clear(m)
	return err
}

func (s *sloppySink) Close() error {
	if s.closed {
		s.t.Error("Close after Close")
	}
	s.closed = true
	return s.sink.Close()
}

// T074 T081
func TestGuardContract(t *testing.T) {
	t.Run("of what keeps the contract", func(t *testing.T) {
		proveContract(t, func(_ *testing.T, near channeltest.Channel) channeltest.Channel {
			return streamchannel.Guard(near, near)
		})
	})
	t.Run("of what does not", func(t *testing.T) {
		proveContract(t, func(t *testing.T, near channeltest.Channel) channeltest.Channel {
			return streamchannel.Guard(&sloppyStream{stream: near}, &sloppySink{t: t, sink: near})
		})
	})
}

// T162
func TestFromChansContract(t *testing.T) {
	for _, capacity := range []int{0, 1, 64} {
		channeltest.RunInBubble(t, func(*testing.T) (near, far channeltest.Channel) {
			there, back := make(chan []byte, capacity), make(chan []byte, capacity)
			return streamchannel.FromChans(back, there), streamchannel.FromChans(there, back)
		})
	}
}

func TestWithStreamAndSinkContract(t *testing.T) {
	proveContract(t, func(_ *testing.T, near channeltest.Channel) channeltest.Channel {
		return streamchannel.WithStream(near, near)
	})
	proveContract(t, func(_ *testing.T, near channeltest.Channel) channeltest.Channel {
		return streamchannel.WithSink(near, near)
	})
}

// T115
func TestDisconnectorContract(t *testing.T) {
	proveContract(t, func(_ *testing.T, near channeltest.Channel) channeltest.Channel {
		return streamchannel.WithDisconnector(near, new(streamchannel.Disconnector))
	})
}

func TestDeferredContract(t *testing.T) {
	for name, resolve := range map[string]func(func()){
		"resolved before":    func(resolve func()) { resolve() },
		"resolved meanwhile": func(resolve func()) { go resolve() },
	} {
		t.Run(name, func(t *testing.T) {
			proveContract(t, func(t *testing.T, near channeltest.Channel) channeltest.Channel {
				d := streamchannel.NewDeferred[[]byte, []byte](3)
				resolve(func() { d.Resolve(near, nil) })
				return d
			})
		})
	}
}

func TestSubscriptionContract(t *testing.T) {
	for name, full := range map[string]streamchannel.WhenFull{
		"wait": streamchannel.WaitWhenFull,
		"end":  streamchannel.EndWhenFull,
	} {
		t.Run(name, func(t *testing.T) {
			proveContract(t, func(_ *testing.T, near channeltest.Channel) channeltest.Channel {
				fan := streamchannel.NewFanOut(near)
				return streamchannel.WithStream(near, fan.Subscribe(1, full))
			})
		})
	}
}
