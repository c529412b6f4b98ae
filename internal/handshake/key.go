package handshake

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
)

// keySize is the size of a decoded Sec-WebSocket-Key.
const keySize = 16

// guid is what RFC 6455 §1.3 appends to the key.
const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// NewKey returns a new Sec-WebSocket-Key: 16 bytes of crypto/rand in base64
// (RFC 6455 §4.1: "The nonce MUST be selected randomly for each connection").
func NewKey() string {
	var key [keySize]byte
	rand.Read(key[:]) // never fails: the program would end
	return base64.StdEncoding.EncodeToString(key[:])
}

// Sign returns the Sec-WebSocket-Accept that proves to the sender of a
// Sec-WebSocket-Key that its handshake was understood (RFC 6455 §4.2.2). The
// key is taken as it stands, whatever it is.
func Sign(key string) string {
	sum := sha1.Sum([]byte(key + guid))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// isKey reports whether s is "a base64-encoded value that, when decoded, is 16
// bytes in length" (RFC 6455 §4.2.1): with its padding and with nothing beside
// it. The unused bits of its last character may be anything, for the example
// key that RFC 6455 §4.1 prints has some set (erratum 3150), and clients send
// it.
func isKey(s string) bool {
	// The length first: the decoder skips line breaks and needs room.
	if len(s) != base64.StdEncoding.EncodedLen(keySize) {
		return false
	}
	var key [keySize + 2]byte
	n, err := base64.StdEncoding.Decode(key[:], []byte(s))
	return err == nil && n == keySize
}
