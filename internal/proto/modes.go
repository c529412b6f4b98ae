package proto

import "github.com/wschannel/wschannel/internal/wire"

// Collect makes the next message come whole, as one Message event, appended to
// dst; a nil dst stands for new memory. A message that began to be streamed is
// dropped first.
func (r *Reader) Collect(dst []byte) {
	r.waiting, r.inPlace, r.asks = false, false, false
	r.Skip()
	r.Release()
	if r.streaming {
		r.streaming, r.dst, r.kept = false, r.kept, nil
	}
	if r.lent = cap(dst) > 0; r.lent {
		r.dst, r.base = append(dst, r.dst...), len(dst)
	}
}

// CollectAhead is Collect(nil) on behalf of nobody yet. A frame with which a
// message exceeds the limits stays where it is, for it may still be streamed:
// Next returns TooLong until Collect, Stream or Discard is called.
func (r *Reader) CollectAhead() {
	r.Collect(nil)
	r.waiting = true
}

// Stream makes the message under way, or the next one, come in pieces: one
// Start, then one Part for this call, of at most len(p) bytes and in p. A nil
// p asks for the Start alone. Without memory for a Part, More stands for a call
// of Stream: payload waits in the buffer, and what is behind it too.
func (r *Reader) Stream(p []byte) {
	r.Release()
	if !r.streaming {
		r.streaming, r.kept = true, r.dst
	}
	r.dst = p[:0:len(p)]
}

// Skip drops what is left of a message that began to be streamed.
func (r *Reader) Skip() {
	if r.streaming && r.started {
		r.skipping = true
		r.dst, r.kept, r.heads = r.dst[:0], nil, 0
	}
}

// Discard drops every message from now on, the one under way included; control
// frames still come.
func (r *Reader) Discard() {
	r.Collect(nil)
	r.discarding, r.dst, r.heads = true, nil, 0
	r.skipping = r.opcode != wire.Continuation
}

// Release gives up the memory that Collect, Lend or Stream brought, and returns it:
// what it holds of an unfinished message moves into memory of the Reader's own.
// To collect goes on there; to stream waits for the next call of Stream.
func (r *Reader) Release() (lent []byte) {
	switch {
	case r.streaming:
		lent = r.dst
		r.kept = append(r.kept, r.dst...)
		r.dst = nil
	case r.lent:
		lent = r.dst
		r.dst = append([]byte(nil), r.dst[r.base:]...)
		r.base, r.lent = 0, false
	}
	return lent
}
