//go:build !linux && !js

package wschannel

import "context"

// loopConn stands for a socket that a loop looks after, which there are on Linux.
type loopConn struct{}

// A ride is what a listener needs on a loop.
type ride struct{}

// board hands the listener over to a loop, if that can be.
func (l *listener) board(context.Context) bool { return false }

// mayRead is asked for a receive that does not wait.
func (e *engine) mayRead() error { return nil }

// nudge has a listener on a loop look at the channel.
func (e *engine) nudge() {}
