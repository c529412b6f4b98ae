// Package epoll looks after sockets on Linux without a goroutine for each: a few
// loops wait for all of them, and call a [Handler] when there is something to
// read. It has what Go's own poller keeps to itself: a handler runs on the loop
// that noticed, so that nothing has to be woken.
//
// A socket is taken over from package net with [Adopt]. It remains a net.Conn
// that can be read and written by goroutines that wait, with deadlines.
//
// # Handlers that take their time
//
// A handler holds up everything that its loop looks after, but not for long:
// before a goroutine waits for one of the sockets, its loop goes to a goroutine
// of its own, and a handler that takes longer than 10 ms for any other reason is
// left behind in the same way. Whoever was left behind does what is to be done
// for its socket, as a goroutine.
package epoll
