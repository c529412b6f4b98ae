package reconnect

import (
	"testing"
	"time"
)

// RFC 9110 §10.2.3.
func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		field string
		want  time.Duration
	}{
		{"0", 0},
		{"120", 2 * time.Minute},
		{" 7 ", 7 * time.Second},
		{"Sun, 01 Mar 2026 12:00:30 GMT", 30 * time.Second},
		{"Sun, 01 Mar 2026 11:59:30 GMT", 0},
		{"Wed, 01 Mar 2126 12:00:00 GMT", longestRetryAfter},
		{"86401", longestRetryAfter},
		{"99999999999999999999999999", longestRetryAfter},
		{"-1", 0},
		{"1.5", 0},
		{"soon", 0},
		{"", 0},
	}
	for _, tt := range tests {
		if got := retryAfter([]string{tt.field}, now); got != tt.want {
			t.Errorf("Retry-After: %q is %v, want %v", tt.field, got, tt.want)
		}
	}
	if got := retryAfter(nil, now); got != 0 {
		t.Errorf("no Retry-After is %v", got)
	}
}
