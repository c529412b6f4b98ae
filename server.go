//go:build !js

package wschannel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

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

	// MaxChannels is how many channels may be open. A handshake that comes when
	// there are so many is refused with status 503 and a Retry-After. A channel
	// counts from its handshake on until its connection is closed: when it is
	// over that takes as long as the peer's answer, CloseTimeout at most.
	// Default: no limit.
	MaxChannels int

	// MaxHandshakes is how many handshakes may be under way: being judged by
	// Upgrade, or being answered. One that comes when there are so many is
	// refused with status 503 and a Retry-After, so that a slow Upgrade does not
	// gather requests without end. Default: no limit.
	MaxHandshakes int

	// MaxAge is the age at which a channel is closed, with CloseCode: its client
	// connects again, perhaps to another server, and so the load spreads after a
	// server was added. For channels that came together not to go together, each
	// has an age of its own, at random from 80 to 100 % of MaxAge. Default: no
	// limit.
	MaxAge time.Duration

	// CloseCode is what MaxAge and Shutdown close channels with. Default:
	// status.GoingAway (1001), which every client knows as a clean end, and
	// after which many connect again with a delay of their own choice.
	// status.ServiceRestart (1012) asks clients that know it to do so after 5
	// to 30 seconds: for a server without others beside it, that has to start
	// again first.
	CloseCode status.Code

	// Logger gets what happens, as records whose messages begin with
	// "wschannel: ":
	//
	//   - at slog.LevelError panics, and options that cannot be used;
	//   - at slog.LevelInfo handshakes that were refused: ten in a second at most,
	//     and those that are left out are told with the next one as omitted, so
	//     that nobody can flood the log;
	//   - at slog.LevelDebug those that were refused because of a limit or of
	//     Shutdown, which Counters count, and channels that open and that are
	//     over.
	//
	// The context of a record has the values of the request's or of Upgrade's,
	// and the attribute err is the error itself, such as a *[HandshakeError]. A
	// panic in the Logger's handler, or runtime.Goexit, is written to standard
	// error, and harms nothing else: the handler is called on a goroutine of its
	// own, and waited for. Default: slog.Default.
	Logger *slog.Logger

	mu       sync.Mutex
	stopping bool
	open     map[*Channel]struct{}
	leaving  int             // channels that are over and have a connection still
	shaking  int             // handshakes
	running  int             // handshakes, handlers and callbacks
	waiting  []chan struct{} // of Shutdown, closed when nothing is left
	refusals refusals
}

// ServeHTTP accepts a channel, or refuses the request as [Accept] does.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, c, err := s.accept(w, r)
	if err != nil {
		s.AcceptOptions.Counters.failed(refuse(w, err))
		s.logRefusal(r, err)
		return
	}
	go s.serve(ctx, c)
}

func (s *Server) accept(w http.ResponseWriter, r *http.Request) (_ context.Context, c *Channel, err error) {
	if refusal := s.begin(); refusal != nil {
		return nil, nil, refusal
	}
	defer func() {
		if c == nil {
			s.giveUp()
		}
	}()
	if s.Handler == nil {
		return nil, nil, unusable(errors.New("Server.Handler is nil"))
	}
	if s.CloseCode != 0 && !s.CloseCode.Valid() {
		return nil, nil, unusable(errors.New("Server.CloseCode " + strconv.Itoa(int(s.CloseCode)) + " must not be sent"))
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
	life := &handlerContext{c: c, values: valuesOf(ctx)}
	logged := s.logOpened(life, r, c)
	expire := s.expiry(c)
	c.engine.onEnd = func(step lastStep, counted traffic) {
		if step == stepGone {
			s.left()
			return
		}
		if expire != nil {
			expire.Stop()
		}
		if logged != nil {
			s.logClosed(life, c, *logged, counted)
		}
		life.end() // before the last: when Shutdown returns, every ctx has ended
		s.forget(c)
	}
	s.remember(c)
	c.engine.start()
	if expire != nil {
		expire.Reset(s.age()) // when s knows c, which must not be forgotten before
		if c.engine.is(finished) {
			expire.Stop() // Shutdown was faster
		}
	}
	return life, c, nil
}

// Refusals that are nobody's fault.
var (
	errStopping = unavailable("the server is shutting down", 5)
	errFull     = unavailable("the server has as many channels as it may have", 5)
	errBusy     = unavailable("the server has as many handshakes under way as it may have", 1)
)

func unavailable(text string, retryAfter int) *HandshakeError {
	return &HandshakeError{
		StatusCode: http.StatusServiceUnavailable,
		Header:     map[string][]string{"Retry-After": {strconv.Itoa(retryAfter)}},
		Body:       []byte("websocket: " + text + "\n"),
		Text:       text,
	}
}

// expiry returns a timer that closes a channel, nil if none is to be.
func (s *Server) expiry(c *Channel) *time.Timer {
	if s.MaxAge <= 0 {
		return nil
	}
	return newTimer(func() { c.engine.startClose(s.closeCode(), "maximum age") })
}

// age returns the age that a channel may reach.
func (s *Server) age() time.Duration {
	return s.MaxAge - time.Duration(rand.Float64()*float64(s.MaxAge)/5)
}

func (s *Server) closeCode() status.Code { return either(s.CloseCode, status.GoingAway) }

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
	s.logPanic(c, value, debug.Stack())
	c.engine.startClose(status.InternalError, "")
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
	s.shaking--
	late := s.stopping
	s.mu.Unlock()
	if late {
		c.engine.startClose(s.closeCode(), "")
	}
}

func (s *Server) forget(c *Channel) {
	s.mu.Lock()
	delete(s.open, c)
	s.leaving++
	s.notify()
	s.mu.Unlock()
}

// left counts a channel that has no connection any more.
func (s *Server) left() {
	s.mu.Lock()
	s.leaving--
	s.mu.Unlock()
}

// begin counts a handshake, and the handler that it leads to. It returns why the
// handshake has to be refused, if so.
func (s *Server) begin() *HandshakeError {
	s.mu.Lock()
	defer s.mu.Unlock()
	var refusal *HandshakeError
	switch {
	case s.stopping:
		return errStopping
	case s.MaxChannels > 0 && len(s.open)+s.leaving+s.shaking >= s.MaxChannels:
		refusal = errFull
	case s.MaxHandshakes > 0 && s.shaking >= s.MaxHandshakes:
		refusal = errBusy
	default:
		s.shaking++
		s.running++
		return nil
	}
	s.AcceptOptions.Counters.limited()
	return refusal
}

// giveUp ends a handshake that led to no channel.
func (s *Server) giveUp() {
	s.mu.Lock()
	s.shaking--
	s.mu.Unlock()
	s.leave()
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
