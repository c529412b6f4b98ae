package wschannel

import "context"

// A ride is what a listener needs on a loop.
//
//lint:ignore U1000 there is none
type ride struct{}

// board hands the listener over to a loop, of which there is none.
func (l *listener) board(context.Context) bool { return false }

// nudge has a listener on a loop look at the channel.
func (e *engine) nudge() {}
