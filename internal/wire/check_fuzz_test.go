package wire

import (
	"bytes"
	"testing"

	"github.com/wschannel/wschannel/status"
)

// Check and a second telling of the rules agree on every header.
func FuzzCheck(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte, server, fragmented bool, rsv uint8) {
		h, n, err := ParseHeader(b)
		if err != nil {
			return
		}
		state := State{Server: server, Fragmented: fragmented, Rsv: rsv & 7}
		v := Check(h, state)
		if (v == nil) != legal(h, state) {
			t.Errorf("%+v in %+v: %v", h, state, v)
		}
		if v != nil && (v.Code != status.ProtocolError || v.Section == "" || v.Text == "") {
			t.Errorf("%+v in %+v: %+v", h, state, v)
		}
		if v == nil {
			before := []byte("before")
			if out := AppendHeader(before, h); !bytes.Equal(out[len(before):], b[:n]) || !bytes.HasPrefix(out, before) {
				t.Errorf("%x was written again as %x", b[:n], out)
			}
		}
	})
}

// legal says what a legal header is, where Check lists what is not (RFC 6455
// §5.1 to §5.5).
func legal(h Header, s State) bool {
	starts := h.Opcode == Text || h.Opcode == Binary
	control := h.Opcode == Close || h.Opcode == Ping || h.Opcode == Pong
	if !starts && !control && h.Opcode != Continuation {
		return false
	}
	shortest := h.Extended == 0 && h.Length < 126 ||
		h.Extended == 2 && h.Length >= 126 ||
		h.Extended == 8 && h.Length > 0xFFFF && h.Length>>63 == 0
	return shortest && h.Masked == s.Server &&
		(h.Rsv == 0 || starts && h.Rsv&s.Rsv == h.Rsv) &&
		(!control || h.Fin && h.Length <= 125) &&
		(control || starts != s.Fragmented)
}
