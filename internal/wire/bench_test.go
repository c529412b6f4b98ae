package wire

import (
	"fmt"
	"strings"
	"testing"
)

func BenchmarkMask(b *testing.B) {
	for _, size := range []int{5, 16, 125, 1 << 10, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			p := make([]byte, size)
			b.SetBytes(int64(size))
			for b.Loop() {
				Mask(p, [4]byte{1, 2, 3, 4}, 1)
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

func BenchmarkValidUTF8(b *testing.B) {
	for name, text := range map[string]string{"ASCII": "hello, world", "Chinese": "天地玄黄宇宙洪荒日月盈昃辰宿列张"} {
		for _, size := range []int{32, 4096} {
			p := []byte(strings.Repeat(text, size/len(text)+1))[:size/3*3]
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				b.SetBytes(int64(len(p)))
				for b.Loop() {
					ValidUTF8(p)
				}
			})
		}
	}
}
