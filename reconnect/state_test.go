package reconnect_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel/reconnect"
	"github.com/wschannel/wschannel/status"
)

func TestStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		noRoute := errors.New("no route")
		d := newDialer(result{err: noRoute}, result{err: noRoute})
		first, second := d.link(), d.link()
		c := reconnect.New(d.dial, &options{Jitter: longest})
		end := remote(status.NormalClosure)
		time.AfterFunc(time.Minute, func() { first.breaks(lost) })
		time.AfterFunc(2*time.Minute, func() { second.breaks(end) })
		at := func(d time.Duration) time.Time { return began.Add(d) }
		want := []reconnect.State{
			{Phase: reconnect.Connecting, Attempt: 1},
			{Phase: reconnect.Waiting, Attempt: 1, Until: at(time.Second), Err: noRoute},
			{Phase: reconnect.Connecting, Attempt: 2, Err: noRoute},
			{Phase: reconnect.Waiting, Attempt: 2, Until: at(3 * time.Second), Err: noRoute},
			{Phase: reconnect.Connecting, Attempt: 3, Err: noRoute},
			{Phase: reconnect.Open, Attempt: 3, Links: 1},
			{Phase: reconnect.Waiting, Attempt: 0, Until: at(61 * time.Second), Err: lost, Links: 1},
			{Phase: reconnect.Connecting, Attempt: 1, Err: lost, Links: 1},
			{Phase: reconnect.Open, Attempt: 1, Links: 2},
			{Phase: reconnect.Closed, Attempt: 1, Err: end, Links: 2},
		}
		var last reconnect.State
		i := 0
		for s := range c.States(t.Context()) {
			last = s
			// A state that is left at once may be missed.
			for i < len(want) && want[i] != s && want[i].Phase == reconnect.Connecting {
				i++
			}
			if i == len(want) || s != want[i] {
				t.Fatalf("state %d: %+v, want %+v", i, s, want[min(i, len(want)-1)])
			}
			i++
		}
		if i != len(want) || last.Phase != reconnect.Closed {
			t.Errorf("the last state was %+v", last)
		}
		for s := range c.States(t.Context()) {
			if s != last {
				t.Errorf("a loop that comes late sees %+v", s)
			}
		}
	})
}

func TestStatesEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := reconnect.New(newDialer().dial, nil)
		defer c.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var loops sync.WaitGroup
		for range 3 {
			loops.Go(func() {
				n := 0
				for s := range c.States(ctx) {
					if n++; s.Phase != reconnect.Connecting {
						t.Errorf("state %+v", s)
					}
				}
				if n == 0 {
					t.Error("the state as it is was not told")
				}
			})
		}
		loops.Wait()
	})
}

func TestPhaseString(t *testing.T) {
	for phase, want := range map[reconnect.Phase]string{
		reconnect.Connecting: "connecting", reconnect.Open: "open", reconnect.Waiting: "waiting", reconnect.Closed: "closed", 0: "none",
	} {
		if got := phase.String(); got != want {
			t.Errorf("%d: %q, want %q", phase, got, want)
		}
	}
}

// network is one that a test switches on and off. The zero network is off.
type network struct {
	mu      sync.Mutex
	online  bool
	changed func()
}

func (n *network) Online() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.online
}

func (n *network) Watch(changed func()) (stop func()) {
	n.changed = changed
	return func() { n.changed = nil }
}

func (n *network) set(online bool) {
	n.mu.Lock()
	n.online = online
	n.mu.Unlock()
	n.changed()
}

func TestNetwork(t *testing.T) {
	noRoute := errors.New("no route")

	t.Run("nothing is tried while it is off", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := new(network)
			d := newDialer()
			l := d.link()
			c := reconnect.New(d.dial, &options{Network: n})
			send(t, c, "x")
			time.Sleep(time.Hour)
			if s := c.State(); d.count() != 0 || s.Phase != reconnect.Waiting || !s.Until.IsZero() {
				t.Fatalf("%d attempts, state %+v", d.count(), s)
			}
			takes(t, 0, "connecting", func() error {
				n.set(true)
				receive(t, l.far, "x")
				return nil
			})
			n.set(false) // which is no reason to give up a link
			send(t, c, "y")
			receive(t, l.far, "y")
			c.Close()
			if n.changed != nil {
				t.Error("the network is still watched")
			}
		})
	})

	t.Run("a pause goes on when it is off, and longer", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := &network{online: true}
			d := newDialer(result{err: noRoute})
			c := reconnect.New(d.dial, &options{Network: n, BaseDelay: time.Minute, MaxDelay: time.Minute, Jitter: longest})
			defer c.Close()
			time.Sleep(time.Second)
			n.set(false)
			time.Sleep(time.Hour)
			if d.count() != 1 {
				t.Errorf("%d attempts, want 1", d.count())
			}
			n.set(true)
			synctest.Wait()
			if d.count() != 2 {
				t.Errorf("%d attempts when it is on again, want 2", d.count())
			}
		})
	})

	t.Run("a change cuts a pause short, once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := &network{online: true}
			d := newDialer(result{err: noRoute}, result{err: noRoute})
			l := d.link()
			c := reconnect.New(d.dial, &options{Network: n, BaseDelay: time.Minute, MaxDelay: time.Minute, Jitter: longest})
			defer c.Close()
			time.Sleep(time.Second)
			n.set(true)
			synctest.Wait()
			if d.count() != 2 {
				t.Fatalf("%d attempts, want 2", d.count())
			}
			takes(t, time.Minute, "the next pause", func() error { send(t, l.far, "x"); receive(t, c, "x"); return nil })
			n.set(true) // while there is a link it is forgotten
			l.breaks(lost)
			second := d.link()
			takes(t, time.Minute, "the pause after that", func() error { send(t, second.far, "x"); receive(t, c, "x"); return nil })
		})
	})

	t.Run("MaxElapsed goes on while it is off", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := reconnect.New(newDialer().dial, &options{Network: new(network), MaxElapsed: time.Hour})
			takes(t, time.Hour, "giving up", func() error { <-c.Done(); return nil })
			if end := ended(t, c).Error(); end != "reconnect: gave up after 0 attempts: the network is down" {
				t.Errorf("the end: %v", end)
			}
		})
	})
}
