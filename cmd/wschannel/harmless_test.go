package main

import (
	"bytes"
	"os"
	"strings"
	"sync"
	"testing"
)

func TestHarmless(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"plain", "Grüße, 你好 👋 \\ \"", "Grüße, 你好 👋 \\ \""},
		{"line breaks and tabs", "a\n\tb", "a\n\tb"},
		{"a carriage return", "a\rb\r\n", `a\rb\r` + "\n"},
		{"an escape sequence", "\x1b[31m", `\x1b[31m`},
		{"a title", "\x1b]0;title\a", `\x1b]0;title\a`},
		{"zero, backspace and delete", "\x00\b\x7f", `\x00\b\x7f`},
		{"C1", "\u0080\u009b\u009f\u00a0", `\u0080\u009b\u009f` + "\u00a0"},
		{"direction", "\u202e\u2066\u200f\u061c", `\u202e\u2066\u200f\u061c`},
		{"an emoji of several characters", "👩\u200d🚀", "👩\u200d🚀"},
		{"not UTF-8", "\xff\x05\x9ba\xe4\xbd", `\xff\x05\x9ba\xe4\xbd`},
		{"the replacement character", "\ufffd", "\ufffd"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := harmlessLines(test.in); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
	if got, want := harmless("a\nb"), `a\nb`; got != want {
		t.Errorf("on one line: %q, want %q", got, want)
	}
}

// However a message is cut, the screen shows the same.
func TestScreen(t *testing.T) {
	const message = "Grüße\x1b[31m 你好\r\n\u202e👩\u200d🚀\u009b"
	want := harmlessLines(message)
	for size := 1; size <= len(message); size++ {
		var shown bytes.Buffer
		s := &screen{w: &shown}
		for rest := []byte(message); len(rest) > 0; {
			part := rest[:min(size, len(rest))]
			rest = rest[len(part):]
			if n, err := s.Write(part); n != len(part) || err != nil {
				t.Fatal(n, err)
			}
		}
		if got := shown.String(); got != want {
			t.Errorf("in pieces of %d: %q, want %q", size, got, want)
		}
	}
}

// What several loggers write at the same time stays whole.
func TestScreenOfSeveral(t *testing.T) {
	const line = "a line\x1b\n"
	var shown bytes.Buffer
	s := &screen{w: &shown}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 100 {
				s.Write([]byte(line))
			}
		})
	}
	all.Wait()
	if got := shown.String(); got != strings.Repeat(harmlessLines(line), 400) {
		t.Errorf("shown: %q", got)
	}
}

func TestIsTerminal(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	for _, stream := range []any{nil, new(bytes.Buffer), null, r, w} {
		if isTerminal(stream) {
			t.Errorf("%v is taken for a terminal", stream)
		}
	}
}
