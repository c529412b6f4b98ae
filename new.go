//go:build !js

package wschannel

import (
	"io"
	"net"
	"strconv"

	"github.com/wschannel/wschannel/internal/handshake"
)

// A Role is the side of the protocol that a channel takes: clients mask what
// they send, servers do not (RFC 6455 §5.1).
type Role uint8

// The two roles.
const (
	RoleClient Role = 1 // masks what it sends, expects frames without a mask
	RoleServer Role = 2 // the other way round
)

// StreamOptions are what [New] can be told.
type StreamOptions struct {
	// Options apply, except for Protocols and HandshakeTimeout: the handshake
	// is not New's business.
	Options
	// Protocol is the subprotocol that was agreed upon, "" if none.
	Protocol string
	// Buffered is what has been read from the stream already: the beginning
	// of the peer's frames. It is kept until it has been received.
	Buffered []byte
	// Compression is what was agreed upon, in both directions: with
	// CompressionContext both sides refer to earlier messages, and no further
	// back than the windows say. Default: none.
	Compression Compression
}

// New runs the WebSocket protocol over a byte stream on which the handshake, if
// there was one, is done: a connection upgraded by other means, a pipe, a
// tunnel. From then on the stream belongs to the channel, which closes it.
//
// A stream whose SetReadDeadline and SetWriteDeadline both take the zero time
// without an error is read and written directly; a deadline that has passed
// must then interrupt it, or cancelling hangs. Any other one costs two
// goroutines and a copy each way, and its Close must be safe beside Read and
// Write and must unblock them; there, and on TLS, sending that is cancelled
// after its writing has begun ends the channel. A *tls.Conn belongs to these
// until its TLS handshake is done, for a deadline in the midst of that would
// break it for good: call its HandshakeContext before New.
//
// New panics if there is no stream, the role is none of the two, the Compression
// is out of its ranges, or WhenFull is no policy. A nil *StreamOptions means all the
// defaults.
func New(rwc io.ReadWriteCloser, role Role, o *StreamOptions) *Channel {
	if rwc == nil { // which would be found out by a goroutine of ours
		panic("wschannel: New without a stream")
	}
	if role != RoleClient && role != RoleServer {
		panic("wschannel: invalid Role " + strconv.Itoa(int(role)))
	}
	if o == nil {
		o = &StreamOptions{}
	}
	if err := o.Compression.check(); err != nil {
		panic("wschannel: " + err.Error())
	}
	if err := o.WhenFull.check(); err != nil {
		panic("wschannel: " + err.Error())
	}
	c := newChannel(rwc, role == RoleServer, o.Protocol, o.settings(), o.Buffered, nil)
	c.limitSending(&o.Options)
	c.engine.compress(o.Compression, o.Compression.wanted())
	c.engine.start()
	return c
}

// Underlying returns the connection that the channel runs on, nil if it was
// made by [New] from a stream that is not a net.Conn. It is there to be looked
// at (addresses, TLS state, socket options): reading, writing, closing or
// setting a deadline breaks the channel. On Linux the first [Channel.Listen] or
// [Channel.ListenView] on a plain socket moves that to a connection of the
// channel's own: what was returned before is closed then, and only its addresses
// can still be asked for.
func (c *Channel) Underlying() net.Conn { return c.engine.netConn() }

// SignKey returns the Sec-WebSocket-Accept for a Sec-WebSocket-Key (RFC 6455
// §4.2.2): what a server answers to prove that it understood. [Accept] does it
// by itself; SignKey is for handshakes written by hand, as before [New].
func SignKey(key string) string { return handshake.Sign(key) }
