package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/wschannel/wschannel"
)

// A format is how messages look on the standard streams.
type format int

const (
	formatText   format = iota // text messages are lines
	formatJSON                 // text messages are lines, and come out indented
	formatHex                  // messages are lines of hexadecimal
	formatBinary               // bytes
)

// A source yields messages to be sent.
type source interface {
	// next returns the next message, whose data is valid until the next call.
	// At the end the error is io.EOF. After a *badInput there may be more.
	next() (wschannel.Message, error)
	// place says where the last message has come from.
	place() string
}

// A badInput is input that cannot be sent.
type badInput struct {
	place, why string
}

func (e *badInput) Error() string { return e.place + " " + e.why }

// maxLine is the longest line in bytes that is sent.
const maxLine = 16 << 20

func newSource(in io.Reader, f format) source {
	if f == formatBinary {
		return &byteSource{in: in, buf: make([]byte, 32<<10)}
	}
	return &lineSource{lines: newLineReader(in, maxLine), format: f}
}

// A lineSource makes a message of each line.
type lineSource struct {
	lines  *lineReader
	format format
}

func (s *lineSource) place() string { return fmt.Sprintf("line %d", s.lines.n) }

func (s *lineSource) next() (wschannel.Message, error) {
	line, err := s.lines.next()
	switch {
	case err == errTooLong:
		return wschannel.Message{}, &badInput{s.place(), "is longer than " + size(maxLine)}
	case err != nil:
		return wschannel.Message{}, err
	}
	m, why := s.format.message(line)
	if why != "" {
		return wschannel.Message{}, &badInput{s.place(), why}
	}
	return m, nil
}

// message makes a message of a line, or says why it cannot be one.
func (f format) message(line []byte) (m wschannel.Message, why string) {
	switch f {
	case formatHex:
		digits := bytes.Join(bytes.Fields(line), nil)
		data, err := hex.AppendDecode(nil, digits)
		if err != nil {
			return m, "is not hexadecimal (expected pairs of digits like 00 ff)"
		}
		return wschannel.Message{Type: wschannel.Binary, Data: data}, ""
	case formatBinary:
		return wschannel.Message{Type: wschannel.Binary, Data: append(line, '\n')}, ""
	}
	return wschannel.Message{Type: wschannel.Text, Data: line}, ""
}

// A byteSource makes messages of bytes as they come.
type byteSource struct {
	in  io.Reader
	buf []byte
	n   int // how many bytes there were before the last message
	m   int // how many it has
}

func (s *byteSource) place() string { return fmt.Sprintf("byte %d", s.n) }

func (s *byteSource) next() (wschannel.Message, error) {
	s.n += s.m
	for {
		n, err := s.in.Read(s.buf)
		s.m = n
		if n > 0 {
			return wschannel.Message{Type: wschannel.Binary, Data: s.buf[:n]}, nil
		}
		if err != nil {
			return wschannel.Message{}, err
		}
	}
}
