//go:build !js

package wschannel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"
	"time"
)

func (s *Server) logger() *slog.Logger {
	if s.Logger != nil {
		return s.Logger
	}
	return slog.Default()
}

// log has a record handled.
func (s *Server) log(ctx context.Context, level slog.Level, message string, attrs ...slog.Attr) {
	failure := apart(func() { s.logger().LogAttrs(ctx, level, "wschannel: "+message, attrs...) })
	if failure != "" {
		fmt.Fprintf(os.Stderr, "wschannel: %s\n", failure)
	}
}

// isLogged reports whether records of that level are wanted: if the user's code
// fails to say, log will tell.
func (s *Server) isLogged(ctx context.Context, level slog.Level) (wanted bool) {
	if apart(func() { wanted = s.logger().Enabled(ctx, level) }) != "" {
		return true
	}
	return wanted
}

// apart calls the user's code for the log, on a goroutine of its own: a panic in it
// would end the program, or leave a channel half made or half ended, and nothing
// stops a runtime.Goexit. It returns how f has failed, if so.
func apart(f func()) (failure string) {
	returned := false
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if v := recover(); v != nil {
				failure = fmt.Sprintf("panic in Server.Logger: %v\n%s", v, debug.Stack())
			} else if !returned {
				failure = fmt.Sprintf("runtime.Goexit in Server.Logger\n%s", debug.Stack())
			}
		}()
		f()
		returned = true
	}()
	<-done
	return failure
}

// refusals bounds how many refused handshakes are logged.
type refusals struct {
	began   time.Time // the second in which these were
	logged  int
	omitted int // since the last that was logged
}

// refusalsPerSecond is how many are.
const refusalsPerSecond = 10

// admit reports whether one more is to be logged, and how many were not before it.
func (r *refusals) admit(now time.Time) (omitted int, ok bool) {
	if now.Sub(r.began) >= time.Second {
		r.began, r.logged = now, 0
	}
	if r.logged == refusalsPerSecond {
		r.omitted++
		return 0, false
	}
	r.logged++
	omitted, r.omitted = r.omitted, 0
	return omitted, true
}

// logRefusal logs a handshake that has failed. What anybody can cause at any
// rate while the server is well is not worth a line by default; but a client
// that ought to get in, and does not, is.
func (s *Server) logRefusal(r *http.Request, err error) {
	level := slog.LevelInfo
	var e *HandshakeError
	switch {
	case !errors.As(err, &e), e == errStopping, e == errFull, e == errBusy:
		level = slog.LevelDebug
	case e.StatusCode == http.StatusInternalServerError:
		level = slog.LevelError
	}
	if !s.isLogged(r.Context(), level) {
		return
	}
	omitted := 0
	if level == slog.LevelInfo {
		s.mu.Lock()
		n, ok := s.refusals.admit(time.Now())
		s.mu.Unlock()
		if !ok {
			return
		}
		omitted = n
	}
	attrs := []slog.Attr{slog.String("remote", r.RemoteAddr), slog.String("path", r.URL.Path)}
	if e != nil {
		attrs = append(attrs, slog.Int("status", e.StatusCode))
	}
	if omitted > 0 {
		attrs = append(attrs, slog.Int("omitted", omitted))
	}
	s.log(r.Context(), level, "handshake refused", append(attrs, slog.Any("err", err))...)
}

// logOpened logs a new channel. If its end is to be logged, too, it returns the
// address of its peer, for a socket that was reset knows it no more, and has the
// channel counted.
func (s *Server) logOpened(ctx context.Context, r *http.Request, c *Channel) (remote *string) {
	if !s.isLogged(ctx, slog.LevelDebug) {
		return nil
	}
	if e := &c.engine; e.tally == nil {
		e.tally = newTally(e, nil)
	}
	s.log(ctx, slog.LevelDebug, "channel opened",
		slog.String("remote", r.RemoteAddr),
		slog.String("path", r.URL.Path),
		slog.String("protocol", c.Protocol()))
	address := r.RemoteAddr // and nothing else of r
	return &address
}

// logClosed logs a channel that is over.
func (s *Server) logClosed(ctx context.Context, c *Channel, remote string, counted traffic) {
	end := c.engine.outcome()
	by := "server"
	switch {
	case end.Remote:
		by = "peer"
	case end.Cause != nil:
		by = "failure"
	}
	attrs := []slog.Attr{
		slog.String("remote", remote),
		slog.Int("code", int(end.Code)),
		slog.String("by", by),
		slog.Duration("duration", time.Duration(c.engine.now())),
		counted.in.group("in"),
		counted.out.group("out"),
	}
	if end.Reason != "" {
		attrs = append(attrs, slog.String("reason", end.Reason))
	}
	if end.Cause != nil {
		attrs = append(attrs, slog.Any("err", end.Cause))
	}
	s.log(ctx, slog.LevelDebug, "channel closed", attrs...)
}

func (q quantity) group(name string) slog.Attr {
	return slog.Group(name, slog.Int64("messages", q.messages), slog.Int64("bytes", q.bytes), slog.Int64("wire", q.wire))
}

// logPanic logs the panic of a handler or callback.
func (s *Server) logPanic(c *Channel, value any, stack []byte) {
	remote := ""
	if a := c.Underlying().RemoteAddr(); a != nil {
		remote = a.String()
	}
	s.log(context.Background(), slog.LevelError, "panic in a handler",
		slog.String("remote", remote), slog.String("panic", fmt.Sprint(value)), slog.String("stack", string(stack)))
}
