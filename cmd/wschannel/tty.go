package main

import (
	"bytes"
	"io"
	"sync"
	"unicode"
	"unicode/utf8"
)

// A tty is a terminal between the library and the standard streams.
type tty struct {
	in  io.Reader
	out io.Writer

	mu      sync.Mutex
	muted   bool
	answers int    // how many questions were asked
	begun   []byte // the beginning of a character
	unread  []byte
	pasted  map[rune][]rune // what stands for pieces of text
	next    rune            // what stands for the next one
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
	for len(t.unread) == 0 {
		buf := make([]byte, 4<<10)
		n, err := t.in.Read(buf)
		if err != nil {
			return 0, err
		}
		// An answer must not come between the bytes of a character.
		input := append(t.begun, buf[:n]...)
		whole := wholeCharacters(input)
		t.begun = bytes.Clone(input[whole:])
		t.unread = t.shorten(input[:whole])
	}
	n := copy(p, t.unread)
	t.unread = t.unread[n:]
	return n, nil
}

// wholeCharacters returns how many bytes of a text are not the beginning of a
// character that is to be continued.
func wholeCharacters(text []byte) int {
	for i := max(0, len(text)-utf8.UTFMax); i < len(text); i++ {
		if utf8.RuneStart(text[i]) && !utf8.FullRune(text[i:]) {
			return i
		}
	}
	return len(text)
}

// The library takes the more time for each character, the longer the line is. So
// a run of characters that comes at once, since it was pasted, goes to it as one
// character, and is put in place of that afterwards.
const (
	shortestRun = 32 // bytes
	// These are for private use (Unicode, plane 15).
	firstStandIn = '\U000F0000'
	lastStandIn  = '\U000FFFFD'
)

// shorten puts stand-ins in place of long runs of characters.
func (t *tty) shorten(input []byte) []byte {
	var out []byte
	for i := 0; i < len(input); {
		run, n := printable(input[i:])
		switch {
		case n >= shortestRun && (i == 0 || input[i-1] != '\x1b'):
			out = utf8.AppendRune(out, t.standIn(run))
		case n > 0:
			out = append(out, input[i:i+n]...)
		default:
			out = append(out, input[i])
			n = 1
		}
		i += n
	}
	return out
}

// printable returns the characters that a text begins with and that go into the
// line, being no keys that do something, and how many bytes they take.
func printable(text []byte) (run []rune, n int) {
	for n < len(text) {
		r, size := utf8.DecodeRune(text[n:])
		if r == utf8.RuneError || unicode.IsControl(r) && r != '\t' || r >= firstStandIn {
			break
		}
		run = append(run, r)
		n += size
	}
	return run, n
}

// standIn returns a character that stands for text.
func (t *tty) standIn(text []rune) rune {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := firstStandIn + t.next
	t.next = (t.next + 1) % (lastStandIn - firstStandIn + 1)
	t.pasted[r] = text
	return r
}

// paste is called by the library after each key. It replaces a stand-in that
// was put before the cursor.
func (t *tty) paste(line []rune, pos int, key rune) (newLine []rune, newPos int, ok bool) {
	t.mu.Lock()
	text, ok := t.pasted[key]
	delete(t.pasted, key)
	t.mu.Unlock()
	if !ok || pos == 0 || line[pos-1] != key {
		return nil, 0, false
	}
	newLine = append(newLine, line[:pos-1]...)
	newLine = append(newLine, text...)
	newPos = len(newLine)
	return append(newLine, line[pos:]...), newPos, true
}

// mute drops what is written from now on.
func (t *tty) mute() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.muted = true
}
