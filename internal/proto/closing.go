package proto

// Closing is how far the closing handshake of RFC 6455 §7.1 has come.
//
//	Open ── Sent ──▶ CloseSent ─────┐
//	  │                          Received
//	Received                        ▼
//	  └─▶ CloseReceived ── Sent ─▶ Closed
type Closing uint8

// The states of the closing handshake.
const (
	Open          Closing = iota // no close frame either way
	CloseSent                    // we have sent ours and wait for the peer's
	CloseReceived                // the peer has sent its own and waits for ours
	Closed                       // both: the handshake is done
)

// Sent returns the state after we have sent a close frame.
func (c Closing) Sent() Closing {
	if c == CloseReceived || c == Closed {
		return Closed
	}
	return CloseSent
}

// Received returns the state after a close frame from the peer.
func (c Closing) Received() Closing {
	if c == CloseSent || c == Closed {
		return Closed
	}
	return CloseReceived
}
