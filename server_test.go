//go:build !js

package wschannel_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

// sampleHTTPRequest is the example of RFC 6455 §1.2 as an HTTP server passes it
// on.
func sampleHTTPRequest() *http.Request {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(sample())))
	if err != nil {
		panic(err)
	}
	return r
}

// visit has h serve a request over a pipe, so that it works in a bubble of
// synctest, too. It returns the client's channel, or nil and the refusal.
func visit(t *testing.T, h http.Handler, r *http.Request) (*wschannel.Channel, *http.Response) {
	t.Helper()
	conn, w := visitRaw(h, r)
	if conn == nil {
		return nil, w.Result()
	}
	c := wschannel.New(conn, wschannel.RoleClient, nil)
	hangUpAfter(t, c)
	return c, nil
}

// visitRaw is visit for who wants to be a client without a channel.
func visitRaw(h http.Handler, r *http.Request) (net.Conn, *httptest.ResponseRecorder) {
	near, far := net.Pipe()
	w := &hijackable{ResponseRecorder: httptest.NewRecorder(), conn: near}
	head := make(chan string, 1)
	go func() {
		// Byte by byte, so that no frame is taken.
		text, _ := readHead(bufio.NewReaderSize(oneByte{far}, 16))
		head <- text
	}()
	h.ServeHTTP(w, r)
	if !w.hijacked {
		far.Close()
		<-head
		return nil, w.ResponseRecorder
	}
	if text := <-head; !strings.HasPrefix(text, "HTTP/1.1 101 ") {
		panic("the response is " + text)
	}
	return far, nil
}

type oneByte struct{ io.Reader }

func (r oneByte) Read(p []byte) (int, error) { return r.Reader.Read(p[:1]) }

// checkEnd waits until a client's channel is over and checks how.
func checkEnd(t *testing.T, c *wschannel.Channel, code status.Code) {
	t.Helper()
	wait(t, "the end of the channel", c.Done())
	var end *wschannel.CloseError
	remote := code != status.AbnormalClosure
	if !errors.As(c.Err(), &end) || end.Code != code || end.Remote != remote {
		t.Errorf("the channel ended with %v, want %v from the server", c.Err(), code)
	}
}

// The handler goes on when the request is over; its ctx has the values that
// Upgrade gave, and ends with the channel.
func TestServerDetaches(t *testing.T) {
	type key string
	for _, upgrade := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			served := make(chan struct{})
			closing := make(chan struct{})
			ended := make(chan struct{})
			s := &wschannel.Server{Handler: func(ctx context.Context, c *wschannel.Channel) {
				defer close(ended)
				<-served // would wait for ever if ServeHTTP waited for the handler
				synctest.Wait()
				for _, k := range []key{"request", "upgrade"} {
					want := any("of " + k)
					if k == "upgrade" && !upgrade {
						want = nil
					}
					if got := ctx.Value(k); got != want {
						t.Errorf("upgrade %v: the value of %q is %v, want %v", upgrade, k, got, want)
					}
				}
				if ctx.Err() != nil {
					t.Errorf("ctx ended with the request: %v", context.Cause(ctx))
				}
				close(closing)
				<-ctx.Done()
				if c.Err() == nil {
					t.Error("ctx ended before the channel")
				}
			}}
			cancelUpgrade := func() {}
			if upgrade {
				s.Upgrade = func(r *http.Request) (context.Context, error) {
					var ctx context.Context
					ctx, cancelUpgrade = context.WithCancel(context.WithValue(r.Context(), key("upgrade"), key("of upgrade")))
					return ctx, nil
				}
			}
			ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key("request"), key("of request")))
			c, _ := visit(t, s, sampleHTTPRequest().WithContext(ctx))
			cancelUpgrade()
			cancel() // as net/http does
			close(served)
			<-closing
			c.CloseWith(3001, "")
			<-ended
		})
	}
}

// Upgrade's errors, and what is never put to it.
func TestServerUpgrade(t *testing.T) {
	type answer struct {
		status int
		body   string
		log    string
	}
	forbidden := answer{403, "websocket: forbidden\n", ""}
	unusable := "websocket: the server is not set up for this request\n"
	custom := &wschannel.HandshakeError{
		StatusCode: 401,
		Header:     map[string][]string{"WWW-Authenticate": {"Basic"}, "Content-Type": {"application/json"}},
		Body:       []byte("{}"),
		Text:       "who are you?",
	}
	valid := sampleHTTPRequest()
	old := sampleHTTPRequest()
	old.Header.Set("Sec-WebSocket-Version", "8")
	foreign := sampleHTTPRequest()
	foreign.Header.Set("Origin", "https://evil.example")
	for _, test := range []struct {
		name  string
		r     *http.Request
		err   error
		asked int
		want  answer
	}{
		{"an error", valid, errors.New("secret"), 1, forbidden},
		{"a HandshakeError", valid, custom, 1, answer{401, "{}", ""}},
		{"wrapped", valid, fmt.Errorf("secret: %w", custom), 1, answer{401, "{}", ""}},
		{"empty", valid, &wschannel.HandshakeError{StatusCode: 404}, 1, answer{404, "", ""}},
		{"without a status", valid, &wschannel.HandshakeError{Body: []byte("secret")}, 1, answer{500, unusable, "status 0"}},
		{"with the status of a failed dial", valid, &wschannel.HandshakeError{StatusCode: 101}, 1, answer{500, unusable, "status 101"}},
		{"nil as an error", valid, (*wschannel.HandshakeError)(nil), 1, answer{500, unusable, "Server.Upgrade returned a nil *HandshakeError as an error; expected nil itself"}},
		{"a wrapped nil", valid, fmt.Errorf("secret: %w", (*wschannel.HandshakeError)(nil)), 1, answer{500, unusable, "a nil *HandshakeError"}},
		{"neither", valid, nil, 1, answer{500, unusable, "Server.Upgrade returned neither a context nor an error"}},
		{"another version", old, nil, 0, answer{426, `websocket: the Sec-WebSocket-Version header must be "13", and come once; got "8"` + "\n", ""}},
		{"another origin", foreign, nil, 0, answer{403, `websocket: the Origin header must name the host that the request is for, "server.example.com", ` +
			`or an origin that the server allows; got "https://evil.example"` + "\n", ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var logged recorder
			asked := 0
			s := &wschannel.Server{
				Handler: func(context.Context, *wschannel.Channel) { t.Error("the handler was called") },
				Upgrade: func(r *http.Request) (context.Context, error) {
					asked++
					return nil, test.err
				},
				Logger: logTo(&logged, slog.LevelError),
			}
			c, resp := visit(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/html") // as middleware does
				s.ServeHTTP(w, r)
			}), test.r)
			if c != nil || resp.StatusCode != test.want.status {
				t.Fatalf("got %p, %v; want status %d", c, resp, test.want.status)
			}
			if body, _ := io.ReadAll(resp.Body); string(body) != test.want.body {
				t.Errorf("the body is %q, want %q", body, test.want.body)
			}
			contentType := "text/plain; charset=utf-8"
			if test.want.status == 401 {
				contentType = "application/json"
				if got := map[string][]string(resp.Header)["WWW-Authenticate"]; len(got) != 1 || got[0] != "Basic" {
					t.Errorf("the header is %v", resp.Header)
				}
			}
			if got := resp.Header.Get("Content-Type"); got != contentType {
				t.Errorf("Content-Type is %q, want %q", got, contentType)
			}
			if asked != test.asked {
				t.Errorf("Upgrade was asked %d times, want %d", asked, test.asked)
			}
			if got := logged.String(); !strings.Contains(got, test.want.log) || (test.want.log == "") != (got == "") {
				t.Errorf("logged %q, want %q", got, test.want.log)
			}
		})
	}
}

// Misuse of Server is for its log, and no news to the client.
func TestServerMisuse(t *testing.T) {
	for _, test := range []struct {
		s    *wschannel.Server
		want string
	}{
		{&wschannel.Server{}, "Server.Handler is nil"},
		{&wschannel.Server{Handler: echo, AcceptOptions: wschannel.AcceptOptions{Origins: []string{"://"}}},
			`the origin pattern \"://\" has a malformed scheme; expected one like https`},
	} {
		var logged recorder
		test.s.Logger = logTo(&logged, slog.LevelError)
		c, resp := visit(t, test.s, sampleHTTPRequest())
		if c != nil || resp.StatusCode != 500 {
			t.Errorf("got %p, %v; want status 500", c, resp)
		}
		if got := logged.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, test.want) {
			t.Errorf("logged %q, want %q", got, test.want)
		}
	}
}

// How a channel ends when its handler does.
func TestServerHandlerEnds(t *testing.T) {
	for _, test := range []struct {
		name    string
		handler func(ctx context.Context, c *wschannel.Channel)
		code    status.Code
		log     string
	}{
		{"returns", func(context.Context, *wschannel.Channel) {}, status.NormalClosure, ""},
		{"has closed", func(_ context.Context, c *wschannel.Channel) { c.CloseWith(4001, "x") }, 4001, ""},
		{"has hung up", func(_ context.Context, c *wschannel.Channel) { c.CloseNow() }, status.AbnormalClosure, ""},
		{"has stopped listening", func(_ context.Context, c *wschannel.Channel) { c.Listen(nil, nil)() }, status.NormalClosure, ""},
		{"exits its goroutine", func(context.Context, *wschannel.Channel) { runtime.Goexit() }, status.NormalClosure, ""},
		{"panics", func(context.Context, *wschannel.Channel) { panic("boom") }, status.InternalError, "boom"},
		{"panics with an odd value", func(context.Context, *wschannel.Channel) { panic([]int{1}) }, status.InternalError, "[1]"},
		{"panics after the end", func(_ context.Context, c *wschannel.Channel) { c.CloseWith(4001, ""); panic("late") }, 4001, "late"},
		{"panics while it listens", func(_ context.Context, c *wschannel.Channel) { c.Listen(nil, nil); panic("boom") }, status.InternalError, "boom"},
		{"aborts", func(context.Context, *wschannel.Channel) { panic(http.ErrAbortHandler) }, status.AbnormalClosure, ""},
		{"panics in a callback", func(_ context.Context, c *wschannel.Channel) {
			c.Listen(func(wschannel.Message) { panic("boom") }, nil)
		}, status.InternalError, "boom"},
		{"panics in a callback of ListenView", func(_ context.Context, c *wschannel.Channel) {
			c.ListenView(func(wschannel.View) { panic("boom") }, nil)
		}, status.InternalError, "boom"},
		{"aborts in a callback", func(_ context.Context, c *wschannel.Channel) {
			c.Listen(func(wschannel.Message) { panic(http.ErrAbortHandler) }, nil)
		}, status.AbnormalClosure, ""},
		{"panics in onDone", func(_ context.Context, c *wschannel.Channel) {
			c.Listen(func(wschannel.Message) { c.CloseWith(4001, "") }, func(error) { panic("boom") })
		}, 4001, "boom"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var logged recorder
				s := &wschannel.Server{
					Handler: func(ctx context.Context, c *wschannel.Channel) {
						if id, err := c.Receive(ctx); err != nil || string(id.Data) == "other" {
							echo(ctx, c)
							return
						}
						test.handler(ctx, c)
					},
					Logger: logTo(&logged, slog.LevelError),
				}
				other, _ := visit(t, s, sampleHTTPRequest())
				other.SendText(patiently(t), "other")
				c, _ := visit(t, s, sampleHTTPRequest())
				for range 2 { // the second is for the callbacks
					c.SendText(patiently(t), "go")
					synctest.Wait()
				}
				checkEnd(t, c, test.code)
				checkEcho(t, other)

				// Nothing is running any more but the other channel.
				other.Close()
				if err := s.Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
				text, stack, _ := strings.Cut(logged.String(), "stack=")
				if want := `level=ERROR msg="wschannel: panic in a handler" remote=pipe panic=` + test.log + " "; test.log == "" {
					if text != "" {
						t.Errorf("logged %q", text)
					}
				} else if text != want {
					t.Errorf("logged %q, want %q", text, want)
				}
				if test.log != "" && !strings.Contains(stack, "server_test.go:") {
					t.Errorf("the stack does not tell where the panic was:\n%s", stack)
				}
			})
		})
	}
}

// Without a Logger, panics go to the default one.
func TestServerDefaultLog(t *testing.T) {
	var logged recorder
	defer log.SetOutput(log.Writer())
	log.SetOutput(&logged)
	s := &wschannel.Server{Handler: func(context.Context, *wschannel.Channel) { panic("boom") }}
	c, _ := visit(t, s, sampleHTTPRequest())
	checkEnd(t, c, status.InternalError)
	s.Shutdown(t.Context())
	checkMatch(t, "the log", logged.String(), `wschannel: panic in a handler"? remote=pipe panic=boom`)
}

// A channel that is listened to outlives its handler, also when listening is
// stopped later; Shutdown still knows it.
func TestServerListenOutlives(t *testing.T) {
	for _, stopping := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			returned := make(chan struct{})
			done := make(chan error, 1)
			var stop func()
			var server *wschannel.Channel
			var handlerCtx context.Context
			s := &wschannel.Server{Handler: func(ctx context.Context, c *wschannel.Channel) {
				defer close(returned)
				server, handlerCtx = c, ctx
				stop = c.Listen(func(m wschannel.Message) { c.Send(ctx, m) }, func(err error) { done <- err })
			}}
			c, _ := visit(t, s, sampleHTTPRequest())
			<-returned
			synctest.Wait()
			checkEcho(t, c)
			if handlerCtx.Err() != nil {
				t.Error("the ctx of the handler ended with the handler")
			}
			if stopping {
				stop()
				synctest.Wait()
				c.SendText(patiently(t), "for whom?")
				if m, err := server.Receive(patiently(t)); string(m.Data) != "for whom?" {
					t.Errorf("after stop: %q, %v", m.Data, err)
				}
			}
			synctest.Wait()
			select {
			case <-c.Done():
				t.Fatalf("the channel ended with its handler: %v", c.Err())
			default:
			}

			if err := s.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			checkEnd(t, c, status.GoingAway)
			if handlerCtx.Err() == nil {
				t.Error("the ctx of the handler did not end with the channel")
			}
			select {
			case err := <-done:
				if stopping || !errors.Is(err, wschannel.ErrLocalClose) {
					t.Errorf("onDone was called with %v", err)
				}
			default:
				if !stopping {
					t.Error("Shutdown did not wait for onDone")
				}
			}
		})
	}
}

// Over a real server: many channels at once, each with its own handler.
func TestServerConcurrent(t *testing.T) {
	s := &wschannel.Server{Handler: echo}
	url := serve(t, s)
	var clients sync.WaitGroup
	for range 20 {
		clients.Go(func() {
			c, err := wschannel.Connect(t.Context(), url, nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			for i := range 20 {
				want := fmt.Sprint(i)
				if err := c.SendText(patiently(t), want); err != nil {
					t.Error(err)
					return
				}
				if m, err := c.Receive(patiently(t)); err != nil || string(m.Data) != want {
					t.Errorf("got %q, %v; want %q", m.Data, err, want)
					return
				}
			}
		})
	}
	clients.Wait()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}
