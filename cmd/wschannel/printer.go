package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/wschannel/wschannel"
)

// A printer prints messages, however large, without holding them as a whole.
type printer struct {
	out      *bufio.Writer // standard output
	notes    io.Writer     // standard error
	terminal bool
	buf      []byte
}

// printBuffer is the size of a printer's buffers in bytes. A message that fits
// is written at once.
const printBuffer = 32 << 10

func newPrinter(out, notes io.Writer) *printer {
	p := &printer{notes: notes, terminal: isTerminal(out), buf: make([]byte, printBuffer)}
	if p.terminal {
		out = &screen{w: out}
	}
	p.out = bufio.NewWriterSize(out, printBuffer)
	return p
}

// print prints a message. The error is that of the reader, or an *outputError.
func (p *printer) print(t wschannel.Type, message io.Reader) error {
	if t == wschannel.Binary {
		n, err := io.Copy(io.Discard, message)
		if err == nil {
			fmt.Fprintf(p.notes, "binary message of %s, not shown\n", size(int(n)))
		}
		return err
	}
	for {
		n, err := message.Read(p.buf)
		if _, failed := p.out.Write(p.buf[:n]); failed != nil {
			return &outputError{failed}
		}
		if err == nil {
			continue
		}
		// What was cut off has no end of line, so that a program can tell.
		if err == io.EOF || p.terminal {
			p.out.WriteByte('\n')
		}
		if failed := p.out.Flush(); failed != nil {
			return &outputError{failed}
		}
		if err == io.EOF {
			err = nil
		}
		return err
	}
}

// An outputError is a failure of standard output.
type outputError struct{ error }

func (e *outputError) Unwrap() error { return e.error }

// unread reports whether whoever read the output has gone, as head does when it
// has seen enough.
func (e *outputError) unread() bool { return errors.Is(e.error, syscall.EPIPE) }

// size returns a number of bytes for humans.
func size(n int) string {
	switch {
	case n == 1:
		return "1 byte"
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}
