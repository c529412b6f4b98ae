package proto

import "slices"

// Lacks returns how much memory Space is about to get for the message that is being
// collected, 0 if it needs none: as much as was received so far, for "memory grows
// with what was received, never with what was claimed". Whoever knows that more
// has come may make room for it before, with Grow or Lend; most is all that the
// frame under way can use.
func (r *Reader) Lacks() (least, most int) {
	if r.streaming || !r.readsDirectly() || cap(r.dst)-len(r.dst) >= r.span {
		return 0, 0
	}
	received := max(len(r.dst)-r.base, r.span)
	return int(min(r.left, uint64(received))), int(min(r.left, maxRoom))
}

// maxRoom is the most that Lacks asks for, which is no limit on what is received.
const maxRoom = 1 << 30

// readsDirectly reports whether the next bytes are read to where they belong in the
// message.
func (r *Reader) readsDirectly() bool {
	return r.from == r.to && r.inFrame && !r.skipping && r.left >= uint64(r.span)
}

// Grow makes room for n more bytes of the message that is being collected.
func (r *Reader) Grow(n int) { r.dst = slices.Grow(r.dst, n) }

// Lend is Grow with memory of the caller, which has to hold what Lent says and n
// more bytes. It returns the memory that was lent before.
func (r *Reader) Lend(p []byte) (before []byte) {
	before = r.dst
	r.dst = append(p[:0], r.dst[r.base:]...)
	r.base = 0
	if !r.lent {
		before = nil
	}
	r.lent = true
	return before
}

// Lent returns the memory that Collect or Lend has brought, as far as it is filled,
// while a message is being collected in it.
func (r *Reader) Lent() (p []byte, ok bool) { return r.dst, r.lent && !r.streaming }
