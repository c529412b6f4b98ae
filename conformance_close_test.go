//go:build !js

package wschannel

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"unicode/utf8"

	"github.com/wschannel/wschannel/status"
)

// codesOnTheWire are the close codes that are tried, and those of them that a
// close frame may carry (RFC 6455 §7.4; 1012 to 1014 by the IANA registry).
func codesOnTheWire(yield func(code uint16, valid bool) bool) {
	for code := range uint16(5002) {
		if code == 5001 {
			code = 65535
		}
		valid := code >= 3000 && code <= 4999
		switch code {
		case 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014:
			valid = true
		}
		if !yield(code, valid) {
			return
		}
	}
}

// RFC 6455 §7.4.1, §7.4.2: every code from 0 to 5000, and 65535, in the peer's
// close frame. What is valid is echoed and told, with its reason; anything else
// is answered with 1002. X15
func TestEveryCloseCodeOfThePeer(t *testing.T) {
	connect := reusing(t, "unix")
	eachRole(t, func(t *testing.T, role Role) {
		for code, valid := range codesOnTheWire {
			x := exchange{
				send: []piece{closeOf(code, "why")},
				code: 1002, section: "7.4", answered: []string{"close 1002"},
			}
			if valid {
				x.code, x.section, x.reason = status.Code(code), "", "why"
				x.answered = []string{fmt.Sprintf(`close %d "why"`, code)}
			}
			x.converse(t, connect, role, oneWrite)
			if t.Failed() {
				t.Fatalf("with code %d", code)
			}
		}
	})
}

// RFC 6455 §7.1.2, §7.4: the same codes in a close of ours. What is valid stands
// in the close frame; anything else is refused and nothing is sent. X03
func TestEveryCloseCodeOfOurs(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role Role) {
		refusing, r := rawChannel(t, role, nil)
		for code, valid := range codesOnTheWire {
			if code == 0 {
				continue // stands for a frame without a code: T006
			}
			if !valid {
				if err := refusing.CloseWith(status.Code(code), ""); !errors.Is(err, ErrInvalidClose) {
					t.Errorf("%d: %v", code, err)
				}
				continue
			}
			c, r := rawChannel(t, role, nil)
			closed := async(closeWithOn(c, status.Code(code), "why"))
			if got, want := r.takenTold(), fmt.Sprintf(`close %d "why"`, code); len(got) != 1 || got[0] != want {
				t.Errorf("the peer gets %q, want %s", got, want)
			}
			r.send(closeOf(1000, ""))
			if err := <-closed; err != nil {
				t.Errorf("%d: %v", code, err)
			}
			if c.CloseCode() != status.Code(code) || c.CloseReason() != "why" {
				t.Errorf("closed with %d: CloseCode is %d", code, c.CloseCode())
			}
			r.hangUp()
		}
		if got := r.taken(); len(got) > 0 || refusing.Err() != nil {
			t.Errorf("refused, and yet: %v, %v", got, refusing.Err())
		}
	})
}

// RFC 6455 §5.5.1, §7.1.6: the reason, of every length and with every kind of
// bytes in it. X04 T018
func TestEveryCloseReason(t *testing.T) {
	var all []exchange
	add := func(name, body string) {
		x := exchange{name: name, send: []piece{fr(0x88, body)}}
		switch {
		case len(body) == 0:
			x.code, x.answered = 1005, []string{`close ""`}
		case len(body) == 1:
			x.code, x.section, x.answered = 1002, "5.5.1", []string{"close 1002"}
		case len(body) > 125:
			x.code, x.section, x.answered = 1002, "5.5", []string{"close 1002"}
		case !utf8.ValidString(body[2:]):
			x.code, x.section, x.answered = 1007, "8.1", []string{"close 1007"}
		default:
			x.code, x.reason = 4000, body[2:]
			x.answered = []string{fmt.Sprintf("close 4000 %q", body[2:])}
		}
		all = append(all, x)
	}
	body := closeBody(4000, letters(130))
	for n := range 130 {
		add(fmt.Sprintf("body of %d bytes", n), body[:n])
	}
	for _, class := range utf8Classes {
		for _, text := range class.texts {
			add(fmt.Sprintf("%s, %q", class.name, text), closeBody(4000, text))
			add(fmt.Sprintf("%s at the end, %q", class.name, text), closeBody(4000, strings.Repeat("x", 123-len(text))+text))
		}
	}
	runAll(t, all)
}

// RFC 6455 §1.4, §5.5.1, §7.1.1: what comes behind the peer's close frame is
// discarded, right or wrong: no message, no pong, no second close frame. X02
func TestNothingCountsBehindTheClose(t *testing.T) {
	behind := [][]piece{
		{fr(0x81, "late")}, {fr(0x01, "late")}, {fr(0x80, "late")}, {fr(0x89, "late")}, {fr(0x8A, "late")},
		{closeOf(1000, "")}, {closeOf(4001, "other")}, {fr(0x88, "")}, {fr(0x88, "x")}, {closeOf(1005, "")}, {closeOf(1000, "\xff")},
		{fr(0xF1, "late")}, {fr(0x83, "late")}, {fr(0x8F, "")}, {fr(0x09, "")}, {fr(0x81, "\xff")},
		{raw("\x81\x05wrong")}, {raw("\x81\x85\x00\x00\x00\x00wrong")}, {raw("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")}, {raw("GET / HTTP/1.1\r\n\r\n")},
		{fr(0x82, strings.Repeat("x", 100_000)), fr(0x89, "")},
	}
	var all []exchange
	for i, pieces := range behind {
		for _, code := range []uint16{1000, 4000} {
			x := exchange{
				name:     fmt.Sprintf("%d, %d", i, code),
				send:     append([]piece{fr(0x81, "before"), closeOf(code, "enough")}, pieces...),
				received: []string{`text "before"`}, answered: []string{fmt.Sprintf(`close %d "enough"`, code)},
				code: status.Code(code), reason: "enough",
			}
			all = append(all, x)
		}
	}
	connect := reusing(t, "tcp")
	for _, x := range all {
		t.Run(x.name, func(t *testing.T) {
			eachRole(t, func(t *testing.T, role Role) {
				x.converse(t, connect, role, oneWrite)
				x.converse(t, connect, role, inPieces(7))
				x.converse(t, netPipe, role, inPieces(999))
			})
		})
	}
}

// RFC 6455 §7.1.7: the same behind what has made the channel fail, a close frame
// of the peer among it: the channel's own close frame is the last one.
func TestNothingCountsBehindAViolation(t *testing.T) {
	var all []exchange
	for i, behind := range [][]piece{
		{closeOf(1000, "")}, {fr(0x89, "late")}, {fr(0x81, "late"), closeOf(4000, "")}, {fr(0x83, ""), fr(0x83, "")},
	} {
		for _, wrong := range []exchange{
			{name: "reserved bit", send: []piece{fr(0xC1, "x")}, code: 1002, section: "5.2"},
			{name: "not UTF-8", send: []piece{fr(0x81, "\xff")}, code: 1007, section: "8.1"},
			{name: "too big", send: []piece{fr(0x82, "too big")}, code: 1009, section: "7.4.1"},
			{name: "close code", send: []piece{closeOf(1006, "")}, code: 1002, section: "7.4"},
		} {
			x := wrong
			x.name = fmt.Sprintf("%s, %d", wrong.name, i)
			x.options = Options{MessageLimit: 6}
			x.send = append([]piece{fr(0x81, "before")}, append(wrong.send, behind...)...)
			x.received, x.answered = []string{`text "before"`}, []string{fmt.Sprintf("close %d", x.code)}
			all = append(all, x)
		}
	}
	runAll(t, all)
}

// RFC 6455 §1.4, §5.5.1: behind a close frame of ours the peer may go on until
// it sends its own. Messages, whole or cut, are dropped; the peer's code does
// not replace ours. What breaks a rule ends the wait. T001 T006 X02
func TestWhatComesBehindOurClose(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before []piece // our close
		behind []piece
		broken bool
	}{
		{"nothing", nil, []piece{closeOf(1000, "")}, false},
		{"another code", nil, []piece{closeOf(4001, "mine")}, false},
		{"no code", nil, []piece{fr(0x88, "")}, false},
		{"messages", nil, []piece{fr(0x81, "dropped"), fr(0x82, "\xff"), closeOf(1000, "")}, false},
		{"fragments", nil, []piece{fr(0x01, "dro"), fr(0x8A, ""), fr(0x80, "pped"), closeOf(1000, "")}, false},
		{"the rest of a message", []piece{fr(0x01, "dro")}, []piece{fr(0x00, "pp"), fr(0x80, "ed"), closeOf(1000, "")}, false},
		{"a close inside a message", []piece{fr(0x01, "dro")}, []piece{closeOf(1000, "")}, false},
		{"beyond the limit", nil, []piece{fr(0x82, strings.Repeat("x", 1000)), closeOf(1000, "")}, false},
		{"data behind the peer's close", nil, []piece{closeOf(1000, ""), fr(0x81, "late")}, false},
		{"reserved bit", nil, []piece{fr(0xC1, "x")}, true},
		{"not UTF-8", nil, []piece{fr(0x81, "\xff")}, true},
		{"an invalid code", nil, []piece{closeOf(1005, "")}, true},
		{"nothing to continue", nil, []piece{fr(0x80, "x")}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBothRoles(t, func(t *testing.T, role Role) {
				c, r := rawChannel(t, role, &Options{MessageLimit: 100})
				received := async(func() error { _, err := c.Receive(t.Context()); return err })
				r.send(tt.before...)
				synctest.Wait()
				closed := async(closeWithOn(c, 3000, "ours"))
				if got := r.takenTold(); len(got) != 1 || got[0] != `close 3000 "ours"` {
					t.Fatalf("the peer gets %q", got)
				}
				r.send(tt.behind...)
				err := <-closed
				if broken, ok := errors.AsType[*ProtocolError](err); ok != tt.broken || !tt.broken && err != nil {
					t.Errorf("CloseWith: %v (%v)", err, broken)
				}
				if got := r.takenTold(); len(got) > 0 {
					t.Errorf("behind our close frame the peer gets %q", got)
				}
				want := CloseError{Code: 3000, Reason: "ours"}
				wantCloseError(t, "Receive", <-received, want)
				wantOver(t, c, want)
			})
		})
	}
}
