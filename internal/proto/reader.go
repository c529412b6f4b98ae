package proto

import (
	"slices"
	"strconv"

	"github.com/wschannel/wschannel/internal/wire"
	"github.com/wschannel/wschannel/status"
)

// MinBuffer is the least length in bytes of a Reader's buffer: a whole control
// frame has to fit in.
const MinBuffer = wire.MaxHeader + wire.MaxControl

// A Config is what a [Reader] is made for.
type Config struct {
	MessageLimit  int  // the longest message that is collected, in bytes; negative: any
	FragmentLimit int  // the most frames that a collected message may have; negative: any
	Server        bool // we are the server, so that frames have to be masked
	Compression   bool // RSV1 may mark a message as compressed (RFC 7692 §6)
}

// slack returns by how much a compressed message may be longer than the limit
// for what it inflates to: no encoder needs more than nine bits for a byte.
func (c *Config) slack() uint64 { return uint64(c.MessageLimit)/8 + 1024 }

// A Reader is the receiving half of a connection. The transport asks for
// [Reader.Space], puts bytes there, says how many with [Reader.Filled], and
// calls [Reader.Next] until it returns More. How bytes are cut into pieces
// never changes what comes out, except the sizes of the Parts and, when a
// Violation ends a streamed message, how much of it came in Parts before.
//
// A message is either collected whole (the default) or streamed in parts:
// [Reader.Collect] and [Reader.Stream] choose, and give the memory. Both may be
// called whenever the transport is not filling Space; a message that is under
// way goes on where it was.
type Reader struct {
	cfg Config

	buf      []byte // the transport's bytes; buf[from:to] is not parsed yet
	span     int    // its length, also while it is parked
	from, to int

	// The frame under way.
	left uint64 // bytes of its payload still to come
	key  [4]byte
	pos  uint8 // where in key we are

	// The message under way.
	text   UTF8
	opcode wire.Opcode // Text or Binary; Continuation when there is none
	size   uint64      // bytes of payload that its frames have claimed
	frames int
	heads  int // length of the headers that stood before what is held of it

	// Where its payload goes.
	dst  []byte
	base int    // how much of dst stood there before
	kept []byte // what is to be streamed before anything that comes

	broken *wire.Violation // found by Filled, reported by Next

	// All of these stand together, for an idle channel holds a Reader too.
	direct     bool // Space lent the tail of dst instead of buf
	inFrame    bool // a frame is under way
	fin        bool // it is the last of its message
	masked     bool
	compressed bool // the message under way is
	started    bool // Start was returned for it
	skipping   bool // what is left of it is dropped
	discarding bool // every message is
	streaming  bool
	waiting    bool // a message beyond the limits is left where it is
	inPlace    bool // a message may be left where it is, for the caller to look at
	asks       bool // for memory, with Lack
	lent       bool // dst is memory that Collect brought, otherwise base is 0
	over       bool
}

// NewReader returns a Reader that lends buf, of at least [MinBuffer] bytes, to
// the transport.
func NewReader(cfg Config, buf []byte) Reader {
	if len(buf) < MinBuffer {
		panic("proto: buffer too short")
	}
	return Reader{cfg: cfg, buf: buf, span: len(buf)}
}

// AllowCompression sets the Compression of the Config, before anything has come.
func (r *Reader) AllowCompression() { r.cfg.Compression = true }

// Held returns how many bytes from the wire the Reader holds: unparsed ones and
// those of an unfinished message, with the headers of its frames.
func (r *Reader) Held() int {
	return r.to - r.from + r.heads + len(r.kept) + len(r.dst) - r.base
}

// Space returns where the transport must put the next bytes: a part of the
// buffer, or the place in the message where they belong if what is left of the
// frame under way is at least as long as the buffer, and there is memory that was
// brought for it or as much of the message has come. It is valid until the next call of any
// other method, and empty only if payload that waits for a call of Stream fills
// the buffer, or if the buffer is parked and needed.
func (r *Reader) Space() []byte {
	r.direct = false
	r.to = copy(r.buf, r.buf[r.from:r.to])
	r.from = 0
	if r.readsDirectly() {
		if room := r.room(); len(room) > 0 {
			r.direct = true
			return room[:min(uint64(len(room)), r.left)]
		}
	}
	if r.Parked() {
		return nil // whatever room is in what is left of it
	}
	return r.buf[r.to:]
}

// room returns the free tail of dst, if it is worth reading into.
func (r *Reader) room() []byte {
	if r.streaming && (len(r.kept) > 0 || cap(r.dst) < r.span) {
		return nil
	}
	if least, _ := r.Lacks(); least > 0 {
		r.dst = slices.Grow(r.dst, least)
	} else if !r.streaming && cap(r.dst)-len(r.dst) < r.span {
		return nil
	}
	return r.dst[len(r.dst):cap(r.dst)]
}

// Filled says that the transport has put n bytes at the beginning of the last
// Space.
func (r *Reader) Filled(n int) {
	switch {
	case r.over: // what comes after a close frame is dropped
	case !r.direct:
		r.to += n
	default:
		r.dst = r.dst[:len(r.dst)+n]
		p := r.dst[len(r.dst)-n:]
		r.unmask(p)
		if v := r.check(p); r.broken == nil {
			r.broken = v
		}
	}
}

// Next returns what the bytes received so far amount to.
func (r *Reader) Next() Event {
	if r.rests() {
		return Event{Kind: More}
	}
	for !r.over {
		if r.broken != nil {
			return r.violated(r.broken)
		}
		if r.streaming && !r.skipping && r.opcode != wire.Continuation {
			switch {
			case !r.started:
				r.started = true
				return Event{Kind: Start, Opcode: r.opcode, Compressed: r.compressed}
			case cap(r.dst) == 0 && (r.inFrame || len(r.kept) > 0):
				return Event{Kind: More}
			case len(r.kept) > 0:
				return r.partOfKept()
			}
		}
		if !r.inFrame {
			if op, data, ok := r.Whole(); ok {
				return Event{Kind: Message, Opcode: op, InPlace: r.inPlace, Data: data}
			}
			if ev, ok := r.header(); ok {
				return ev
			}
		} else if ev, ok := r.payload(); ok {
			return ev
		}
	}
	return Event{Kind: Over}
}

// header parses the header of the next frame, and the whole of a control
// frame. It returns false if a data frame begins.
func (r *Reader) header() (Event, bool) {
	h, n, err := wire.ParseHeader(r.buf[r.from:r.to])
	if err != nil {
		return Event{Kind: More}, true
	}
	state := wire.State{Server: r.cfg.Server, Fragmented: r.opcode != wire.Continuation}
	if r.cfg.Compression {
		state.Rsv = wire.Rsv1
	}
	v := wire.Check(h, state)
	if v == nil && !h.Opcode.Control() {
		if v = r.begin(h); v != nil && r.waiting {
			return Event{Kind: TooLong}, true
		}
	}
	if v != nil {
		return r.violated(v), true
	}
	if !h.Opcode.Control() {
		r.from += n
		if !r.skipping {
			r.heads += n
		}
		return Event{}, false
	}
	end := r.from + n + int(h.Length)
	if r.to < end {
		return Event{Kind: More}, true
	}
	body := r.buf[r.from+n : end]
	r.from = end
	if h.Masked {
		wire.Mask(body, h.Key, 0)
	}
	return r.control(h.Opcode, body), true
}

func (r *Reader) control(op wire.Opcode, body []byte) Event {
	switch op {
	case wire.Ping:
		return Event{Kind: Ping, Data: body}
	case wire.Pong:
		return Event{Kind: Pong, Data: body}
	}
	code, reason, v := wire.ParseClose(body)
	if v != nil {
		return r.violated(v)
	}
	r.end()
	return Event{Kind: Close, Code: code, Data: reason}
}

// begin takes up a data frame. The limits are for what has to be held in
// memory, so they do not bind a message that is streamed or dropped.
func (r *Reader) begin(h wire.Header) *wire.Violation {
	if h.Opcode != wire.Continuation {
		r.compressed = h.Rsv != 0
	}
	if r.discarding {
		r.started, r.skipping = true, true
	}
	if !r.streaming && !r.started {
		limit := uint64(r.cfg.MessageLimit)
		if r.compressed && r.cfg.MessageLimit >= 0 {
			limit += r.cfg.slack()
		}
		switch {
		case h.Length > limit-r.size:
			return tooBig("message of " + strconv.FormatUint(r.size+h.Length, 10) +
				" bytes or more, the limit is " + strconv.FormatUint(limit, 10))
		case r.frames == r.cfg.FragmentLimit:
			return tooBig("message in more than " + strconv.Itoa(r.frames) + " fragments")
		}
		r.size += h.Length
		r.frames++
	}
	if h.Opcode != wire.Continuation {
		r.opcode = h.Opcode
	}
	r.inFrame, r.left, r.pos = true, h.Length, 0
	r.fin, r.masked, r.key = h.Fin, h.Masked, h.Key
	return nil
}

// payload hands on what has arrived of the frame under way. It returns false
// if the frame ended and nothing is to be reported.
func (r *Reader) payload() (Event, bool) {
	p := r.buf[r.from:r.to]
	if uint64(len(p)) > r.left {
		p = p[:r.left]
	}
	if r.stays() {
		if uint64(len(p)) < r.left {
			return Event{Kind: More}, true
		}
		return r.leave(p), true
	}
	if r.asks && len(p) > cap(r.dst)-len(r.dst) && !r.streaming && !r.skipping {
		return Event{Kind: Lack}, true
	}
	if r.streaming && !r.skipping {
		p = p[:min(len(p), cap(r.dst)-len(r.dst))]
	}
	r.from += len(p)
	switch {
	case r.skipping:
		r.unmask(p)
	case r.masked:
		n := len(r.dst)
		var next int
		r.dst, next = wire.AppendMasked(r.dst, p, r.key, int(r.pos))
		p, r.pos = r.dst[n:], uint8(next)
	default:
		r.dst = append(r.dst, p...)
	}
	if v := r.check(p); v != nil {
		return r.violated(v), true
	}
	ended := r.left == 0
	last := ended && r.fin
	r.inFrame = !ended
	if last && !r.text.Done() {
		return r.violated(notUTF8("text message ends inside a character")), true
	}
	switch {
	case r.skipping:
		if last {
			r.reset()
		}
	case r.streaming:
		if last || len(r.dst) > 0 {
			return r.part(r.dst, last), true
		}
	case last:
		return r.message(), true
	}
	return Event{Kind: More}, !ended
}

// unmask unmasks p, the next bytes of the frame under way, where they lie.
func (r *Reader) unmask(p []byte) {
	if r.masked {
		r.pos = uint8(wire.Mask(p, r.key, int(r.pos)))
	}
}

// check counts p, the next bytes of the frame under way, and checks them.
func (r *Reader) check(p []byte) *wire.Violation {
	r.left -= uint64(len(p))
	if r.opcode == wire.Text && !r.compressed && !r.text.Valid(p) {
		return notUTF8("text message with bytes that are not UTF-8")
	}
	return nil
}

func (r *Reader) message() Event {
	ev := Event{Kind: Message, Opcode: r.opcode, Compressed: r.compressed, Data: r.dst}
	r.dst, r.base, r.lent = nil, 0, false
	r.reset()
	return ev
}

func (r *Reader) part(p []byte, last bool) Event {
	r.dst, r.heads = nil, 0
	if last {
		r.reset()
	}
	return Event{Kind: Part, Data: p, Last: last}
}

func (r *Reader) partOfKept() Event {
	n := copy(r.dst[:cap(r.dst)], r.kept)
	if r.kept = r.kept[n:]; len(r.kept) == 0 {
		r.kept = nil // do not hold its memory until the message ends
	}
	return r.part(r.dst[:n], false)
}

// reset forgets the message that has ended.
func (r *Reader) reset() {
	r.opcode, r.size, r.frames, r.heads = wire.Continuation, 0, 0, 0
	r.started, r.skipping = false, false
}

// Stop ends reading: from now on Next returns Over. It is for what only the
// caller can find wrong, in a message that is compressed.
func (r *Reader) Stop() { r.end() }

func (r *Reader) violated(v *wire.Violation) Event {
	r.end()
	return Event{Kind: Violation, Violation: v}
}

func (r *Reader) end() {
	r.over, r.inFrame = true, false
	r.from = r.to
	r.dst, r.base, r.lent, r.kept, r.heads = nil, 0, false, nil, 0
}

func tooBig(text string) *wire.Violation {
	return &wire.Violation{Code: status.MessageTooBig, Section: "7.4.1", Text: text}
}

func notUTF8(text string) *wire.Violation {
	return &wire.Violation{Code: status.InvalidFramePayloadData, Section: "8.1", Text: text}
}
