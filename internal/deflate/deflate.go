// Package deflate compresses and inflates the messages of permessage-deflate
// (RFC 7692 §7.2). [Compress] and [Inflate] take a message whole; [Writer] and
// [Stream] take one in pieces.
//
// All working memory, a MiB for some compressors, is shared: it is borrowed for
// one call, or for one message in pieces. What a connection keeps from one
// message to the next is a [Window] each way, and only with context takeover.
package deflate

import "errors"

// Levels of compression: 1 is the fastest, 9 the smallest.
const (
	MinLevel = 1
	MaxLevel = 9
)

// maxBits is the logarithm of the largest LZ77 window (RFC 1951 §2).
const maxBits = 15

var (
	// ErrCorrupt is data that is not DEFLATE (RFC 1951), ends inside a block, or
	// refers to what is not in the window.
	ErrCorrupt = errors.New("deflate: corrupt data")

	// ErrTooLong is a message that inflates to more than its limit.
	ErrTooLong = errors.New("deflate: message too long")
)

// end is what every message of the extension ends with, and what is cut off
// before it is sent: an empty block without compression (RFC 7692 §7.2.1).
const end = "\x00\x00\xff\xff"

// tail is appended to a received message: the end that was cut off (§7.2.2),
// and an empty final block, so that a whole message is told from a part.
const tail = end + "\x01\x00\x00\xff\xff"
