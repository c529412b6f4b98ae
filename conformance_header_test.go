//go:build !js

package wschannel

import (
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/wschannel/wschannel/status"
)

// RFC 6455 §5.2, §5.4, §5.5: every first byte of a frame, at the beginning of a
// message and inside of one. X13
func TestEveryFirstByte(t *testing.T) {
	var all []exchange
	for first := range 256 {
		for _, inside := range []bool{false, true} {
			all = append(all, firstByte(byte(first), inside))
		}
	}
	runAll(t, all)
}

// firstByte is an exchange in which a frame begins with this byte. It is a rule
// book of its own, which shares nothing with the code.
func firstByte(first byte, inside bool) exchange {
	x := exchange{name: fmt.Sprintf("%#02x", first), code: 1002, answered: []string{"close 1002"}}
	text := ""
	if inside {
		x.name += " inside a message"
		x.send = []piece{fr(0x01, "a")}
		text = "a"
	}
	final, opcode := first >= 0x80, first%16
	payload := "b"
	if opcode == 8 {
		payload = "\x03\xE8"
	}
	x.send = append(x.send, fr(first, payload))
	bad := func(section string) exchange {
		x.section = section
		return x
	}
	switch {
	case first/16%8 != 0: // reserved bits
		return bad("5.2")
	case opcode >= 3 && opcode <= 7, opcode >= 11: // reserved opcodes
		return bad("5.2")
	case opcode >= 8 && !final:
		return bad("5.5")
	case opcode == 0 && !inside, opcode >= 1 && opcode <= 2 && inside:
		return bad("5.4")
	}

	x.code, x.answered = 1000, []string{`close 1000 ""`}
	kind := Text
	switch opcode {
	case 8:
		return x
	case 9:
		x.answered = []string{`pong "b"`, `close 1000 ""`}
	case 10:
	default:
		if opcode == 2 {
			kind = Binary
		}
		text += "b"
		inside = !final
	}
	if inside {
		x.send = append(x.send, fr(0x80, "c"))
		text += "c"
	}
	if text != "" {
		x.received = []string{told(kind, text)}
	}
	x.send = append(x.send, closeOf(1000, ""))
	return x
}

// legalFirst are the first bytes that a frame may have.
var legalFirst = []byte{0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8A}

// RFC 6455 §5.1: a mask where there must be none, and none where there must be
// one, with every kind of frame. X14
func TestMaskingOfEveryFrame(t *testing.T) {
	var all []exchange
	for _, role := range []Role{RoleClient, RoleServer} {
		for _, first := range legalFirst {
			x := exchange{
				name: fmt.Sprintf("%#02x", first), role: role,
				code: 1002, section: "5.1", answered: []string{"close 1002"},
			}
			if first&0xF == 0 {
				x.send = []piece{fr(0x01, "a")}
			}
			wrong := frameBytes(first, role == RoleClient, "\x03\xE8")
			x.send = append(x.send, raw(string(wrong)))
			all = append(all, x)
		}
	}
	runAll(t, all)
}

// claim is a header alone that claims a length in this many extra bytes. The
// masking key is zero.
func claim(first byte, role Role, extended int, length uint64) piece {
	b := []byte{first, byte(length)}
	switch extended {
	case 2:
		b = binary.BigEndian.AppendUint16([]byte{first, 126}, uint16(length))
	case 8:
		b = binary.BigEndian.AppendUint64([]byte{first, 127}, length)
	}
	if role == RoleServer {
		b[1] |= 0x80
		b = append(b, 0, 0, 0, 0)
	}
	return raw(string(b))
}

// RFC 6455 §5.2, §5.5: lengths that are not the shortest form, or impossible, or
// too long for a control frame. They are refused before the payload comes.
func TestImpossibleLengths(t *testing.T) {
	var all []exchange
	for _, role := range []Role{RoleClient, RoleServer} {
		add := func(first byte, extended int, length uint64, section string) {
			x := exchange{
				name: fmt.Sprintf("%#02x, %d in %d bytes", first, length, extended), role: role,
				code: 1002, section: section, answered: []string{"close 1002"},
			}
			if first&0xF == 0 {
				x.send = []piece{fr(0x02, "a")}
			}
			x.send = append(x.send, claim(first, role, extended, length))
			all = append(all, x)
		}
		for _, first := range legalFirst {
			for _, length := range []uint64{0, 1, 124, 125} {
				add(first, 2, length, "5.2")
				add(first, 8, length, "5.2")
			}
			for _, length := range []uint64{126, 127, 65534, 65535, 1 << 63, 1<<63 + 5, math.MaxUint64} {
				add(first, 8, length, "5.2")
			}
			if first >= 0x88 {
				add(first, 2, 126, "5.5")
				add(first, 2, 65535, "5.5")
				add(first, 8, 65536, "5.5")
				add(first, 8, math.MaxInt64, "5.5")
			}
		}
	}
	runAll(t, all)
}

// RFC 6455 §7.4.1, §10.4: a claimed length beyond the limit is refused before
// the payload comes; what is held grows with what has come, whatever is claimed
// and allowed. X17
func TestClaimedLengths(t *testing.T) {
	claims := []uint64{1<<20 + 1, 1 << 30, 1 << 32, 1 << 60, math.MaxInt64}
	var all []exchange
	for _, role := range []Role{RoleClient, RoleServer} {
		for _, first := range []byte{0x01, 0x02, 0x81, 0x82} {
			for _, length := range claims {
				all = append(all, exchange{
					name: fmt.Sprintf("%#02x, %d bytes", first, length), role: role,
					send: []piece{claim(first, role, 8, length)},
					code: 1009, section: "7.4.1", answered: []string{"close 1009"},
				})
			}
		}
	}
	runAll(t, all)

	connect := reusing(t, "tcp")
	eachRole(t, func(t *testing.T, role Role) {
		for _, length := range claims {
			c, p := withPeer(t, connect, role, &Options{MessageLimit: -1})
			received := async(func() error { _, err := c.Receive(t.Context()); return err })
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			p.write(claim(0x82, role, 8, length).append(nil, 0))
			part := make([]byte, 64<<10)
			for range 4 {
				p.write(part)
			}
			p.conn.Close()
			err := within(t, "the end", received)
			runtime.ReadMemStats(&after)
			wantEnd(t, c, status.AbnormalClosure, "", false)
			if err != c.Err() {
				t.Errorf("Receive: %v", err)
			}
			if got := after.TotalAlloc - before.TotalAlloc; got > 4<<20 {
				t.Errorf("%d bytes claimed, 256 KiB sent: %d bytes of memory were taken", length, got)
			}
		}
	})
}

// RFC 6455 §5.3: any masking key is taken off, zero among them, and each frame
// has its own.
func TestAnyMaskingKey(t *testing.T) {
	payload := strings.Repeat("0123456789abc", 23)
	var b []byte
	n := 0
	for _, key := range []uint32{0x00000001, 0xFFFFFFFF, 0x000000FF, 0xFF000000, 0x37FA213D, 0x80808080, 0x0A0D0A0D} {
		for length := range len(payload) {
			b = fr(0x81, payload[:length]).append(b, key)
			n++
		}
	}
	zero := string(append([]byte{0x82, 0x85, 0, 0, 0, 0}, "plain"...))
	c, p := withPeer(t, tcpPair, RoleServer, nil)
	written := async(func() error { _, err := p.conn.Write(append(b, zero...)); return err })
	for i := range n {
		wantMessage(t, c, payload[:i%len(payload)])
	}
	wantMessage(t, c, "plain")
	if err := within(t, "the peer", written); err != nil {
		t.Error(err)
	}
}
