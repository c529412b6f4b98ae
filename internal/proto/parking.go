package proto

import "github.com/wschannel/wschannel/internal/wire"

// Park takes the buffer away from a Reader that waits for bytes, so that an idle
// connection holds none. What is left in it, less than [MinBuffer] bytes of a frame
// that has just begun, moves into memory of its own. Park returns nil if there is
// more, or if the buffer is parked already.
func (r *Reader) Park() []byte {
	if r.Parked() || r.to-r.from >= MinBuffer {
		return nil
	}
	buf := r.buf
	r.buf = append([]byte(nil), buf[r.from:r.to]...)
	r.from, r.to = 0, len(r.buf)
	return buf
}

// Parked reports whether the Reader has no buffer.
func (r *Reader) Parked() bool { return len(r.buf) < r.span }

// Unpark gives the Reader a buffer again, as long as the one that was parked.
func (r *Reader) Unpark(buf []byte) {
	r.to = copy(buf, r.buf[r.from:r.to])
	r.buf, r.from = buf, 0
}

// Empty reports whether the buffer holds nothing.
func (r *Reader) Empty() bool { return r.from == r.to }

// Ready reports whether the buffer holds the whole of another frame, so that Next
// returns something without another byte.
func (r *Reader) Ready() bool {
	if r.Empty() {
		return false
	}
	if head, _ := r.frame(0); head > 0 {
		return true
	}
	h, n, err := wire.ParseHeader(r.buf[r.from:r.to])
	return err == nil && !r.inFrame && uint64(r.to-r.from-n) >= h.Length
}
