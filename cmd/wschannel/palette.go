package main

import (
	"os"
	"strings"

	"golang.org/x/term"
)

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	conn, err := f.SyscallConn()
	if err != nil {
		return false
	}
	is := false
	// File.Fd would make reads and writes of the file block.
	conn.Control(func(fd uintptr) { is = term.IsTerminal(int(fd)) })
	return is
}

// A style is how text looks on a terminal: the parameters of an escape sequence.
type style string

const (
	plain  style = ""
	strong style = "1"
	faint  style = "2"
	green  style = "32"
	yellow style = "33"
)

// A palette shows text in colours, unless it has none.
type palette struct{ colours bool }

// newPalette honours the variable NO_COLOR (no-color.org).
func newPalette() palette { return palette{os.Getenv("NO_COLOR") == ""} }

func (p palette) show(s style, text string) string {
	if !p.colours || s == plain || strings.TrimSpace(text) == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}
