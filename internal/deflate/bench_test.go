package deflate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// ticks are messages as services send them: much the same from one to the next.
func ticks(n int) [][]byte {
	r := rand.New(rand.NewPCG(7, 7))
	sides := []string{"buy", "sell"}
	messages := make([][]byte, n)
	for i := range messages {
		messages[i] = fmt.Appendf(nil, `{"type":"trade","sequence":%d,"product":"%s-%s","price":"%d.%02d","size":"0.%08d",`+
			`"side":"%s","time":"2026-01-%02dT%02d:%02d:%02d.%06dZ","maker":"%08x-%04x","taker":"%08x-%04x"}`,
			1000000+i, []string{"BTC", "ETH", "SOL", "ADA"}[r.IntN(4)], []string{"USD", "EUR"}[r.IntN(2)],
			r.IntN(60000), r.IntN(100), r.IntN(1e8), sides[r.IntN(2)],
			1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60), r.IntN(1e6),
			r.Uint32(), r.IntN(1<<16), r.Uint32(), r.IntN(1<<16))
	}
	return messages
}

// BenchmarkCompress measures messages of some 240 bytes; "ratio" is what is
// left of 100 bytes.
func BenchmarkCompress(b *testing.B) {
	messages := ticks(1000)
	for _, takeover := range []bool{false, true} {
		for _, how := range []How{{1, 15}, {3, 15}, {5, 15}, {6, 15}, {9, 15}, {1, 9}, {1, 10}, {1, 11}, {1, 12}, {1, 13}, {1, 14}} {
			b.Run(fmt.Sprintf("takeover=%v/bits=%d/level=%d", takeover, how.Bits, how.Level), func(b *testing.B) {
				var w *Window
				if takeover {
					w = NewWindow(how.Bits)
				}
				b.ReportAllocs()
				var out []byte
				in, got, i := 0, 0, 0
				for b.Loop() {
					m := messages[i%len(messages)]
					i++
					out = Compress(out[:0], m, how, w)
					w.Add(m)
					in, got = in+len(m), got+len(out)
				}
				b.SetBytes(int64(in / i))
				b.ReportMetric(float64(got)/float64(in)*100, "ratio")
			})
		}
	}
}

func BenchmarkInflate(b *testing.B) {
	messages := ticks(1000)
	for _, bits := range []int{0, 10, 12, 15} {
		b.Run(fmt.Sprintf("window=%d", bits), func(b *testing.B) {
			var sent, received *Window
			if bits > 0 {
				sent, received = NewWindow(bits), NewWindow(bits)
			}
			var compressed [][]byte
			for _, m := range messages {
				compressed = append(compressed, Compress(nil, m, How{1, max(bits, 10)}, sent))
				sent.Add(m)
			}
			b.ReportAllocs()
			var out []byte
			i, n := 0, 0
			for b.Loop() {
				if i%len(compressed) == 0 && received != nil {
					received.bytes = received.bytes[:0]
				}
				var err error
				if out, err = Inflate(out[:0], compressed[i%len(compressed)], math.MaxInt, received); err != nil {
					b.Fatal(err)
				}
				i, n = i+1, n+len(out)
			}
			b.SetBytes(int64(n / i))
		})
	}
}

// BenchmarkLong measures a message of 1 MiB.
func BenchmarkLong(b *testing.B) {
	var message []byte
	for _, m := range ticks(6000) {
		message = append(message, m...)
	}
	message = message[:1<<20]
	for _, how := range []How{{1, 15}, {5, 15}, {9, 15}, {1, 12}} {
		b.Run(fmt.Sprintf("Compress/bits=%d/level=%d", how.Bits, how.Level), func(b *testing.B) {
			b.SetBytes(int64(len(message)))
			var out []byte
			for b.Loop() {
				out = Compress(out[:0], message, how, nil)
			}
			b.ReportMetric(float64(len(out))/float64(len(message))*100, "ratio")
		})
	}
	compressed := Compress(nil, message, How{1, 15}, nil)
	b.Run("Inflate", func(b *testing.B) {
		b.SetBytes(int64(len(message)))
		var out []byte
		for b.Loop() {
			out, _ = Inflate(out[:0], compressed, math.MaxInt, nil)
		}
	})
	b.Run("Stream", func(b *testing.B) {
		b.SetBytes(int64(len(message)))
		p := make([]byte, 4<<10)
		for b.Loop() {
			s := NewStream(nil)
			s.Feed(compressed)
			for {
				_, err := s.Read(p)
				if err == ErrMore {
					s.End()
				} else if err != nil {
					break
				}
			}
			s.Release()
		}
	})
}
