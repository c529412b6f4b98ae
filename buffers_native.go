//go:build !js

package wschannel

import (
	"math/bits"
	"sync"
	"unsafe"
)

const (
	// readBuffer is the size in bytes of the buffer that a channel reads into.
	// Payloads of frames that are longer are read straight into their message.
	// A socket has one only while it holds something.
	readBuffer = 32 << 10
	// smallBuffer is the same for transports that keep theirs.
	smallBuffer = 4 << 10
)

var (
	readBuffers  = sync.Pool{New: func() any { return new([readBuffer]byte) }}
	writeBuffers = sync.Pool{New: func() any { return new([pendingLimit]byte) }}
)

func takeReadBuffer() []byte { return readBuffers.Get().(*[readBuffer]byte)[:] }

// giveReadBuffer takes back what takeReadBuffer has returned, or nil.
func giveReadBuffer(b []byte) {
	if b != nil {
		poison(b)
		readBuffers.Put((*[readBuffer]byte)(b))
	}
}

// Memory for views of messages comes in sizes that are powers of two, from that of
// a read buffer on.
const viewSizes = 10 // the largest is 16 MiB

var viewBuffers [viewSizes]sync.Pool

// takeView returns empty memory for a message of n bytes.
func takeView(n int) []byte {
	k := bits.Len(uint(max(n, 1)-1) / readBuffer)
	if k >= viewSizes {
		return make([]byte, 0, n)
	}
	if p, ok := viewBuffers[k].Get().(*byte); ok {
		return unsafe.Slice(p, readBuffer<<k)[:0]
	}
	return make([]byte, 0, readBuffer<<k)
}

// giveView takes back what takeView has returned; anything else is left to the
// garbage collector.
func giveView(b []byte) {
	k := bits.Len(uint(cap(b)) / (2 * readBuffer))
	if k < viewSizes && cap(b) == readBuffer<<k {
		b = b[:cap(b)]
		poison(b)
		viewBuffers[k].Put(unsafe.SliceData(b))
	}
}

// takeWriteBuffer returns an empty buffer of pendingLimit bytes.
func takeWriteBuffer() []byte { return writeBuffers.Get().(*[pendingLimit]byte)[:0] }

// giveWriteBuffer takes back what takeWriteBuffer has returned, unless it has
// grown.
func giveWriteBuffer(b []byte) {
	if cap(b) == pendingLimit {
		poison(b)
		writeBuffers.Put((*[pendingLimit]byte)(b[:pendingLimit]))
	}
}
