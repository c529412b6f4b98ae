package epoll

import "runtime"

// A Handler is called when there may be something to read, or when it was
// nudged: by one goroutine at a time, and at least once after each of these.
type Handler interface {
	// Ready reads until there is nothing left. It may return true before, to be
	// called again when others had their turn. It must not panic; a goroutine
	// that is ended in it (runtime.Goexit) is replaced.
	Ready() (more bool)
}

// Whether a handler is running.
const (
	resting int32 = iota
	running
	wanted // running, and to be run once more
)

// Watch has h called from now on, and once at once; nil ends that. It does not
// wait for a call that is under way.
func (c *Conn) Watch(h Handler) {
	if h == nil {
		c.handler.Store(nil)
		return
	}
	c.handler.Store(&h)
	c.Nudge()
}

// Nudge has the handler called, on a goroutine of its own.
func (c *Conn) Nudge() {
	if c.handler.Load() != nil && c.begin() {
		go c.handle()
	}
}

// begin reports whether the caller has to run the handler, with attempt or handle.
// Otherwise somebody is running it, and will once more.
func (c *Conn) begin() bool {
	for {
		switch turn := c.turn.Load(); {
		case turn == resting && c.turn.CompareAndSwap(resting, running):
			return true
		case turn == wanted, turn == running && c.turn.CompareAndSwap(running, wanted):
			return false
		}
	}
}

// attempt runs the handler until it has nothing to do or lets others have their
// turn: then it returns true.
func (c *Conn) attempt() (more bool) {
	regular := false
	defer func() {
		// Otherwise the goroutine is being ended, which is not to end another's turn.
		if !regular && c.turn.Swap(resting) == wanted {
			c.Nudge()
		}
	}()
	for {
		if h := c.handler.Load(); h != nil && (*h).Ready() {
			c.turn.Store(resting)
			regular = true
			return true
		}
		if c.turn.CompareAndSwap(running, resting) {
			regular = true
			return false
		}
		c.turn.Store(running)
	}
}

// handle runs the handler until it has nothing to do.
func (c *Conn) handle() {
	for c.attempt() {
		runtime.Gosched()
		if !c.begin() {
			return
		}
	}
}
