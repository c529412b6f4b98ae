//go:build !js

package wschannel

import (
	"context"
	"slices"
	"strconv"
	"time"
)

// A ShutdownError says what [Server.Shutdown] could not bring to a good end in
// time.
type ShutdownError struct {
	// Cut is how many channels were hung up, because they were not closed.
	Cut int
	// Running is how many handshakes, handlers and callbacks had not returned.
	Running int
	// Err is the error of the ctx.
	Err error
}

// Error returns what was left, and why.
func (e *ShutdownError) Error() string {
	return "wschannel: shutdown not completed: " + strconv.Itoa(e.Cut) + " channels cut, " +
		strconv.Itoa(e.Running) + " handlers and callbacks running: " + e.Err.Error()
}

// Unwrap returns Err.
func (e *ShutdownError) Unwrap() error { return e.Err }

// closeEvery is how long Shutdown waits from one channel to the next, if there
// is time for that.
const closeEvery = 10 * time.Millisecond

// Shutdown ends the service: from now on new requests are refused with 503,
// every channel is closed with CloseCode, and when all handlers and callbacks
// have returned, Shutdown returns nil. If ctx is done before, it hangs up what is
// left and returns a *[ShutdownError] at once, without waiting for handlers any
// more. Called inside a handler or callback it waits for itself.
//
// If ctx has a deadline, the channels are not closed all at once, for their
// clients would all connect to other servers at once: they are closed in no
// particular order, a hundred in a second, or as many more as it takes for the
// last one to have half of the time left. Without a deadline they are closed
// at once.
//
// Shutdown of an http.Server neither closes channels nor waits for them: call
// this one first, then that.
func (s *Server) Shutdown(ctx context.Context) error {
	idle := make(chan struct{})
	s.mu.Lock()
	s.stopping = true
	open := s.channels()
	s.waiting = append(s.waiting, idle)
	s.notify()
	s.mu.Unlock()
	s.drain(ctx, open, idle)
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	if isClosed(idle) {
		s.mu.Unlock()
		return nil
	}
	s.waiting = slices.DeleteFunc(s.waiting, func(c chan struct{}) bool { return c == idle })
	open = s.channels()
	left := &ShutdownError{Cut: len(open), Running: s.running, Err: ctx.Err()}
	s.mu.Unlock()
	for _, c := range open {
		c.CloseNow()
	}
	return left
}

// drain closes channels one after the other, until nothing is left or ctx is
// done.
func (s *Server) drain(ctx context.Context, open []*Channel, idle <-chan struct{}) {
	began := time.Now()
	every := time.Duration(0)
	if deadline, ok := ctx.Deadline(); ok && len(open) > 0 {
		every = max(0, min(closeEvery, deadline.Sub(began)/2/time.Duration(len(open))))
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i, c := range open {
		if wait := time.Until(began.Add(time.Duration(i) * every)); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-idle:
				return
			case <-ctx.Done():
				return
			}
		}
		c.engine.startClose(s.closeCode(), "")
	}
}
