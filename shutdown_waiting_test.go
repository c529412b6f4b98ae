//go:build !js

package wschannel

import (
	"context"
	"testing"
)

// A Shutdown that has given up leaves nothing behind.
func TestShutdownGivesUpWithoutATrace(t *testing.T) {
	s := &Server{running: 1} // a handler that does not return
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 10 {
		if err := s.Shutdown(ctx); err == nil {
			t.Fatal("Shutdown did not wait")
		}
	}
	if n := len(s.waiting); n > 0 {
		t.Errorf("%d calls are waited for", n)
	}
	waits := async(func() error { return s.Shutdown(t.Context()) })
	s.leave()
	if err := within(t, "Shutdown", waits); err != nil {
		t.Error(err)
	}
}
