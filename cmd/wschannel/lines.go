package main

import (
	"bufio"
	"errors"
	"io"
)

// A lineReader splits a stream into lines.
type lineReader struct {
	in    *bufio.Reader
	limit int // the longest line in bytes, without its end
	line  []byte
	n     int // the number of the line that was returned last
}

var errTooLong = errors.New("the line is too long")

func newLineReader(in io.Reader, limit int) *lineReader {
	return &lineReader{in: bufio.NewReaderSize(in, 32<<10), limit: limit}
}

// next returns the next line without its \n, all other bytes as they are; it is
// valid until the next call. The last line need not have an end. A longer line
// than the limit is read over and is errTooLong. At the end the error is io.EOF;
// after any other error there are no more lines.
func (l *lineReader) next() ([]byte, error) {
	l.line = l.line[:0]
	l.n++
	long := false
	for {
		part, err := l.in.ReadSlice('\n')
		ended := err == nil
		if ended {
			part = part[:len(part)-1]
		}
		if len(part) > l.limit-len(l.line) {
			long = true
		}
		if !long {
			l.line = append(l.line, part...)
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case !ended && (err != io.EOF || len(part) == 0 && len(l.line) == 0 && !long):
			return nil, err
		case long:
			return nil, errTooLong
		}
		return l.line, nil
	}
}
