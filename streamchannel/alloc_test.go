//go:build !race

package streamchannel_test

import (
	"testing"

	"github.com/wschannel/wschannel/streamchannel"
)

// A wrapper without a goroutine costs no allocation but that of the pair below
// it, and the others no more than is written here.
func TestAllocMessage(t *testing.T) {
	for _, c := range measured() {
		t.Run(c.name, func(t *testing.T) {
			from, to := c.connect(streamchannel.Pair[int, int](1))
			defer to.Close()
			defer from.Close()
			if n := testing.AllocsPerRun(200, func() { carry(t, from, to) }); n > c.allocs {
				t.Errorf("%v allocations a message, at most %v", n, c.allocs)
			}
		})
	}
}
