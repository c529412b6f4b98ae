package wire

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/wschannel/wschannel/status"
)

// offences lists, from the bytes on the wire, the sections of RFC 6455 that a
// frame header offends against. It shares nothing with Check but the RFC.
func offences(b []byte, s State) (sections []string) {
	offend := func(section string, condition bool) {
		if condition {
			sections = append(sections, section)
		}
	}
	final, opcode := b[0] >= 0x80, b[0]%16
	masked, seven := b[1] >= 0x80, b[1]%128
	var length uint64
	switch seven {
	default:
		length = uint64(seven)
	case 126:
		length = uint64(b[2])<<8 + uint64(b[3])
		offend("5.2", length <= 125)
	case 127:
		for _, digit := range b[2:10] {
			length = length*256 + uint64(digit)
		}
		offend("5.2", length < 65536)
		offend("5.2", b[2] >= 128)
	}
	offend("5.1", masked != s.Server)

	data, control := opcode == 1 || opcode == 2, opcode >= 8
	offend("5.2", !slices.Contains([]byte{0, 1, 2, 8, 9, 10}, opcode))
	for bit := byte(0x10); bit <= 0x40; bit *= 2 {
		set, allowed := b[0]&bit != 0, s.Rsv&(bit/0x10) != 0
		offend("5.2", set && !(allowed && data))
	}
	offend("5.5", control && length >= 126)
	offend("5.5", control && !final)
	offend("5.4", data && s.Fragmented)
	offend("5.4", opcode == 0 && !s.Fragmented)
	return sections
}

// TestCheckEveryHeader goes through every first and second byte, with lengths
// on both sides of every boundary, in every state.
func TestCheckEveryHeader(t *testing.T) {
	extended := map[int][]uint64{
		126: {0, 125, 126, 65535},
		127: {0, 126, 65535, 65536, 1<<63 - 1, 1 << 63, 1<<64 - 1},
	}
	var states []State
	for _, rsv := range []uint8{0, Rsv1, Rsv2, Rsv3, Rsv1 | Rsv3, 7} {
		for i := range 4 {
			states = append(states, State{Server: i&1 != 0, Fragmented: i&2 != 0, Rsv: rsv})
		}
	}
	b := make([]byte, MaxHeader)
	legal := 0
	for first := range 256 {
		for second := range 256 {
			b[0], b[1] = byte(first), byte(second)
			lengths := extended[second&0x7F]
			for i := range max(1, len(lengths)) {
				switch second & 0x7F {
				case 126:
					binary.BigEndian.PutUint16(b[2:], uint16(lengths[i]))
				case 127:
					binary.BigEndian.PutUint64(b[2:], lengths[i])
				}
				h, _, err := ParseHeader(b)
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range states {
					v, want := Check(h, s), offences(b, s)
					switch {
					case v == nil && len(want) == 0:
						legal++
					case v == nil:
						t.Fatalf("% x in %+v is legal, want an offence against %v", b, s, want)
					case !slices.Contains(want, v.Section):
						t.Fatalf("% x in %+v: %+v, want an offence against %v", b, s, *v, want)
					case v.Code != status.ProtocolError:
						t.Fatalf("% x in %+v: code %v", b, s, v.Code)
					}
				}
			}
		}
	}
	if legal == 0 {
		t.Error("nothing is legal")
	}
}

// violations are one header for each rule, with what the application is told.
var violations = []struct {
	name  string
	h     Header
	s     State
	want  string // section
	words string
}{
	{
		"5.1 unmasked frame from a client",
		Header{Fin: true, Opcode: Text}, State{Server: true},
		"5.1", "frame from a client is not masked",
	},
	{
		"5.1 masked frame from a server",
		Header{Fin: true, Opcode: Text, Masked: true}, State{},
		"5.1", "frame from a server is masked",
	},
	{
		"5.2 RSV1",
		Header{Fin: true, Opcode: Text, Rsv: Rsv1}, State{},
		"5.2", "reserved bits RSV1 set, no extension defines them",
	},
	{
		"5.2 RSV1, RSV2 and RSV3",
		Header{Fin: true, Opcode: Text, Rsv: 7}, State{},
		"5.2", "reserved bits RSV1,RSV2,RSV3 set, no extension defines them",
	},
	{
		"5.2 RSV2 beside the RSV1 of an extension",
		Header{Fin: true, Opcode: Text, Rsv: Rsv1 | Rsv2}, State{Rsv: Rsv1},
		"5.2", "reserved bits RSV2 set, no extension defines them",
	},
	{
		"RFC 7692 6 RSV1 on a continuation",
		Header{Fin: true, Opcode: Continuation, Rsv: Rsv1}, State{Fragmented: true, Rsv: Rsv1},
		"5.2", "reserved bits RSV1 set on a frame that does not begin a message",
	},
	{
		"RFC 7692 6 RSV1 on a control frame",
		Header{Fin: true, Opcode: Ping, Rsv: Rsv1}, State{Rsv: Rsv1},
		"5.2", "reserved bits RSV1 set on a frame that does not begin a message",
	},
	{
		"5.2 reserved data opcode",
		Header{Fin: true, Opcode: 0x3}, State{},
		"5.2", "reserved opcode 0x3",
	},
	{
		"5.2 reserved control opcode",
		Header{Fin: true, Opcode: 0xB}, State{},
		"5.2", "reserved opcode 0xb",
	},
	{
		"5.2 length not minimal in 16 bits",
		Header{Fin: true, Opcode: Text, Length: 125, Extended: 2}, State{},
		"5.2", "payload length 125 encoded in 2 extra bytes, fewer would do",
	},
	{
		"5.2 length not minimal in 64 bits",
		Header{Fin: true, Opcode: Text, Length: 65535, Extended: 8}, State{},
		"5.2", "payload length 65535 encoded in 8 extra bytes, fewer would do",
	},
	{
		"5.2 most significant bit",
		Header{Fin: true, Opcode: Text, Length: 1 << 63, Extended: 8}, State{},
		"5.2", "payload length with its most significant bit set",
	},
	{
		"5.5 long control frame",
		Header{Fin: true, Opcode: Ping, Length: 126, Extended: 2}, State{},
		"5.5", "control frame of 126 bytes, at most 125 are allowed",
	},
	{
		"5.5 fragmented control frame",
		Header{Opcode: Close}, State{},
		"5.5", "fragmented control frame",
	},
	{
		"5.4 nothing to continue",
		Header{Fin: true, Opcode: Continuation}, State{},
		"5.4", "continuation frame without a message to continue",
	},
	{
		"5.4 interleaved text",
		Header{Opcode: Text}, State{Fragmented: true},
		"5.4", "new message inside a fragmented message",
	},
	{
		"5.4 interleaved binary",
		Header{Fin: true, Opcode: Binary}, State{Fragmented: true},
		"5.4", "new message inside a fragmented message",
	},
}

func TestCheckSaysWhatIsWrong(t *testing.T) {
	for _, tt := range violations {
		t.Run(tt.name, func(t *testing.T) {
			want := Violation{status.ProtocolError, tt.want, tt.words}
			if v := Check(tt.h, tt.s); v == nil || *v != want {
				t.Errorf("got  %+v\nwant %+v", v, &want)
			}
		})
	}
}
