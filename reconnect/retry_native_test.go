//go:build !js

package reconnect_test

import (
	"context"
	"errors"
	"testing"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/reconnect"
	"github.com/wschannel/wschannel/streamchannel"
)

func TestRetryableAfterProxy(t *testing.T) {
	tests := []struct {
		err  wschannel.ProxyError
		want bool
	}{
		{wschannel.ProxyError{StatusCode: 403}, false},
		{wschannel.ProxyError{StatusCode: 407}, false},
		{wschannel.ProxyError{StatusCode: 502}, true},
		{wschannel.ProxyError{Err: errors.New("refused")}, true},
	}
	for _, tt := range tests {
		err := &wschannel.ConnectError{URL: "ws://example.com/", Err: &tt.err}
		if got := reconnect.Retryable(err); got != tt.want {
			t.Errorf("Retryable(%v) = %t", err, got)
		}
	}
}

func TestNotRetryableWithoutASensibleURL(t *testing.T) {
	for _, url := range []string{"localhost:8080", "ftp://localhost/", "ws:///chat", "ws://localhost/#news"} {
		_, err := wschannel.Connect(t.Context(), url, nil)
		if err == nil || reconnect.Retryable(err) {
			t.Errorf("Retryable(%v) = true", err)
		}
	}
	if _, err := wschannel.Connect(t.Context(), "ws://127.0.0.1:1/", nil); err == nil || !reconnect.Retryable(err) {
		t.Errorf("Retryable(%v) = false", err)
	}
}

func TestNewWithoutDial(t *testing.T) {
	defer func() {
		if got := recover(); got != "reconnect: New without a function that connects" {
			t.Errorf("recovered %v", got)
		}
	}()
	reconnect.New[*wschannel.Channel, wschannel.Message](nil, nil)
}

// A dial that returns nothing at all is told so, and not called again.
func TestDialReturnsNothing(t *testing.T) {
	checkGivesUp := func(done <-chan struct{}, err func() error) {
		t.Helper()
		<-done
		const want = "reconnect: gave up after 1 attempt: reconnect: the function that connects returned neither a channel nor an error"
		if got := err(); got == nil || got.Error() != want {
			t.Errorf("the end is %v, want %s", got, want)
		}
	}
	pointer := reconnect.New(func(context.Context) (*wschannel.Channel, error) { return nil, nil }, nil)
	checkGivesUp(pointer.Done(), pointer.Err)
	iface := reconnect.New(func(context.Context) (streamchannel.Channel[string, string], error) { return nil, nil }, nil)
	checkGivesUp(iface.Done(), iface.Err)
}
