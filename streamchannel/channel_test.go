package streamchannel

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// endError is the error of an end that says itself whether it is clean.
type endError struct{ clean bool }

func (e *endError) Error() string        { return fmt.Sprintf("ended, clean: %t", e.clean) }
func (e *endError) Is(target error) bool { return target == ErrClosed }
func (e *endError) Clean() bool          { return e.clean }

func TestClean(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{ErrClosed, true},
		{&endError{true}, true},
		{&endError{false}, false},
		{fmt.Errorf("virtual channel: %w", &endError{true}), true},
		{fmt.Errorf("virtual channel: %w", &endError{false}), false},
		{fmt.Errorf("%w: connection reset", ErrClosed), false},
		{errors.New("no end at all"), false},
		{ErrConcurrentReceive, false},
	} {
		if got := clean(c.err); got != c.want {
			t.Errorf("clean(%v) = %t", c.err, got)
		}
	}
}

// cancelled returns a context that is done.
func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// expired returns a context whose deadline has passed.
func expired(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 0)
	t.Cleanup(cancel)
	return ctx
}

// yield lets other goroutines run, so that a race has many outcomes.
func yield(times int) {
	for range times {
		runtime.Gosched()
	}
}

// message is the i-th message of sender s.
func message(s, i int) string { return strconv.Itoa(s) + " " + strconv.Itoa(i) }

func senderOf(m string) int {
	s, _, _ := strings.Cut(m, " ")
	n, _ := strconv.Atoi(s)
	return n
}
