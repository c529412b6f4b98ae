package wschannel

import "slices"

// A Type says what a message is (RFC 6455 §5.6).
type Type uint8

// The types of messages.
const (
	Text   Type = 1 // UTF-8 text; both ends check it (RFC 6455 §8.1)
	Binary Type = 2 // any bytes
)

// String returns "text" or "binary".
func (t Type) String() string {
	switch t {
	case Text:
		return "text"
	case Binary:
		return "binary"
	}
	return "invalid"
}

// A Message is one message of a channel. The zero Message is invalid: sending
// it fails with [ErrInvalidType].
type Message struct {
	// Type is Text or Binary.
	Type Type
	// Data is the payload. What was received belongs to the receiver; what is
	// sent is not kept after the call.
	Data []byte
}

// Clone returns a copy that shares no memory with m.
func (m Message) Clone() Message {
	return Message{m.Type, slices.Clone(m.Data)}
}

// A View is a received message whose data is lent, not given: it is valid
// only until the callback of [Channel.ListenView] that got it returns.
type View struct {
	// Type is Text or Binary.
	Type Type
	// Data is the payload, lent for the time of the call.
	Data []byte
}

// Clone returns the message in memory of its own.
func (v View) Clone() Message {
	return Message{v.Type, slices.Clone(v.Data)}
}
