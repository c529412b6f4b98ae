package wire

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// maskSlowly does what RFC 6455 §5.3 says, byte by byte:
// "transformed-octet-i = original-octet-i XOR masking-key-octet-j", where j is
// i modulo 4.
func maskSlowly(b []byte, key [4]byte, pos int) {
	for i := range b {
		b[i] ^= key[(pos+i)%4]
	}
}

func randomBytes(n int) []byte {
	rng := rand.New(rand.NewPCG(5, 3))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// Every length, every position in the key, every alignment in memory.
func TestMask(t *testing.T) {
	key := [4]byte{0x37, 0xFA, 0x21, 0x3D}
	plain := randomBytes(8 + 200 + 8)
	for n := range 201 {
		for pos := range 4 {
			for start := range 8 {
				got, want := bytes.Clone(plain), bytes.Clone(plain)
				next := Mask(got[start:start+n], key, pos)
				maskSlowly(want[start:start+n], key, pos)
				// The bytes around it are compared as well.
				if !bytes.Equal(got, want) || next != (pos+n)%4 {
					t.Fatalf("%d bytes at %d from %d: position %d\n got %x\nwant %x", n, pos, start, next, got, want)
				}
				if back := Mask(got[start:start+n], key, pos); back != next || !bytes.Equal(got, plain) {
					t.Fatalf("%d bytes at %d from %d: masking twice changed them", n, pos, start)
				}
			}
		}
	}
}

// The same into other memory: with room behind what is there, without, and with too
// little.
func TestAppendMasked(t *testing.T) {
	key := [4]byte{0x37, 0xFA, 0x21, 0x3D}
	plain := randomBytes(8 + 200)
	for n := range 201 {
		for pos := range 4 {
			for start := range 8 {
				src, want := bytes.Clone(plain[start:start+n]), bytes.Clone(plain[start:start+n])
				maskSlowly(want, key, pos)
				for _, room := range []int{0, n / 2, n, n + 9} {
					memory := bytes.Repeat([]byte{0xEE}, start+room+8)
					got, next := AppendMasked(memory[:start:start+room], src, key, pos)
					if len(got) != start+n || !bytes.Equal(got[start:], want) || next != (pos+n)%4 {
						t.Fatalf("%d bytes behind %d, room for %d: position %d\n got %x\nwant %x", n, start, room, next, got, want)
					}
					if !bytes.Equal(src, plain[start:start+n]) {
						t.Fatalf("%d bytes behind %d, room for %d: the source has changed", n, start, room)
					}
					behind := memory[start+room:]
					if room >= n {
						behind = memory[start+n:]
					}
					if bytes.Count(memory[:start], []byte{0xEE}) != start || bytes.Count(behind, []byte{0xEE}) != len(behind) {
						t.Fatalf("%d bytes behind %d, room for %d: bytes around it have changed", n, start, room)
					}
				}
			}
		}
	}
}

// A payload may be masked in pieces, cut anywhere.
func TestMaskInPieces(t *testing.T) {
	key := [4]byte{1, 2, 3, 4}
	plain := randomBytes(100)
	want := bytes.Clone(plain)
	maskSlowly(want, key, 0)
	for i := range len(plain) + 1 {
		for j := i; j <= len(plain); j++ {
			got := bytes.Clone(plain)
			pos := Mask(got[:i], key, 0)
			pos = Mask(got[i:j], key, pos)
			Mask(got[j:], key, pos)
			if !bytes.Equal(got, want) {
				t.Fatalf("cut at %d and %d:\n got %x\nwant %x", i, j, got, want)
			}
		}
	}
}

func FuzzMask(f *testing.F) {
	f.Add([]byte("Hello"), []byte{0x37, 0xFA, 0x21, 0x3D}, uint8(0), uint16(2))
	f.Add(randomBytes(77), []byte{1, 2, 3, 4}, uint8(3), uint16(41))
	f.Fuzz(func(t *testing.T, b, keyBytes []byte, pos8 uint8, cut16 uint16) {
		var key [4]byte
		copy(key[:], keyBytes)
		pos, cut := int(pos8%4), int(cut16)%(len(b)+1)
		plain, want := bytes.Clone(b), bytes.Clone(b)
		maskSlowly(want, key, pos)

		for _, room := range []int{0, len(b)} {
			copied, next := AppendMasked(make([]byte, 0, room), b[:cut], key, pos)
			if copied, _ = AppendMasked(copied, b[cut:], key, next); !bytes.Equal(copied, want) || !bytes.Equal(b, plain) {
				t.Fatalf("copied with room for %d: got %x\nwant %x", room, copied, want)
			}
		}

		next := Mask(b[:cut], key, pos)
		if next = Mask(b[cut:], key, next); next != (pos+len(b))%4 {
			t.Fatalf("position %d after %d bytes from %d", next, len(b), pos)
		}
		if !bytes.Equal(b, want) {
			t.Fatalf(" got %x\nwant %x", b, want)
		}
		if Mask(b, key, pos); !bytes.Equal(b, plain) {
			t.Fatalf("masking twice: %x, was %x", b, plain)
		}
	})
}
