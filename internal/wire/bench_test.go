package wire

import (
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

var maskSizes = []int{5, 16, 125, 1 << 10, 16 << 10, 64 << 10, 1 << 20}

func BenchmarkMask(b *testing.B) {
	for _, size := range maskSizes {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			p := make([]byte, size)
			b.SetBytes(int64(size))
			for b.Loop() {
				Mask(p, [4]byte{1, 2, 3, 4}, 1)
			}
		})
	}
}

// BenchmarkAppendMasked masks while copying; "copy, then mask" is what that spares.
func BenchmarkAppendMasked(b *testing.B) {
	key := [4]byte{1, 2, 3, 4}
	for _, size := range maskSizes {
		p, dst := make([]byte, size), make([]byte, 0, size)
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				AppendMasked(dst, p, key, 1)
			}
		})
		b.Run(fmt.Sprintf("copy, then mask/size=%d", size), func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				Mask(append(dst, p...), key, 1)
			}
		})
	}
}

// BenchmarkXORBytes is what Mask would be with the standard library's XORBytes, a
// block of the key repeated at a time. It tells whether that has become the better way.
func BenchmarkXORBytes(b *testing.B) {
	for _, size := range maskSizes {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			p := make([]byte, size)
			b.SetBytes(int64(size))
			for b.Loop() {
				var block [256]byte
				for i := 0; i < len(block); i += 8 {
					binary.LittleEndian.PutUint64(block[i:], 0x0403020104030201)
				}
				for rest := p; len(rest) > 0; rest = rest[min(len(block), len(rest)):] {
					subtle.XORBytes(rest, rest, block[:])
				}
			}
		})
	}
}

func BenchmarkAppendHeader(b *testing.B) {
	for _, length := range []uint64{125, 1 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("length=%d", length), func(b *testing.B) {
			dst := make([]byte, 0, MaxHeader)
			for b.Loop() {
				AppendHeader(dst, Header{Fin: true, Opcode: Text, Masked: true, Length: length})
			}
		})
	}
}

func BenchmarkParseHeader(b *testing.B) {
	for _, size := range []uint64{125, 1 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("length=%d", size), func(b *testing.B) {
			header := AppendHeader(nil, Header{Fin: true, Opcode: Text, Masked: true, Length: size})
			for b.Loop() {
				h, _, _ := ParseHeader(header)
				if Check(h, State{Server: true}) != nil {
					b.Fatal("illegal")
				}
			}
		})
	}
}

// BenchmarkValidUTF8 has beside each figure that of package unicode/utf8.
func BenchmarkValidUTF8(b *testing.B) {
	for _, text := range []struct{ name, unit string }{{"ASCII", "hello, world"}, {"Chinese", "天地玄黄宇宙洪荒日月盈昃辰宿列张"}} {
		for _, size := range []int{8, 24, 48, 1 << 10, 4 << 10, 64 << 10} {
			p := []byte(strings.Repeat(text.unit, size/len(text.unit)+1))[:size/3*3]
			for _, by := range []struct {
				name  string
				valid func([]byte) bool
			}{{"ours", ValidUTF8}, {"unicode", utf8.Valid}} {
				b.Run(fmt.Sprintf("text=%s/size=%d/by=%s", text.name, size, by.name), func(b *testing.B) {
					b.SetBytes(int64(len(p)))
					for b.Loop() {
						if !by.valid(p) {
							b.Fatal("not UTF-8")
						}
					}
				})
			}
		}
	}
}
