package wire

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

// The examples of RFC 6455 §5.7, byte for byte.
var examples = []struct {
	name    string
	wire    string // hexadecimal, without the payload of the last two
	h       Header
	payload string
}{
	{
		"5.7 unmasked text", "81 05 48 65 6c 6c 6f",
		Header{Fin: true, Opcode: Text, Length: 5}, "Hello",
	},
	{
		"5.7 masked text", "81 85 37 fa 21 3d 7f 9f 4d 51 58",
		Header{Fin: true, Opcode: Text, Masked: true, Key: [4]byte{0x37, 0xFA, 0x21, 0x3D}, Length: 5}, "Hello",
	},
	{
		"5.7 first fragment", "01 03 48 65 6c",
		Header{Opcode: Text, Length: 3}, "Hel",
	},
	{
		"5.7 last fragment", "80 02 6c 6f",
		Header{Fin: true, Opcode: Continuation, Length: 2}, "lo",
	},
	{
		"5.7 unmasked ping", "89 05 48 65 6c 6c 6f",
		Header{Fin: true, Opcode: Ping, Length: 5}, "Hello",
	},
	{
		"5.7 masked pong", "8a 85 37 fa 21 3d 7f 9f 4d 51 58",
		Header{Fin: true, Opcode: Pong, Masked: true, Key: [4]byte{0x37, 0xFA, 0x21, 0x3D}, Length: 5}, "Hello",
	},
	{
		"5.7 256 bytes", "82 7e 01 00" + strings.Repeat("61", 256),
		Header{Fin: true, Opcode: Binary, Length: 256, Extended: 2}, strings.Repeat("a", 256),
	},
	{
		"5.7 64 KiB", "82 7f 00 00 00 00 00 01 00 00" + strings.Repeat("61", 65536),
		Header{Fin: true, Opcode: Binary, Length: 65536, Extended: 8}, strings.Repeat("a", 65536),
	},
}

func TestExamples(t *testing.T) {
	for _, tt := range examples {
		t.Run(tt.name, func(t *testing.T) {
			frame, err := hex.DecodeString(strings.ReplaceAll(tt.wire, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			h, n, err := ParseHeader(frame)
			if h != tt.h || err != nil {
				t.Fatalf("got %+v, %v\nwant %+v", h, err, tt.h)
			}
			if v := Check(h, State{Server: h.Masked, Fragmented: h.Opcode == Continuation}); v != nil {
				t.Errorf("illegal: %+v", *v)
			}
			payload := bytes.Clone(frame[n:])
			if h.Masked {
				Mask(payload, h.Key, 0)
			}
			if string(payload) != tt.payload {
				t.Errorf("payload %q", payload)
			}

			back := AppendHeader(nil, tt.h)
			back = append(back, tt.payload...)
			if tt.h.Masked {
				Mask(back[n:], tt.h.Key, 0)
			}
			if !bytes.Equal(back, frame) {
				t.Errorf("built % x", back)
			}
		})
	}
}
