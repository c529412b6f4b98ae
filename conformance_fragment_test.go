//go:build !js

package wschannel

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wschannel/wschannel/status"
)

// RFC 6455 §5.4: a message cut into fragments in every way, with empty ones and
// with control frames in every gap. Each ping is answered before the message is
// complete; the message is one, in order, whatever form of receiving is used.
func TestEveryFragmentation(t *testing.T) {
	const text = "a€😀"
	connect := reusing(t, "tcp")
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			eachRole(t, func(t *testing.T, role Role) {
				c, p := withPeer(t, connect, role, nil)
				next := way.begin(t, c)
				// A 1 in cuts is a cut behind that byte.
				for cuts := range 1 << (len(text) - 1) {
					typ, first := Text, byte(textBegin)
					if cuts%2 == 1 {
						typ, first = Binary, binaryBegin
					}
					got := async(func() string {
						typ, data, err := next()
						return fmt.Sprintf("%v %v", told(typ, string(data)), err)
					})
					from, n := 0, 0
					gap := func() {
						n++
						p.send(pongFrame, "nobody asked")
						p.send(pingFrame, fmt.Sprint(n))
						p.expect(pongFrame, fmt.Sprint(n))
					}
					gap()
					for i := range len(text) - 1 {
						if cuts>>i&1 == 1 {
							p.send(first, text[from:i+1])
							from, first = i+1, continuation
							gap()
						}
					}
					if cuts%4 == 3 {
						p.send(first, "")
						first = continuation
						gap()
					}
					p.send(lastFragment|first, text[from:])
					if got, want := within(t, "the message", got), told(typ, text)+" <nil>"; got != want {
						t.Fatalf("cuts %08b: got %s, want %s", cuts, got, want)
					}
				}
			})
		})
	}
}

// RFC 6455 §5.4: many fragments, of all the lengths at the boundaries, are one
// message; the next one is another.
func TestManyFragments(t *testing.T) {
	eachRole(t, func(t *testing.T, role Role) {
		for _, on := range []connector{tcpPair, netPipe} {
			c, p := withPeer(t, on, role, &Options{MessageLimit: 8 << 20})
			var b, want []byte
			first := byte(binaryBegin)
			for i, l := range payloadLengths[:len(payloadLengths)-1] {
				payload := letters(l.length)
				b = append(b, p.frame(first, payload)...)
				if i%3 == 0 {
					b = append(b, p.frame(pongFrame, strings.Repeat("x", 125))...)
				}
				want = append(want, payload...)
				first = continuation
			}
			for range 10_000 {
				b = append(b, p.frame(continuation, "x")...)
				b = append(b, p.frame(continuation, "")...)
				want = append(want, 'x')
			}
			b = append(b, p.frame(lastFragment, "")...)
			b = append(b, p.frame(textFrame, "another")...)
			written := async(func() error { _, err := p.conn.Write(b); return err })
			m, err := c.Receive(t.Context())
			if err != nil || m.Type != Binary || !bytes.Equal(m.Data, want) {
				t.Fatalf("got %v of %d bytes, %v; want binary of %d bytes", m.Type, len(m.Data), err, len(want))
			}
			wantMessage(t, c, "another")
			if err := within(t, "the peer", written); err != nil {
				t.Error(err)
			}
		}
	})
}

// RFC 6455 §5.4, §5.5.1: whatever else begins inside a message than a
// continuation or a control frame ends the channel, and what had come of the
// message is not delivered.
func TestInsideAMessage(t *testing.T) {
	var all []exchange
	for _, begin := range []struct {
		name   string
		pieces []piece
	}{
		{"one fragment", []piece{fr(0x01, "half")}},
		{"many fragments", []piece{fr(0x02, ""), fr(0x00, "half"), fr(0x00, ""), fr(0x89, ""), fr(0x00, "\xff")}},
		{"half a character", []piece{fr(0x01, "\xF0\x9F\x98")}},
		{"a message before", []piece{fr(0x82, "whole"), fr(0x01, "half")}},
	} {
		var received, pong []string
		switch begin.name {
		case "a message before":
			received = []string{`binary "whole"`}
		case "many fragments":
			pong = []string{`pong ""`}
		}
		for _, first := range []byte{0x01, 0x02, 0x81, 0x82} {
			all = append(all, exchange{
				name: fmt.Sprintf("%s, %#02x", begin.name, first), send: slices.Concat(begin.pieces, []piece{fr(first, "other")}),
				received: received, answered: slices.Concat(pong, []string{"close 1002"}), code: 1002, section: "5.4",
			})
		}
		for _, code := range []uint16{1000, 4000} {
			all = append(all, exchange{
				name: fmt.Sprintf("%s, close %d", begin.name, code),
				send: slices.Concat(begin.pieces,
					[]piece{closeOf(code, "enough"), fr(0x80, "too late"), fr(0x89, "too late")}),
				received: received, code: status.Code(code), reason: "enough",
				answered: slices.Concat(pong, []string{fmt.Sprintf(`close %d "enough"`, code)}),
			})
		}
	}
	runAll(t, all)
}
