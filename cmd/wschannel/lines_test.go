package main

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func TestLineReader(t *testing.T) {
	const tooLong = "(too long)"
	for _, test := range []struct {
		name, in string
		want     []string
	}{
		{"nothing", "", nil},
		{"one", "a\n", []string{"a"}},
		{"without an end", "a\nb", []string{"a", "b"}},
		{"empty", "\n\n", []string{"", ""}},
		{"as they are", "\r\n\x00\xff\n", []string{"\r", "\x00\xff"}},
		{"the limit", "12345\n123456\n12345", []string{"12345", tooLong, "12345"}},
		{"too long without an end", "123456", []string{tooLong}},
		{"beyond the buffer", strings.Repeat("x", 100_000) + "\na\n", []string{tooLong, "a"}},
		{"as long as the buffer", strings.Repeat("x", 32<<10), []string{tooLong}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, in := range []io.Reader{
				strings.NewReader(test.in),
				iotest.OneByteReader(strings.NewReader(test.in)),
				iotest.DataErrReader(strings.NewReader(test.in)),
			} {
				var got []string
				lines := newLineReader(in, 5)
				for {
					line, err := lines.next()
					if err == io.EOF {
						break
					}
					if err == errTooLong {
						line = []byte(tooLong)
					} else if err != nil {
						t.Fatal(err)
					}
					if got = append(got, string(line)); len(got) != lines.n {
						t.Fatalf("line %d has the number %d", len(got), lines.n)
					}
				}
				if !slices.Equal(got, test.want) {
					t.Errorf("%q, want %q", got, test.want)
				}
			}
		})
	}
}

func TestLineReaderFails(t *testing.T) {
	broken := errors.New("broken")
	lines := newLineReader(io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(broken)), 5)
	if line, err := lines.next(); string(line) != "a" || err != nil {
		t.Fatalf("%q and %v, want \"a\"", line, err)
	}
	if line, err := lines.next(); line != nil || err != broken {
		t.Fatalf("%q and %v, want %v", line, err, broken)
	}
}
