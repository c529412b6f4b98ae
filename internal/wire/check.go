package wire

import (
	"strconv"

	"github.com/wschannel/wschannel/status"
)

// A Violation is a rule of the protocol that the peer broke.
type Violation struct {
	Code    status.Code // the close code that the RFC prescribes for it
	Section string      // the section of RFC 6455 that states the rule, as in "5.2"
	Text    string      // what was received, and what is allowed
}

// State is what a frame header is judged against.
type State struct {
	Server     bool  // the receiving endpoint is the server
	Fragmented bool  // a fragmented message has begun and not ended
	Rsv        uint8 // reserved bits that a negotiated extension allows on the first frame of a message
}

// Check states the rules of RFC 6455 §5.1 to §5.5 for the header of a received
// frame. It returns nil if the frame is legal.
func Check(h Header, s State) *Violation {
	switch {
	// "MUST be 0 unless an extension is negotiated that defines meanings for
	// non-zero values."
	case h.Rsv&^s.Rsv != 0:
		return broken("5.2", "reserved bits "+bits(h.Rsv&^s.Rsv)+" set, no extension defines them")
	// RFC 7692 §6: extensions for messages mark the first frame, nothing else.
	case h.Rsv != 0 && h.Opcode != Text && h.Opcode != Binary:
		return broken("5.2", "reserved bits "+bits(h.Rsv)+" set on a frame that does not begin a message")

	// "If an unknown opcode is received, the receiving endpoint MUST _Fail the
	// WebSocket Connection_."
	case h.Opcode > Binary && h.Opcode < Close || h.Opcode > Pong:
		return broken("5.2", "reserved opcode 0x"+strconv.FormatUint(uint64(h.Opcode), 16))

	// "The server MUST close the connection upon receiving a frame that is not
	// masked." "A client MUST close a connection if it detects a masked frame."
	case s.Server && !h.Masked:
		return broken("5.1", "frame from a client is not masked")
	case !s.Server && h.Masked:
		return broken("5.1", "frame from a server is masked")

	// "The minimal number of bytes MUST be used to encode the length"; "the
	// most significant bit MUST be 0".
	case h.Extended == 2 && h.Length < 126, h.Extended == 8 && h.Length <= 0xFFFF:
		return broken("5.2", "payload length "+strconv.FormatUint(h.Length, 10)+
			" encoded in "+strconv.Itoa(int(h.Extended))+" extra bytes, fewer would do")
	case h.Length > 1<<63-1:
		return broken("5.2", "payload length with its most significant bit set")

	// "All control frames MUST have a payload length of 125 bytes or less and
	// MUST NOT be fragmented."
	case h.Opcode.Control() && h.Length > MaxControl:
		return broken("5.5", "control frame of "+strconv.FormatUint(h.Length, 10)+" bytes, at most 125 are allowed")
	case h.Opcode.Control() && !h.Fin:
		return broken("5.5", "fragmented control frame")

	// "The fragments of one message MUST NOT be interleaved between the
	// fragments of another message."
	case h.Opcode == Continuation && !s.Fragmented:
		return broken("5.4", "continuation frame without a message to continue")
	case (h.Opcode == Text || h.Opcode == Binary) && s.Fragmented:
		return broken("5.4", "new message inside a fragmented message")
	}
	return nil
}

func broken(section, text string) *Violation {
	return &Violation{Code: status.ProtocolError, Section: section, Text: text}
}

// bits names the reserved bits that are set in rsv.
func bits(rsv uint8) string {
	s := ""
	for i, name := range [...]string{"RSV1", "RSV2", "RSV3"} {
		if rsv&(Rsv1>>i) != 0 {
			if s != "" {
				s += ","
			}
			s += name
		}
	}
	return s
}
