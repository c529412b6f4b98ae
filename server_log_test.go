//go:build !js

package wschannel_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wschannel/wschannel"
)

// logTo returns a logger that writes from a level on, without times.
func logTo(w *recorder, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
}

// What a server logs of a channel, by how it ends.
func TestServerLogsChannels(t *testing.T) {
	for _, test := range []struct {
		name    string
		handler func(ctx context.Context, c *wschannel.Channel)
		client  func(t *testing.T, c *wschannel.Channel)
		want    string // of the end, after its remote
	}{
		{"the peer closes", echo, func(t *testing.T, c *wschannel.Channel) {
			checkEcho(t, c)
			c.CloseWith(4001, "bye")
		}, `code=4001 by=peer duration=0s in.messages=1 in.bytes=12 in.wire=29 out.messages=1 out.bytes=12 out.wire=21 reason=bye`},
		{"the handler returns", func(ctx context.Context, c *wschannel.Channel) { c.SendText(ctx, "hi") }, func(*testing.T, *wschannel.Channel) {},
			`code=1000 by=server duration=100ms in.messages=0 in.bytes=0 in.wire=8 out.messages=1 out.bytes=2 out.wire=8`},
		{"the peer vanishes", echo, func(_ *testing.T, c *wschannel.Channel) { c.CloseNow() },
			`code=1006 by=failure duration=0s in.messages=0 in.bytes=0 in.wire=0 out.messages=0 out.bytes=0 out.wire=0 err="unexpected EOF"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, counted := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					var logged recorder
					s := &wschannel.Server{
						Handler:       test.handler,
						Logger:        logTo(&logged, slog.LevelDebug),
						AcceptOptions: wschannel.AcceptOptions{Options: wschannel.Options{Protocols: []string{"chat"}}},
					}
					if counted {
						s.AcceptOptions.Counters = new(wschannel.Counters)
					}
					r := sampleHTTPRequest()
					r.RemoteAddr = "192.0.2.1:1234"
					c, _ := visit(t, s, r)
					test.client(t, c)
					wait(t, "the end", c.Done())
					synctest.Wait()
					want := "level=DEBUG msg=\"wschannel: channel opened\" remote=192.0.2.1:1234 path=/chat protocol=chat\n" +
						"level=DEBUG msg=\"wschannel: channel closed\" remote=192.0.2.1:1234 " + test.want + "\n"
					if got := logged.String(); got != want {
						t.Errorf("logged\n%s, want\n%s", got, want)
					}
				})
			}
		})
	}
}

// What a server logs of a handshake that it refuses: at Info if a client may
// want to know, at Debug if it has done nothing wrong.
func TestServerLogsRefusals(t *testing.T) {
	foreign := sampleHTTPRequest()
	foreign.Header.Set("Origin", "https://evil.example")
	foreign.RemoteAddr = "192.0.2.1:1234"
	for _, test := range []struct {
		name string
		r    *http.Request
		do   func(t *testing.T, s *wschannel.Server)
		want string // a pattern
	}{
		{"another origin", foreign, nil, `^level=INFO msg="wschannel: handshake refused" remote=192.0.2.1:1234 path=/chat status=403 err="wschannel: handshake failed with status 403: the Origin .*evil.example.*"\n$`},
		{"Upgrade", sampleHTTPRequest(), nil, `^level=INFO .*status=403 err="wschannel: handshake failed with status 403: no such user"\n$`},
		{"Shutdown", sampleHTTPRequest(), func(t *testing.T, s *wschannel.Server) { s.Shutdown(t.Context()) }, `^level=DEBUG .*status=503 err=.*shutting down"\n$`},
		{"a limit", sampleHTTPRequest(), func(t *testing.T, s *wschannel.Server) {
			s.MaxChannels, s.Upgrade = 1, nil
			visit(t, s, sampleHTTPRequest())
		}, `\nlevel=DEBUG .*status=503 err=.* as many channels as it may have"\n$`},
	} {
		t.Run(test.name, func(t *testing.T) {
			var logged recorder
			s := &wschannel.Server{
				Handler: echo,
				Logger:  logTo(&logged, slog.LevelDebug),
				Upgrade: func(*http.Request) (context.Context, error) { return nil, errors.New("no such user") },
			}
			if test.do != nil {
				test.do(t, s)
			}
			if c, _ := visit(t, s, test.r); c != nil {
				t.Fatal("accepted")
			}
			checkMatch(t, "the log", logged.String(), test.want)
		})
	}
}

// Records carry the error itself, and the context that Upgrade has made.
func TestServerLogsValues(t *testing.T) {
	type key struct{}
	synctest.Test(t, func(t *testing.T) {
		h := &valueLog{key: key{}}
		s := &wschannel.Server{
			Handler: func(context.Context, *wschannel.Channel) {},
			Logger:  slog.New(h),
			Upgrade: func(r *http.Request) (context.Context, error) {
				if r.URL.Path == "/refuse" {
					return nil, &wschannel.HandshakeError{StatusCode: 402}
				}
				return context.WithValue(r.Context(), key{}, "ada"), nil
			},
		}
		r := sampleHTTPRequest()
		r.URL.Path = "/refuse"
		visit(t, s, r.WithContext(context.WithValue(t.Context(), key{}, "request")))
		c, _ := visit(t, s, sampleHTTPRequest())
		wait(t, "the end", c.Done())
		s.Shutdown(t.Context())
		if got, want := strings.Join(h.seen, ", "), "request 402, ada, ada"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// A valueLog notes a value of each record's context, and the status of its error.
type valueLog struct {
	key  any
	seen []string
}

func (h *valueLog) Enabled(context.Context, slog.Level) bool { return true }
func (h *valueLog) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h *valueLog) WithGroup(string) slog.Handler            { return h }

func (h *valueLog) Handle(ctx context.Context, r slog.Record) error {
	note, _ := ctx.Value(h.key).(string)
	r.Attrs(func(a slog.Attr) bool {
		if err, ok := a.Value.Any().(error); ok {
			if refused, ok := errors.AsType[*wschannel.HandshakeError](err); ok {
				note += " " + regexp.MustCompile(`\d+`).FindString(refused.Error())
			}
		}
		return true
	})
	h.seen = append(h.seen, note)
	return nil
}
