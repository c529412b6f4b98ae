//go:build !js

package wschannel_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

// checkUnavailable checks a refusal because of a limit.
func checkUnavailable(t *testing.T, c *wschannel.Channel, resp *http.Response, body, retryAfter string) {
	t.Helper()
	if c != nil {
		t.Fatal("beyond the limit a channel was accepted")
	}
	got, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 503 || string(got) != body || resp.Header.Get("Retry-After") != retryAfter {
		t.Errorf("refused with %d %q, Retry-After %q; want 503 %q, %q", resp.StatusCode, got, resp.Header.Get("Retry-After"), body, retryAfter)
	}
}

const (
	fullBody = "websocket: the server has as many channels as it may have\n"
	busyBody = "websocket: the server has as many handshakes under way as it may have\n"
)

// No more than MaxChannels are open at a time; one that is over, and a handshake
// that is refused, makes room.
func TestServerMaxChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counters := new(wschannel.Counters)
		s := &wschannel.Server{
			Handler:       echo,
			MaxChannels:   2,
			AcceptOptions: wschannel.AcceptOptions{Options: wschannel.Options{Counters: counters}},
		}
		first, _ := visit(t, s, sampleHTTPRequest())
		foreign := sampleHTTPRequest()
		foreign.Header.Set("Origin", "https://evil.example")
		for range 3 {
			if c, resp := visit(t, s, foreign); c != nil || resp.StatusCode != 403 {
				t.Fatalf("from elsewhere: %p, %v", c, resp)
			}
		}
		second, _ := visit(t, s, sampleHTTPRequest())
		for range 2 {
			c, resp := visit(t, s, sampleHTTPRequest())
			checkUnavailable(t, c, resp, fullBody, "5")
		}
		checkEcho(t, first)
		second.Close()
		synctest.Wait()
		third, _ := visit(t, s, sampleHTTPRequest())
		checkEcho(t, third)
		c, resp := visit(t, s, sampleHTTPRequest())
		checkUnavailable(t, c, resp, fullBody, "5")
		if got := counters.Snapshot(); got.Limited != 3 || got.Open != 2 || !reflect.DeepEqual(got.Failed, map[int]int64{403: 3, 503: 3}) {
			t.Errorf("counted: %+v", got)
		}
		s.Shutdown(t.Context())
	})
}

// A slow Upgrade holds up no more than MaxHandshakes; what it has not decided
// counts as a channel that is about to be.
func TestServerMaxHandshakes(t *testing.T) {
	for _, test := range []struct {
		name              string
		handshakes, most  int
		body, retryAfter  string
		accepted, panicky bool // what Upgrade does
	}{
		{"accepted", 2, 0, busyBody, "1", true, false},
		{"refused", 2, 0, busyBody, "1", false, false},
		{"panics", 2, 0, busyBody, "1", false, true},
		{"as channels", 0, 2, fullBody, "5", true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate := make(chan struct{})
				s := &wschannel.Server{
					Handler:       echo,
					MaxHandshakes: test.handshakes,
					MaxChannels:   test.most,
					Upgrade: func(r *http.Request) (context.Context, error) {
						<-gate
						if test.panicky {
							panic(http.ErrAbortHandler)
						}
						if !test.accepted {
							return nil, &wschannel.HandshakeError{StatusCode: 401}
						}
						return r.Context(), nil
					},
				}
				done := make(chan *wschannel.Channel, 2)
				for range 2 {
					go func() {
						defer func() { recover() }()
						var c *wschannel.Channel
						defer func() { done <- c }()
						if test.panicky {
							s.ServeHTTP(httptest.NewRecorder(), sampleHTTPRequest())
							return
						}
						c, _ = visit(t, s, sampleHTTPRequest())
					}()
				}
				synctest.Wait()
				c, resp := visit(t, s, sampleHTTPRequest())
				checkUnavailable(t, c, resp, test.body, test.retryAfter)
				close(gate)
				for range 2 {
					if c := <-done; (c != nil) != test.accepted {
						t.Errorf("got %p", c)
					} else if c != nil {
						checkEcho(t, c)
					}
				}
				if test.handshakes > 0 && !test.panicky {
					if c, resp := visit(t, s, sampleHTTPRequest()); (c != nil) != test.accepted || resp != nil && resp.StatusCode != 401 {
						t.Errorf("after that: %p, %v", c, resp)
					}
				}
				if err := s.Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Channels that came together are closed at 80 to 100 % of MaxAge, spread over
// that time, with a code that is a clean end.
func TestServerMaxAge(t *testing.T) {
	for _, code := range []status.Code{0, status.ServiceRestart} {
		synctest.Test(t, func(t *testing.T) {
			const n, age = 60, time.Hour
			s := &wschannel.Server{Handler: echo, MaxAge: age, CloseCode: code}
			ages := make(chan time.Duration, n)
			began := time.Now()
			for range n {
				c, _ := visit(t, s, sampleHTTPRequest())
				go func() {
					for range c.Messages(t.Context()) {
					}
					ages <- time.Since(began)
					want := code
					if want == 0 {
						want = status.GoingAway
					}
					if c.CloseCode() != want || c.CloseReason() != "maximum age" {
						t.Errorf("closed with %v", c.Err())
					}
				}()
			}
			var twelfths [12]int // of the fifth in which they end
			for range n {
				got := <-ages
				if got < age-age/5 || got > age {
					t.Fatalf("closed at the age of %v", got)
				}
				twelfths[min(11, (got-age+age/5)/(age/60))]++
			}
			for i, k := range twelfths {
				if k > n/3 {
					t.Errorf("%d of %d ended in the same minute, the %dth", k, n, i)
				}
			}
		})
	}
}

// A channel that ends before its age is forgotten, and one that is shut down has
// no second end.
func TestServerMaxAgeOfTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &wschannel.Server{Handler: echo, MaxAge: time.Minute}
		c, _ := visit(t, s, sampleHTTPRequest())
		c.CloseWith(4000, "early")
		other, _ := visit(t, s, sampleHTTPRequest())
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Hour)
		if c.CloseCode() != 4000 || other.CloseReason() != "" {
			t.Errorf("ended with %v and %v", c.Err(), other.Err())
		}
	})
}

// A lostConn takes the answer to a handshake, and is lost.
type lostConn struct {
	net.Conn
	writes int
}

func (c *lostConn) Write(p []byte) (int, error) {
	if c.writes++; c.writes > 1 {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

// However soon the age is reached, a channel is not forgotten before it is known:
// Shutdown would wait for it for ever.
func TestServerMaxAgeAtOnce(t *testing.T) {
	s := &wschannel.Server{Handler: echo, MaxAge: 1}
	for range 300 {
		near, far := net.Pipe()
		defer far.Close()
		w := &hijackable{ResponseRecorder: httptest.NewRecorder(), conn: &lostConn{Conn: near}}
		s.ServeHTTP(w, sampleHTTPRequest())
	}
	if err := wait(t, "Shutdown", shutDown(t.Context(), s)); err != nil {
		t.Error(err)
	}
}

// A code that must not be sent is for the log, and no news to the client.
func TestServerCloseCode(t *testing.T) {
	for _, code := range []status.Code{1005, 1015, 2000} {
		var logged recorder
		s := &wschannel.Server{Handler: echo, CloseCode: code, Logger: logTo(&logged, slog.LevelError)}
		if c, resp := visit(t, s, sampleHTTPRequest()); c != nil || resp.StatusCode != 500 {
			t.Errorf("got %p, %v; want status 500", c, resp)
		}
		checkMatch(t, "the log", logged.String(), `Server\.CloseCode \d+ must not be sent`)
	}
}
