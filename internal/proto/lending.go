package proto

import "slices"

// Lacks returns how much memory Space is about to get for the message that is being
// collected, 0 if it needs none. Whoever knows that more has come may make room for
// it before, with Grow or Lend; most is all that the frame under way can use.
func (r *Reader) Lacks() (least, most int) {
	if r.streaming || !r.readsDirectly() || cap(r.dst)-len(r.dst) >= r.span {
		return 0, 0
	}
	if r.Collected() < r.span/2 {
		return 0, 0 // the first bytes of a message are read into the buffer, which is shared
	}
	return r.Wants(), int(min(r.left, maxRoom))
}

// Wants returns how much memory the frame under way is to get: as much as was
// received so far, for memory grows with that, and never with what was claimed.
func (r *Reader) Wants() int {
	return int(min(r.left, uint64(max(r.Collected(), r.Unparsed()))))
}

// maxRoom is the most that Lacks asks for, which is no limit on what is received.
const maxRoom = 1 << 30

// readsDirectly reports whether the next bytes are read to where they belong in the
// message.
func (r *Reader) readsDirectly() bool {
	return r.from == r.to && r.inFrame && !r.skipping && r.left >= uint64(r.span)
}

// CollectInPlace is Collect(nil), except that a message which is one frame that fits
// in the buffer is not copied: its Data lies there, and the event says so. For any
// other one Next returns Lack until there is memory for it: Grow or Lend brings
// some, as much as Wants says.
func (r *Reader) CollectInPlace() {
	r.Collect(nil)
	r.inPlace, r.asks = true, true
}

// stays reports whether the frame under way, of which nothing was taken out of the
// buffer, is a message that is to be left there.
func (r *Reader) stays() bool {
	return r.inPlace && r.fin && r.frames == 1 && r.left == r.size && r.left < uint64(r.span) && !r.skipping
}

// leave takes up p, a whole message, where it is.
func (r *Reader) leave(p []byte) Event {
	r.from += len(p)
	r.inFrame = false
	r.unmask(p)
	if v := r.check(p); v != nil {
		return r.violated(v)
	}
	if !r.text.Done() {
		return r.violated(notUTF8("text message ends inside a character"))
	}
	ev := Event{Kind: Message, Opcode: r.opcode, Compressed: r.compressed, InPlace: true, Data: p[:len(p):len(p)]}
	r.reset()
	return ev
}

// Grow makes room for n more bytes of the message that is being collected.
func (r *Reader) Grow(n int) { r.dst = slices.Grow(r.dst, n) }

// Collected returns how many bytes of the message are collected.
func (r *Reader) Collected() int { return len(r.dst) - r.base }

// Lend is Grow with memory of the caller, which has to hold what is collected and n
// more bytes. It returns the memory that was lent before. If that is not enough Next
// returns Lack until there is more.
func (r *Reader) Lend(p []byte) (before []byte) {
	before = r.dst
	r.dst = append(p[:0], r.dst[r.base:]...)
	r.base, r.asks = 0, true
	if !r.lent {
		before = nil
	}
	r.lent = true
	return before
}

// Unparsed returns how many bytes lie in the buffer.
func (r *Reader) Unparsed() int { return r.to - r.from }

// Lent returns the memory that Collect or Lend has brought, as far as it is filled,
// while a message is being collected there.
func (r *Reader) Lent() (p []byte, ok bool) { return r.dst, r.lent && !r.streaming }
