package channeltest_test

import (
	"testing"

	"github.com/wschannel/wschannel/streamchannel"
	"github.com/wschannel/wschannel/streamchannel/channeltest"
)

// In a test of your own, t is that test's.
func ExampleRun() {
	var t *testing.T
	channeltest.Run(t, func(*testing.T) (near, far channeltest.Channel) {
		return streamchannel.Pair[[]byte, []byte](1)
	})
}

// A channel of strings is tested by what a Codec makes of it.
func ExampleRunInBubble() {
	var t *testing.T
	texts := streamchannel.Codec[string, []byte, []byte]{
		Decode: func(s string) ([]byte, error) { return []byte(s), nil },
		Encode: func(b []byte) (string, error) { return string(b), nil },
	}
	channeltest.RunInBubble(t, func(*testing.T) (near, far channeltest.Channel) {
		a, b := streamchannel.Pair[string, string](1)
		return texts.Bind(a), texts.Bind(b)
	})
}
