//go:build !js

package wschannel

import (
	"fmt"

	"github.com/wschannel/wschannel/internal/deflate"
	"github.com/wschannel/wschannel/internal/handshake"
)

// Compression says whether and how messages are compressed: permessage-deflate
// of RFC 7692. The zero value is off. The peer has to agree: if it does not,
// messages go as they are. Browsers compress without being asked.
//
// Compression costs time and memory, and it leaks lengths: do not compress
// secrets together with what an attacker may choose; [Channel.SendPlain] sends
// without. MessageLimit holds for what a message inflates to, and ends the
// channel before more than that has been inflated. Data that cannot be inflated
// ends it with 1007. Messages that wait while nobody receives wait compressed,
// so that is found out when they are received.
//
// What it costs, measured with JSON messages of 190 bytes on one core of a
// server (go test -run - -bench . ./internal/deflate):
//
//	                      sent as   CPU to send   memory of an idle channel
//	CompressionStateless    79 %        4 µs      64 bytes
//	CompressionContext
//	  10 bits               40 %        7 µs      2 × 1 KiB
//	  12 bits (default)     39 %       15 µs      2 × 4 KiB
//	  15 bits               40 %      130 µs      2 × 32 KiB
//	  15 bits, level 9      34 %      150 µs      2 × 32 KiB
//
// Inflating takes 2 µs. While a message is being compressed it takes a MiB or
// so, and 45 KiB while it is being inflated: both are shared by all channels.
type Compression struct {
	// Mode is whether to compress, and how. Default: [CompressionOff].
	Mode CompressionMode

	// Level trades time for size: 1 is the fastest, 9 the smallest. It has no
	// effect on windows of less than 15 bits, for which there is one level only.
	// Default: 3.
	Level int

	// Threshold is the length in bytes from which on messages are compressed;
	// shorter ones are not worth it. Negative: all. Default: 256, or 64 with
	// CompressionContext.
	Threshold int

	// SendWindow is how far back a message may refer in what is sent, as a power
	// of 2: from 8, for 256 bytes, to 15, for 32 KiB. The peer may ask for less.
	// Default: 15, or 12 with CompressionContext.
	SendWindow int

	// ReceiveWindow is the same for what is received, from 9, since zlib, which
	// most peers use, cannot send with less. The peer is asked for it; one that
	// cannot limit its window is asked not to refer to earlier messages.
	// Default: that of SendWindow.
	ReceiveWindow int
}

// minReceiveWindow is the least window that zlib can send with.
const minReceiveWindow = 9

// A CompressionMode is how messages are compressed.
type CompressionMode uint8

const (
	// CompressionOff sends messages as they are.
	CompressionOff CompressionMode = iota
	// CompressionStateless compresses each message by itself ("no context
	// takeover"): a channel costs no memory, and short messages shrink little.
	CompressionStateless
	// CompressionContext lets messages refer to earlier ones ("context
	// takeover"): those that resemble each other shrink to a fraction, and each
	// channel keeps the end of what was sent and of what was received.
	CompressionContext
)

// String returns "off", "stateless" or "context".
func (m CompressionMode) String() string {
	switch m {
	case CompressionOff:
		return "off"
	case CompressionStateless:
		return "stateless"
	case CompressionContext:
		return "context"
	}
	return "invalid"
}

// filled returns c with the defaults filled in.
func (c Compression) filled() Compression {
	threshold, window := 256, handshake.MaxWindowBits
	if c.Mode == CompressionContext {
		threshold, window = 64, 12
	}
	c.Level = either(c.Level, 3)
	c.Threshold = max(0, either(c.Threshold, threshold))
	c.SendWindow = either(c.SendWindow, window)
	c.ReceiveWindow = either(c.ReceiveWindow, window)
	return c
}

// check says what is wrong with c.
func (c Compression) check() error {
	if c.Mode > CompressionContext {
		return fmt.Errorf("Compression.Mode is %d; expected CompressionOff, CompressionStateless or CompressionContext", c.Mode)
	}
	c = c.filled()
	for _, field := range []struct {
		name             string
		value, min, most int
	}{
		{"Compression.Level", c.Level, deflate.MinLevel, deflate.MaxLevel},
		{"Compression.SendWindow", c.SendWindow, handshake.MinWindowBits, handshake.MaxWindowBits},
		{"Compression.ReceiveWindow", c.ReceiveWindow, minReceiveWindow, handshake.MaxWindowBits},
	} {
		if field.value < field.min || field.value > field.most {
			return fmt.Errorf("%s is %d; expected a number from %d to %d", field.name, field.value, field.min, field.most)
		}
	}
	return nil
}

// wanted returns what is to be negotiated, nil for nothing.
func (c Compression) wanted() *handshake.Deflate {
	if c.Mode == CompressionOff {
		return nil
	}
	c = c.filled()
	return &handshake.Deflate{
		SendBits:        c.SendWindow,
		ReceiveBits:     c.ReceiveWindow,
		SendTakeover:    c.Mode == CompressionContext,
		ReceiveTakeover: c.Mode == CompressionContext,
	}
}

// Compression returns how messages are compressed on this channel, as it was
// agreed upon: its Mode is CompressionOff if the peer does not compress, and
// CompressionContext if messages of either direction may refer to earlier ones.
func (c *Channel) Compression() Compression {
	agreed := c.engine.compression
	if agreed == nil {
		return Compression{}
	}
	mode := CompressionStateless
	if agreed.takeover {
		mode = CompressionContext
	}
	return Compression{
		Mode:          mode,
		Level:         agreed.how.Level,
		Threshold:     agreed.threshold,
		SendWindow:    agreed.how.Bits,
		ReceiveWindow: agreed.receiveBits,
	}
}
