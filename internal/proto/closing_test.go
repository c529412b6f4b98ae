package proto

import "testing"

// The whole table: RFC 6455 §7.1.3, "upon either sending or receiving a Close
// control frame, it is said that _The WebSocket Closing Handshake is Started_",
// and §7.1.4. A second frame in the same direction changes nothing.
func TestClosing(t *testing.T) {
	for _, tt := range []struct{ from, sent, received Closing }{
		{Open, CloseSent, CloseReceived},
		{CloseSent, CloseSent, Closed},
		{CloseReceived, Closed, CloseReceived},
		{Closed, Closed, Closed},
	} {
		if got := tt.from.Sent(); got != tt.sent {
			t.Errorf("%d.Sent() = %d, want %d", tt.from, got, tt.sent)
		}
		if got := tt.from.Received(); got != tt.received {
			t.Errorf("%d.Received() = %d, want %d", tt.from, got, tt.received)
		}
	}
	if zero := *new(Closing); zero != Open {
		t.Errorf("the zero Closing is %d", zero)
	}
}
