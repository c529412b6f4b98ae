package epoll

import (
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// counted counts the calls of a handler that does nothing else.
func counted(c *Conn) (calls *atomic.Int64, h Handler) {
	calls = new(atomic.Int64)
	return calls, handlerFunc(func() bool { calls.Add(1); return false })
}

// A handler is called at first, when something has come, when it is nudged, by a
// read deadline that has passed, and by a hang-up; and not when it is over.
func TestHandlerIsCalled(t *testing.T) {
	onEach(t, func(t *testing.T, c *Conn, far net.Conn) {
		calls, h := counted(c)
		next := func(why string) {
			t.Helper()
			eventually(t, "the call for "+why, func() bool { return calls.Load() > 0 && c.turn.Load() == resting })
			calls.Store(0)
		}
		c.Nudge() // nobody
		c.Watch(h)
		next("the beginning")
		write(t, far, "something")
		next("what has come")
		write(t, far, "more")
		next("what has come although nothing was read")
		c.Nudge()
		next("a nudge")
		c.SetReadDeadline(time.Unix(1, 0))
		next("a deadline")
		c.SetReadDeadline(time.Time{})
		c.Watch(nil)
		c.Nudge()
		write(t, far, "and more")
		other, h := counted(c)
		c.Watch(h)
		eventually(t, "the other", func() bool { return other.Load() > 0 })
		if n := calls.Load(); n > 0 {
			t.Errorf("%d calls of what is not to be called any more", n)
		}
		calls = other
		next("the other")
		if c.HungUp() {
			t.Error("the peer is said to have hung up")
		}
		far.Close()
		eventually(t, "the hang-up", c.HungUp)
		next("the hang-up")
		wantRead(t, c, "somethingmoreand more")
		c.Close()
		c.Nudge()
		next("a nudge of what is closed")
	})
}

// Two calls of one handler never overlap, and what happens during a call leads to
// another.
func TestHandlerTurns(t *testing.T) {
	c, far := adopted(t)
	in, goOn := make(chan bool), make(chan bool)
	var inside atomic.Int32
	c.Watch(handlerFunc(func() bool {
		if inside.Add(1) > 1 {
			t.Error("two at a time")
		}
		in <- true
		<-goOn
		inside.Add(-1)
		return false
	}))
	for _, what := range []func(){
		func() { write(t, far, "x"); blockedIn(t, c, wanted) },
		func() { c.Nudge() },
		func() { c.Nudge(); c.Nudge() },
	} {
		await(t, "the call", in)
		what()
		goOn <- true
	}
	await(t, "the last call", in)
	c.Watch(nil)
	close(goOn)
	blockedIn(t, c, resting)
}

func blockedIn(t *testing.T, c *Conn, turn int32) {
	t.Helper()
	eventually(t, "the turn to change", func() bool { return c.turn.Load() == turn })
}

// onOneLoop returns sockets of one loop, and their peers.
func onOneLoop(t *testing.T, n int) (all []*Conn, far []net.Conn) {
	for len(all) < n {
		c, f := adopted(t)
		if len(all) == 0 || c.loop == all[0].loop {
			all, far = append(all, c), append(far, f)
		}
	}
	return all, far
}

// A handler that blocks stalls nobody, in whatever way it blocks.
func TestHandlerThatBlocks(t *testing.T) {
	for _, way := range []struct {
		name  string
		block func(c *Conn, released chan bool)
	}{
		{"on a channel", func(c *Conn, released chan bool) { <-released }},
		{"in a loop", func(c *Conn, released chan bool) {
			for !isOver(released) {
			}
		}},
		{"in a read", func(c *Conn, released chan bool) { c.Read(make([]byte, 1)); c.Read(make([]byte, 1)); <-released }},
		{"in a write", func(c *Conn, released chan bool) { c.Write(make([]byte, 32<<20)); <-released }},
	} {
		t.Run(way.name, func(t *testing.T) {
			all, far := onOneLoop(t, 2)
			released, in := make(chan bool), make(chan bool, 1)
			var begun atomic.Bool
			quiet(t, all[0], handlerFunc(func() bool {
				if begun.CompareAndSwap(false, true) {
					in <- true
					way.block(all[0], released)
				}
				return false
			}), &begun)
			calls, h := counted(all[1])
			quietly(t, all[1], h, calls)
			write(t, far[0], "x")
			await(t, "the one that blocks", in)
			for range 100 {
				calls.Store(0)
				write(t, far[1], "x")
				eventually(t, "the other", func() bool { return calls.Load() > 0 })
			}
			close(released)
			all[0].Close()
			blockedIn(t, all[0], resting)
		})
	}
}

func isOver(c chan bool) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// quiet has h watch c, without being called for the beginning.
func quiet(t *testing.T, c *Conn, h Handler, begun *atomic.Bool) {
	begun.Store(true)
	c.Watch(h)
	eventually(t, "the first call", func() bool { return c.turn.Load() == resting })
	begun.Store(false)
}

func quietly(t *testing.T, c *Conn, h Handler, calls *atomic.Int64) {
	c.Watch(h)
	eventually(t, "the first call", func() bool { return calls.Load() > 0 && c.turn.Load() == resting })
}

// However many handlers block until all of them are there, all of them get there.
func TestHandlersThatWaitForEachOther(t *testing.T) {
	const n = 50
	for _, way := range []string{"on a channel", "in a read"} {
		t.Run(way, func(t *testing.T) {
			var arrived atomic.Int32
			complete := make(chan bool)
			var conns []*Conn
			var fars []net.Conn
			for range n {
				c, far := adopted(t)
				conns, fars = append(conns, c), append(fars, far)
				var begun, reads atomic.Bool
				quiet(t, c, handlerFunc(func() bool {
					if !begun.CompareAndSwap(false, true) {
						return false
					}
					if arrived.Add(1) == n {
						close(complete)
					}
					if way == "in a read" && reads.CompareAndSwap(false, true) {
						c.Read(make([]byte, 1))
						c.Read(make([]byte, 1))
					}
					<-complete
					return false
				}), &begun)
			}
			for _, far := range fars {
				write(t, far, "x")
			}
			await(t, "all of them", complete)
			for _, c := range conns {
				c.Close()
				blockedIn(t, c, resting)
			}
		})
	}
}

// A handler that ends its goroutine ends no loop, and takes no turn along that is
// due to another.
func TestHandlerEndsItsGoroutine(t *testing.T) {
	all, far := onOneLoop(t, 2)
	for _, stays := range []bool{true, false} {
		for range 20 {
			exits, begun := make(chan bool, 1), new(atomic.Bool)
			next, h := counted(all[0])
			quiet(t, all[0], handlerFunc(func() bool {
				if begun.CompareAndSwap(false, true) {
					if !stays {
						all[0].Watch(h)
					}
					exits <- true
					runtime.Goexit()
				}
				return false
			}), begun)
			write(t, far[0], "x")
			await(t, "the end of the goroutine", exits)
			if !stays {
				eventually(t, "the next handler", func() bool { return next.Load() > 0 })
			}
			calls, h := counted(all[1])
			quietly(t, all[1], h, calls)
			calls.Store(0)
			write(t, far[1], "x")
			eventually(t, "the other", func() bool { return calls.Load() > 0 })
			blockedIn(t, all[0], resting)
		}
	}
}

// One that has more to do lets others have their turn, and has the next one.
func TestMoreToDo(t *testing.T) {
	all, far := onOneLoop(t, 2)
	var greedy, other atomic.Int64
	var enough atomic.Bool
	all[0].Watch(handlerFunc(func() bool { greedy.Add(1); return !enough.Load() }))
	all[1].Watch(handlerFunc(func() bool { other.Add(1); return false }))
	write(t, far[0], "x") // on the loop from now on
	for range 100 {
		before, g := other.Load(), greedy.Load()
		write(t, far[1], "x")
		eventually(t, "both", func() bool { return other.Load() > before && greedy.Load() > g })
	}
	enough.Store(true)
	blockedIn(t, all[0], resting)
	all[0].Close()
}

// Everything at once, and nothing of it is left.
func TestStress(t *testing.T) {
	leakless(t, func(t *testing.T) {
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				near, far := kinds[i%2].connect(t)
				c := adopt(t, near)
				var inside atomic.Int32
				h := handlerFunc(func() bool {
					if inside.Add(1) > 1 {
						t.Error("two at a time")
					}
					defer inside.Add(-1)
					n, err := readNow(c, make([]byte, 100))
					switch rand.IntN(100) {
					case 0:
						runtime.Goexit()
					case 1:
						c.SetReadDeadline(time.Now().Add(time.Millisecond))
						c.Read(make([]byte, 100))
						c.SetReadDeadline(time.Time{})
					case 2:
						c.Write(make([]byte, 100))
					}
					return n > 0 && err == nil
				})
				for range 200 {
					switch rand.IntN(8) {
					case 0:
						c.Nudge()
					case 1:
						c.Watch(nil)
					case 2:
						c.SetReadDeadline(time.Unix(1, 0))
					case 3:
						c.SetDeadline(time.Now().Add(time.Duration(rand.IntN(1000)) * time.Microsecond))
					case 4:
						c.SetDeadline(time.Time{})
					case 5:
						c.Watch(h)
					default:
						far.Write(make([]byte, rand.IntN(1000)))
					}
				}
				if rand.IntN(2) == 0 {
					far.Close()
				}
				closing := async(c.Close)
				c.Nudge()
				c.RemoteAddr()
				wantError(t, "Close", await(t, "Close", closing), nil)
				c.Watch(nil)
			})
		}
		all.Wait()
	})
}
