package proto

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wschannel/wschannel/internal/wire"
)

// BenchmarkReader reads messages into memory that suffices. Server means
// masked frames.
func BenchmarkReader(b *testing.B) {
	for _, role := range []string{"client", "server"} {
		for _, op := range []wire.Opcode{wire.Text, wire.Binary} {
			for _, size := range []int{5, 125, 1 << 10, 64 << 10, 1 << 20} {
				b.Run(fmt.Sprintf("role=%s/type=%s/size=%d", role, opcodeName(op), size), func(b *testing.B) {
					w := NewWriter(role == "client")
					payload := []byte(strings.Repeat("a", size))
					sent := w.AppendMessage(nil, op, payload, key)
					r := NewReader(Config{Server: role == "server", MessageLimit: size, FragmentLimit: 1}, make([]byte, 4096))
					dst := make([]byte, 0, size)
					b.SetBytes(int64(size))
					for b.Loop() {
						r.Collect(dst)
						if ev := receive(&r, sent); ev.Kind != Message {
							b.Fatalf("%+v", ev)
						}
					}
				})
			}
		}
	}
}

func BenchmarkStream(b *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10} {
		b.Run(fmt.Sprintf("part=%d", size), func(b *testing.B) {
			var w Writer
			sent := w.AppendMessage(nil, wire.Binary, make([]byte, size), key)
			r := NewReader(unlimited, make([]byte, 4096))
			p := make([]byte, size)
			b.SetBytes(int64(size))
			for b.Loop() {
				r.Stream(p)
				for rest := sent; ; {
					ev := r.Next()
					if ev.Last {
						break
					}
					switch ev.Kind {
					case Part:
						r.Stream(p)
					case More:
						n := copy(r.Space(), rest)
						r.Filled(n)
						rest = rest[n:]
					}
				}
			}
		})
	}
}

func BenchmarkUTF8(b *testing.B) {
	for _, text := range []struct{ name, unit string }{
		{"ascii", "Hello, world! "}, {"latin", "Größe äöü "}, {"greek", "κόσμε "}, {"japanese", "日本語"}, {"emoji", "😀"},
	} {
		for _, size := range []int{16, 1 << 10, 64 << 10} {
			b.Run(fmt.Sprintf("text=%s/size=%d", text.name, size), func(b *testing.B) {
				p := []byte(strings.Repeat(text.unit, size/len(text.unit)+1))
				b.SetBytes(int64(len(p)))
				for b.Loop() {
					var u UTF8
					if !u.Valid(p) || !u.Done() {
						b.Fatal("not UTF-8")
					}
				}
			})
		}
	}
}

func BenchmarkAppendMessage(b *testing.B) {
	for _, role := range []string{"server", "client"} {
		for _, size := range []int{5, 125, 1 << 10, 64 << 10} {
			b.Run(fmt.Sprintf("role=%s/size=%d", role, size), func(b *testing.B) {
				w := NewWriter(role == "server")
				payload := make([]byte, size)
				dst := make([]byte, 0, wire.MaxHeader+size)
				b.SetBytes(int64(size))
				for b.Loop() {
					dst = w.AppendMessage(dst[:0], wire.Binary, payload, key)
				}
			})
		}
	}
}
