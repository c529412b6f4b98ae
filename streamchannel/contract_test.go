package streamchannel_test

import (
	"bytes"
	"encoding/hex"
	"strconv"
	"testing"

	"github.com/wschannel/wschannel/streamchannel"
	"github.com/wschannel/wschannel/streamchannel/channeltest"
)

// bytesPair is what most channels under test are made of.
func bytesPair(capacity int) (near, far channeltest.Channel) {
	return streamchannel.Pair[[]byte, []byte](capacity)
}

// proveContract tests the contract on a channel that connect makes of one end
// of a pair, for several capacities of that pair.
func proveContract(t *testing.T, connect func(t *testing.T, near channeltest.Channel) channeltest.Channel) {
	for _, capacity := range []int{0, 1, 64} {
		t.Run("capacity "+strconv.Itoa(capacity), func(t *testing.T) {
			channeltest.RunInBubble(t, func(t *testing.T) (near, far channeltest.Channel) {
				near, far = bytesPair(capacity)
				return connect(t, near), far
			})
		})
	}
}

func TestPairContract(t *testing.T) {
	proveContract(t, func(_ *testing.T, near channeltest.Channel) channeltest.Channel { return near })
}

// Two pairs and the pipe between them are a channel again, and one whose ends
// learn late from each other.
func TestPipeContract(t *testing.T) {
	proveContract(t, func(t *testing.T, b channeltest.Channel) channeltest.Channel {
		near, a := bytesPair(1)
		go streamchannel.Pipe(t.Context(), a, b)
		return near
	})
}

// same is a Transformer with a state that changes nothing.
func same() streamchannel.Transformer[[]byte, []byte] {
	return streamchannel.Stateful(func() (step func([]byte, func([]byte)) error, flush func(func([]byte))) {
		return func(m []byte, emit func([]byte)) error { emit(m); return nil }, func(func([]byte)) {}
	})
}

// copied is a transformation without a state.
func copied(m []byte) ([]byte, error) { return bytes.Clone(m), nil }

func TestTransformContract(t *testing.T) {
	always := streamchannel.Filter(func([]byte) bool { return true })
	for name, transform := range map[string]func(channeltest.Channel) channeltest.Channel{
		"Map, Filter": func(ch channeltest.Channel) channeltest.Channel {
			return streamchannel.Transform(ch, always, streamchannel.Map(copied))
		},
		"stream with state": func(ch channeltest.Channel) channeltest.Channel {
			return streamchannel.TransformStream(ch, same())
		},
		"sink with state": func(ch channeltest.Channel) channeltest.Channel {
			return streamchannel.TransformSink(ch, same())
		},
		"both, on wrappers": func(ch channeltest.Channel) channeltest.Channel {
			return streamchannel.Transform(streamchannel.Transform(ch, same(), always), always, same())
		},
	} {
		t.Run(name, func(t *testing.T) {
			proveContract(t, func(_ *testing.T, near channeltest.Channel) channeltest.Channel { return transform(near) })
		})
	}
}

func TestCodecContract(t *testing.T) {
	hex := streamchannel.Codec[string, []byte, []byte]{
		Decode: hex.DecodeString,
		Encode: func(b []byte) (string, error) { return hex.EncodeToString(b), nil },
	}
	channeltest.RunInBubble(t, func(t *testing.T) (near, far channeltest.Channel) {
		a, b := streamchannel.Pair[string, string](1)
		return hex.Bind(a), hex.Bind(b)
	})
}

func TestJSONContract(t *testing.T) {
	channeltest.RunInBubble(t, func(t *testing.T) (near, far channeltest.Channel) {
		a, b := streamchannel.Pair[string, string](1)
		return streamchannel.JSON[[]byte, []byte](a, nil),
			streamchannel.JSON[[]byte, []byte](b, &streamchannel.JSONOptions{UseNumber: true, KeepHTML: true})
	})
}
