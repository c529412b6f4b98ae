package load

import (
	"testing"
	"time"
)

func TestHistogram(t *testing.T) {
	for _, d := range []time.Duration{1, 31, 32, 63, 64, 65, 1000, time.Millisecond, time.Second, time.Hour} {
		var h histogram
		h.add(d)
		if got := h.quantile(0.5); got > d || float64(got) < 0.96*float64(d) {
			t.Errorf("%v comes out as %v", d, got)
		}
	}
	var h histogram
	for i := range 1000 {
		h.add(time.Duration(i+1) * time.Microsecond)
	}
	if p50, p99 := h.quantile(0.5), h.quantile(0.99); p50 < 480*time.Microsecond || p50 > 501*time.Microsecond || p99 < 960*time.Microsecond || p99 > 992*time.Microsecond {
		t.Errorf("quantiles %v and %v of 1 to 1000 µs", p50, p99)
	}
}
