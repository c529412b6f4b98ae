package main

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/wschannel/wschannel"
)

// A printer writes messages to standard output as programs want to read them.
// However large they are, it does not hold them as a whole.
type printer struct {
	out        *bufio.Writer // standard output
	notes      io.Writer     // standard error
	format     format
	timestamps bool
	terminal   bool
	buf        []byte
}

// printBuffer is the size of a printer's buffers in bytes. A message that fits
// is written at once.
const printBuffer = 32 << 10

func newPrinter(out, notes io.Writer, f format, timestamps bool) *printer {
	p := &printer{notes: notes, format: f, timestamps: timestamps, terminal: isTerminal(out), buf: make([]byte, printBuffer)}
	if p.terminal {
		out = &screen{w: out}
	}
	p.out = bufio.NewWriterSize(out, printBuffer)
	return p
}

func (p *printer) show(t wschannel.Type, message io.Reader) error {
	if t == wschannel.Binary && (p.format == formatText || p.format == formatJSON) {
		n, err := io.Copy(io.Discard, message)
		if err == nil {
			fmt.Fprintf(p.notes, "binary message of %s, not shown\n", size(int(n)))
		}
		return err
	}
	if p.timestamps {
		p.out.WriteString(time.Now().UTC().Format("2006-01-02T15:04:05.000Z "))
	}
	err := p.write(message)
	if broken, ok := errors.AsType[*outputError](err); ok {
		return broken
	}
	// What was cut off has no end of line, so that a program can tell.
	if p.format != formatBinary && (err == nil || p.terminal) {
		p.out.WriteByte('\n')
	}
	if failed := p.out.Flush(); failed != nil {
		return &outputError{failed}
	}
	return err
}

// write writes what a message has in the format.
func (p *printer) write(message io.Reader) error {
	switch p.format {
	case formatHex:
		return p.copy(hex.NewEncoder(p.out), message)
	case formatJSON:
		text, err := io.ReadAll(io.LimitReader(message, maxJSON+1))
		if err == nil {
			text = indentJSON(text)
		}
		if _, failed := p.out.Write(text); failed != nil {
			return &outputError{failed}
		}
		if err != nil {
			return err
		}
	}
	return p.copy(p.out, message)
}

// copy is io.Copy with errors of two kinds, and without an end: it returns nil
// at the end of a message.
func (p *printer) copy(out io.Writer, message io.Reader) error {
	for {
		n, err := message.Read(p.buf)
		if _, failed := out.Write(p.buf[:n]); failed != nil {
			return &outputError{failed}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
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
