package reconnect

import (
	"context"
	"iter"
	"time"
)

// A Phase is what a channel is doing.
type Phase uint8

// The phases.
const (
	Connecting Phase = iota + 1 // the dial function or OnConnect is running
	Open                        // there is a link
	Waiting                     // it pauses before the next attempt
	Closed                      // it is over
)

// String returns "connecting", "open", "waiting" or "closed".
func (p Phase) String() string {
	switch p {
	case Connecting:
		return "connecting"
	case Open:
		return "open"
	case Waiting:
		return "waiting"
	case Closed:
		return "closed"
	}
	return "none"
}

// A State is what a channel is doing, and why.
type State struct {
	// Phase is what it does.
	Phase Phase
	// Until is when the pause ends, if the Phase is Waiting. It is zero if that
	// cannot be said: the network is down, or nobody receives what the links
	// before have brought.
	Until time.Time
	// Err is why there is no link, or the end's error if the Phase is Closed.
	// It is nil if the Phase is Open, and before the first failure.
	Err error
	// Attempt counts the attempts since New, or since a link was stable, with
	// the present one.
	Attempt int
	// Links counts the links that there have been, with the present one: when
	// it grows, something may have been missed.
	Links int
}

// State returns what the channel is doing now.
func (c *Channel[R, S]) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// States returns the state as it is and then as it changes, for a range loop. It
// ends after the state in which the channel is over, or when ctx is done. A loop
// that is slow misses states but never the latest one. There may be any number
// of loops at a time.
func (c *Channel[R, S]) States(ctx context.Context) iter.Seq[State] {
	return func(yield func(State) bool) {
		for seen := 0; ; {
			c.mu.Lock()
			state, version, changed := c.state, c.version, c.changed
			c.mu.Unlock()
			if ctx.Err() != nil {
				return
			}
			if version != seen {
				seen = version
				if !yield(state) || state.Phase == Closed {
					return
				}
				continue
			}
			select {
			case <-changed:
			case <-ctx.Done():
			}
		}
	}
}

// show sets the state. The caller holds mu.
func (c *Channel[R, S]) show(s State) {
	s.Links = c.state.Links
	if s.Phase == Open {
		s.Links++
	}
	c.state = s
	c.version++
	c.broadcast()
}
