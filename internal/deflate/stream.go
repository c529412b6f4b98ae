package deflate

import (
	"encoding/binary"
	"errors"
	"io"
	"sync"
)

// ErrMore is returned by [Stream.Read] when everything that was fed is used up.
var ErrMore = errors.New("deflate: more input is needed")

// A Stream inflates one message that comes in pieces. It stops between any two
// bits of its input and goes on when more has come, which decoders that pull
// from an io.Reader cannot do. It needs 40 KiB, however long the message is.
type Stream struct {
	window *Window
	in     []byte // what was fed and is not used up
	ended  bool   // no more will be fed
	tailed bool   // in was the tail

	bits uint64 // taken from in, the next one lowest
	n    uint   // how many
	step step

	final    bool // the block is the last of a DEFLATE stream
	stored   int  // bytes of a stored block still to come
	lengths  *huffman
	dists    *huffman
	own      [2]huffman // those of a dynamic block
	counts   [3]int     // how many code lengths it brings: literals and lengths, distances, for themselves
	defined  int        // how many have come
	codeLens [maxLengths + maxDists + 2]uint8
	symbol   int // whose extra bits are to come
	copying  int // bytes of a match still to be copied
	dist     int // from how far back

	history  [1 << maxBits]byte // a ring
	at       int                // where its next byte goes
	known    int                // how many of its bytes are valid
	farthest int                // the greatest distance so far
	err      error
}

// A step is what a Stream is about to read.
type step uint8

const (
	stepBlock       step = iota // the header of a block
	stepStored                  // the length of a stored block
	stepCopyStored              // its bytes
	stepCounts                  // how many code lengths a dynamic block brings
	stepLengthCode              // the code in which they are written
	stepCodeLengths             // the code lengths
	stepRepeat                  // how often one is repeated
	stepSymbol                  // a literal, a length or the end of the block
	stepLength                  // the extra bits of a length
	stepDist                    // a distance
	stepDistExtra               // its extra bits
	stepCopy                    // nothing: a match is being copied
	stepNext                    // a block has ended
)

var tailBytes = []byte(tail)

var streams = sync.Pool{New: func() any { return new(Stream) }}

// NewStream returns a Stream for one message that may refer to what is in the
// window. The window is updated when the message ends.
func NewStream(w *Window) *Stream {
	s := streams.Get().(*Stream)
	s.window = w
	s.known = copy(s.history[:], w.Bytes())
	s.at = s.known & (len(s.history) - 1)
	return s
}

// Release gives the working memory back. The Stream must not be used any more.
func (s *Stream) Release() {
	s.window, s.in, s.ended, s.tailed = nil, nil, false, false
	s.bits, s.n, s.step = 0, 0, stepBlock
	s.copying, s.farthest, s.err = 0, 0, nil
	streams.Put(s)
}

// Feed gives the next bytes of the message as they were received, when Read has
// returned ErrMore or was not called yet. p is lent until they are used up.
func (s *Stream) Feed(p []byte) { s.in = p }

// End says that what was fed is the end of the message.
func (s *Stream) End() { s.ended = true }

// Read inflates into p. It returns [ErrMore] and no byte when it needs to be
// fed, io.EOF at the end of the message, and [ErrCorrupt].
func (s *Stream) Read(p []byte) (n int, err error) {
	for n < len(p) && s.err == nil {
		got, err := s.inflate(p[n:])
		n += got
		if err == ErrMore {
			if n > 0 {
				return n, nil
			}
			return 0, err
		}
		if s.err = err; err == io.EOF {
			s.keep()
		}
	}
	if n > 0 {
		return n, nil
	}
	return 0, s.err
}

// keep leaves the end of the message in the window.
func (s *Stream) keep() {
	if s.window == nil {
		return
	}
	n := min(s.known, s.window.size)
	from := (s.at - n) & (len(s.history) - 1)
	first := s.history[from:min(from+n, len(s.history))]
	s.window.bytes = s.window.bytes[:0] // it is in the history, too
	s.window.Add(first)
	s.window.Add(s.history[:n-len(first)])
}

// need sees to it that at least k bits are there, at most 32.
func (s *Stream) need(k uint) bool {
	for s.n < k {
		if !s.load() {
			return false
		}
	}
	return true
}

// load takes a byte or more from the input.
func (s *Stream) load() bool {
	if len(s.in) >= 8 {
		n := (63 - s.n) >> 3
		s.bits |= binary.LittleEndian.Uint64(s.in) << s.n
		s.n += n * 8
		s.bits &= 1<<s.n - 1
		s.in = s.in[n:]
		return true
	}
	if len(s.in) == 0 && s.ended && !s.tailed {
		s.in, s.tailed = tailBytes, true
	}
	if len(s.in) == 0 {
		return false
	}
	s.bits |= uint64(s.in[0]) << s.n
	s.n += 8
	s.in = s.in[1:]
	return true
}

func (s *Stream) take(k uint) int {
	v := s.bits & (1<<k - 1)
	s.bits >>= k
	s.n -= k
	return int(v)
}

// decode reads one symbol.
func (s *Stream) decode(h *huffman) (symbol int, err error) {
	for {
		symbol, length := h.find(s.bits, s.n)
		switch {
		case length > maxCodeLen:
			return 0, ErrCorrupt
		case length > 0:
			s.take(length)
			return symbol, nil
		case !s.load():
			return 0, s.short()
		}
	}
}

// short is the error for input that ends too early.
func (s *Stream) short() error {
	if s.ended {
		return ErrCorrupt
	}
	return ErrMore
}

// put adds a byte to the history.
func (s *Stream) put(b byte) {
	s.history[s.at] = b
	s.at = (s.at + 1) & (len(s.history) - 1)
	if s.known < len(s.history) {
		s.known++
	}
}

// inflate takes steps until p is full or an error stops it.
func (s *Stream) inflate(p []byte) (n int, err error) {
	for n < len(p) {
		switch s.step {
		case stepCopy:
			for ; s.copying > 0 && n < len(p); n++ {
				b := s.history[(s.at-s.dist)&(len(s.history)-1)]
				s.put(b)
				p[n] = b
				s.copying--
			}
			if s.copying == 0 {
				s.step = stepSymbol
			}
		case stepSymbol:
			var symbol int
			if symbol, err = s.decode(s.lengths); err != nil {
				return n, err
			}
			switch {
			case symbol < 256:
				s.put(byte(symbol))
				p[n] = byte(symbol)
				n++
			case symbol == 256:
				s.step = stepNext
			case symbol < 257+len(lengthBase):
				s.symbol, s.step = symbol-257, stepLength
			default:
				return n, ErrCorrupt
			}
		case stepCopyStored:
			var got int
			if got, err = s.copyStored(p[n:]); err != nil {
				return n, err
			}
			n += got
		default:
			if err = s.advance(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// copyStored copies bytes of a stored block.
func (s *Stream) copyStored(p []byte) (n int, err error) {
	for ; n < len(p) && s.stored > 0; n++ {
		if !s.need(8) {
			if n > 0 {
				return n, nil
			}
			return 0, s.short()
		}
		p[n] = byte(s.take(8))
		s.put(p[n])
		s.stored--
	}
	if s.stored == 0 {
		s.step = stepNext
	}
	return n, nil
}

// advance takes a step that brings no output.
func (s *Stream) advance() error {
	switch s.step {
	case stepBlock:
		return s.block()
	case stepNext:
		return s.next()
	case stepStored:
		if !s.need(32) {
			return s.short()
		}
		size, check := s.take(16), s.take(16)
		if size != check^0xFFFF {
			return ErrCorrupt
		}
		s.stored, s.step = size, stepCopyStored
	case stepLength:
		extra := uint(lengthExtra[s.symbol])
		if !s.need(extra) {
			return s.short()
		}
		s.copying = int(lengthBase[s.symbol]) + s.take(extra)
		s.step = stepDist
	case stepDist:
		symbol, err := s.decode(s.dists)
		if err != nil {
			return err
		}
		if symbol >= maxDists {
			return ErrCorrupt
		}
		s.symbol, s.step = symbol, stepDistExtra
	case stepDistExtra:
		extra := uint(distExtra[s.symbol])
		if !s.need(extra) {
			return s.short()
		}
		s.dist = int(distBase[s.symbol]) + s.take(extra)
		if s.dist > s.known {
			return ErrCorrupt
		}
		s.farthest = max(s.farthest, s.dist)
		s.step = stepCopy
	default:
		return s.dynamic()
	}
	return nil
}

// block reads the header of a block (RFC 1951 §3.2.3).
func (s *Stream) block() error {
	if !s.need(3) {
		return s.short()
	}
	s.final = s.take(1) == 1
	switch s.take(2) {
	case 0:
		s.align()
		s.step = stepStored
	case 1:
		s.lengths, s.dists = fixedLengths, fixedDists
		s.step = stepSymbol
	case 2:
		s.step = stepCounts
	default:
		return ErrCorrupt
	}
	return nil
}

// align drops the bits up to the next byte.
func (s *Stream) align() { s.take(s.n & 7) }

// next goes on behind a block. The last one of a message is final; behind one
// that is final inside a message another DEFLATE stream begins, which may refer
// to this one (RFC 7692 §7.2.3.4).
func (s *Stream) next() error {
	if s.final {
		s.align()
		if s.n == 0 && len(s.in) == 0 {
			if s.ended {
				return io.EOF
			}
			return ErrMore
		}
		if s.tailed {
			return ErrCorrupt // a block has taken from the tail
		}
	}
	s.step = stepBlock
	return nil
}

// dynamic reads the codes of a block that brings its own (RFC 1951 §3.2.7).
func (s *Stream) dynamic() error {
	switch s.step {
	case stepCounts:
		if !s.need(14) {
			return s.short()
		}
		s.counts = [3]int{s.take(5) + 257, s.take(5) + 1, s.take(4) + 4}
		if s.counts[0] > maxLengths || s.counts[1] > maxDists {
			return ErrCorrupt
		}
		s.codeLens = [len(s.codeLens)]uint8{}
		s.defined, s.step = 0, stepLengthCode
	case stepLengthCode:
		if !s.need(3) {
			return s.short()
		}
		s.codeLens[lengthOrder[s.defined]] = uint8(s.take(3))
		if s.defined++; s.defined == s.counts[2] {
			if !s.own[0].init(s.codeLens[:len(lengthOrder)]) {
				return ErrCorrupt
			}
			s.defined, s.step = 0, stepCodeLengths
		}
	case stepCodeLengths:
		symbol, err := s.decode(&s.own[0])
		if err != nil {
			return err
		}
		if symbol > maxCodeLen {
			s.symbol, s.step = symbol, stepRepeat
			return nil
		}
		return s.define(uint8(symbol), 1)
	case stepRepeat:
		return s.repeat()
	}
	return nil
}

// repeat defines several code lengths at once.
func (s *Stream) repeat() error {
	least, extra := 3, uint(2)
	switch s.symbol {
	case 17:
		extra = 3
	case 18:
		least, extra = 11, 7
	}
	if !s.need(extra) {
		return s.short()
	}
	length := uint8(0)
	if s.symbol == 16 {
		if s.defined == 0 {
			return ErrCorrupt
		}
		length = s.codeLens[s.defined-1]
	}
	s.step = stepCodeLengths
	return s.define(length, least+s.take(extra))
}

func (s *Stream) define(length uint8, times int) error {
	all := s.counts[0] + s.counts[1]
	if s.defined+times > all {
		return ErrCorrupt
	}
	for range times {
		s.codeLens[s.defined] = length
		s.defined++
	}
	if s.defined < all {
		return nil
	}
	if !s.own[0].init(s.codeLens[:s.counts[0]]) || !s.own[1].init(s.codeLens[s.counts[0]:all]) {
		return ErrCorrupt
	}
	s.lengths, s.dists, s.step = &s.own[0], &s.own[1], stepSymbol
	return nil
}
