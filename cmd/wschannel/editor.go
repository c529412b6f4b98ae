package main

import (
	"io"
	"os"
	"strings"
	"sync"

	"github.com/ergochat/readline"
)

// edits reports whether lines can be edited: somebody sits in front of a
// terminal that can move its cursor.
func (p *program) edits() bool {
	return isTerminal(p.stdin) && isTerminal(p.stdout) && os.Getenv("TERM") != "dumb"
}

// An editor reads lines from a terminal that is also written to. What is
// written appears above the line that is being edited.
type editor struct {
	lines *readline.Instance
	tty   *tty
}

// The errors of readLine, besides io.EOF for the end of the input.
var errInterrupt = readline.ErrInterrupt

func newEditor(p *program, prompt string) (*editor, error) {
	t := &tty{in: p.stdin, out: p.stdout}
	lines, err := readline.NewFromConfig(&readline.Config{
		Prompt: prompt,
		Stdin:  t,
		Stdout: t,
		// Neither is echoed: it would look as if it had been sent.
		InterruptPrompt: "\n",
		EOFPrompt:       "\n",
		FuncIsTerminal:  func() bool { return true },
	})
	if err != nil {
		return nil, err
	}
	return &editor{lines, t}, nil
}

// readLine returns the next line that was edited. The error is io.EOF, also
// after close, or errInterrupt.
func (e *editor) readLine() (string, error) { return e.lines.ReadLine() }

// Write writes whole lines. It may be called by any goroutine.
func (e *editor) Write(text []byte) (int, error) {
	if _, err := e.lines.Write(text); err != nil {
		return 0, err
	}
	return len(text), nil
}

// close takes the line that is being edited off the screen, and gives the
// terminal back as it was.
func (e *editor) close() {
	// The library takes the line away, writes, and shows it again: the first
	// step is wanted, the last is not.
	cfg := e.lines.GetConfig()
	cfg.Stderr = writerFunc(func(p []byte) (int, error) {
		e.tty.mute()
		return len(p), nil
	})
	e.lines.SetConfig(cfg)
	e.lines.Stderr().Write(nil)
	e.lines.Close()
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// A tty is a terminal between the library and the standard streams.
type tty struct {
	in  io.Reader
	out io.Writer

	mu      sync.Mutex
	muted   bool
	answers int
}

// The library asks the terminal where the cursor is before it shows a prompt,
// and waits for the answer. Not every terminal has one. Here it is known: only
// whole lines are written.
const (
	whereIsTheCursor = "\x1b[6n"
	atTheLeft        = "\x1b[1;1R"
)

func (t *tty) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.muted {
		return len(p), nil
	}
	if string(p) == whereIsTheCursor {
		t.answers++
		return len(p), nil
	}
	return t.out.Write(p)
}

func (t *tty) Read(p []byte) (int, error) {
	t.mu.Lock()
	if t.answers > 0 && len(p) >= len(atTheLeft) {
		t.answers--
		t.mu.Unlock()
		return copy(p, atTheLeft), nil
	}
	t.mu.Unlock()
	return t.in.Read(p)
}

// mute drops what is written from now on.
func (t *tty) mute() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.muted = true
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
