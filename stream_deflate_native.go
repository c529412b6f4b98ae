//go:build !js

package wschannel

import (
	"slices"

	"github.com/wschannel/wschannel/internal/deflate"
	"github.com/wschannel/wschannel/internal/wire"
)

// compressAtOnce is how many bytes are compressed before it is looked whether
// there is enough for a frame.
const compressAtOnce = 32 << 10

// flushCompressed compresses what is collected and p, and writes what has come
// of that, as fragments.
func (w *messageWriter) flushCompressed(p []byte) error {
	if w.zip == nil {
		w.zip = deflate.NewWriter(w.e.compression.how, w.e.compression.sent)
		w.zip.Write(w.buf)
		w.buf = nil
	}
	for piece := range slices.Chunk(p, compressAtOnce) {
		w.zip.Write(piece)
		if out := w.zip.Output(); len(out) >= fragmentSize {
			if err := w.frame(wire.Rsv1, false, out); err != nil {
				return err
			}
			w.zip.Drop()
		}
	}
	return nil
}

// last writes the last frame, which may be the only one.
func (w *messageWriter) last() error {
	if w.zip != nil {
		err := w.frame(wire.Rsv1, true, w.zip.Finish())
		if err == nil {
			w.zip.Commit()
		}
		return err
	}
	p := payload{data: w.buf}
	if c := w.e.compression; c != nil && len(w.buf) >= c.threshold {
		p = c.pack(w.buf)
	}
	err := w.frame(p.rsv, true, p.data)
	if err == nil && p.rsv != 0 {
		w.e.compression.sent.Add(w.buf)
	}
	p.release()
	return err
}
