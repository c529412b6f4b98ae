package proto

import (
	"unicode/utf8"

	"github.com/wschannel/wschannel/internal/wire"
	"github.com/wschannel/wschannel/status"
)

// A Writer builds the frames that one endpoint sends. It keeps what decides
// the next frame's header: the role, and whether a message is under way.
// Appending never fails; the caller sees to the order that RFC 6455 §5.4 asks
// for, and a Writer that is asked for an illegal frame panics.
type Writer struct {
	masked     bool
	fragmented bool // a message has begun and not ended
}

// NewWriter returns the Writer of a server, or of a client, which has to mask.
func NewWriter(server bool) Writer { return Writer{masked: !server} }

// Masked reports whether frames are masked, so that key is used at all.
func (w *Writer) Masked() bool { return w.masked }

// InMessage reports whether a message is under way: its next frame is a fragment
// of that one.
func (w *Writer) InMessage() bool { return w.fragmented }

// AppendHeader appends the header of a data frame with a payload of n bytes
// that the caller sends itself: of a whole message if fin is true and no
// message is under way, otherwise of its first, next or last fragment (§5.4).
func (w *Writer) AppendHeader(dst []byte, op wire.Opcode, fin bool, n int, key [4]byte) []byte {
	return w.AppendExtended(dst, op, 0, fin, n, key)
}

// AppendExtended is AppendHeader with reserved bits, which mark the message for
// an extension: they go into its first frame (RFC 7692 §6).
func (w *Writer) AppendExtended(dst []byte, op wire.Opcode, rsv uint8, fin bool, n int, key [4]byte) []byte {
	if op != wire.Text && op != wire.Binary {
		panic("proto: a data frame is text or binary")
	}
	if w.fragmented {
		op, rsv = wire.Continuation, 0
	}
	w.fragmented = !fin
	return w.appendHeader(dst, op, rsv, fin, n, key)
}

// AppendPayload appends the next bytes of a frame's payload, masked if they have to
// be, of which pos bytes came before; it returns the pos for what follows.
func (w *Writer) AppendPayload(dst, payload []byte, key [4]byte, pos int) (appended []byte, next int) {
	if !w.masked {
		return append(dst, payload...), pos
	}
	return wire.AppendMasked(dst, payload, key, pos)
}

// AppendMessage appends a whole message as one frame.
func (w *Writer) AppendMessage(dst []byte, op wire.Opcode, payload []byte, key [4]byte) []byte {
	if w.fragmented {
		panic("proto: message inside a fragmented message")
	}
	return w.AppendFragment(dst, op, true, payload, key)
}

// AppendFragment appends the first, next or last frame of a fragmented message.
func (w *Writer) AppendFragment(dst []byte, op wire.Opcode, fin bool, payload []byte, key [4]byte) []byte {
	dst, _ = w.AppendPayload(w.AppendHeader(dst, op, fin, len(payload), key), payload, key, 0)
	return dst
}

// AppendControl appends a ping or pong of at most [wire.MaxControl] bytes;
// control frames may stand between the fragments of a message (§5.5).
func (w *Writer) AppendControl(dst []byte, op wire.Opcode, payload []byte, key [4]byte) []byte {
	if op != wire.Ping && op != wire.Pong || len(payload) > wire.MaxControl {
		panic("proto: neither ping nor pong, or too long for one")
	}
	dst, _ = w.AppendPayload(w.appendHeader(dst, op, 0, true, len(payload), key), payload, key, 0)
	return dst
}

// AppendClose appends a close frame (§5.5.1), with an empty body for
// [status.NoStatusReceived]. Any other code has to be valid; the reason is at
// most [wire.MaxReason] bytes of UTF-8, and needs a code.
func (w *Writer) AppendClose(dst []byte, code status.Code, reason string, key [4]byte) []byte {
	switch {
	case code == status.NoStatusReceived && reason == "":
	case !code.Valid(), len(reason) > wire.MaxReason, !utf8.ValidString(reason):
		panic("proto: code or reason that a close frame cannot carry")
	}
	var body [wire.MaxControl]byte
	payload := wire.AppendClose(body[:0], code, reason)
	dst, _ = w.AppendPayload(w.appendHeader(dst, wire.Close, 0, true, len(payload), key), payload, key, 0)
	return dst
}

func (w *Writer) appendHeader(dst []byte, op wire.Opcode, rsv uint8, fin bool, n int, key [4]byte) []byte {
	return wire.AppendHeader(dst, wire.Header{
		Fin:    fin,
		Rsv:    rsv,
		Opcode: op,
		Masked: w.masked,
		Key:    key,
		Length: uint64(n),
	})
}
