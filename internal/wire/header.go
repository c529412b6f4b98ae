// Package wire holds the framing of RFC 6455 §5 as pure functions on byte
// slices: parsing and building frame headers, the rules a received frame has
// to obey, masking, and the body of close frames. It keeps no state and does
// no I/O; package proto builds its state machines from it.
package wire

import (
	"encoding/binary"
	"errors"
)

// An Opcode is the four-bit interpretation of a frame (RFC 6455 §5.2).
type Opcode uint8

// The opcodes of RFC 6455 §11.8. All others are reserved.
const (
	Continuation Opcode = 0x0
	Text         Opcode = 0x1
	Binary       Opcode = 0x2
	Close        Opcode = 0x8
	Ping         Opcode = 0x9
	Pong         Opcode = 0xA
)

// Control reports whether o is in the range of control frames, 0x8 to 0xF
// (RFC 6455 §5.5).
func (o Opcode) Control() bool { return o&0x8 != 0 }

// The reserved bits as they stand in [Header.Rsv].
const (
	Rsv1 = 0x4
	Rsv2 = 0x2
	Rsv3 = 0x1
)

const (
	// MaxHeader is the length of the longest frame header in bytes: two, an
	// extended length of eight and a masking key of four.
	MaxHeader = 2 + 8 + 4
	// MaxControl is the longest payload of a control frame in bytes (§5.5).
	MaxControl = 125
)

// A Header is the header of one frame (RFC 6455 §5.2).
type Header struct {
	Fin    bool
	Rsv    uint8 // RSV1, RSV2 and RSV3 as a number of three bits
	Opcode Opcode
	Masked bool
	Key    [4]byte // the masking key, meaningful when Masked
	Length uint64  // the payload length in bytes, as claimed by the peer

	// Extended is the number of bytes of the extended payload length on the
	// wire: 0, 2 or 8. ParseHeader sets it so that Check can insist on the
	// shortest form; AppendHeader ignores it and writes the shortest form.
	Extended uint8
}

// ErrShort is returned by [ParseHeader] when the header is not complete yet.
var ErrShort = errors.New("wire: incomplete frame header")

// ParseHeader parses the frame header at the start of b and returns it with
// its length in bytes. It accepts every header that can be expressed, legal or
// not: [Check] judges. The only error is [ErrShort], with n 0.
func ParseHeader(b []byte) (h Header, n int, err error) {
	if len(b) < 2 {
		return Header{}, 0, ErrShort
	}
	h.Fin = b[0]&0x80 != 0
	h.Rsv = b[0] >> 4 & 0x7
	h.Opcode = Opcode(b[0] & 0xF)
	h.Masked = b[1]&0x80 != 0
	h.Length = uint64(b[1] & 0x7F)
	switch h.Length {
	case 126:
		h.Extended = 2
	case 127:
		h.Extended = 8
	}
	n = 2 + int(h.Extended)
	if h.Masked {
		n += 4
	}
	if len(b) < n {
		return Header{}, 0, ErrShort
	}
	switch h.Extended {
	case 2:
		h.Length = uint64(binary.BigEndian.Uint16(b[2:]))
	case 8:
		h.Length = binary.BigEndian.Uint64(b[2:])
	}
	if h.Masked {
		h.Key = [4]byte(b[n-4 : n])
	}
	return h, n, nil
}

// AppendHeader appends the header to dst, its length in the shortest form
// ("the minimal number of bytes MUST be used to encode the length", §5.2).
// The length must be below 1<<63.
func AppendHeader(dst []byte, h Header) []byte {
	b0 := h.Rsv<<4 | uint8(h.Opcode)
	if h.Fin {
		b0 |= 0x80
	}
	var b1 uint8
	if h.Masked {
		b1 = 0x80
	}
	switch {
	case h.Length <= 125:
		dst = append(dst, b0, b1|uint8(h.Length))
	case h.Length <= 0xFFFF:
		dst = append(dst, b0, b1|126)
		dst = binary.BigEndian.AppendUint16(dst, uint16(h.Length))
	default:
		dst = append(dst, b0, b1|127)
		dst = binary.BigEndian.AppendUint64(dst, h.Length)
	}
	if h.Masked {
		dst = append(dst, h.Key[:]...)
	}
	return dst
}
