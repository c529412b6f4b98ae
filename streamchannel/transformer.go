package streamchannel

import (
	"strings"
	"unicode/utf8"
)

// A Transformer makes messages of type B of messages of type A: of each one,
// none or several, and perhaps of several together. [Map], [Filter], [Stateful]
// and [Lines] make Transformers; [Transform], [TransformStream] and
// [TransformSink] put them on a channel. The same Transformer may be put on any
// number of channels. The zero Transformer is invalid.
type Transformer[A, B any] struct {
	single func(A) (m B, keep bool, err error) // without a state
	start  func() (step func(A, func(B)) error, flush func(func(B)))
}

// Map makes one message of each. f may be called by several goroutines at the
// same time. A message for which it returns an error is left out, and the error
// is reported: as a *[DecodeError] by Receive, as an *[EncodeError] by Send.
func Map[A, B any](f func(A) (B, error)) Transformer[A, B] {
	return Transformer[A, B]{single: func(a A) (B, bool, error) {
		b, err := f(a)
		return b, true, err
	}}
}

// Filter leaves out the messages for which keep returns false. keep may be
// called by several goroutines at the same time.
func Filter[T any](keep func(T) bool) Transformer[T, T] {
	return Transformer[T, T]{single: func(m T) (T, bool, error) { return m, keep(m), nil }}
}

// Stateful makes of many messages many others. start is called for each channel
// that the Transformer is put on, and returns two functions around a state of
// their own; these are never called at the same time.
//
// step takes a message and calls emit for each message that is finished by it.
// If it returns an error, the message is left out, the state must be as before
// the call, and what step emitted does not count; the error is reported as that
// of [Map]. flush emits what is left in the state when no more messages come.
// emit must not be called after step or flush has returned.
func Stateful[A, B any](start func() (step func(m A, emit func(B)) error, flush func(emit func(B)))) Transformer[A, B] {
	return Transformer[A, B]{start: start}
}

// DefaultLineLimit is the limit of [Lines] in bytes: 1 MiB.
const DefaultLineLimit = 1 << 20

// Lines joins texts and splits them into lines: each message is one line,
// without the "\n" or "\r\n" that ended it. What follows the last line end is a
// line too, unless it is empty.
//
// limit is the most that is kept of an unfinished line, in bytes; 0 means
// [DefaultLineLimit]. A longer line comes in pieces, each at most that long and
// none cut inside a character. A negative limit panics.
func Lines(limit int) Transformer[string, string] {
	if limit < 0 {
		panic("streamchannel: negative line limit")
	}
	if limit == 0 {
		limit = DefaultLineLimit
	}
	return Stateful(func() (step func(string, func(string)) error, flush func(func(string))) {
		s := &lineSplitter{limit: limit}
		return s.step, s.flush
	})
}

type lineSplitter struct {
	limit int
	rest  []byte // of an unfinished line: at most limit, and a "\r" that may belong to its end
}

func (s *lineSplitter) step(text string, emit func(string)) error {
	for {
		line, after, ended := strings.Cut(text, "\n")
		if ended && len(s.rest) == 0 && len(line) <= s.limit { // whole: no copy
			emit(strings.TrimSuffix(line, "\r"))
			text = after
			continue
		}
		s.add(line, emit)
		if !ended {
			return nil
		}
		emit(strings.TrimSuffix(string(s.rest), "\r"))
		s.rest = s.rest[:0]
		text = after
	}
}

// add adds to the rest, and emits pieces of the limit while it is too long.
func (s *lineSplitter) add(text string, emit func(string)) {
	for len(text) > 0 {
		n := min(len(text), s.limit+2-len(s.rest))
		s.rest = append(s.rest, text[:n]...)
		text = text[n:]
		for len(s.rest) > s.limit && !(len(s.rest) == s.limit+1 && s.rest[s.limit] == '\r') {
			cut := s.cut()
			emit(string(s.rest[:cut]))
			s.rest = append(s.rest[:0], s.rest[cut:]...)
		}
	}
}

// cut returns where to cut a rest that is too long: at the limit, or before the
// character that the limit falls into.
func (s *lineSplitter) cut() int {
	for cut := s.limit; cut > max(0, s.limit-utf8.UTFMax); cut-- {
		if utf8.RuneStart(s.rest[cut]) {
			return cut
		}
	}
	return s.limit // a limit below one character, or no UTF-8
}

func (s *lineSplitter) flush(emit func(string)) {
	if len(s.rest) > 0 {
		emit(string(s.rest))
		s.rest = nil
	}
}
