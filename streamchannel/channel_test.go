package streamchannel

import (
	"errors"
	"fmt"
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
