//go:build !js

package wschannel

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
)

func (r *right) isHeld() bool        { return r.state.Load()&rightHeld != 0 }
func (r *reception) isClaimed() bool { return r.state.Load()&claimed != 0 }

// One holder at a time, nobody is forgotten, and who goes away takes nothing along.
func TestRight(t *testing.T) {
	var r right
	inside, taken := 0, 0 // the race detector watches
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 2000 {
				stop := make(chan struct{})
				if i%3 == 0 {
					go close(stop)
				}
				if rand.IntN(4) > 0 {
					if !r.take(stop, nil) {
						continue
					}
				} else if !r.try() {
					continue
				}
				inside++
				taken++
				if inside != 1 {
					t.Errorf("%d holders", inside)
				}
				if rand.IntN(8) == 0 {
					runtime.Gosched()
				}
				inside--
				r.release()
			}
		})
	}
	all.Wait()
	if !r.try() {
		t.Error("the right is lost")
	}
	if taken == 0 {
		t.Error("nobody has ever had it")
	}
}

// A holder that takes the right again at once does not keep others out.
func TestRightIsGivenToWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r right
		if !r.try() {
			t.Fatal("a new right is not free")
		}
		waited := async(func() bool { return r.take(nil, nil) })
		synctest.Wait()
		r.release()
		if r.try() {
			t.Error("taken although somebody waits")
		}
		if !<-waited {
			t.Error("not taken")
		}

		// Given to somebody who has gone away: it is free all the same.
		stop := make(chan struct{})
		gone := async(func() bool { return r.take(stop, nil) })
		synctest.Wait()
		close(stop)
		if <-gone {
			t.Error("taken while held")
		}
		r.state.Add(rightWaiter) // as if that one had not gone yet
		r.release()
		r.state.Add(minus(rightWaiter))
		if !r.try() || r.try() {
			t.Error("a right that nobody holds is to be had once")
		}
	})
}

// However many receivers are there, and however many there have been, nothing else
// in the same word changes.
func TestReceptionCounts(t *testing.T) {
	var r reception
	r.claim()
	r.state.Add(oneReceive * (1<<24 - 1000)) // there have been that many
	const many = oneReceive/oneThere + 1000
	before := r.receives()
	for range many {
		r.enter()
	}
	if !r.isClaimed() || r.isHeld() || !r.anybody() {
		t.Errorf("%#x while %d are there", r.state.Load(), many)
	}
	for range many {
		r.leave()
	}
	if got := (r.receives() - before) % (1 << 24); !r.isClaimed() || r.isHeld() || r.anybody() || got != many {
		t.Errorf("%#x after %d have left; %d are counted", r.state.Load(), many, got)
	}
	r.unclaim()
	if !r.begin() || r.claim() || r.try() || !r.anybody() {
		t.Errorf("%#x while one receives", r.state.Load())
	}
	if r.end(); r.isClaimed() || r.isHeld() || r.anybody() {
		t.Errorf("%#x when that one has left", r.state.Load())
	}
}
