//go:build !js

package reconnect_test

import (
	"errors"
	"testing"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/reconnect"
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
