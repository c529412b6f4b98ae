//go:build !js

package wschannel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel/internal/wire"
	"github.com/wschannel/wschannel/status"
)

// An exchange is what a peer sends, up to its close frame or a broken rule, and
// what comes of it.
type exchange struct {
	name     string
	role     Role // of the channel, 0 for both
	options  Options
	send     []piece
	received []string // what Receive returns
	answered []string // what the peer gets
	code     status.Code
	section  string // of the rule that was broken; "" if the peer has closed
	reason   string
}

var exchanges = []exchange{
	// RFC 6455 §5.7, byte for byte.
	{name: "5.7 unmasked text", role: RoleClient,
		send:     []piece{raw("\x81\x05\x48\x65\x6c\x6c\x6f"), closeOf(1000, "")},
		received: []string{`text "Hello"`}, answered: []string{`close 1000 ""`}, code: 1000},
	{name: "5.7 masked text", role: RoleServer,
		send:     []piece{raw("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), closeOf(1000, "")},
		received: []string{`text "Hello"`}, answered: []string{`close 1000 ""`}, code: 1000},
	{name: "5.7 fragmented text", role: RoleClient,
		send:     []piece{raw("\x01\x03\x48\x65\x6c"), raw("\x80\x02\x6c\x6f"), closeOf(1000, "")},
		received: []string{`text "Hello"`}, answered: []string{`close 1000 ""`}, code: 1000},
	{name: "5.7 ping", role: RoleClient,
		send:     []piece{raw("\x89\x05\x48\x65\x6c\x6c\x6f"), closeOf(1000, "")},
		answered: []string{`pong "Hello"`, `close 1000 ""`}, code: 1000},
	{name: "5.7 masked pong", role: RoleServer,
		send:     []piece{raw("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), closeOf(1000, "")},
		answered: []string{`close 1000 ""`}, code: 1000},
	{name: "5.7 256 bytes", role: RoleClient,
		send:     []piece{raw("\x82\x7E\x01\x00" + strings.Repeat("a", 256)), closeOf(1000, "")},
		received: []string{told(Binary, strings.Repeat("a", 256))}, answered: []string{`close 1000 ""`}, code: 1000},
	{name: "5.7 64 KiB", role: RoleClient,
		send:     []piece{raw("\x82\x7F\x00\x00\x00\x00\x00\x01\x00\x00" + strings.Repeat("a", 65536)), closeOf(1000, "")},
		received: []string{told(Binary, strings.Repeat("a", 65536))}, answered: []string{`close 1000 ""`}, code: 1000},

	// Messages and fragments.
	{name: "5.6 messages in order", send: []piece{fr(0x81, ""), fr(0x82, ""), fr(0x81, "é"), fr(0x82, "\xff"), closeOf(1001, "")},
		received: []string{`text ""`, `binary ""`, `text "é"`, `binary "\xff"`}, answered: []string{`close 1001 ""`}, code: 1001},
	{name: "5.4 control frames between fragments",
		send: []piece{fr(0x01, "a"), fr(0x89, "1"), fr(0x00, ""), fr(0x8A, "x"), fr(0x89, ""), fr(0x00, "b"), fr(0x89, "3"), fr(0x80, "c"),
			closeOf(1000, "")},
		received: []string{`text "abc"`}, answered: []string{`pong "1"`, `pong ""`, `pong "3"`, `close 1000 ""`}, code: 1000},
	{name: "5.4 empty fragments", send: []piece{fr(0x02, ""), fr(0x00, ""), fr(0x80, ""), closeOf(1000, "")},
		received: []string{`binary ""`}, answered: []string{`close 1000 ""`}, code: 1000},
	{name: "5.4 nothing to continue", send: []piece{fr(0x80, "a")}, answered: []string{"close 1002"}, code: 1002, section: "5.4"},
	{name: "5.4 message inside a message", send: []piece{fr(0x81, "m"), fr(0x01, "a"), fr(0x81, "b")},
		received: []string{`text "m"`}, answered: []string{"close 1002"}, code: 1002, section: "5.4"},

	// Reserved bits and opcodes, lengths, masks.
	{name: "5.2 RSV1 (X13)", send: []piece{fr(0xC1, "a")}, answered: []string{"close 1002"}, code: 1002, section: "5.2"},
	{name: "5.2 RSV2 (X13)", send: []piece{fr(0xA2, "a")}, answered: []string{"close 1002"}, code: 1002, section: "5.2"},
	{name: "5.2 RSV3 on a ping (X13)", send: []piece{fr(0x99, "a")}, answered: []string{"close 1002"}, code: 1002, section: "5.2"},
	{name: "5.2 reserved opcode 3", send: []piece{fr(0x83, "a")}, answered: []string{"close 1002"}, code: 1002, section: "5.2"},
	{name: "5.2 reserved opcode 15", send: []piece{fr(0x8F, "a")}, answered: []string{"close 1002"}, code: 1002, section: "5.2"},
	{name: "5.2 length of 125 in two bytes", role: RoleClient, send: []piece{raw("\x82\x7E\x00\x7D")},
		answered: []string{"close 1002"}, code: 1002, section: "5.2"},
	{name: "5.2 length above 1<<63", role: RoleClient, send: []piece{raw("\x82\x7F\x80\x00\x00\x00\x00\x00\x00\x00")},
		answered: []string{"close 1002"}, code: 1002, section: "5.2"},
	{name: "5.1 unmasked frame from a client (X14)", role: RoleServer, send: []piece{raw("\x81\x05Hello")},
		answered: []string{"close 1002"}, code: 1002, section: "5.1"},
	{name: "5.1 unmasked close from a client (X14)", role: RoleServer, send: []piece{raw("\x88\x02\x03\xe8")},
		answered: []string{"close 1002"}, code: 1002, section: "5.1"},
	{name: "5.1 masked frame from a server (X14)", role: RoleClient, send: []piece{raw("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58")},
		answered: []string{"close 1002"}, code: 1002, section: "5.1"},
	{name: "garbage behind the handshake (T022)", role: RoleClient, send: []piece{raw("meh, this is no frame\r\n")},
		answered: []string{"close 1002"}, code: 1002, section: "5.2"},

	// Control frames.
	{name: "5.5 long ping", role: RoleClient, send: []piece{raw("\x89\x7E\x00\x7E")}, answered: []string{"close 1002"}, code: 1002, section: "5.5"},
	{name: "5.5 fragmented ping", send: []piece{fr(0x09, "")}, answered: []string{"close 1002"}, code: 1002, section: "5.5"},
	{name: "5.5 fragmented close", send: []piece{fr(0x08, "")}, answered: []string{"close 1002"}, code: 1002, section: "5.5"},
	{name: "5.5.1 close without a code", send: []piece{fr(0x88, "")}, answered: []string{`close ""`}, code: 1005},
	{name: "5.5.1 close with code and reason", send: []piece{closeOf(4123, "server closed the connection")},
		answered: []string{`close 4123 "server closed the connection"`}, code: 4123, reason: "server closed the connection"},
	{name: "5.5.1 longest reason (X04)", send: []piece{closeOf(3000, strings.Repeat("€", 41))},
		answered: []string{fmt.Sprintf("close 3000 %q", strings.Repeat("€", 41))}, code: 3000, reason: strings.Repeat("€", 41)},
	{name: "5.5.1 close with a body of one byte (X15)", send: []piece{fr(0x88, "\x03")},
		answered: []string{"close 1002"}, code: 1002, section: "5.5.1"},
	{name: "5.5.1 data after close (X02)", send: []piece{fr(0x81, "a"), closeOf(1000, ""), fr(0x81, "b"), closeOf(4000, "")},
		received: []string{`text "a"`}, answered: []string{`close 1000 ""`}, code: 1000},
	{name: "5.5.1 garbage after close (X02)", send: []piece{closeOf(1000, ""), raw("\xff\xff\xff\xff")},
		answered: []string{`close 1000 ""`}, code: 1000},
	{name: "5.5.1 close inside a message", send: []piece{fr(0x01, "a"), closeOf(1000, ""), fr(0x80, "b")},
		answered: []string{`close 1000 ""`}, code: 1000},
	{name: "5.5.1 close inside a character", send: []piece{fr(0x01, "\xe2\x82"), closeOf(1001, "")},
		answered: []string{`close 1001 ""`}, code: 1001},
	{name: "8.1 close reason that is not UTF-8 (T018)", send: []piece{closeOf(1000, "\xc3(")},
		answered: []string{"close 1007"}, code: 1007, section: "8.1"},

	// UTF-8.
	{name: "8.1 characters split across frames (X16)", send: []piece{fr(0x01, "\xf0\x9f"), fr(0x89, "p"), fr(0x00, "\x98"), fr(0x80, "\x80"), closeOf(1000, "")},
		received: []string{`text "😀"`}, answered: []string{`pong "p"`, `close 1000 ""`}, code: 1000},
	{name: "8.1 not UTF-8 (X16)", send: []piece{fr(0x81, "a\xffb")}, answered: []string{"close 1007"}, code: 1007, section: "8.1"},
	{name: "8.1 fails before the message ends (X16)", send: []piece{fr(0x01, "\xed\xa0")}, answered: []string{"close 1007"}, code: 1007, section: "8.1"},
	{name: "8.1 fails inside a frame (X16)", role: RoleClient, send: []piece{raw("\x81\x05a\xc0")},
		answered: []string{"close 1007"}, code: 1007, section: "8.1"},
	{name: "8.1 ends inside a character (X16)", send: []piece{fr(0x01, "a"), fr(0x80, "\xe2\x82")},
		answered: []string{"close 1007"}, code: 1007, section: "8.1"},
	{name: "8.1 binary is not checked", send: []piece{fr(0x82, "\xff"), closeOf(1000, "")},
		received: []string{`binary "\xff"`}, answered: []string{`close 1000 ""`}, code: 1000},

	// Limits.
	{name: "as long as the limit (X17)", options: Options{MessageLimit: 5}, send: []piece{fr(0x81, "Hello"), fr(0x01, "Hel"), fr(0x80, "lo"), closeOf(1000, "")},
		received: []string{`text "Hello"`, `text "Hello"`}, answered: []string{`close 1000 ""`}, code: 1000},
	{name: "longer than the limit (X17)", options: Options{MessageLimit: 5}, send: []piece{fr(0x81, "Hello!")},
		answered: []string{"close 1009"}, code: 1009, section: "7.4.1"},
	{name: "longer in sum than the limit (X17)", options: Options{MessageLimit: 5}, send: []piece{fr(0x01, "Hel"), fr(0x80, "lo!")},
		answered: []string{"close 1009"}, code: 1009, section: "7.4.1"},
	{name: "claims 1 MiB and a byte (X17)", role: RoleClient, send: []piece{raw("\x82\x7F\x00\x00\x00\x00\x00\x10\x00\x01")},
		answered: []string{"close 1009"}, code: 1009, section: "7.4.1"},
	{name: "as many fragments as the limit", options: Options{FragmentLimit: 3}, send: []piece{fr(0x01, "a"), fr(0x00, ""), fr(0x80, "c"), closeOf(1000, "")},
		received: []string{`text "ac"`}, answered: []string{`close 1000 ""`}, code: 1000},
	{name: "more fragments than the limit", options: Options{FragmentLimit: 3}, send: []piece{fr(0x01, "a"), fr(0x00, ""), fr(0x00, ""), fr(0x80, "")},
		answered: []string{"close 1009"}, code: 1009, section: "7.4.1"},
}

// told describes a message.
func told(t Type, payload string) string { return fmt.Sprintf("%v %q", t, payload) }

// closeCodes adds an exchange for each kind of close code (X15).
func closeCodes() []exchange {
	var all []exchange
	for _, code := range []uint16{1000, 1003, 1007, 1011, 1014, 3000, 4999} {
		all = append(all, exchange{name: fmt.Sprintf("7.4 close with %d", code), send: []piece{closeOf(code, "")},
			answered: []string{fmt.Sprintf(`close %d ""`, code)}, code: status.Code(code)})
	}
	for _, code := range []uint16{0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535} {
		all = append(all, exchange{name: fmt.Sprintf("7.4 close with %d (X15)", code), send: []piece{closeOf(code, "")},
			answered: []string{"close 1002"}, code: 1002, section: "7.4"})
	}
	return all
}

func TestProtocol(t *testing.T) {
	for _, x := range append(exchanges, closeCodes()...) {
		t.Run(x.name, func(t *testing.T) {
			inBothRoles(t, func(t *testing.T, role Role) {
				if x.role == 0 || x.role == role {
					x.run(t, role, x.pieceByPiece)
					x.run(t, role, x.byteByByte)
					x.run(t, role, x.atOnce)
				}
			})
		})
	}
}

// Each piece alone, so that each is answered before the next one comes.
func (x *exchange) pieceByPiece(r *rawEnd) {
	for _, p := range x.send {
		r.send(p)
		synctest.Wait()
	}
}

func (x *exchange) byteByByte(r *rawEnd) {
	for _, p := range x.send {
		b := p.append(nil, r.nextKey())
		if len(b) > 1000 {
			r.write(b[:len(b)-1000])
			b = b[len(b)-1000:]
		}
		for i := range b {
			r.write(b[i : i+1])
		}
		synctest.Wait()
	}
}

// Everything in one write. What stands in front of a close frame or a broken
// rule need not be answered then, except for that.
func (x *exchange) atOnce(r *rawEnd) { r.send(x.send...) }

func (x *exchange) run(t *testing.T, role Role, send func(*rawEnd)) {
	c, r := rawChannel(t, role, &x.options)
	received := make(chan []string, 1)
	var last error
	go func() {
		var all []string
		for {
			m, err := c.Receive(t.Context())
			if err != nil {
				last = err
				received <- all
				return
			}
			all = append(all, told(m.Type, string(m.Data)))
		}
	}()
	send(r)
	answered := r.takenTold()
	// It is over before the peer hangs up.
	var got []string
	select {
	case got = <-received:
	default:
		t.Errorf("Receive still waits, Done is closed: %v", isClosed(c.Done()))
		r.hangUp()
		got = <-received
	}
	x.judge(t, c, answered, got, last)
	r.hangUp()
	if len(r.tail) != 0 {
		t.Errorf("half a frame came: % x", r.tail)
	}
}

// judge holds what came of an exchange against what should have: the frames
// that the peer got, the messages that were received, and the end.
func (x *exchange) judge(t testing.TB, c *Channel, answered, received []string, last error) {
	t.Helper()
	for i, a := range answered {
		if x.section != "" && i == len(answered)-1 {
			// Our words are free, but there have to be some.
			a, _, _ = strings.Cut(a, ` "`)
			if strings.HasSuffix(answered[i], `""`) {
				t.Errorf("answered %s without a word", a)
			}
			answered[i] = a
		}
	}
	if want := x.answered; !slices.Equal(answered, want) {
		// Sent at once, pings may go unanswered, and nothing else.
		if !isPartOf(answered, want) || !slices.Equal(withoutPongs(answered), withoutPongs(want)) {
			t.Errorf("answered %q, want %q", answered, want)
		}
	}
	if !slices.Equal(received, x.received) {
		t.Errorf("received %q, want %q", short(received), short(x.received))
	}
	wantEnd(t, c, x.code, x.reason, x.section == "")
	if !errors.Is(last, ErrClosed) || last != c.Err() {
		t.Errorf("Receive returned %v, Err %v", last, c.Err())
	}
	broken, ok := errors.AsType[*ProtocolError](c.Err())
	if ok != (x.section != "") || ok && broken.Section != x.section {
		t.Errorf("Err is %q, want a violation of %q", c.Err(), x.section)
	}
}

func isPong(told string) bool { return strings.HasPrefix(told, "pong") }

// isPartOf reports whether some is what is left when a part of all is dropped.
func isPartOf(some, all []string) bool {
	for _, s := range all {
		if len(some) > 0 && some[0] == s {
			some = some[1:]
		}
	}
	return len(some) == 0
}

func withoutPongs(told []string) []string {
	return slices.DeleteFunc(slices.Clone(told), isPong)
}

// short cuts long texts for a message of a test.
func short(all []string) []string {
	all = slices.Clone(all)
	for i, s := range all {
		all[i] = s[:min(len(s), 60)]
	}
	return all
}

// wantEnd checks how a channel that was not closed from this side has ended.
func wantEnd(t testing.TB, c *Channel, code status.Code, reason string, remote bool) {
	t.Helper()
	end, ok := errors.AsType[*CloseError](c.Err())
	if !ok {
		t.Fatalf("Err is %v, want a *CloseError with %d", c.Err(), code)
	}
	if end.Code != code || c.CloseCode() != code {
		t.Errorf("ended with %d (%v), want %d", end.Code, end, code)
	}
	if end.Remote != remote {
		t.Errorf("Remote is %v in %v", end.Remote, end)
	}
	if remote && (end.Reason != reason || c.CloseReason() != reason) {
		t.Errorf("ended with reason %q, want %q", end.Reason, reason)
	}
	if errors.Is(end, ErrLocalClose) || !errors.Is(end, ErrClosed) {
		t.Errorf("%v: is ErrLocalClose: %v, is ErrClosed: %v", end, errors.Is(end, ErrLocalClose), errors.Is(end, ErrClosed))
	}
}

// Pings of every length are answered with what they hold, whether somebody
// receives or not (X08; RFC 6455 §5.5.3).
func TestPongsHoldWhatThePingsHeld(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role Role) {
		for _, receiving := range []bool{true, false} {
			c, r := rawChannel(t, role, nil)
			if receiving {
				go c.Receive(t.Context())
			} else {
				pass(attendAfter)
			}
			for n := range wire.MaxControl + 1 {
				payload := strings.Repeat("\xff\x00p", 42)[:n]
				if err := r.send(fr(0x89, payload)); err != nil {
					t.Fatal(err)
				}
				if got, want := r.takenTold(), []string{fmt.Sprintf("pong %q", payload)}; !slices.Equal(got, want) {
					t.Fatalf("receiving: %v: got %q, want %q", receiving, got, want)
				}
			}
			c.CloseNow()
		}
	})
}

// Every frame of a client has a mask of its own, that of a server none (X18;
// RFC 6455 §5.3).
func TestEveryFrameHasItsOwnMask(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role Role) {
		c, r := rawChannel(t, role, nil)
		ctx := t.Context()
		go c.Receive(ctx)
		for range 50 {
			c.SendText(ctx, "the same")
			c.SendBinary(ctx, bytes.Repeat([]byte("the same"), 10_000))
			r.send(fr(0x89, "ping"))
			synctest.Wait()
		}
		w, _ := c.NextWriter(ctx, Binary)
		for range 50 {
			w.Write(bytes.Repeat([]byte("x"), fragmentSize+1))
		}
		w.Close()
		go c.CloseWith(4000, "bye")
		frames := r.taken()
		seen := make(map[[4]byte]bool)
		for _, f := range frames {
			if f.head.Masked != (role == RoleClient) {
				t.Fatalf("%.40v is masked: %v", f, f.head.Masked)
			}
			seen[f.head.Key] = true
		}
		if want := 50 + 50 + 50 + 51 + 1; len(frames) != want {
			t.Errorf("%d frames, want %d", len(frames), want)
		}
		if role == RoleClient && len(seen) != len(frames) {
			t.Errorf("%d frames with %d masks", len(frames), len(seen))
		}
		c.CloseNow()
	})
}

// A connection that ends without a close frame is lost (X11), wherever it ends.
func TestLossIs1006(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role Role) {
		whole := fr(0x81, "Hello")
		for _, before := range []struct {
			name     string
			send     func(r *rawEnd) []byte
			received int
		}{
			{"nothing", func(r *rawEnd) []byte { return nil }, 0},
			{"a message", func(r *rawEnd) []byte { return whole.append(nil, r.nextKey()) }, 1},
			{"half a header", func(r *rawEnd) []byte { return whole.append(nil, r.nextKey())[:1] }, 0},
			{"half a frame", func(r *rawEnd) []byte { return whole.append(nil, r.nextKey())[:4] }, 0},
			{"half a message", func(r *rawEnd) []byte { return fr(0x01, "Hel").append(nil, r.nextKey()) }, 0},
			{"half a close frame", func(r *rawEnd) []byte { return closeOf(1000, "bye").append(nil, r.nextKey())[:5] }, 0},
		} {
			c, r := rawChannel(t, role, nil)
			go func() {
				if b := before.send(r); b != nil {
					r.write(b)
				}
				r.conn.Close()
			}()
			n := 0
			for m, err := range c.Messages(t.Context()) {
				if err == nil {
					n++
				} else if !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("%s: %v (%v)", before.name, err, m)
				}
			}
			if n != before.received {
				t.Errorf("%s: received %d messages, want %d", before.name, n, before.received)
			}
			wantEnd(t, c, status.AbnormalClosure, "", false)
		}
	})
}

// A peer that goes on sending after it broke a rule, and never reads, cannot
// hold the channel.
func TestPeerThatNeverStops(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role Role) {
		near, far := net.Pipe()
		c := newOn(t, near, role, nil)
		start := time.Now()
		go func() {
			rnd := rand.New(rand.NewPCG(1, 2))
			for {
				b := make([]byte, 100)
				for i := range b {
					b[i] = byte(rnd.Uint32())
				}
				if _, err := far.Write(b); err != nil {
					return
				}
			}
		}()
		_, err := c.Receive(t.Context())
		if !errors.Is(err, ErrClosed) {
			t.Errorf("Receive: %v", err)
		}
		<-c.Done()
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("over after %v", d)
		}
		wantEnd(t, c, status.ProtocolError, "", false)
		far.Close()
	})
}

// A receiver's ctx does not count once the channel is over, and not for what
// was received before it was done.
func TestReceiveAfterTheEnd(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role Role) {
		c, r := rawChannel(t, role, nil)
		pass(attendAfter)
		r.send(fr(0x81, "one"), fr(0x82, "two"), closeOf(4000, "bye"))
		synctest.Wait()
		wantEnd(t, c, 4000, "bye", true)
		done, cancel := context.WithCancel(t.Context())
		cancel()
		for _, want := range []string{"one", "two"} {
			if m, err := c.Receive(done); err != nil || string(m.Data) != want {
				t.Fatalf("received %q, %v; want %q", m.Data, err, want)
			}
		}
		for range 3 {
			if _, err := c.Receive(done); err != c.Err() {
				t.Errorf("Receive: %v, want %v", err, c.Err())
			}
		}
		if err := c.SendText(done, "late"); err != c.Err() {
			t.Errorf("Send: %v, want %v", err, c.Err())
		}
	})
}
