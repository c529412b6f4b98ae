package reconnect_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/reconnect"
	"github.com/wschannel/wschannel/status"
	"github.com/wschannel/wschannel/streamchannel"
)

func remote(code status.Code) *wschannel.CloseError {
	return &wschannel.CloseError{Code: code, Remote: true}
}

func refused(statusCode int, retryAfter ...string) error {
	return &wschannel.HandshakeError{StatusCode: statusCode, Header: map[string][]string{"Retry-After": retryAfter}}
}

func TestRetryable(t *testing.T) {
	tests := []struct {
		err  error
		want bool
	}{
		{remote(status.NormalClosure), false},
		{remote(status.PolicyViolation), false},
		{&wschannel.CloseError{Code: status.NormalClosure}, false}, // a link that the application has closed
		{fmt.Errorf("in OnConnect: %w", remote(status.PolicyViolation)), false},
		{remote(status.GoingAway), true},
		{remote(status.NoStatusReceived), true},
		{remote(status.InternalError), true},
		{remote(status.ServiceRestart), true},
		{remote(status.TryAgainLater), true},
		{remote(4000), true},
		{lost, true},
		{&wschannel.CloseError{Code: status.AbnormalClosure}, true}, // CloseNow
		{streamchannel.ErrClosed, true},
		{refused(400), false},
		{refused(401), false},
		{refused(429), false},
		{refused(499), false},
		{refused(500), true},
		{refused(503), true},
		{refused(200), true},
		{refused(301), true},
		{&wschannel.ConnectError{Err: errors.New("no such host")}, true},
		{context.DeadlineExceeded, true},
		{errors.New("any"), true},
	}
	for _, tt := range tests {
		if got := reconnect.Retryable(tt.err); got != tt.want {
			t.Errorf("Retryable(%v) = %t", tt.err, got)
		}
	}
}

// longest is a Jitter that makes every pause as long as it can be.
func longest(limit time.Duration) time.Duration { return limit }

// pauses runs a channel whose attempts give these results, and returns how long
// it waited before each but the first. A link stays open for a time.
func pauses(t *testing.T, o *options, open time.Duration, results ...any) (got []time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		o.Jitter, o.ConnectTimeout = longest, -1
		last := time.Time{}
		dials, all := 0, make(chan struct{})
		c := reconnect.New(func(ctx context.Context) (*fakeLink, error) {
			if dials > 0 {
				got = append(got, time.Since(last))
			}
			last = time.Now()
			if dials == len(results) {
				close(all)
				<-ctx.Done()
				return nil, ctx.Err()
			}
			r := results[dials]
			dials++
			if end, ok := r.(*wschannel.CloseError); ok {
				l := newLink(1)
				time.AfterFunc(open, func() {
					last = time.Now()
					l.breaks(end)
				})
				return l, nil
			}
			return nil, r.(error)
		}, o)
		select {
		case <-all:
		case <-c.Done():
			t.Error(c.Err())
		}
		c.CloseNow()
		<-c.Done()
	})
	return got
}

func seconds(s ...float64) (all []time.Duration) {
	for _, s := range s {
		all = append(all, time.Duration(s*float64(time.Second)))
	}
	return all
}

func TestPauses(t *testing.T) {
	failed := errors.New("no route")
	tests := []struct {
		name    string
		o       options
		open    time.Duration
		results []any
		want    []time.Duration
	}{
		{"double up to the longest", options{}, 0,
			[]any{failed, failed, failed, failed, failed, failed, failed}, seconds(1, 2, 4, 8, 16, 30, 30)},
		{"begin and end with the options", options{BaseDelay: 3 * time.Second, MaxDelay: 10 * time.Second}, 0,
			[]any{failed, failed, failed, failed}, seconds(3, 6, 10, 10)},
		{"grow without limit", options{MaxDelay: -1, BaseDelay: time.Hour}, 0,
			[]any{failed, failed, failed, failed, failed}, seconds(3600, 7200, 14400, 28800, 57600)},
		{"go on with a link that is not stable", options{}, 9 * time.Second,
			[]any{failed, failed, lost, lost, failed}, seconds(1, 2, 4, 8, 16)},
		{"begin anew after a stable link", options{}, 10 * time.Second,
			[]any{failed, failed, lost, failed, failed, lost}, seconds(1, 2, 1, 2, 4, 1)},
		{"begin anew after every link", options{StableAfter: -1}, 0,
			[]any{failed, failed, lost, lost}, seconds(1, 2, 1, 1)},
		{"are longer if the answer asks for it", options{}, 0,
			[]any{refused(503, "120"), failed, refused(503, "soon"), refused(503)}, seconds(121, 2, 4, 8)},
		{"are longer if a permitted refusal asks for it", options{Retry: func(error) bool { return true }}, 0,
			[]any{refused(429, "7")}, seconds(8)},
		{"spread restarts of the server over 5 to 30 seconds", options{StableAfter: -1}, time.Second,
			[]any{remote(status.ServiceRestart), remote(status.GoingAway)}, seconds(30, 1)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := pauses(t, &tt.o, tt.open, tt.results...); !slices.Equal(got, tt.want) {
				t.Errorf("pauses %v, want %v", got, tt.want)
			}
		})
	}
}

// Without a Jitter of the test's, pauses are anywhere between nothing and the
// longest.
func TestJitterIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var times []time.Time
		c := reconnect.New(func(context.Context) (*fakeLink, error) {
			times = append(times, time.Now())
			return nil, errors.New("no route")
		}, &options{BaseDelay: time.Second, MaxDelay: time.Second})
		time.Sleep(100 * time.Second)
		c.Close()
		var early, late int
		for i := range times[1:] {
			switch pause := times[i+1].Sub(times[i]); {
			case pause < 0 || pause > time.Second:
				t.Errorf("a pause of %v", pause)
			case pause < time.Second/4:
				early++
			case pause > 3*time.Second/4:
				late++
			}
		}
		// Of about 200 pauses a quarter each: fewer than ten has a chance of 1e-12.
		if early < 10 || late < 10 {
			t.Errorf("of %d pauses %d are short and %d long", len(times)-1, early, late)
		}
	})
}

func TestGivesUp(t *testing.T) {
	failed := errors.New("no route")
	tests := []struct {
		name     string
		o        options
		open     time.Duration
		results  []any
		attempts int // of a GiveUpError
		err      error
		text     string
		clean    bool
	}{
		{"after MaxElapsed", options{MaxElapsed: 10 * time.Second}, 0, // 0, 1, 3, 7, and not 15
			[]any{failed, failed, failed, failed}, 4, failed, "reconnect: gave up after 4 attempts: no route", false},
		{"after MaxElapsed without a stable link", options{MaxElapsed: 10 * time.Second}, 3 * time.Second, // 0 to 3, 4 to 7, 9 to 12, and not 16
			[]any{lost, lost, lost}, 3, lost, "reconnect: gave up after 3 attempts: connection lost: connection reset", false},
		{"with a Retry-After beyond MaxElapsed", options{MaxElapsed: time.Minute}, 0,
			[]any{refused(503, "3600")}, 1, nil, "reconnect: gave up after 1 attempt: handshake failed with status 503", false},
		{"when it is refused", options{}, 0,
			[]any{failed, refused(401)}, 2, nil, "reconnect: gave up after 2 attempts: handshake failed with status 401", false},
		{"when Retry does not want to", options{Retry: func(err error) bool { return err != failed }}, 0,
			[]any{failed}, 1, failed, "reconnect: gave up after 1 attempt: no route", false},
		{"after 1000", options{}, 0, []any{lost, remote(status.NormalClosure)}, 0, nil, "wschannel: closed by the peer: 1000 normal closure", true},
		{"after 1008", options{}, 0, []any{remote(status.PolicyViolation)}, 0, nil, "wschannel: closed by the peer: 1008 policy violation", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tt.o.Jitter = longest
				c := reconnect.New(func(context.Context) (*fakeLink, error) {
					r := tt.results[0]
					tt.results = tt.results[1:]
					if end, ok := r.(*wschannel.CloseError); ok {
						l := newLink(1)
						time.AfterFunc(tt.open, func() { l.breaks(end) })
						return l, nil
					}
					return nil, r.(error)
				}, &tt.o)
				_, received := c.Receive(t.Context())
				end := ended(t, c)
				if received != end {
					t.Errorf("Receive: %v, want %v", received, end)
				}
				if end.Error() != tt.text {
					t.Errorf("the end: %v, want %v", end, tt.text)
				}
				var gaveUp *reconnect.GiveUpError
				if errors.As(end, &gaveUp) != (tt.attempts > 0) || gaveUp != nil && gaveUp.Attempts != tt.attempts {
					t.Errorf("the end: %#v, want %d attempts", end, tt.attempts)
				}
				if tt.err != nil && !errors.Is(end, tt.err) {
					t.Errorf("the end is not told to come from %v", tt.err)
				}
				if clean, ok := end.(interface{ Clean() bool }); !ok || clean.Clean() != tt.clean {
					t.Errorf("clean: %t, want %t", !tt.clean, tt.clean)
				}
			})
		})
	}
}
