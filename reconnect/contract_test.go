package reconnect_test

import (
	"context"
	"errors"
	"testing"

	"github.com/wschannel/wschannel/reconnect"
	"github.com/wschannel/wschannel/streamchannel"
	"github.com/wschannel/wschannel/streamchannel/channeltest"
)

var _ interface {
	streamchannel.Channel[int, string]
	streamchannel.Coded
} = (*reconnect.Channel[int, string])(nil)

// once dials a link that there is only once: its end is the end.
func once(link channeltest.Channel) func(context.Context) (channeltest.Channel, error) {
	return func(context.Context) (channeltest.Channel, error) {
		if link == nil {
			return nil, errors.New("the link is used up")
		}
		l := link
		link = nil
		return l, nil
	}
}

// opened waits for the link: before, a Close with nothing to send does without.
func opened(t *testing.T, c *reconnect.Channel[[]byte, []byte]) channeltest.Channel {
	for s := range c.States(t.Context()) {
		if s.Phase == reconnect.Open {
			break
		}
	}
	return c
}

func TestContract(t *testing.T) {
	for _, capacity := range []int{0, 2, 64} {
		for _, queue := range []int{-1, 1, 64} {
			channeltest.RunInBubble(t, func(t *testing.T) (near, far channeltest.Channel) {
				a, b := streamchannel.Pair[[]byte, []byte](capacity)
				o := &reconnect.Options[channeltest.Channel, []byte]{
					Retry:      func(error) bool { return false },
					QueueLimit: queue,
				}
				return opened(t, reconnect.New(once(a), o)), b
			})
		}
	}
}

// One end reconnects to an end that does the same.
func TestContractOfBothEnds(t *testing.T) {
	channeltest.Run(t, func(t *testing.T) (near, far channeltest.Channel) {
		a, b := streamchannel.Pair[[]byte, []byte](2)
		o := &reconnect.Options[channeltest.Channel, []byte]{
			Retry:   func(error) bool { return false },
			OnDoubt: func(reconnect.Doubt[[]byte]) [][]byte { return nil },
		}
		return opened(t, reconnect.New(once(a), o)), opened(t, reconnect.New(once(b), o))
	})
}
