package streamchannel_test

import (
	"testing"

	"github.com/wschannel/wschannel/streamchannel"
	"github.com/wschannel/wschannel/streamchannel/channeltest"
)

type (
	envelope = streamchannel.Envelope[[]byte]
	mux      = *streamchannel.Mux[[]byte, []byte]
)

// carriers are what a Mux can run on.
var carriers = map[string]func() (a, b mux){
	"envelopes": func() (a, b mux) {
		near, far := streamchannel.Pair[envelope, envelope](1)
		return streamchannel.NewMux(near, nil), streamchannel.NewMux(far, nil)
	},
	"JSON": func() (a, b mux) {
		near, far := streamchannel.Pair[string, string](0)
		return streamchannel.NewMux(streamchannel.JSON[envelope, envelope](near, nil), nil),
			streamchannel.NewMux(streamchannel.JSON[envelope, envelope](far, nil), nil)
	},
	"compact": func() (a, b mux) {
		near, far := bytesPair(0)
		compact := streamchannel.CompactEnvelopes()
		return streamchannel.NewMux(compact.Bind(near), nil), streamchannel.NewMux(compact.Bind(far), nil)
	},
}

func TestMuxContract(t *testing.T) {
	for name, carrier := range carriers {
		t.Run(name, func(t *testing.T) {
			t.Run("default channel", func(t *testing.T) {
				channeltest.RunInBubble(t, func(t *testing.T) (near, far channeltest.Channel) {
					a, b := carrier()
					return a.Default(), b.Default()
				})
			})
			t.Run("joined", func(t *testing.T) {
				channeltest.RunInBubble(t, func(t *testing.T) (near, far channeltest.Channel) {
					a, b := carrier()
					t.Cleanup(func() { a.Close(); b.Close() })
					return joined(t, a, b)
				})
			})
		})
	}
}

// joined opens a channel at one Mux and joins it at the other.
func joined(t *testing.T, a, b mux) (near, far *streamchannel.MuxChannel[[]byte, []byte]) {
	t.Helper()
	near, err := a.Open()
	if err != nil {
		t.Fatal(err)
	}
	far, err = b.Join(near.ID())
	if err != nil {
		t.Fatal(err)
	}
	return near, far
}
