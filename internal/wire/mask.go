package wire

import "encoding/binary"

// Mask XORs b in place with the masking key, of which the first pos bytes have
// been used already, and returns the position for what follows. Masking and
// unmasking are the same operation (RFC 6455 §5.3).
func Mask(b []byte, key [4]byte, pos int) int {
	next := (pos + len(b)) & 3
	k := repeated(key, pos)
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

// AppendMasked appends to dst what Mask would make of src, which stays as it is. dst
// and src must not overlap. Where dst has the room, src is masked while it is copied,
// which spares a pass over it.
func AppendMasked(dst, src []byte, key [4]byte, pos int) (appended []byte, next int) {
	n := len(dst)
	if cap(dst)-n < len(src) {
		dst = append(dst, src...) // which does not clear the memory first
		return dst, Mask(dst[n:], key, pos)
	}
	next = (pos + len(src)) & 3
	k := repeated(key, pos)
	dst = dst[:n+len(src)]
	to := dst[n:]
	for len(src) >= 32 && len(to) >= 32 {
		binary.LittleEndian.PutUint64(to, binary.LittleEndian.Uint64(src)^k)
		binary.LittleEndian.PutUint64(to[8:], binary.LittleEndian.Uint64(src[8:])^k)
		binary.LittleEndian.PutUint64(to[16:], binary.LittleEndian.Uint64(src[16:])^k)
		binary.LittleEndian.PutUint64(to[24:], binary.LittleEndian.Uint64(src[24:])^k)
		to, src = to[32:], src[32:]
	}
	for len(src) >= 8 && len(to) >= 8 {
		binary.LittleEndian.PutUint64(to, binary.LittleEndian.Uint64(src)^k)
		to, src = to[8:], src[8:]
	}
	for i := range src {
		to[i] = src[i] ^ byte(k)
		k >>= 8
	}
	return dst, next
}

// repeated returns the key twice, rotated so that its byte for pos comes first.
func repeated(key [4]byte, pos int) uint64 {
	k := binary.LittleEndian.Uint32(key[:])
	k = k>>(8*(pos&3)) | k<<(32-8*(pos&3))
	return uint64(k)<<32 | uint64(k)
}
