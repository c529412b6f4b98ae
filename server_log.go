//go:build !js

package wschannel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

func (s *Server) logger() *slog.Logger {
	if s.Logger != nil {
		return s.Logger
	}
	return slog.Default()
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
	attrs := []slog.Attr{slog.String("remote", r.RemoteAddr), slog.String("path", r.URL.Path)}
	if e != nil {
		attrs = append(attrs, slog.Int("status", e.StatusCode))
	}
	s.logger().LogAttrs(r.Context(), level, "wschannel: handshake refused", append(attrs, slog.Any("err", err))...)
}

// logOpened logs a new channel. If its end is to be logged, too, it returns the
// address of its peer, for a socket that was reset knows it no more, and has the
// channel counted.
func (s *Server) logOpened(ctx context.Context, r *http.Request, c *Channel) (remote *string) {
	l := s.logger()
	if !l.Enabled(ctx, slog.LevelDebug) {
		return nil
	}
	if e := &c.engine; e.tally == nil {
		e.tally = newTally(e, nil)
	}
	l.LogAttrs(ctx, slog.LevelDebug, "wschannel: channel opened",
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
	s.logger().LogAttrs(ctx, slog.LevelDebug, "wschannel: channel closed", attrs...)
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
	s.logger().LogAttrs(context.Background(), slog.LevelError, "wschannel: panic in a handler",
		slog.String("remote", remote), slog.String("panic", fmt.Sprint(value)), slog.String("stack", string(stack)))
}
