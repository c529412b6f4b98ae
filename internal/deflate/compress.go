package deflate

import (
	"sync"

	"github.com/klauspost/compress/flate"
)

// How says how to compress.
type How struct {
	// Level is from [MinLevel] to [MaxLevel]. It has no effect on windows that
	// are smaller than 32 KiB.
	Level int
	// Bits is the logarithm of the LZ77 window, 8 to 15: nothing refers further
	// back.
	Bits int
}

// Compress appends the compressed message to dst, as it is to be sent: without
// the end that every message has (RFC 7692 §7.2.1). It refers to what is in the
// window, which is left as it is: whoever sends the message adds it.
func Compress(dst, message []byte, how How, w *Window) []byte {
	c := borrow(how, w, dst)
	c.write(message)
	dst = c.finish()
	c.giveBack()
	return dst
}

// A compressor is the working memory for one message at a time.
type compressor struct {
	flate *flate.Writer
	how   How
	out   []byte
	dict  []byte // flate keeps a reference to it
}

// Write takes what flate puts out.
func (c *compressor) Write(p []byte) (int, error) {
	c.out = append(c.out, p...)
	return len(p), nil
}

// compressors are shared: one pool for each window, and for the largest one
// each level.
var compressors [maxBits + MaxLevel + 1]sync.Pool

func (h How) pool() *sync.Pool {
	if h.Bits < maxBits {
		return &compressors[h.Bits]
	}
	return &compressors[maxBits+h.Level]
}

// borrow returns a compressor that knows the window and appends to out.
func borrow(how How, w *Window, out []byte) *compressor {
	c, ok := how.pool().Get().(*compressor)
	if !ok {
		c = &compressor{how: how}
		var err error
		if how.Bits < maxBits {
			c.flate, err = flate.NewWriterWindow(c, 1<<how.Bits)
		} else {
			c.flate, err = flate.NewWriter(c, how.Level)
		}
		if err != nil {
			panic(err) // a level or a window out of range
		}
	}
	c.out = out
	known := w.Bytes()
	// A window may hold a little more than may be referred to.
	c.dict = append(c.dict[:0], known[max(0, len(known)-1<<how.Bits):]...)
	c.flate.ResetDict(c, c.dict)
	return c
}

func (c *compressor) giveBack() {
	c.out = nil
	c.how.pool().Put(c)
}

// write compresses p. What comes of it may still be inside flate.
func (c *compressor) write(p []byte) {
	// A compressor fails only if its output does, which cannot be.
	_, _ = c.flate.Write(p)
}

// finish returns out with all that was written, except for the end.
func (c *compressor) finish() []byte {
	_ = c.flate.Flush()
	return c.out[:len(c.out)-len(end)]
}

// A Writer compresses one message that comes in pieces. It holds a compressor
// until Release is called.
type Writer struct {
	c      *compressor
	window *Window
	ahead  *Window // window with what was written
}

// NewWriter returns a Writer for one message. The window is left as it is until
// Commit.
func NewWriter(how How, w *Window) *Writer {
	return &Writer{c: borrow(how, w, nil), window: w, ahead: w.clone()}
}

// Write compresses p, which is not kept.
func (w *Writer) Write(p []byte) {
	w.c.write(p)
	w.ahead.Add(p)
}

// Output returns what is compressed so far and was not dropped; it is valid
// until the next call.
func (w *Writer) Output() []byte { return w.c.out }

// Drop forgets the output.
func (w *Writer) Drop() { w.c.out = w.c.out[:0] }

// Finish completes the message and returns the rest of the output.
func (w *Writer) Finish() []byte {
	w.c.out = w.c.finish()
	return w.c.out
}

// Commit slides what was written into the window: the message was sent.
func (w *Writer) Commit() {
	if w.window != nil {
		*w.window = *w.ahead
	}
}

// Release gives the working memory back. The Writer must not be used any more.
func (w *Writer) Release() {
	w.c.giveBack()
	w.c = nil
}
