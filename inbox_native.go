//go:build !js

package wschannel

import (
	"slices"

	"github.com/wschannel/wschannel/internal/wire"
)

// An inbox holds what was received while nobody was receiving: whole messages,
// and parts of the one that is being streamed. It keeps them as one run of
// frames, so that it takes as much memory as they took on the wire and no
// more. A part is a continuation frame; the last one has FIN. A nil inbox is
// empty.
type inbox struct {
	frames []byte // frames[from:] has not been taken
	from   int
}

// add appends a message or a part.
func (b *inbox) add(h wire.Header, payload []byte) {
	if b.from > 0 && len(b.frames)+wire.MaxHeader+len(payload) > cap(b.frames) {
		b.frames = b.frames[:copy(b.frames, b.frames[b.from:])]
		b.from = 0
	}
	h.Length = uint64(len(payload))
	b.frames = append(wire.AppendHeader(b.frames, h), payload...)
}

// putBack makes a message the first.
func (b *inbox) putBack(op wire.Opcode, payload []byte) {
	h := wire.Header{Fin: true, Opcode: op, Length: uint64(len(payload))}
	front := append(wire.AppendHeader(nil, h), payload...)
	b.frames = slices.Concat(front, b.frames[b.from:])
	b.from = 0
}

// size returns the number of bytes held.
func (b *inbox) size() int {
	if b == nil {
		return 0
	}
	return len(b.frames) - b.from
}

// peek returns the header of the first entry and its payload; ok is false if
// there is none.
func (b *inbox) peek() (h wire.Header, payload []byte, ok bool) {
	if b.size() == 0 {
		return wire.Header{}, nil, false
	}
	h, n, _ := wire.ParseHeader(b.frames[b.from:])
	n += b.from
	return h, b.frames[n : n+int(h.Length)], true
}

// take removes the first entry, whose payload peek returned.
func (b *inbox) take(payload []byte) {
	h, n, _ := wire.ParseHeader(b.frames[b.from:])
	b.from += n + int(h.Length)
	if b.from == len(b.frames) {
		*b = inbox{}
	}
}

// dropParts removes the parts that stand first; it returns true if the last
// one of their message was among them.
func (b *inbox) dropParts() (last bool) {
	for !last {
		h, payload, ok := b.peek()
		if !ok || h.Opcode != wire.Continuation {
			break
		}
		last = h.Fin
		b.take(payload)
	}
	return last
}
