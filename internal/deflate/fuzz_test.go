package deflate

import (
	"bytes"
	"compress/flate"
	"io"
	"math/rand/v2"
	"testing"
)

// Whatever comes, Inflate, Stream and the standard library's decoder agree on
// what it stands for, or that it stands for nothing, and no limit is exceeded.
func FuzzInflate(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, m := range payloads(r) {
		m = m[:min(len(m), 2000)]
		for _, how := range []How{{1, 15}, {9, 15}, {1, 9}} {
			f.Add(Compress(nil, m, how, nil), []byte(nil), 1000)
		}
	}
	for _, m := range []string{
		"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "\xf2\x00\x11\x00\x00", "\x00\x05\x00\xfa\xffHello\x00", "\x02\x00",
		"\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x00\x11\x00\x00", "\x07", "\x01\x04\x00\xfb\xff", "",
	} {
		f.Add([]byte(m), []byte("Hello"), 10)
	}
	f.Fuzz(func(t *testing.T, message, before []byte, limit int) {
		if limit < 0 {
			limit = 0
		}
		limit = min(limit, 1<<16)
		r := rand.New(rand.NewPCG(1, 2))
		w1, w2 := NewWindow(15), NewWindow(15)
		w1.Add(before)
		w2.Add(before)
		got, err := Inflate([]byte("x"), message, limit, w1)
		if len(got)-1 > limit || cap(got) > 2*(limit+3*len(message)+1024) {
			t.Fatalf("%d bytes in %d; the limit is %d", len(got), cap(got), limit)
		}
		streamed, streamErr := streamUpTo(message, w2, limit, r)
		if (err == nil) != (streamErr == nil) || err == nil && !bytes.Equal(got[1:], streamed) {
			t.Fatalf("Inflate: %d bytes, %v; Stream: %d, %v", len(got)-1, err, len(streamed), streamErr)
		}
		if err == nil && !bytes.Equal(w1.Bytes(), w2.Bytes()) {
			t.Fatal("the windows differ")
		}
		// The standard library stops at a final block, so it has less to say.
		if want, whole := plain(message, before, limit); whole {
			if err != nil || !bytes.Equal(got[1:], want) {
				t.Fatalf("Inflate: %d bytes, %v; the standard library: %d", len(got)-1, err, len(want))
			}
		} else if err == nil && !bytes.HasPrefix(got[1:], want) {
			t.Fatal("the standard library begins in another way")
		}
	})
}

// streamUpTo is Inflate by a Stream.
func streamUpTo(message []byte, w *Window, limit int, r *rand.Rand) (out []byte, err error) {
	s := NewStream(w)
	defer s.Release()
	p := make([]byte, 100)
	for {
		n, err := s.Read(p[:1+r.IntN(len(p))])
		if out = append(out, p[:n]...); len(out) > limit {
			return nil, ErrTooLong
		}
		switch {
		case err == io.EOF:
			return out, nil
		case err == ErrMore && len(message) == 0:
			s.End()
		case err == ErrMore:
			n := min(1+r.IntN(20), len(message))
			s.Feed(message[:n])
			message = message[n:]
		case err != nil:
			return nil, err
		}
	}
}

// plain is what the standard library makes of a message; whole says that it
// has no final block inside and no error.
func plain(message, before []byte, limit int) (out []byte, whole bool) {
	src := bytes.NewReader(append(bytes.Clone(message), tail...))
	out, err := io.ReadAll(io.LimitReader(flate.NewReaderDict(src, before), int64(limit)+1))
	return out[:min(len(out), limit)], err == nil && src.Len() == 0 && len(out) <= limit
}

// What is compressed comes out the same, in whatever pieces, and within the
// window.
func FuzzCompress(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, m := range payloads(r) {
		m = m[:min(len(m), 1000)]
		f.Add(m, m[len(m)/2:], uint8(0), uint8(r.Uint32()))
		f.Add(m, m[len(m)/2:], uint8(7), uint8(r.Uint32()))
	}
	f.Fuzz(func(t *testing.T, first, second []byte, bits, level uint8) {
		r := rand.New(rand.NewPCG(3, 4))
		how := How{Level: MinLevel + int(level%MaxLevel), Bits: 8 + int(bits%8)}
		sent, received, streamed := NewWindow(how.Bits), NewWindow(how.Bits), NewWindow(how.Bits)
		for _, m := range [][]byte{first, second, first} {
			c := inPieces(m, how, sent, r)
			got, err := Inflate(nil, c, len(m), received)
			if err != nil || !bytes.Equal(got, m) {
				t.Fatalf("Inflate: %v", err)
			}
			got, farthest, err := stream(c, streamed, 50, r)
			if err != nil || !bytes.Equal(got, m) || farthest > 1<<how.Bits {
				t.Fatalf("Stream: %v, %d bytes back", err, farthest)
			}
		}
	})
}
