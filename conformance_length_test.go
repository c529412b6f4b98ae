//go:build !js

package wschannel

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"testing"
)

// payloadLengths lie at every boundary of the length's encoding, with the
// number of extra bytes that is the shortest form (RFC 6455 §5.2).
var payloadLengths = []struct {
	length, extended int
}{
	{0, 0}, {1, 0}, {2, 0}, {124, 0}, {125, 0},
	{126, 2}, {127, 2}, {128, 2}, {255, 2}, {256, 2}, {32767, 2}, {32768, 2}, {65534, 2}, {65535, 2},
	{65536, 8}, {65537, 8}, {1 << 17, 8}, {1<<20 - 1, 8}, {1 << 20, 8}, {16 << 20, 8},
}

// everyByteOfMost cuts everywhere but in the middle of what is long, which
// would take long.
func everyByteOfMost(b []byte) [][]byte {
	const border = 300
	if len(b) <= 4*border {
		return everyByte(b)
	}
	return slices.Concat(everyByte(b[:border]), [][]byte{b[border : len(b)-border]}, everyByte(b[len(b)-border:]))
}

// RFC 6455 §5.2: payloads of every length are received, in one write and byte
// by byte, as one frame and as two.
func TestReceiveEveryLength(t *testing.T) {
	longest := []byte(letters(16 << 20))
	connect := reusing(t, "tcp")
	eachRole(t, func(t *testing.T, role Role) {
		for _, l := range payloadLengths {
			payload := longest[:l.length]
			for _, way := range []struct {
				name    string
				connect connector
				cut     cut
				longest int
			}{
				{"in one write", connect, oneWrite, 16 << 20},
				{"in pieces of 4099 bytes", connect, inPieces(4099), 1 << 20},
				{"in pieces of 1447 bytes", netPipe, inPieces(1447), 1 << 17},
				{"byte by byte", netPipe, everyByteOfMost, 1 << 17},
			} {
				if l.length > way.longest {
					continue
				}
				name := fmt.Sprintf("%d bytes, %s", l.length, way.name)
				c, p := withPeer(t, way.connect, role, &Options{MessageLimit: 16 << 20})
				var b []byte
				types := []Type{Text, Binary}
				if l.length <= 1<<20 {
					half := l.length / 2
					b = p.frame(textFrame, string(payload))
					b = append(b, p.frame(binaryBegin, string(payload[:half]))...)
					b = append(b, p.frame(lastFragment|continuation, string(payload[half:]))...)
				} else { // under the race detector every byte takes its time
					b = append([]byte(claim(textFrame, role, l.extended, uint64(l.length)).bytes), payload...)
					types = types[:1]
				}
				b = append(b, p.frame(pingFrame, "in step")...)
				written := async(func() error {
					for _, piece := range way.cut(b) {
						if _, err := p.conn.Write(piece); err != nil {
							return err
						}
					}
					return nil
				})
				for _, want := range types {
					m, err := c.Receive(t.Context())
					if err != nil || m.Type != want || !bytes.Equal(m.Data, payload) {
						t.Fatalf("%s: got %v of %d bytes, %v", name, m.Type, len(m.Data), err)
					}
				}
				go c.Receive(t.Context())
				p.expect(pongFrame, "in step")
				if err := within(t, name, written); err != nil {
					t.Errorf("%s: the peer: %v", name, err)
				}
				c.CloseNow()
			}
		}
	})
}

// RFC 6455 §5.2: a payload of the longest form, each byte of it alone.
func TestReceiveByteByByte(t *testing.T) {
	eachRole(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, nil)
		payload := letters(65537)
		written := async(func() error {
			for _, piece := range everyByte(p.frame(textFrame, payload)) {
				if _, err := p.conn.Write(piece); err != nil {
					return err
				}
			}
			return nil
		})
		wantMessage(t, c, payload)
		if err := within(t, "the peer", written); err != nil {
			t.Error(err)
		}
	})
}

// RFC 6455 §5.2, §6.1: what is sent has its length in the shortest form, its
// opcode, FIN, and a mask if a client sends it.
func TestSendEveryLength(t *testing.T) {
	longest := []byte(letters(16 << 20))
	connect := reusing(t, "tcp")
	eachRole(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, connect, role, nil)
		for _, l := range payloadLengths {
			payload := longest[:l.length]
			for _, m := range []Message{{Text, payload}, {Binary, payload}} {
				if m.Type == Text && l.length > 1<<20 {
					continue // takes its time under the race detector
				}
				sent := async(func() error { return c.Send(t.Context(), m) })
				head := []byte(claim(0x80|byte(m.Type), RoleClient+RoleServer-role, l.extended, uint64(l.length)).bytes)
				got := make([]byte, len(head)+l.length)
				if _, err := io.ReadFull(p.in, got); err != nil {
					t.Fatal(err)
				}
				if role == RoleClient {
					// claim's key is zero; any will do.
					key := [4]byte(got[len(head)-4 : len(head)])
					clear(got[len(head)-4 : len(head)])
					xor(got[len(head):], key)
				}
				if !bytes.Equal(got[:len(head)], head) {
					t.Fatalf("%v of %d bytes begins with % x, want % x", m.Type, l.length, got[:len(head)], head)
				}
				if !bytes.Equal(got[len(head):], payload) {
					t.Fatalf("%v of %d bytes: the payload is another", m.Type, l.length)
				}
				if err := within(t, "Send", sent); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
