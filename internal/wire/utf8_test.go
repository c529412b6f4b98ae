package wire

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

// Whatever makes it fast, the answer is that of package unicode/utf8.
func TestValidUTF8(t *testing.T) {
	pieces := []string{
		"", "a", "é", "€", "天", "😀", "\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2", "\xE0\x80\x80", "\xE0\x9F\xBF",
		"\xE2\x82", "\xED\xA0\x80", "\xED\xBF\xBF", "\xEF\xBF\xBF", "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF", "\xF0\x90\x80",
		"\xF4\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFE", "\xFF",
	}
	for _, piece := range pieces {
		for before := range 70 {
			for _, fill := range []string{"x", "é", "天", "😀"} {
				for _, after := range []int{0, 1, 40} {
					b := []byte(strings.Repeat(fill, before) + piece + strings.Repeat(fill, after))
					if got, want := ValidUTF8(b), utf8.Valid(b); got != want {
						t.Fatalf("%x: %v, want %v", b, got, want)
					}
				}
			}
		}
	}
}

func FuzzValidUTF8(f *testing.F) {
	f.Add([]byte("天地玄黄宇宙洪荒"), 3)
	f.Add([]byte("\xF4\x90\x80\x80"), 40)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		if len(b) > 1000 {
			b = b[:1000]
		}
		b = append(bytes.Repeat([]byte("x"), n&63), b...)
		if got, want := ValidUTF8(b), utf8.Valid(b); got != want {
			t.Errorf("%x: %v, want %v", b, got, want)
		}
	})
}
