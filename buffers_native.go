//go:build !js

package wschannel

import "sync"

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
