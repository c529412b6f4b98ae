package deflate

import (
	"bytes"
	"compress/flate"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// payloads are messages of all kinds.
func payloads(r *rand.Rand) map[string][]byte {
	random := make([]byte, 70_000)
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	far := append(bytes.Clone(random[:33_000]), random[:33_000]...)
	var words strings.Builder
	for words.Len() < 40_000 {
		fmt.Fprintf(&words, `{"id":%d,"type":"tick","symbol":"%c%c%c","price":%d.%02d},`, r.IntN(1e6),
			'A'+r.IntN(26), 'A'+r.IntN(26), 'A'+r.IntN(26), r.IntN(1000), r.IntN(100))
	}
	return map[string][]byte{
		"empty":        {},
		"one byte":     {'x'},
		"twelve bytes": []byte("Hello World!"),
		"words":        []byte(words.String()),
		"few words":    []byte(words.String()[:300]),
		"random":       random,
		"far":          far,
		"zeros":        make([]byte, 70_000),
		"period 300":   bytes.Repeat(random[:300], 200),
		"period 5000":  bytes.Repeat(random[:5000], 20),
	}
}

// reference inflates with the standard library's decoder, which knows nothing
// of messages: all of a direction's messages, with their ends put back.
func reference(t *testing.T, messages ...[]byte) []byte {
	t.Helper()
	var all bytes.Buffer
	for _, m := range messages {
		all.Write(m)
		all.WriteString(end)
	}
	all.WriteString(tail[len(end):])
	out, err := io.ReadAll(flate.NewReader(&all))
	if err != nil {
		t.Fatalf("the standard library: %v", err)
	}
	return out
}

// stream inflates with a Stream that gets pieces of at most size bytes, and
// returns the greatest distance too.
func stream(message []byte, w *Window, size int, r *rand.Rand) (out []byte, farthest int, err error) {
	s := NewStream(w)
	defer s.Release()
	p := make([]byte, 1+size)
	for {
		n, err := s.Read(p[:1+r.IntN(len(p))])
		out = append(out, p[:n]...)
		switch {
		case err == io.EOF:
			return out, s.farthest, nil
		case err != ErrMore && err != nil:
			return nil, 0, err
		case err == ErrMore && len(message) == 0:
			s.End()
		case err == ErrMore:
			n := min(1+r.IntN(size), len(message))
			s.Feed(message[:n])
			message = message[n:]
		}
	}
}

func seeded(t testing.TB) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %#x", seed)
	return rand.New(rand.NewPCG(seed, seed))
}

// RFC 7692 §7.2.3: the examples.
func TestInflateExamples(t *testing.T) {
	for _, test := range []struct {
		name, hex, want string
	}{
		{"7.2.3.1 fixed block", "f248cdc9c90700", "Hello"},
		{"7.2.3.2 takeover", "f200110000", "Hello"},
		{"7.2.3.3 stored block", "000500faff48656c6c6f00", "Hello"},
		{"7.2.3.4 BFINAL", "f348cdc9c9070000", "Hello"},
		{"7.2.3.5 two blocks", "f248050000 00ffff cac9c90700", "Hello"},
		{"7.2.3.6 empty", "00", ""},
		{"7.2.3.6 empty, a fixed block", "0200", ""},
		{"7.2.3.4 BFINAL without its byte", "f348cdc9c90700", "Hello"},
		{"7.2.3.4 BFINAL, then more", "f348cdc9c90700 f248cdc9c90700", "HelloHello"},
		{"7.2.3.4 BFINAL, then a reference to it", "f348cdc9c90700 f200110000", "HelloHello"},
		{"7.2.3.4 BFINAL twice", "f348cdc9c90700 f348cdc9c9070000", "HelloHello"},
		{"7.2.3.4 BFINAL, stored", "010500faff48656c6c6f 00", "Hello"},
		{"many empty blocks", "000000ffff 000000ffff 0300 0300 00", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			message, err := hex.DecodeString(strings.ReplaceAll(test.hex, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			inflateBoth(t, message, []byte(test.want), test.name == "7.2.3.2 takeover")
		})
	}
}

// inflateBoth checks Inflate and Stream, with and without a window.
func inflateBoth(t *testing.T, message, want []byte, needsWindow bool) {
	t.Helper()
	r := seeded(t)
	before := []byte("Hello")
	for _, takeover := range []bool{true, false} {
		window := func() *Window {
			if !takeover {
				return nil
			}
			w := NewWindow(15)
			w.Add(before)
			return w
		}
		w1, w2 := window(), window()
		got, err := Inflate([]byte("before "), message, math.MaxInt, w1)
		streamed, _, streamErr := stream(message, w2, 3, r)
		if needsWindow && !takeover {
			if err != ErrCorrupt || streamErr != ErrCorrupt || string(got) != "before " {
				t.Errorf("without a window: got %q, %v and %q, %v", got, err, streamed, streamErr)
			}
			continue
		}
		if err != nil || string(got) != "before "+string(want) {
			t.Errorf("Inflate: got %q, %v; want %q", got, err, want)
		}
		if streamErr != nil || !bytes.Equal(streamed, want) {
			t.Errorf("Stream: got %q, %v; want %q", streamed, streamErr, want)
		}
		if all := append(bytes.Clone(before), want...); takeover && (!bytes.Equal(w1.Bytes(), all) || !bytes.Equal(w2.Bytes(), all)) {
			t.Errorf("the windows hold %q and %q; want %q", w1.Bytes(), w2.Bytes(), all)
		}
	}
}

func TestInflateCorrupt(t *testing.T) {
	for _, test := range []struct{ name, hex string }{
		{"nothing at all", ""},
		{"1951 3.2.3 reserved block type", "06"},
		{"1951 3.2.3 reserved block type, final", "07"},
		{"1951 3.2.4 stored length", "000500faf948656c6c6f00"},
		{"1951 3.2.4 stored block cut short", "000500faff4865"},
		{"1951 3.2.4 a stored block takes the end", "010400fbff"},
		{"a fixed block cut short", "f248cdc9"},
		{"1951 3.2.5 distance beyond the message", "f200110000"},
		{"1951 3.2.6 unused length symbol", "1a0300"},
		{"1951 3.2.6 unused distance symbol", "4a043e0000"},
		{"1951 3.2.7 too many lengths", "fc000000"},
		{"1951 3.2.7 too many distances", "041f0000"},
		{"1951 3.2.7 incomplete code", "040000000000"},
		{"1951 3.2.7 cut short", "05e0"},
		{"behind a final block", "f348cdc9c90700 07"},
		{"one byte behind a final block", "f348cdc9c90700 01"},
	} {
		t.Run(test.name, func(t *testing.T) {
			message, err := hex.DecodeString(strings.ReplaceAll(test.hex, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := Inflate([]byte("before"), message, math.MaxInt, nil); err != ErrCorrupt || string(got) != "before" {
				t.Errorf("Inflate: got %q, %v", got, err)
			}
			if got, _, err := stream(message, nil, 3, seeded(t)); err != ErrCorrupt {
				t.Errorf("Stream: got %q, %v", got, err)
			}
		})
	}
}

// Whatever is compressed, the standard library's decoder inflates it to the
// same, and nothing refers further back than the window.
func TestEveryCombination(t *testing.T) {
	r := seeded(t)
	messages := payloads(r)
	var order [][]byte
	for _, name := range []string{
		"few words", "empty", "words", "one byte", "random", "twelve bytes", "few words", "zeros",
		"period 300", "far", "period 5000", "words", "far",
	} {
		order = append(order, messages[name])
	}
	var hows []How
	for bits := 8; bits < 15; bits++ {
		hows = append(hows, How{MinLevel, bits})
	}
	for level := MinLevel; level <= MaxLevel; level++ {
		hows = append(hows, How{level, 15})
	}
	for _, how := range hows {
		for _, takeover := range []bool{true, false} {
			t.Run(fmt.Sprintf("level %d, %d bits, takeover %v", how.Level, how.Bits, takeover), func(t *testing.T) {
				var sent, received, streamed *Window
				if takeover {
					sent, received, streamed = NewWindow(how.Bits), NewWindow(how.Bits), NewWindow(how.Bits)
				}
				var all, compressed [][]byte
				for _, m := range order {
					c := Compress(nil, m, how, sent)
					if r.IntN(2) == 0 {
						c = inPieces(m, how, sent, r)
					} else {
						sent.Add(m)
					}
					got, err := Inflate(nil, c, len(m), received)
					if err != nil || !bytes.Equal(got, m) {
						t.Fatalf("Inflate: %d bytes, %v; want %d", len(got), err, len(m))
					}
					got, farthest, err := stream(c, streamed, 1+r.IntN(5000), r)
					if err != nil || !bytes.Equal(got, m) {
						t.Fatalf("Stream: %d bytes, %v; want %d", len(got), err, len(m))
					}
					if farthest > 1<<how.Bits {
						t.Fatalf("refers %d bytes back; the window has %d", farthest, 1<<how.Bits)
					}
					all, compressed = append(all, m), append(compressed, c)
					if !takeover && !bytes.Equal(reference(t, c), m) {
						t.Fatal("the standard library inflates to something else")
					}
				}
				if takeover && !bytes.Equal(reference(t, compressed...), bytes.Join(all, nil)) {
					t.Fatal("the standard library inflates to something else")
				}
			})
		}
	}
}

// inPieces compresses with a Writer, and slides the message into the window.
func inPieces(m []byte, how How, sent *Window, r *rand.Rand) (out []byte) {
	w := NewWriter(how, sent)
	defer w.Release()
	for len(m) > 0 {
		n := min(len(m), 1+r.IntN(20_000))
		w.Write(m[:n])
		m = m[n:]
		out = append(out, w.Output()...)
		w.Drop()
	}
	out = append(out, w.Finish()...)
	w.Commit()
	return out
}

// A Writer that is given up leaves the window as it was.
func TestWriterGivenUp(t *testing.T) {
	sent := NewWindow(10)
	sent.Add([]byte("before"))
	w := NewWriter(How{1, 10}, sent)
	w.Write([]byte("never sent"))
	w.Release()
	if string(sent.Bytes()) != "before" {
		t.Errorf("the window holds %q", sent.Bytes())
	}
}

func TestInflateLimit(t *testing.T) {
	for _, size := range []int{0, 1, 511, 512, 513, 5000, 32768, 100_000} {
		m := bytes.Repeat([]byte("a"), size)
		c := Compress(nil, m, How{5, 15}, nil)
		for _, limit := range []int{size, size + 1, math.MaxInt} {
			if got, err := Inflate(nil, c, limit, nil); err != nil || !bytes.Equal(got, m) {
				t.Errorf("%d bytes, limit %d: got %d, %v", size, limit, len(got), err)
			}
		}
		for _, limit := range []int{0, size / 2, size - 1} {
			if limit < 0 || limit >= size {
				continue
			}
			if got, err := Inflate([]byte("x"), c, limit, nil); err != ErrTooLong || string(got) != "x" {
				t.Errorf("%d bytes, limit %d: got %d, %v", size, limit, len(got), err)
			}
		}
	}
}

// Room behind dst is used, dst itself is not touched, and the message may lie
// in that room.
func TestInflateInto(t *testing.T) {
	message := Compress(nil, []byte("Hello Hello Hello Hello"), How{5, 15}, nil)
	mem := make([]byte, 100)
	copy(mem, "before ")
	copy(mem[7:], message)
	got, err := Inflate(mem[:7], mem[7:7+len(message)], 23, nil)
	if err != nil || string(got) != "before Hello Hello Hello Hello" || &got[0] != &mem[0] {
		t.Errorf("got %q, %v", got, err)
	}
}
