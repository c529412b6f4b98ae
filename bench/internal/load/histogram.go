package load

import (
	"math/bits"
	"time"
)

// A histogram counts durations in buckets of about 3 % width.
type histogram struct {
	buckets [40 * 32]int
	n       int
}

func (h *histogram) add(d time.Duration) {
	v := uint64(max(d, 1))
	e := max(bits.Len64(v)-6, 0)
	i := e*32 + int(v>>e)
	h.buckets[min(i, len(h.buckets)-1)]++
	h.n++
}

func (h *histogram) quantile(q float64) time.Duration {
	rest := int(q * float64(h.n))
	for i, n := range h.buckets {
		if rest -= n; rest < 0 {
			if i < 64 {
				return time.Duration(i)
			}
			e := i/32 - 1
			return time.Duration(uint64(i-e*32) << e)
		}
	}
	return 0
}
