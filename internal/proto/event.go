// Package proto holds the state machines of RFC 6455: [Reader] turns received
// bytes into events, [Writer] turns messages into bytes, [Closing] counts the
// closing handshake. They do no I/O and know no lock, clock, goroutine or
// context; one transport or many, blocking or not, can drive them.
package proto

import (
	"github.com/wschannel/wschannel/internal/wire"
	"github.com/wschannel/wschannel/status"
)

// A Kind says what an [Event] is.
type Kind uint8

// The kinds of events.
const (
	More      Kind = iota // nothing is complete: put more bytes into Space
	Message               // a whole message: Opcode, Data
	Start                 // a streamed message begins: Opcode
	Part                  // a piece of a streamed message: Data, Last
	Ping                  // a ping that wants a pong with the same Data
	Pong                  // a pong: Data
	Close                 // the peer's close frame: Code, Data is the reason
	Violation             // the peer broke the protocol: Violation
	TooLong               // a message is beyond the limits: see CollectAhead
	Lack                  // a message needs memory: see CollectInPlace
	Over                  // after Close or Violation nothing comes any more
)

// An Event is what [Reader.Next] found. It is a plain value.
type Event struct {
	Kind   Kind
	Opcode wire.Opcode // Text or Binary
	Last   bool        // this Part ends its message

	// Compressed says of a Message or Start that its first frame had RSV1 set:
	// the payload is compressed, and whether it is UTF-8 was not looked at.
	Compressed bool

	Code status.Code

	// InPlace says of a Message that its Data is as valid as "any other" below: see
	// CollectInPlace.
	InPlace bool

	// Data of a Message is what was given to Collect with the payload behind
	// it. Data of a Part is the beginning of what was given to Stream. Any
	// other Data is a view into the Reader, valid until the next Space.
	Data []byte

	Violation *wire.Violation
}
