package proto

import (
	"encoding/binary"

	"github.com/wschannel/wschannel/internal/wire"
)

// Most messages are one frame that lies in the buffer as a whole. What Next does
// for them step by step is done here at once; for anything else, and for all that
// is wrong, nothing is done here.

// Whole returns the message that Next would return, if it is to be collected and is
// one frame, not compressed, that lies in the buffer as a whole. Otherwise it takes
// nothing, and Next tells what there is. The data lies where the last of Collect and
// CollectInPlace said.
func (r *Reader) Whole() (op wire.Opcode, data []byte, ok bool) {
	head, end := r.frame(0)
	if head == 0 {
		return 0, nil, false
	}
	f := r.buf[r.from:][:end:end]
	payload := f[head:]
	op, data = wire.Opcode(f[0]&0xF), payload
	switch {
	case !r.inPlace && r.cfg.Server:
		data, _ = wire.AppendMasked(r.dst, payload, [4]byte(f[head-4:]), 0)
	case !r.inPlace:
		data = append(r.dst, payload...)
	case r.cfg.Server:
		wire.Mask(payload, [4]byte(f[head-4:]), 0)
	}
	if !r.inPlace {
		payload = data[len(r.dst):]
	}
	if op == wire.Text && !wire.ValidUTF8(payload) {
		if r.inPlace && r.cfg.Server {
			wire.Mask(payload, [4]byte(f[head-4:]), 0) // as it was
		}
		return 0, nil, false
	}
	r.from += end
	if !r.inPlace {
		r.dst, r.base, r.lent = nil, 0, false
	}
	return op, data, true
}

// WholeCompressed returns the payload of the message that Next would return, under
// the same conditions, but that it is compressed. It lies in the buffer, and nothing
// is in the memory that Collect has brought.
func (r *Reader) WholeCompressed() (op wire.Opcode, payload []byte, ok bool) {
	head, end := r.frame(wire.Rsv1)
	if head == 0 || !r.cfg.Compression {
		return 0, nil, false
	}
	f := r.buf[r.from:][:end:end]
	if r.cfg.Server {
		wire.Mask(f[head:], [4]byte(f[head-4:]), 0)
	}
	r.from += end
	if !r.inPlace {
		r.dst, r.base, r.lent = nil, 0, false
	}
	return wire.Opcode(f[0] & 0xF), f[head:], true
}

// frame looks whether a message is to be collected, and lies in the buffer as one
// frame with these reserved bits that is legal and within the limits. It returns the
// lengths of the header and of the frame, 0 if not.
func (r *Reader) frame(rsv byte) (head, end int) {
	b := r.buf[r.from:r.to]
	if len(b) < 2 || !r.between() || r.streaming || r.discarding || r.cfg.FragmentLimit == 0 {
		return 0, 0
	}
	if first := b[0] ^ rsv<<4; first != 0x80|byte(wire.Text) && first != 0x80|byte(wire.Binary) {
		return 0, 0
	}
	if masked := b[1] >= 0x80; masked != r.cfg.Server {
		return 0, 0
	}
	head, length := 2, int(b[1]&0x7F)
	switch {
	case length == 127, length == 126 && len(b) < 4:
		return 0, 0
	case length == 126:
		head, length = 4, int(binary.BigEndian.Uint16(b[2:]))
		if length < 126 {
			return 0, 0
		}
	}
	if r.cfg.Server {
		head += 4
	}
	end = head + length
	if end > len(b) || length > r.cfg.MessageLimit && r.cfg.MessageLimit >= 0 {
		return 0, 0
	}
	return head, end
}

// between reports whether no message is under way, and nothing is wrong.
func (r *Reader) between() bool {
	return !r.inFrame && r.opcode == wire.Continuation && !r.over && r.broken == nil
}

// rests reports whether nothing has come since the last message.
func (r *Reader) rests() bool { return r.from == r.to && r.between() }
