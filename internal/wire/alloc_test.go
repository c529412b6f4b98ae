package wire

import (
	"testing"

	"github.com/wschannel/wschannel/status"
)

// budget fails if f allocates more than want times a run.
func budget(t *testing.T, name string, want float64, f func()) {
	t.Helper()
	if got := testing.AllocsPerRun(100, f); got > want {
		t.Errorf("%s: %v allocations, want at most %v", name, got, want)
	}
}

func TestAllocs(t *testing.T) {
	header := AppendHeader(nil, Header{Fin: true, Opcode: Text, Masked: true, Length: 1 << 20})
	dst := make([]byte, 0, MaxHeader+MaxControl)
	payload := make([]byte, 1000)
	body := AppendClose(nil, status.NormalClosure, "bye")

	budget(t, "ParseHeader", 0, func() { _, _, _ = ParseHeader(header) })
	budget(t, "ParseHeader, incomplete", 0, func() { _, _, _ = ParseHeader(header[:5]) })
	budget(t, "Check of a legal frame", 0, func() {
		h, _, _ := ParseHeader(header)
		if Check(h, State{Server: true}) != nil {
			t.Error("illegal")
		}
	})
	budget(t, "AppendHeader", 0, func() {
		AppendHeader(dst, Header{Fin: true, Opcode: Text, Masked: true, Length: 1 << 20})
	})
	budget(t, "Mask", 0, func() { Mask(payload, [4]byte{1, 2, 3, 4}, 1) })
	room := make([]byte, 0, len(payload))
	budget(t, "AppendMasked", 0, func() { AppendMasked(room, payload, [4]byte{1, 2, 3, 4}, 1) })
	budget(t, "ParseClose", 0, func() { _, _, _ = ParseClose(body) })
	budget(t, "AppendClose", 0, func() { AppendClose(dst, status.NormalClosure, "bye") })
}
