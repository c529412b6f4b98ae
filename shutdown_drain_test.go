//go:build !js

package wschannel_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

// With a deadline, channels are closed one after the other: ten milliseconds
// apart, or faster, so that the last one has half of the time. Without one they
// are closed at once.
func TestShutdownStaggers(t *testing.T) {
	for _, test := range []struct {
		name    string
		n       int
		within  time.Duration // 0 for no deadline
		code    status.Code
		want    status.Code
		every   time.Duration
		longest time.Duration
	}{
		{"few", 5, time.Minute, 0, status.GoingAway, 10 * time.Millisecond, 40 * time.Millisecond},
		{"many", 100, time.Second, status.ServiceRestart, status.ServiceRestart, 5 * time.Millisecond, 495 * time.Millisecond},
		{"one", 1, time.Second, 4001, 4001, 0, 0},
		{"no deadline", 100, 0, 0, status.GoingAway, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &wschannel.Server{Handler: echo, CloseCode: test.code}
				var clients []*wschannel.Channel
				for range test.n {
					c, _ := visit(t, s, sampleHTTPRequest())
					clients = append(clients, c)
				}
				began := time.Now()
				ended := make(chan time.Duration, test.n)
				for _, c := range clients {
					go func() {
						for range c.Messages(t.Context()) {
						}
						ended <- time.Since(began)
					}()
				}
				synctest.Wait()
				ctx := t.Context()
				if test.within > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, test.within)
					defer cancel()
				}
				if err := s.Shutdown(ctx); err != nil {
					t.Error(err)
				}
				if took := time.Since(began); took != test.longest {
					t.Errorf("it took %v, want %v", took, test.longest)
				}
				var times []time.Duration
				for _, c := range clients {
					checkEnd(t, c, test.want)
					times = append(times, <-ended)
				}
				slices.Sort(times)
				for i, at := range times {
					if at != time.Duration(i)*test.every {
						t.Fatalf("closed at %v, want every %v", times, test.every)
					}
				}
			})
		})
	}
}

// While Shutdown closes one after the other, those that are not closed yet go on,
// and nobody new gets in; when all have left by themselves it is done.
func TestShutdownWhileStaggering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &wschannel.Server{Handler: echo}
		var clients []*wschannel.Channel
		for range 100 {
			c, _ := visit(t, s, sampleHTTPRequest())
			clients = append(clients, c)
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		shutdown := shutDown(ctx, s)
		time.Sleep(105 * time.Millisecond)
		checkPending(t, "those that are not closed yet", shutdown)
		if c, resp := visit(t, s, sampleHTTPRequest()); c != nil || resp.StatusCode != 503 {
			t.Errorf("got %p, %v; want status 503", c, resp)
		}
		open := 0
		for _, c := range clients {
			if c.Err() == nil {
				open++
				checkEcho(t, c)
				c.Close()
			}
		}
		if open != 89 {
			t.Errorf("%d channels were open, want 89", open)
		}
		if err := <-shutdown; err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 105*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}

// Shutdown says how many channels it had to cut, and what was still running.
// Those that it had not come to are hung up without a close frame.
func TestShutdownCuts(t *testing.T) {
	for _, test := range []struct {
		name               string
		deaf, good         int
		within             time.Duration // 0 for a ctx that is cancelled after 15 ms
		cut, running, told int
		cause              error
	}{
		{"at the deadline", 3, 4, 2 * time.Second, 3, 3, 4, context.DeadlineExceeded},
		{"cancelled while it closes one after the other", 0, 5, 0, 3, 3, 2, context.Canceled},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				servers := make(chan *wschannel.Channel, 10)
				s := &wschannel.Server{
					Handler: func(ctx context.Context, c *wschannel.Channel) {
						servers <- c
						<-ctx.Done()
					},
					AcceptOptions: wschannel.AcceptOptions{Options: wschannel.Options{CloseTimeout: time.Minute}},
				}
				for range test.deaf {
					conn, _ := visitRaw(s, sampleHTTPRequest())
					defer conn.Close()
				}
				var clients []*wschannel.Channel
				for range test.good {
					c, _ := visit(t, s, sampleHTTPRequest())
					clients = append(clients, c)
					c.Listen(nil, nil)
				}
				synctest.Wait()
				ctx, cancel := context.WithTimeout(t.Context(), test.within)
				if test.within == 0 {
					ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
					time.AfterFunc(15*time.Millisecond, cancel)
				}
				defer cancel()
				err := s.Shutdown(ctx)
				cut, ok := errors.AsType[*wschannel.ShutdownError](err)
				if !ok || cut.Cut != test.cut || cut.Running != test.running || cut.Err != test.cause || !errors.Is(err, test.cause) {
					t.Fatalf("got %#v", err)
				}
				if want := fmt.Sprintf("wschannel: shutdown not completed: %d channels cut, %d handlers and callbacks running: %v", test.cut, test.running, test.cause); err.Error() != want {
					t.Errorf("the error is %q, want %q", err, want)
				}
				synctest.Wait()
				told := 0
				for _, c := range clients {
					if wait(t, "the end", c.Done()); c.CloseCode() == status.GoingAway {
						told++
					}
				}
				if told != test.told {
					t.Errorf("%d clients were told, want %d", told, test.told)
				}
				for range test.deaf + test.good {
					c := <-servers
					if !errors.Is(c.Err(), wschannel.ErrLocalClose) {
						t.Errorf("a channel of the server has %v", c.Err())
					}
					if c.CloseCode() == status.GoingAway {
						told--
					}
				}
				if told != -test.deaf {
					t.Errorf("of the server's channels, %d more than of the clients' have ended with 1001; want %d", -told, test.deaf)
				}
			})
		})
	}
}
