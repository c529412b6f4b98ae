//go:build race && !js

package wschannel

import "bytes"

// poisoning says that buffers are overwritten when they are given back.
const poisoning = true

var poisonous = bytes.Repeat([]byte{0xDB}, pendingLimit)

// poison makes whoever still uses a buffer that was given back see nonsense.
func poison(b []byte) {
	for len(b) > 0 {
		b = b[copy(b, poisonous):]
	}
}
