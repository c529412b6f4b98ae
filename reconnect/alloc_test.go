//go:build !race

package reconnect_test

import (
	"context"
	"testing"

	"github.com/wschannel/wschannel/reconnect"
	"github.com/wschannel/wschannel/streamchannel"
)

// endless takes and has every message.
type endless struct {
	streamchannel.Channel[int, int]
}

func (endless) Send(context.Context, int) error            { return nil }
func (endless) Receive(context.Context) (n int, err error) { return 1, nil }

// Over an open link there is nothing to remember.
func TestAllocSendReceive(t *testing.T) {
	near, _ := streamchannel.Pair[int, int](0)
	c := reconnect.New(func(context.Context) (endless, error) { return endless{near}, nil }, nil)
	defer c.Close()
	for s := range c.States(t.Context()) {
		if s.Phase == reconnect.Open {
			break
		}
	}
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() { c.Send(ctx, 1) }); n > 0 {
		t.Errorf("Send allocates %v times, want 0", n)
	}
	if n := testing.AllocsPerRun(100, func() { c.Receive(ctx) }); n > 0 {
		t.Errorf("Receive allocates %v times, want 0", n)
	}
}

func BenchmarkSend(b *testing.B) {
	near, _ := streamchannel.Pair[int, int](0)
	c := reconnect.New(func(context.Context) (endless, error) { return endless{near}, nil }, nil)
	defer c.Close()
	ctx := b.Context()
	for b.Loop() {
		c.Send(ctx, 1)
	}
}
