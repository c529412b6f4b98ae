package deflate

import (
	"bytes"
	"compress/flate"
	"io"
	"slices"
	"sync"
)

// Inflate appends the inflated message to dst. message is what was received: it
// lacks the end that every message has (RFC 7692 §7.2.2). The result is slid
// into the window. dst and message may share memory.
//
// The errors are [ErrTooLong], as soon as more than limit bytes have come, and
// [ErrCorrupt]; then dst is returned as it was and the window is of no use any
// more.
func Inflate(dst, message []byte, limit int, w *Window) ([]byte, error) {
	f, ok := inflaters.Get().(*inflater)
	if !ok {
		f = &inflater{flate: flate.NewReader(nil)}
	}
	into := dst
	if cap(dst) == 0 {
		into = f.out // for how long it will be is not known before
	}
	out, err := f.inflate(into, message, limit, w)
	if cap(dst) == 0 && cap(out) <= maxKept {
		f.out = out[:0]
		out = append([]byte(nil), out...)
	}
	f.giveBack()
	if err != nil {
		return dst, err
	}
	w.Add(out[len(dst):])
	return out, nil
}

// An inflater is the working memory for one message at a time. It is shared by
// all connections, so nothing of a message may show in the next: its decoder is
// the standard library's, which begins each one afresh.
type inflater struct {
	flate io.ReadCloser // a flate.Resetter too
	src   bytes.Reader
	in    []byte // the message and the tail
	out   []byte // empty memory for what it inflates to, or nil
	dict  []byte
	spare [1]byte
}

var inflaters sync.Pool

// maxKept is the largest buffer in bytes that is kept for later messages.
const maxKept = 64 << 10

func (f *inflater) giveBack() {
	if cap(f.in) > maxKept {
		f.in = nil
	}
	f.src.Reset(nil)
	inflaters.Put(f)
}

func (f *inflater) inflate(dst, message []byte, limit int, w *Window) ([]byte, error) {
	f.in = append(append(f.in[:0], message...), tail...)
	f.src.Reset(f.in)
	if err := f.flate.(flate.Resetter).Reset(&f.src, w.Bytes()); err != nil {
		return nil, err
	}
	var from io.Reader = f.flate
	out := dst
	for {
		n := len(out) - len(dst)
		room := out[len(out):cap(out)]
		room = room[:min(len(room), limit-n)]
		full := len(room) == 0
		if full {
			room = f.spare[:] // it may be the end
		}
		got, err := from.Read(room)
		switch {
		case !full:
			out = out[:len(out)+got]
		case got > 0 && n == limit:
			return nil, ErrTooLong
		case got > 0:
			out = slices.Grow(out, min(max(512, 3*len(message), n), limit-n))
			out = append(out, f.spare[0])
		}
		switch {
		case err == nil:
		case err != io.EOF:
			return nil, ErrCorrupt
		case from != f.flate, f.src.Len() == 0, f.atEnd():
			return out, nil
		case f.src.Len() < len(tail):
			return nil, ErrCorrupt // the block has taken from the tail
		default:
			s := f.behind(out[len(dst):], w)
			defer s.Release()
			from = s
		}
	}
}

// atEnd reports whether nothing follows a final block inside a message except
// for the empty block that a sender has to put there (RFC 7692 §7.2.3.4).
// Senders that forget it are understood.
func (f *inflater) atEnd() bool {
	switch rest := f.src.Len(); rest {
	case len(tail):
		return true
	case len(tail) + 1:
		return f.in[len(f.in)-rest] == 0
	}
	return false
}

// behind goes on behind a final block: "DEFLATE blocks with the BFINAL bit set
// to 1" may come anywhere (RFC 7692 §7.2.3.4), and the window goes on. There may
// be half a million in a MiB, so from here on nothing is set up for each.
func (f *inflater) behind(inflated []byte, w *Window) *Stream {
	const size = 1 << maxBits
	if len(inflated) >= size {
		f.dict = append(f.dict[:0], inflated[len(inflated)-size:]...)
	} else {
		known := w.Bytes()
		f.dict = append(f.dict[:0], known[max(0, len(known)+len(inflated)-size):]...)
		f.dict = append(f.dict, inflated...)
	}
	s := NewStream(&Window{bytes: f.dict})
	s.window = nil // the result is added as a whole
	s.Feed(f.in[len(f.in)-f.src.Len() : len(f.in)-len(tail)])
	s.End()
	return s
}
