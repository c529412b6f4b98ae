package main

import (
	"os"

	"github.com/ergochat/readline"
)

// An editor reads lines from a terminal that is also written to. What is
// written appears above the line that is being edited.
type editor struct {
	lines   *readline.Instance
	tty     *tty
	palette palette
}

// errInterrupt is the error of readLine when Ctrl-C was typed.
var errInterrupt = readline.ErrInterrupt

// newEditor returns an editor if somebody sits in front of a terminal that can
// move its cursor.
func newEditor(p *program) (e *editor, ok bool) {
	if !isTerminal(p.stdin) || !isTerminal(p.stdout) || os.Getenv("TERM") == "dumb" {
		return nil, false
	}
	colours := newPalette()
	t := &tty{in: p.stdin, out: p.stdout, pasted: map[rune][]rune{}}
	lines, err := readline.NewFromConfig(&readline.Config{
		Prompt:   colours.show(strong, "> "),
		Stdin:    t,
		Stdout:   t,
		Listener: t.paste,
		// Neither is echoed: it would look as if it had been sent.
		InterruptPrompt: "\n",
		EOFPrompt:       "\n",
		FuncIsTerminal:  func() bool { return true },
	})
	if err != nil { // the terminal does not know escape sequences
		return nil, false
	}
	return &editor{lines, t, colours}, true
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
