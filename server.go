//go:build !js

package wschannel

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"runtime/debug"
	"sync"

	"github.com/wschannel/wschannel/status"
)

// A Server is an http.Handler that accepts channels and runs a Handler for
// each. It must not be copied or changed after its first use.
//
// ServeHTTP returns as soon as the channel is accepted, and the Handler runs on
// a goroutine of its own: middleware sees requests end at once, and what
// net/http held for them is freed.
type Server struct {
	// Handler is called for each channel. ctx carries the values of the
	// context from Upgrade and ends when the channel is over.
	//
	// When Handler returns, the channel is closed with 1000, unless a Listen
	// or ListenView is active: then the channel lives to its end. A panic in
	// Handler, or in a callback of Listen, closes that channel with 1011 and
	// is logged.
	Handler func(ctx context.Context, c *Channel)

	// Upgrade, if not nil, is asked about each valid handshake before it is
	// answered: the place for authentication. The values of the context that
	// it returns are in that of Handler. A *[HandshakeError] is answered as it
	// stands, and needs a StatusCode from 200 on; any other error is answered
	// with status 403 and no details.
	Upgrade func(r *http.Request) (context.Context, error)

	// AcceptOptions apply to every channel.
	AcceptOptions AcceptOptions

	// ErrorLog gets panics and wrong options. Default: the standard logger of
	// package log.
	ErrorLog *log.Logger

	mu       sync.Mutex
	stopping bool
	open     map[*Channel]struct{}
	running  int             // handshakes, handlers and callbacks
	waiting  []chan struct{} // of Shutdown, closed when nothing is left
}

// ServeHTTP accepts a channel, or refuses the request as [Accept] does.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, c, err := s.accept(w, r)
	if err != nil {
		var e *HandshakeError
		if errors.As(err, &e) && e.StatusCode == http.StatusInternalServerError {
			s.logf("wschannel: %s", e.Text)
		}
		s.AcceptOptions.Counters.failed(refuse(w, err))
		return
	}
	go s.serve(ctx, c)
}

func (s *Server) accept(w http.ResponseWriter, r *http.Request) (_ context.Context, c *Channel, err error) {
	if !s.begin() {
		return nil, nil, errStopping
	}
	defer func() {
		if c == nil {
			s.leave()
		}
	}()
	if s.Handler == nil {
		return nil, nil, unusable(errors.New("Server.Handler is nil"))
	}
	offer, err := checkRequest(r, &s.AcceptOptions)
	if err != nil {
		return nil, nil, err
	}
	ctx := r.Context()
	if s.Upgrade != nil {
		ctx, err = s.Upgrade(r)
		if err != nil {
			return nil, nil, forbidden(err)
		}
		if ctx == nil {
			return nil, nil, unusable(errors.New("Server.Upgrade returned neither a context nor an error"))
		}
	}
	if s.isStopping() {
		return nil, nil, errStopping
	}
	c, err = upgrade(w, r, &s.AcceptOptions, offer, s)
	if err != nil {
		return nil, nil, err
	}
	life := &handlerContext{c: c, values: ctx}
	c.engine.onOver = func(traffic) {
		life.end() // first: when Shutdown returns, every ctx has ended
		s.forget(c)
	}
	s.remember(c)
	c.engine.start()
	return life, c, nil
}

var errStopping = &HandshakeError{
	StatusCode: http.StatusServiceUnavailable,
	Header:     map[string][]string{"Retry-After": {"5"}},
	Body:       []byte("websocket: the server is shutting down\n"),
	Text:       "the server is shutting down",
}

// forbidden is the refusal for an error of Upgrade.
func forbidden(err error) error {
	var e *HandshakeError
	switch {
	case errors.As(err, &e) && e == nil:
		// A nil pointer in an error is none to be asked for its text.
		return unusable(errors.New("Server.Upgrade returned a nil *HandshakeError as an error; expected nil itself"))
	case e == nil:
		return &HandshakeError{
			StatusCode: http.StatusForbidden,
			Body:       []byte("websocket: forbidden\n"),
			Text:       err.Error(),
		}
	case e.StatusCode < 200 || e.StatusCode > 999:
		// net/http would panic, or take it for an interim response.
		return unusable(fmt.Errorf("Server.Upgrade returned a HandshakeError with status %d; expected one of 200 to 999", e.StatusCode))
	}
	return e
}

// serve runs the handler, which begin has counted.
func (s *Server) serve(ctx context.Context, c *Channel) {
	defer s.leave()
	defer func() {
		if v := recover(); v != nil {
			s.panicked(c, v)
		}
		if c.listening.Load() == 0 {
			c.Close()
		}
	}()
	s.Handler(ctx, c)
}

// panicked implements host.
func (s *Server) panicked(c *Channel, value any) {
	if value == http.ErrAbortHandler {
		c.CloseNow()
		return
	}
	s.logf("wschannel: panic in a handler: %v\n%s", value, debug.Stack())
	c.engine.startClose(status.InternalError, "")
}

func (s *Server) logf(format string, args ...any) {
	if s.ErrorLog != nil {
		s.ErrorLog.Output(2, fmt.Sprintf(format, args...))
		return
	}
	log.Output(2, fmt.Sprintf(format, args...))
}

// Shutdown ends the service: new requests are refused with 503, every channel
// is closed with 1001, and when all handlers and callbacks have returned,
// Shutdown returns nil. If ctx is done before, it hangs up what is left and
// returns the error of ctx, without waiting for handlers any more. Called
// inside a handler or callback it waits for itself.
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
	for _, c := range open {
		c.engine.startClose(status.GoingAway, "")
	}
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		if isClosed(idle) {
			return nil
		}
	}
	s.mu.Lock()
	open = s.channels()
	s.mu.Unlock()
	for _, c := range open {
		c.CloseNow()
	}
	return ctx.Err()
}

// channels returns the open channels. The caller has s.mu.
func (s *Server) channels() []*Channel {
	open := make([]*Channel, 0, len(s.open))
	for c := range s.open {
		open = append(open, c)
	}
	return open
}

// notify wakes Shutdown when nothing is left. The caller has s.mu.
func (s *Server) notify() {
	if s.running > 0 || len(s.open) > 0 {
		return
	}
	for _, idle := range s.waiting {
		close(idle)
	}
	s.waiting = nil
}

// remember counts a channel. One that came too late for Shutdown is closed.
func (s *Server) remember(c *Channel) {
	s.mu.Lock()
	if s.open == nil {
		s.open = make(map[*Channel]struct{})
	}
	s.open[c] = struct{}{}
	late := s.stopping
	s.mu.Unlock()
	if late {
		c.engine.startClose(status.GoingAway, "")
	}
}

func (s *Server) forget(c *Channel) {
	s.mu.Lock()
	delete(s.open, c)
	s.notify()
	s.mu.Unlock()
}

// begin counts a handshake, and the handler that it leads to. It returns false
// if the server is shutting down.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return false
	}
	s.running++
	return true
}

// enter and leave implement host.
func (s *Server) enter() {
	s.mu.Lock()
	s.running++
	s.mu.Unlock()
}

func (s *Server) leave() {
	s.mu.Lock()
	s.running--
	s.notify()
	s.mu.Unlock()
}

func (s *Server) isStopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping
}
