//go:build !race

package deflate

import (
	"math"
	"runtime/debug"
	"testing"
)

// Whatever is big is shared: a message costs no allocation.
func TestAllocNothing(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // it would empty the pools
	messages := ticks(50)
	for _, how := range []How{{1, 15}, {3, 15}, {9, 15}, {1, 8}, {1, 12}} {
		for _, takeover := range []bool{false, true} {
			var sent, received *Window
			if takeover {
				sent, received = NewWindow(how.Bits), NewWindow(how.Bits)
			}
			var compressed, inflated []byte
			i := 0
			round := func() {
				m := messages[i%len(messages)]
				i++
				compressed = Compress(compressed[:0], m, how, sent)
				sent.Add(m)
				var err error
				if inflated, err = Inflate(inflated[:0], compressed, math.MaxInt, received); err != nil {
					t.Fatal(err)
				}
			}
			for range 3 * len(messages) {
				round()
			}
			if n := testing.AllocsPerRun(100, round); n >= 1 {
				t.Errorf("level %d, %d bits, takeover %v: %v allocations", how.Level, how.Bits, takeover, n)
			}
		}
	}
	c := Compress(nil, messages[0], How{1, 12}, nil)
	p := make([]byte, 1000)
	if n := testing.AllocsPerRun(100, func() {
		s := NewStream(nil)
		s.Feed(c)
		s.End()
		if _, err := s.Read(p); err != nil {
			t.Fatal(err)
		}
		s.Release()
	}); n >= 1 {
		t.Errorf("a Stream: %v allocations", n)
	}
}
