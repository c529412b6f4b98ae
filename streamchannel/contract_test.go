package streamchannel_test

import (
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
