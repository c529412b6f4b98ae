package deflate

// minHeld is the least number of bytes that a Window holds: zlib, asked for a
// window of 256 bytes, uses 512 without saying so.
const minHeld = 512

// A Window is the LZ77 sliding window of one direction of a connection: the
// last bytes of the messages that went that way compressed. It takes no more
// memory than there are such bytes.
//
// A nil *Window stands for "no context takeover": it stays empty.
type Window struct {
	size  int
	bytes []byte
}

// NewWindow returns an empty Window of 1<<bits bytes.
func NewWindow(bits int) *Window { return &Window{size: max(1<<bits, minHeld)} }

// Bytes returns what is in the window. It is valid until the next Add.
func (w *Window) Bytes() []byte {
	if w == nil {
		return nil
	}
	return w.bytes
}

// Add slides p into the window.
func (w *Window) Add(p []byte) {
	if w == nil {
		return
	}
	if len(p) > w.size {
		p = p[len(p)-w.size:]
	}
	if over := len(w.bytes) + len(p) - w.size; over > 0 {
		w.bytes = w.bytes[:copy(w.bytes, w.bytes[over:])]
	}
	if need := len(w.bytes) + len(p); need > cap(w.bytes) {
		// append would round up beyond the size.
		grown := make([]byte, len(w.bytes), min(max(need, 2*cap(w.bytes)), w.size))
		copy(grown, w.bytes)
		w.bytes = grown
	}
	w.bytes = append(w.bytes, p...)
}

// clone returns a copy that slides on its own.
func (w *Window) clone() *Window {
	if w == nil {
		return nil
	}
	c := &Window{size: w.size}
	c.Add(w.bytes)
	return c
}
