//go:build !js

package wschannel

import (
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"

	"github.com/wschannel/wschannel/status"
)

// Channels open, count and end between the steps of a Snapshot. None of them waits
// for more than a step, each is counted once, and by no later Snapshot with less.
func TestCountersSnapshotInSteps(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	c := new(Counters)
	var open []*tally
	var all Counts // what a Snapshot would tell now
	all.Ended = map[status.Code]int64{}
	change := func() {
		switch n := len(open); {
		case n < 3*stride || random.IntN(4) == 0:
			open = append(open, newTally(new(engine), c))
			all.Open++
			all.Opened++
		case random.IntN(3) == 0:
			i := random.IntN(n)
			if random.IntN(2) == 0 && c.walk.next != nil {
				for i = 0; open[i] != c.walk.next; i++ { // where the walk is
				}
			}
			code := status.Code(1000 + random.IntN(3))
			open[i].finish(&CloseError{Code: code})
			open[i] = open[n-1]
			open = open[:n-1]
			all.Open--
			all.Ended[code]++
		default:
			open[random.IntN(n)].received(1, 10)
			all.MessagesIn++
			all.BytesIn += 10
		}
	}
	for range 1000 {
		change()
	}
	for range 50 {
		before := c.Snapshot()
		if !reflect.DeepEqual(before, all) {
			t.Fatalf("got %+v, want %+v", before, all)
		}
		s := c.startWalk()
		steps := 0
		for len(c.stroll(nil)) > 0 {
			steps++
			for range random.IntN(300) {
				change()
			}
		}
		if steps < 3 {
			t.Fatalf("%d steps", steps)
		}
		if s.Open != before.Open || s.Opened != before.Opened || !reflect.DeepEqual(s.Ended, before.Ended) {
			t.Errorf("%+v: as many as when it began, as in %+v, are expected", s, before)
		}
		if s.MessagesIn < before.MessagesIn || s.MessagesIn > all.MessagesIn || s.BytesIn != 10*s.MessagesIn {
			t.Errorf("%+v is not between %+v and %+v", s, before, all)
		}
	}
}

// Several Snapshots at once tell the same.
func TestCountersSnapshotsAtOnce(t *testing.T) {
	c := new(Counters)
	for range 5 * stride {
		newTally(new(engine), c).received(1, 1)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 20 {
				if s := c.Snapshot(); s.Open != 5*stride || s.MessagesIn != 5*stride || s.Buffered != 0 {
					t.Errorf("got %+v", s)
				}
			}
		})
	}
	all.Wait()
}
