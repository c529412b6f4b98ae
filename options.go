package wschannel

import (
	"math"
	"time"

	"github.com/wschannel/wschannel/internal/proto"
)

// Options are what every channel can be told, on every platform. In each
// field, 0 means the default and a negative value means none: no limit, no
// time-out, no pings. A nil *Options means all the defaults.
type Options struct {
	// Protocols are the subprotocols in order of preference: a client offers
	// them, a server selects from them (RFC 6455 §1.9). [Channel.Protocol]
	// tells what was agreed upon. Default: none.
	Protocols []string

	// MessageLimit is the size in bytes of the longest message that is
	// received. A longer one ends the channel with 1009 before it is read. For
	// one that comes compressed the size is what it inflates to.
	// Messages that are streamed with [Channel.NextReader] are not bound by
	// it, except in browsers, which hold the whole message all the same.
	// Default: 1 MiB.
	MessageLimit int

	// FragmentLimit is the number of frames that a received message may come
	// in; more end the channel with 1009. As the limit above it does not bind
	// NextReader. Browsers do not tell the frames of a message, so it has no
	// effect there. Default: 131,072.
	FragmentLimit int

	// ReceiveBuffer is how many bytes may wait to be received while nobody
	// receives, frame headers included, and as compressed as they came. When it is full the channel stops
	// reading, and the peer has to wait. With a negative value nothing is read
	// ahead: then a peer's close or a lost connection is noticed only while
	// somebody receives. Less than 139, the room that a ping or a close needs,
	// is taken as 139. In browsers it has no effect: see InboundQueue. Default:
	// 64 KiB.
	ReceiveBuffer int

	// InboundQueue is how many bytes may wait to be received in a browser,
	// which cannot be told to stop reading; it takes the place of
	// ReceiveBuffer there. Each message counts 64 bytes more than its data,
	// and one that finds nothing waiting always fits. When the next one does
	// not, the channel is closed with 1008 and an error that says so; what had
	// come before is received first. On other platforms it has no effect.
	// Default: 16 MiB.
	InboundQueue int

	// WhenFull is what Send does when the peer is too slow for it: see [Policy].
	// With any but Block, a message that the transport does not take at once
	// waits in a send queue, and WhenFull says what is done when that is full
	// too. NextWriter and its writers wait all the same. A peer that takes
	// nothing at all is lost after WriteTimeout, whatever the policy.
	// Default: Block.
	WhenFull Policy

	// SendQueue is how many bytes of messages may wait in that queue, beside
	// what the transport holds. Each message counts 64 bytes more than its data,
	// and one that finds none waiting always fits; with a negative value no more
	// than that one ever waits. It applies to publications of a [Group], too.
	// Default: 256 KiB.
	SendQueue int

	// HandshakeTimeout bounds [Connect], from the look-up of the name to the
	// server's answer. Servers have ReadHeaderTimeout of http.Server for it.
	// Default: 10 s.
	HandshakeTimeout time.Duration

	// WriteTimeout is how long sending may stand still: when the peer has
	// taken nothing for so long, the channel is lost. Default: 10 s.
	WriteTimeout time.Duration

	// CloseTimeout bounds the closing handshake: flushing what was accepted,
	// and waiting for the peer's answer. Default: 5 s.
	CloseTimeout time.Duration

	// PingInterval is the silence after which a ping is sent: the time without
	// a single byte from the peer. In browsers it has no effect, they ping by
	// themselves. Default: 30 s.
	PingInterval time.Duration

	// PingTimeout is how much longer the peer may be silent after that ping
	// before the channel is lost. Default: 30 s.
	PingTimeout time.Duration

	// Counters, if not nil, count what happens on the channel, and handshakes
	// that fail. Any number of channels may share them. Default: none.
	Counters *Counters
}

// settings are Options with the defaults filled in. A limit that is not there
// is the highest number, a time that is not there is 0.
type settings struct {
	messageLimit     int
	fragmentLimit    int
	receiveBuffer    int
	inboundQueue     int
	handshakeTimeout time.Duration
	writeTimeout     time.Duration
	closeTimeout     time.Duration
	pingInterval     time.Duration
	pingTimeout      time.Duration
	counters         *Counters
}

func (o *Options) settings() settings {
	if o == nil {
		o = &Options{}
	}
	s := settings{
		messageLimit:     limit(o.MessageLimit, 1<<20),
		fragmentLimit:    limit(o.FragmentLimit, 131_072),
		receiveBuffer:    max(0, either(o.ReceiveBuffer, 64<<10)),
		inboundQueue:     limit(o.InboundQueue, 16<<20),
		handshakeTimeout: max(0, either(o.HandshakeTimeout, 10*time.Second)),
		writeTimeout:     max(0, either(o.WriteTimeout, 10*time.Second)),
		closeTimeout:     max(0, either(o.CloseTimeout, 5*time.Second)),
		pingInterval:     max(0, either(o.PingInterval, 30*time.Second)),
		pingTimeout:      max(0, either(o.PingTimeout, 30*time.Second)),
		counters:         o.Counters,
	}
	if s.receiveBuffer > 0 {
		s.receiveBuffer = max(s.receiveBuffer, proto.MinBuffer)
	}
	if s.pingInterval == 0 {
		s.pingTimeout = 0 // it begins with a ping
	}
	return s
}

// either returns v, or the default if v is zero.
func either[T comparable](v, byDefault T) T {
	var zero T
	if v == zero {
		return byDefault
	}
	return v
}

func limit(v, byDefault int) int {
	if v < 0 {
		return math.MaxInt
	}
	return either(v, byDefault)
}
