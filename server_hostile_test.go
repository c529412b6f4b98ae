//go:build !js

package wschannel_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel"
)

// A reluctant connection takes as long to be closed as its peer likes.
type reluctant struct{ net.Conn }

func (reluctant) CloseWrite() error { return nil }

// A peer that closes its channel and stays connected takes the room of a channel
// until it goes, or CloseTimeout has passed.
func TestServerMaxChannelsAndPeersThatStay(t *testing.T) {
	for _, stays := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := &wschannel.Server{Handler: echo, MaxChannels: 1}
			near, far := net.Pipe()
			w := &hijackable{ResponseRecorder: httptest.NewRecorder(), conn: reluctant{near}}
			go func() {
				readHead(bufio.NewReaderSize(oneByte{far}, 16))
				far.Write([]byte("\x88\x80\x00\x00\x00\x00")) // a close
				io.Copy(io.Discard, oneByte{far})
			}()
			s.ServeHTTP(w, sampleHTTPRequest())
			synctest.Wait()
			c, resp := visit(t, s, sampleHTTPRequest())
			checkUnavailable(t, c, resp, fullBody, "5")
			if stays {
				time.Sleep(5*time.Second + time.Millisecond) // CloseTimeout
			} else {
				far.Close()
			}
			synctest.Wait()
			next, _ := visit(t, s, sampleHTTPRequest())
			checkEcho(t, next)
			if err := s.Shutdown(t.Context()); err != nil {
				t.Errorf("Shutdown: %v", err)
			}
		})
	}
}

// bomb is a slog.Handler that goes off at records with a message.
type bomb struct {
	slog.Handler
	at     string
	goesTo func()
}

func (b bomb) Handle(ctx context.Context, r slog.Record) error {
	if strings.HasSuffix(r.Message, b.at) {
		b.goesTo()
	}
	return b.Handler.Handle(ctx, r)
}

func (b bomb) Enabled(context.Context, slog.Level) bool {
	if b.at == "Enabled" {
		b.goesTo()
	}
	return true
}

// A Logger that panics, or ends its goroutine, harms no channel: it is told where
// nothing can go wrong.
func TestServerLoggerThatFails(t *testing.T) {
	for _, how := range []struct {
		told string
		bang func()
	}{
		{"panic in Server.Logger: bomb", func() { panic("bomb") }},
		{"runtime.Goexit in Server.Logger", runtime.Goexit},
	} {
		for _, at := range []string{"Enabled", "handshake refused", "channel opened", "channel closed", "panic in a handler"} {
			t.Run(how.told+" at "+at, func(t *testing.T) {
				told := standardError(t, func() {
					synctest.Test(t, func(t *testing.T) { failingLogger(t, bomb{slog.DiscardHandler, at, how.bang}) })
				})
				if !strings.Contains(told, "wschannel: "+how.told+"\n") || !strings.Contains(told, "server_hostile_test.go") {
					t.Errorf("standard error got %.2000q", told)
				}
			})
		}
	}
}

func failingLogger(t *testing.T, b bomb) {
	handlers := 0
	s := &wschannel.Server{
		Handler: func(ctx context.Context, c *wschannel.Channel) {
			if handlers++; handlers == 2 {
				panic("in the handler")
			}
			echo(ctx, c)
		},
		Logger: slog.New(b),
	}
	foreign := sampleHTTPRequest()
	foreign.Header.Set("Origin", "https://evil.example")
	if c, resp := visit(t, s, foreign); c != nil || resp.StatusCode != http.StatusForbidden {
		t.Errorf("from elsewhere: %v, %v", c, resp)
	}
	first, _ := visit(t, s, sampleHTTPRequest())
	checkEcho(t, first)
	second, _ := visit(t, s, sampleHTTPRequest())
	if _, err := second.Receive(t.Context()); second.CloseCode() != 1011 {
		t.Errorf("the handler panicked: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	synctest.Wait()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// standardError returns what f writes to standard error.
func standardError(t *testing.T, f func()) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	text := make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(r)
		text <- string(b)
	}()
	before := os.Stderr
	os.Stderr = w
	f()
	os.Stderr = before
	w.Close()
	return <-text
}

// Whoever asks again and again does not fill the log, and what is left out is told.
func TestServerLogsTenRefusalsInASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged recorder
		s := &wschannel.Server{Handler: echo, Logger: logTo(&logged, slog.LevelInfo)}
		refused := func(times, lines int, omitted string) {
			t.Helper()
			before := len(logged.String())
			for range times {
				foreign := sampleHTTPRequest()
				foreign.Header.Set("Origin", "https://evil.example")
				if c, _ := visit(t, s, foreign); c != nil {
					t.Fatal("not refused")
				}
			}
			got := logged.String()[before:]
			if n := strings.Count(got, "handshake refused"); n != lines {
				t.Errorf("%d lines for %d refusals, want %d", n, times, lines)
			}
			if n := strings.Count(got, "omitted"); n != min(1, len(omitted)) || !strings.Contains(got, omitted) {
				t.Errorf("want %q in %s", omitted, got)
			}
		}
		refused(9, 9, "")
		refused(16, 1, "")
		time.Sleep(time.Second)
		refused(1, 1, "omitted=15")
		refused(10, 9, "")
		time.Sleep(10 * time.Second)
		refused(2, 2, "omitted=1")
	})
}
