//go:build linux

package main

import (
	"bufio"
	"encoding/binary"
	"io"
	"strconv"
)

// First bytes of frames (RFC 6455 §5.2).
const (
	fin          = 0x80
	compressed   = 0x40 // RSV1
	continuation = 0x0
	text         = 0x1
	binaryData   = 0x2
	closing      = 0x8
	ping         = 0x9
	pong         = 0xA
)

// appendHeader appends the header of a frame that claims to have length bytes.
// The masking key is zero, so that payloads are sent as they are: a hostile peer
// need not care.
func appendHeader(b []byte, first byte, length uint64, masked bool) []byte {
	var mask byte
	if masked {
		mask = 0x80
	}
	b = append(b, first)
	switch {
	case length < 126:
		b = append(b, byte(length)|mask)
	case length < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 126|mask), uint16(length))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127|mask), length)
	}
	if masked {
		b = append(b, 0, 0, 0, 0)
	}
	return b
}

// appendFrame appends a whole frame.
func appendFrame(b []byte, first byte, payload []byte, masked bool) []byte {
	return append(appendHeader(b, first, uint64(len(payload)), masked), payload...)
}

// readFrame reads a frame. It returns the payload of a control frame only.
func readFrame(r *bufio.Reader) (first byte, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	length := uint64(head[1] & 0x7F)
	var more [8]byte
	switch length {
	case 126:
		_, err = io.ReadFull(r, more[6:])
		length = binary.BigEndian.Uint64(more[:])
	case 127:
		_, err = io.ReadFull(r, more[:])
		length = binary.BigEndian.Uint64(more[:])
	}
	if err != nil {
		return 0, nil, err
	}
	var key [4]byte
	if head[1]&0x80 != 0 {
		if _, err := io.ReadFull(r, key[:]); err != nil {
			return 0, nil, err
		}
	}
	if head[0]&0x08 == 0 {
		_, err := io.CopyN(io.Discard, r, int64(length))
		return head[0], nil, err
	}
	payload = make([]byte, length)
	if _, err := io.ReadFull(r, payload); err != nil {
		return 0, nil, err
	}
	for i := range payload {
		payload[i] ^= key[i%4]
	}
	return head[0], payload, nil
}

// closeCode returns the code in the payload of a close frame.
func closeCode(payload []byte) string {
	if len(payload) < 2 {
		return "1005"
	}
	return strconv.Itoa(int(binary.BigEndian.Uint16(payload)))
}
