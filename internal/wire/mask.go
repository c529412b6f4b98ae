package wire

import "encoding/binary"

// Mask XORs b in place with the masking key, of which the first pos bytes have
// been used already, and returns the position for what follows. Masking and
// unmasking are the same operation (RFC 6455 §5.3).
func Mask(b []byte, key [4]byte, pos int) int {
	next := (pos + len(b)) & 3
	k32 := binary.LittleEndian.Uint32(key[:])
	// Rotate so that the key's byte for b[0] comes first.
	k32 = k32>>(8*(pos&3)) | k32<<(32-8*(pos&3))
	k := uint64(k32)<<32 | uint64(k32)
	for len(b) >= 32 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^k)
		binary.LittleEndian.PutUint64(b[8:], binary.LittleEndian.Uint64(b[8:])^k)
		binary.LittleEndian.PutUint64(b[16:], binary.LittleEndian.Uint64(b[16:])^k)
		binary.LittleEndian.PutUint64(b[24:], binary.LittleEndian.Uint64(b[24:])^k)
		b = b[32:]
	}
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^k)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(k)
		k >>= 8
	}
	return next
}
