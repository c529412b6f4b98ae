package proto

import (
	"bytes"
	"strings"
	"testing"

	"github.com/wschannel/wschannel/internal/wire"
)

// Whole takes a message that is one frame and lies there, and nothing else: not a
// byte is touched otherwise.
func TestWhole(t *testing.T) {
	const hello = "\x81\x05Hello"
	for _, tt := range []struct {
		name, frames, want string
		cfg                Config
	}{
		{"text", hello, "Hello", unlimited},
		{"binary", "\x82\x03abc", "abc", unlimited},
		{"no payload", "\x82\x00", "", unlimited},
		{"the longest short length", "\x82\x7D" + strings.Repeat("x", 125), strings.Repeat("x", 125), unlimited},
		{"a length of two bytes", "\x82\x7E\x00\x7E" + strings.Repeat("x", 126), strings.Repeat("x", 126), unlimited},
		{"as long as the limit", hello, "Hello", Config{MessageLimit: 5, FragmentLimit: 1}},

		{"nothing", "", "-", unlimited},
		{"half a header", "\x81", "-", unlimited},
		{"half a length", "\x82\x7E\x00", "-", unlimited},
		{"half a payload", "\x81\x05Hell", "-", unlimited},
		{"a ping", "\x89\x00", "-", unlimited},
		{"a first fragment", "\x01\x05Hello", "-", unlimited},
		{"a continuation", "\x80\x05Hello", "-", unlimited},
		{"RSV1", "\xC1\x05Hello", "-", unlimited},
		{"RSV1, allowed", "\xC1\x05Hello", "-", Config{MessageLimit: -1, FragmentLimit: -1, Compression: true}},
		{"a length of two bytes, too many", "\x82\x7E\x00\x05Hello", "-", unlimited},
		{"a length of eight bytes", "\x82\x7F\x00\x00\x00\x00\x00\x00\x00\x05Hello", "-", unlimited},
		{"no UTF-8", "\x81\x02\xC3(", "-", unlimited},
		{"half a character", "\x81\x01\xC3", "-", unlimited},
		{"longer than the limit", hello, "-", Config{MessageLimit: 4, FragmentLimit: 1}},
		{"no frames allowed", hello, "-", Config{MessageLimit: 5}},
	} {
		for _, server := range []bool{false, true} {
			for _, inPlace := range []bool{false, true} {
				frames := []byte(tt.frames)
				if server {
					frames = new(masker).mask(frames)
				}
				cfg := tt.cfg
				cfg.Server = server
				r := NewReader(cfg, make([]byte, 1000))
				dst := append(make([]byte, 0, 500), "before "...)
				before := "before "
				if inPlace {
					r.CollectInPlace()
					before = ""
				} else {
					r.Collect(dst)
				}
				give(t, &r, frames)
				op, data, ok := r.Whole()
				switch {
				case tt.want == "-" && ok:
					t.Errorf("%s, server %v, in place %v: %q", tt.name, server, inPlace, data)
				case tt.want == "-":
					if left := r.buf[r.from:r.to]; !bytes.Equal(left, frames) {
						t.Errorf("%s, server %v, in place %v: %x is left of %x", tt.name, server, inPlace, left, frames)
					}
				case !ok || string(data) != before+tt.want || op != wire.Opcode(tt.frames[0]&0xF) || !r.Empty():
					t.Errorf("%s, server %v, in place %v: %v %q %v, want %q", tt.name, server, inPlace, op, data, ok, tt.want)
				case inPlace && cap(data) != len(data):
					t.Errorf("%s, server %v: whoever appends writes to what is behind", tt.name, server)
				case inPlace == sameMemory(data, dst):
					t.Errorf("%s, server %v, in place %v: in the wrong place", tt.name, server, inPlace)
				}
				if ok {
					continue
				}
				op, data, ok = r.WholeCompressed()
				if compressed := tt.name == "RSV1, allowed"; ok != compressed || ok && (string(data) != "Hello" || op != wire.Text || !r.Empty() || cap(data) != len(data)) {
					t.Errorf("%s, server %v, in place %v: compressed %v %q %v", tt.name, server, inPlace, op, data, ok)
				} else if left := r.buf[r.from:r.to]; !ok && !bytes.Equal(left, frames) {
					t.Errorf("%s, server %v, in place %v: %x is left of %x", tt.name, server, inPlace, left, frames)
				}
			}
		}
	}
}

// Inside a message, a stream, or after the end, there is no whole one.
func TestWholeNot(t *testing.T) {
	for _, tt := range []struct {
		name  string
		begin func(r *Reader)
	}{
		{"inside a fragmented message", func(r *Reader) { give(t, r, []byte("\x01\x00")); r.Next() }},
		{"streaming", func(r *Reader) { r.Stream(make([]byte, 10)) }},
		{"discarding", func(r *Reader) { r.Discard() }},
		{"stopped", func(r *Reader) { r.Stop() }},
	} {
		r := NewReader(unlimited, make([]byte, 1000))
		tt.begin(&r)
		give(t, &r, []byte("\x81\x05Hello"))
		if _, data, ok := r.Whole(); ok {
			t.Errorf("%s: %q", tt.name, data)
		}
		if _, data, ok := r.WholeCompressed(); ok {
			t.Errorf("%s, compressed: %q", tt.name, data)
		}
	}
}
