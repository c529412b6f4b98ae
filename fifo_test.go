//go:build !js

package wschannel

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// A fifo does what a slice does, keeps nothing that has gone, and grows no larger
// than what it holds asks for.
func TestFifo(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var f fifo[*int]
	var want []*int
	most := 0
	for step := range 20_000 {
		n := &step
		switch chance := r.IntN(100); {
		case chance < 48 && len(want) < 50:
			f.push(n)
			want = append(want, n)
		case chance < 51:
			f.putBack(n)
			want = slices.Insert(want, 0, n)
		case chance < 55:
			all := len(want)
			which := step - r.IntN(60)
			is := func(p *int) bool { return *p == which }
			want = slices.DeleteFunc(want, is)
			if got := f.remove(is); got != (len(want) < all) {
				t.Fatalf("step %d: remove returned %v", step, got)
			}
		case len(want) > 0:
			if got := f.pop(); got != want[0] {
				t.Fatalf("step %d: %d came instead of %d", step, *got, *want[0])
			}
			want = want[1:]
		}
		if f.len() != len(want) || !slices.Equal(f.items[f.from:], want) || len(want) > 0 && *f.first() != want[0] {
			t.Fatalf("step %d: %d wait instead of %d, or others", step, f.len(), len(want))
		}
		for i, p := range f.items[:cap(f.items)] {
			if p != nil && (i < f.from || i >= len(f.items)) {
				t.Fatalf("step %d: one that has gone is kept", step)
			}
		}
		if len(want) == 0 && f.items != nil {
			t.Fatalf("step %d: an empty one holds memory", step)
		}
		most = max(most, len(want))
	}
	if most < 40 {
		t.Errorf("no more than %d have waited at a time", most)
	}
	f = fifo[*int]{}
	for range 20_000 { // and it is never empty
		if f.len() == 10 {
			f.pop()
		}
		f.push(&most)
	}
	if room := cap(f.items); room > 40 {
		t.Errorf("there is room for %d, and no more than 10 have waited", room)
	}
}
