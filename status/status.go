// Package status names the codes with which a WebSocket connection is closed
// (RFC 6455 §7.4, and the IANA registry "WebSocket Close Code Number").
package status

import "strconv"

// A Code says why a connection was closed. It holds whatever the two bytes of
// a close frame can: [Code.Valid] tells which codes such a frame may carry.
// The zero Code is no code at all.
type Code uint16

// The codes that RFC 6455 §7.4.1 defines, and 1012 to 1014, which the IANA
// registry added. 1004 is reserved and has no meaning yet.
const (
	// NormalClosure: the purpose of the connection has been fulfilled.
	NormalClosure Code = 1000

	// GoingAway: the endpoint disappears, as a server that shuts down or a
	// browser that leaves the page.
	GoingAway Code = 1001

	// ProtocolError: the peer broke a rule of the protocol.
	ProtocolError Code = 1002

	// UnsupportedData: the endpoint cannot use this type of message, as one
	// that understands only text and was sent binary data.
	UnsupportedData Code = 1003

	// NoStatusReceived is never sent: it stands for a close frame that
	// carried no code.
	NoStatusReceived Code = 1005

	// AbnormalClosure is never sent: it stands for a connection that ended
	// without a close frame.
	AbnormalClosure Code = 1006

	// InvalidFramePayloadData: a message contradicts its type, as text that
	// is not UTF-8.
	InvalidFramePayloadData Code = 1007

	// PolicyViolation: a message goes against the policy of the endpoint. It
	// is the code for what no other code fits, and for reasons that the peer
	// is not to learn.
	PolicyViolation Code = 1008

	// MessageTooBig: a message is larger than the endpoint can process.
	MessageTooBig Code = 1009

	// MandatoryExtension: the client needs an extension that the server did
	// not accept; the reason should name it. A server never sends this code:
	// it can refuse the handshake.
	MandatoryExtension Code = 1010

	// InternalError: something unexpected keeps the endpoint from going on.
	// The RFC speaks of a server, the registry of either side.
	InternalError Code = 1011

	// ServiceRestart: the server restarts. A client may connect again, after
	// a random delay of 5 to 30 seconds (IANA registry).
	ServiceRestart Code = 1012

	// TryAgainLater: the server is overloaded. A client should connect to
	// another address, or again when its user asks for it (IANA registry).
	TryAgainLater Code = 1013

	// BadGateway: the server is a gateway or proxy and received an invalid
	// response from the server behind it, like status 502 in HTTP (IANA
	// registry).
	BadGateway Code = 1014

	// TLSHandshake is never sent: it stands for a TLS handshake that failed,
	// as with a certificate that cannot be verified.
	TLSHandshake Code = 1015
)

// The two ranges that are free for others to define (RFC 6455 §7.4.2). All of
// their codes are valid.
const (
	// RegisteredMin to RegisteredMax are for libraries, frameworks and
	// applications, which register their codes with IANA.
	RegisteredMin Code = 3000
	RegisteredMax Code = 3999

	// PrivateMin to PrivateMax are for private use: two endpoints agree on
	// what these codes mean to them.
	PrivateMin Code = 4000
	PrivateMax Code = 4999
)

// Valid reports whether a close frame may carry c. It is the answer for both
// directions: an endpoint may send these codes and no others, and whoever
// receives another one closes with [ProtocolError].
//
// Valid are 1000 to 1003, 1007 to 1014 and 3000 to 4999. The others are
// reserved for later versions of the protocol (1004, 1016 to 2999), tell an
// application what happened without a code from the peer ([NoStatusReceived],
// [AbnormalClosure], [TLSHandshake]), or are outside of what RFC 6455 §7.4.2
// gives out (below 1000, above 4999).
func (c Code) Valid() bool {
	return c >= NormalClosure && c <= UnsupportedData ||
		c >= InvalidFramePayloadData && c <= BadGateway ||
		c >= RegisteredMin && c <= PrivateMax
}

// String returns the number of c and, if this package names it, its meaning:
// "1001 going away", "4123".
func (c Code) String() string {
	number := strconv.Itoa(int(c))
	if text := c.text(); text != "" {
		return number + " " + text
	}
	return number
}

func (c Code) text() string {
	switch c {
	case NormalClosure:
		return "normal closure"
	case GoingAway:
		return "going away"
	case ProtocolError:
		return "protocol error"
	case UnsupportedData:
		return "unsupported data"
	case NoStatusReceived:
		return "no status received"
	case AbnormalClosure:
		return "abnormal closure"
	case InvalidFramePayloadData:
		return "invalid frame payload data"
	case PolicyViolation:
		return "policy violation"
	case MessageTooBig:
		return "message too big"
	case MandatoryExtension:
		return "mandatory extension"
	case InternalError:
		return "internal error"
	case ServiceRestart:
		return "service restart"
	case TryAgainLater:
		return "try again later"
	case BadGateway:
		return "bad gateway"
	case TLSHandshake:
		return "TLS handshake"
	}
	return ""
}
