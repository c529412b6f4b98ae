package wire

import (
	"bytes"
	"errors"
	"testing"
)

// headers are the forms of RFC 6455 §5.2 at every boundary of the payload
// length, with what stands on the wire. Forms that are not the shortest come
// last: they are parsed, and left to Check.
var headers = []struct {
	name string
	wire []byte
	want Header
}{
	{"5.2 no payload", []byte{0x81, 0}, Header{Fin: true, Opcode: Text}},
	{"5.2 not final", []byte{0x02, 1}, Header{Opcode: Binary, Length: 1}},
	{"5.2 continuation", []byte{0x80, 2}, Header{Fin: true, Opcode: Continuation, Length: 2}},
	{"5.2 RSV1", []byte{0xC1, 0}, Header{Fin: true, Rsv: Rsv1, Opcode: Text}},
	{"5.2 RSV2", []byte{0xA1, 0}, Header{Fin: true, Rsv: Rsv2, Opcode: Text}},
	{"5.2 RSV3", []byte{0x91, 0}, Header{Fin: true, Rsv: Rsv3, Opcode: Text}},
	{"5.2 all bits", []byte{0xFF, 0x7D}, Header{Fin: true, Rsv: 7, Opcode: 0xF, Length: 125}},
	{"5.2 no bits", []byte{0, 0}, Header{}},
	{"5.5.1 close", []byte{0x88, 2}, Header{Fin: true, Opcode: Close, Length: 2}},
	{"5.5.2 ping", []byte{0x89, 125}, Header{Fin: true, Opcode: Ping, Length: 125}},
	{"5.5.3 pong", []byte{0x8A, 0}, Header{Fin: true, Opcode: Pong}},
	{"5.2 length 125", []byte{0x82, 125}, Header{Fin: true, Opcode: Binary, Length: 125}},
	{"5.2 length 126", []byte{0x82, 126, 0, 126}, Header{Fin: true, Opcode: Binary, Length: 126, Extended: 2}},
	{"5.2 length 127", []byte{0x82, 126, 0, 127}, Header{Fin: true, Opcode: Binary, Length: 127, Extended: 2}},
	{"5.2 length 65535", []byte{0x82, 126, 0xFF, 0xFF}, Header{Fin: true, Opcode: Binary, Length: 65535, Extended: 2}},
	{
		"5.2 length 65536", []byte{0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0},
		Header{Fin: true, Opcode: Binary, Length: 65536, Extended: 8},
	},
	{
		"5.2 length in network byte order", []byte{0x82, 127, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08},
		Header{Fin: true, Opcode: Binary, Length: 0x0102030405060708, Extended: 8},
	},
	{
		"5.2 longest", []byte{0x82, 127, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF},
		Header{Fin: true, Opcode: Binary, Length: 1<<63 - 1, Extended: 8},
	},
	{
		"5.3 masked", []byte{0x81, 0x85, 1, 2, 3, 4},
		Header{Fin: true, Opcode: Text, Masked: true, Key: [4]byte{1, 2, 3, 4}, Length: 5},
	},
	{
		"5.3 masked, no payload", []byte{0x81, 0x80, 1, 2, 3, 4},
		Header{Fin: true, Opcode: Text, Masked: true, Key: [4]byte{1, 2, 3, 4}},
	},
	{
		"5.3 masked, 16-bit length", []byte{0x82, 0xFE, 1, 0, 5, 6, 7, 8},
		Header{Fin: true, Opcode: Binary, Masked: true, Key: [4]byte{5, 6, 7, 8}, Length: 256, Extended: 2},
	},
	{
		"5.3 masked, 64-bit length", []byte{0x82, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0, 5, 6, 7, 8},
		Header{Fin: true, Opcode: Binary, Masked: true, Key: [4]byte{5, 6, 7, 8}, Length: 65536, Extended: 8},
	},
	{
		"5.2 not minimal: 0 in 16 bits", []byte{0x82, 126, 0, 0},
		Header{Fin: true, Opcode: Binary, Extended: 2},
	},
	{
		"5.2 not minimal: 125 in 16 bits", []byte{0x82, 126, 0, 125},
		Header{Fin: true, Opcode: Binary, Length: 125, Extended: 2},
	},
	{
		"5.2 not minimal: 65535 in 64 bits", []byte{0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF},
		Header{Fin: true, Opcode: Binary, Length: 65535, Extended: 8},
	},
	{
		"5.2 most significant bit", []byte{0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0},
		Header{Fin: true, Opcode: Binary, Length: 1 << 63, Extended: 8},
	},
}

// shortest reports whether h came in the form that AppendHeader writes.
func shortest(h Header) bool {
	switch h.Extended {
	case 2:
		return h.Length >= 126
	case 8:
		return h.Length >= 1<<16
	}
	return true
}

func TestParseHeader(t *testing.T) {
	for _, tt := range headers {
		t.Run(tt.name, func(t *testing.T) {
			// What follows the header is not looked at.
			for _, rest := range []string{"", "\xFF", "payload and more"} {
				h, n, err := ParseHeader(append(bytes.Clone(tt.wire), rest...))
				if h != tt.want || n != len(tt.wire) || err != nil {
					t.Errorf("% x + %q:\n got %+v, %d, %v\nwant %+v, %d", tt.wire, rest, h, n, err, tt.want, len(tt.wire))
				}
			}
		})
	}
}

func TestParseHeaderIncomplete(t *testing.T) {
	for _, tt := range headers {
		for cut := range tt.wire {
			h, n, err := ParseHeader(tt.wire[:cut])
			if h != (Header{}) || n != 0 || !errors.Is(err, ErrShort) {
				t.Errorf("%s: % x: got %+v, %d, %v", tt.name, tt.wire[:cut], h, n, err)
			}
		}
	}
}

func TestAppendHeader(t *testing.T) {
	for _, tt := range headers {
		if !shortest(tt.want) || tt.want.Length >= 1<<63 {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			h := tt.want
			h.Extended = 5 // is ignored
			if got := AppendHeader([]byte("before"), h); string(got) != "before"+string(tt.wire) {
				t.Errorf("got  %x\nwant %x", got, "before"+string(tt.wire))
			}
		})
	}
}

// Every first byte with every form of the second comes back as it was.
func TestHeaderIdentity(t *testing.T) {
	for b0 := range 256 {
		for _, tt := range headers {
			b := bytes.Clone(tt.wire)
			b[0] = byte(b0)
			h, n, err := ParseHeader(b)
			if err != nil {
				t.Fatal(err)
			}
			if back := AppendHeader(nil, h); shortest(h) != bytes.Equal(back, b[:n]) {
				t.Errorf("% x came back as % x", b, back)
			}
		}
	}
}

func TestMaxHeader(t *testing.T) {
	h := Header{Masked: true, Length: 1<<63 - 1}
	if n := len(AppendHeader(nil, h)); n != MaxHeader {
		t.Errorf("longest header has %d bytes, MaxHeader is %d", n, MaxHeader)
	}
}

func TestControl(t *testing.T) {
	for op := range Opcode(16) {
		if got, want := op.Control(), op >= 8; got != want {
			t.Errorf("Opcode(0x%X).Control() = %t", op, got)
		}
	}
}

func FuzzParseHeader(f *testing.F) {
	for _, tt := range headers {
		f.Add(tt.wire)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := ParseHeader(b)
		if err != nil {
			if !errors.Is(err, ErrShort) || h != (Header{}) || n != 0 || len(b) >= MaxHeader {
				t.Fatalf("%+v, %d, %v", h, n, err)
			}
			return
		}
		// The header is a function of its own bytes, all of which count.
		if again, m, err := ParseHeader(b[:n]); again != h || m != n || err != nil {
			t.Fatalf("%+v, then %+v", h, again)
		}
		if _, _, err := ParseHeader(b[:n-1]); err == nil {
			t.Fatal("complete without its last byte")
		}
		back := AppendHeader(nil, h)
		if shortest(h) != bytes.Equal(back, b[:n]) {
			t.Fatalf("% x came back as % x", b[:n], back)
		}
		legal := Check(h, State{Server: h.Masked, Fragmented: h.Opcode == Continuation, Rsv: 7}) == nil
		if legal && !bytes.Equal(back, b[:n]) {
			t.Fatalf("legal header % x came back as % x", b[:n], back)
		}
	})
}
