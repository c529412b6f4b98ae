//go:build !js

package wschannel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wschannel/wschannel/status"
)

// The rules of the contract that package streamchannel states, on every kind
// of stream and in both roles.
var contract = []struct {
	name string
	rule func(t *testing.T, near, far *Channel)
}{
	{"1 order, X25", ruleOrder},
	{"1 concurrent sends do not mix", ruleConcurrentSends},
	{"1 accepted precedes the close frame, X25", ruleAcceptedPrecedesClose},
	{"2 a local close drops the unread, T001 X02 X24", ruleLocalCloseDrops},
	{"2 a local close after the peer's drops the unread", ruleLocalCloseAfterPeers},
	{"3 a cancelled receive harms nothing", ruleCancelledReceive},
	{"3 one receiver, X23", ruleOneReceiver},
	{"3 one receiver, Listen", ruleOneReceiverBesideListen},
	{"3 breaking out of a loop harms nothing, X23", ruleBreak},
	{"4 Done and Err", ruleDoneAndErr},
	{"4 waiting calls return at the end, by us", func(t *testing.T, near, far *Channel) { ruleWaitingCalls(t, near, near) }},
	{"4 waiting calls return at the end, by the peer", func(t *testing.T, near, far *Channel) { ruleWaitingCalls(t, near, far) }},
	{"5 close from anywhere, any number of times", ruleCloseAnywhere},
	{"5 close on both sides at once, X01", ruleCloseBothSides},
	{"6 ownership", ruleOwnership},
	{"7 errors of sending", ruleSendErrors},
}

func TestContract(t *testing.T) {
	for _, on := range connectors {
		t.Run(on.name, func(t *testing.T) {
			for _, c := range contract {
				t.Run(c.name, func(t *testing.T) {
					eachRole(t, func(t *testing.T, role Role) {
						client, server := channelPair(t, on.connect, nil)
						if role == RoleClient {
							c.rule(t, client, server)
						} else {
							c.rule(t, server, client)
						}
					})
				})
			}
		})
	}
}

// async calls f on a goroutine of its own, and sends what it returns.
func async[T any](f func() T) <-chan T {
	result := make(chan T, 1)
	go func() { result <- f() }()
	return result
}

// patience is how long a test waits, outside synctest, for what must happen.
const patience = 20 * time.Second

// within returns what comes from c.
func within[T any](t testing.TB, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatalf("still waiting for %s", what)
	}
	return v
}

// eventually waits for a condition that no channel tells of.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for began := time.Now(); !condition(); <-time.After(time.Millisecond) {
		if time.Since(began) > patience {
			t.Fatalf("still waiting for %s", what)
		}
	}
}

// receiverWaits is true when a receiver is blocked in reading.
func receiverWaits(c *Channel) func() bool {
	return func() bool { return c.engine.reading.anybody() && c.engine.inRead.Load() }
}

func wantMessage(t testing.TB, c *Channel, want string) {
	t.Helper()
	m, err := c.Receive(t.Context())
	if err != nil {
		t.Fatalf("Receive: %v, want %.60q", err, want)
	}
	if string(m.Data) != want {
		t.Fatalf("Receive: %.60q (%d bytes), want %.60q (%d bytes)", m.Data, len(m.Data), want, len(want))
	}
}

// noRoom is a message that is too long to wait behind another one: its sender
// has to.
var noRoom = strings.Repeat("n", pendingLimit)

func mustSend(t testing.TB, c *Channel, s string) {
	t.Helper()
	if err := c.SendText(t.Context(), s); err != nil {
		t.Errorf("Send(%.60q): %v", s, err)
	}
}

// wantCloseError fails if err is not the end that is wanted, to the last field.
func wantCloseError(t testing.TB, what string, err error, want CloseError) {
	t.Helper()
	end, ok := err.(*CloseError)
	if !ok {
		t.Fatalf("%s: %v, want a *CloseError", what, err)
	}
	if *end != want {
		t.Fatalf("%s: %+v, want %+v", what, *end, want)
	}
}

// wantOver waits for the end and fails if it is not the one that is wanted, in
// everything that tells of it.
func wantOver(t testing.TB, c *Channel, want CloseError) {
	t.Helper()
	within(t, "Done", c.Done())
	wantCloseError(t, "Err", c.Err(), want)
	if code, reason := c.CloseCode(), c.CloseReason(); code != want.Code || reason != want.Reason {
		t.Errorf("CloseCode, CloseReason: %v %q, want %v %q", code, reason, want.Code, want.Reason)
	}
	_, err := c.Receive(t.Context())
	wantCloseError(t, "Receive", err, want)
	wantCloseError(t, "Send", c.SendText(t.Context(), ""), want)
	wantCloseError(t, "SendBinary", c.SendBinary(t.Context(), nil), want)
}

var (
	ownClose  = CloseError{Code: status.NormalClosure}
	peerClose = CloseError{Code: status.NormalClosure, Remote: true}
	ownHangUp = CloseError{Code: status.AbnormalClosure}
)

// sizes lie on both sides of all borders: of the length's encoding, of the read
// buffer and of the pieces that are written.
var sizes = []int{0, 1, 2, 125, 126, 127, smallBuffer - 8, smallBuffer, recordSize, pendingLimit - 4, pendingLimit, 65535, 65536, 200_000}

func ruleOrder(t *testing.T, near, far *Channel) {
	message := func(i int) Message {
		return Message{Type(1 + i/len(sizes)%2), bytes.Repeat([]byte{'a' + byte(i%26)}, sizes[i%len(sizes)])}
	}
	const count = 60
	var both sync.WaitGroup
	for from, to := range map[*Channel]*Channel{near: far, far: near} {
		both.Go(func() {
			for i := range count {
				if err := from.Send(t.Context(), message(i)); err != nil {
					t.Errorf("Send: %v", err)
				}
			}
		})
		both.Go(func() {
			for i := range count {
				m, err := to.Receive(t.Context())
				if want := message(i); err != nil || m.Type != want.Type || !bytes.Equal(m.Data, want.Data) || m.Data == nil {
					t.Errorf("message %d: %v of %d bytes, %v, want %v of %d bytes", i, m.Type, len(m.Data), err, want.Type, len(want.Data))
					return
				}
			}
		})
	}
	both.Wait()
}

func ruleConcurrentSends(t *testing.T, near, far *Channel) {
	const senders, count = 6, 20
	var all sync.WaitGroup
	for s := range senders {
		all.Go(func() {
			for i := range count {
				b := bytes.Repeat([]byte{byte(s)}, 1+sizes[(s+i)%len(sizes)]%100_000)
				if err := far.SendBinary(t.Context(), append(b, byte(i))); err != nil {
					t.Errorf("Send: %v", err)
				}
			}
		})
	}
	defer all.Wait()
	var next [senders]byte
	for range senders * count {
		m, err := near.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s, last := m.Data[0], len(m.Data)-1
		if n := bytes.Count(m.Data[:last], []byte{s}); n != last {
			t.Fatalf("a message of sender %d has %d bytes of other ones", s, last-n)
		}
		if m.Data[last] != next[s] {
			t.Fatalf("message %d of sender %d, want %d", m.Data[last], s, next[s])
		}
		next[s]++
	}
}

// The close falls somewhere into the work of several senders: what they were
// told had been accepted arrives, then comes the end.
func ruleAcceptedPrecedesClose(t *testing.T, near, far *Channel) {
	const senders = 4
	var accepted, received [senders]int
	var all sync.WaitGroup
	for s := range senders {
		all.Go(func() {
			for {
				if err := far.SendBinary(t.Context(), []byte{byte(s), byte(accepted[s])}); err != nil {
					wantCloseError(t, "Send", err, ownClose)
					return
				}
				accepted[s]++
			}
		})
	}
	var closed <-chan error
	for n := 0; ; n++ {
		if n == 100 {
			closed = async(far.Close)
		}
		m, err := near.Receive(t.Context())
		if err != nil {
			wantCloseError(t, "Receive", err, peerClose)
			break
		}
		s := m.Data[0]
		if m.Data[1] != byte(received[s]) {
			t.Fatalf("message %d of sender %d, want %d", m.Data[1], s, byte(received[s]))
		}
		received[s]++
	}
	all.Wait()
	if accepted != received {
		t.Errorf("accepted %v, received %v", accepted, received)
	}
	if err := within(t, "Close", closed); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func ruleLocalCloseDrops(t *testing.T, near, far *Channel) {
	flood := async(func() error {
		for {
			if err := far.SendText(t.Context(), "dropped"); err != nil {
				return err
			}
		}
	})
	wantMessage(t, near, "dropped")
	if err := near.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	wantOver(t, near, ownClose)
	wantCloseError(t, "the flooder's Send", within(t, "the flooder's end", flood), peerClose)
}

func ruleLocalCloseAfterPeers(t *testing.T, near, far *Channel) {
	// More than one message in one read, so that the rest lies in a buffer.
	sent := async(func() error {
		for range 3 {
			mustSend(t, far, "dropped")
		}
		return far.CloseWith(3000, "first")
	})
	within(t, "the end", near.Done())
	if err := within(t, "CloseWith", sent); err != nil {
		t.Errorf("the peer's CloseWith: %v", err)
	}
	first := CloseError{Code: 3000, Reason: "first", Remote: true}
	wantCloseError(t, "CloseWith", near.CloseWith(3001, "second"), first) // T011, T017
	if err := near.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	wantOver(t, near, first)
}

func ruleCancelledReceive(t *testing.T, near, far *Channel) {
	for i := range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		received := async(func() error {
			_, err := near.Receive(ctx)
			return err
		})
		if i%2 == 0 {
			eventually(t, "a receiver", receiverWaits(near))
		}
		cancel()
		if err := within(t, "Receive", received); err != context.Canceled {
			t.Fatalf("Receive: %v", err)
		}
		sent := async(func() error { return far.SendText(t.Context(), fmt.Sprint(i)) })
		wantMessage(t, near, fmt.Sprint(i))
		if err := within(t, "Send", sent); err != nil {
			t.Fatal(err)
		}
	}
	if near.Err() != nil || far.Err() != nil {
		t.Errorf("Err: %v, %v", near.Err(), far.Err())
	}
}

func ruleOneReceiver(t *testing.T, near, far *Channel) {
	first := async(func() Message {
		m, err := near.Receive(t.Context())
		if err != nil {
			t.Errorf("Receive: %v", err)
		}
		return m
	})
	eventually(t, "a receiver", receiverWaits(near))
	done, cancel := context.WithCancel(t.Context())
	cancel()
	for _, ctx := range []context.Context{t.Context(), done} {
		if _, err := near.Receive(ctx); err != ErrConcurrentReceive {
			t.Errorf("Receive: %v", err)
		}
		dst := []byte("dst")
		if typ, b, err := near.ReceiveAppend(ctx, dst); err != ErrConcurrentReceive || typ != 0 || string(b) != "dst" {
			t.Errorf("ReceiveAppend: %v %q %v", typ, b, err)
		}
		if _, _, err := near.NextReader(ctx); err != ErrConcurrentReceive {
			t.Errorf("NextReader: %v", err)
		}
		for _, err := range near.Messages(ctx) {
			if err != ErrConcurrentReceive {
				t.Errorf("Messages: %v", err)
			}
		}
	}
	refused := make(chan error, 1)
	stop := near.Listen(nil, func(err error) { refused <- err })
	defer stop()
	if err := within(t, "onDone", refused); err != ErrConcurrentReceive {
		t.Errorf("Listen: %v", err)
	}
	mustSend(t, far, "for the first")
	if m := within(t, "the first receiver", first); string(m.Data) != "for the first" {
		t.Errorf("the first receiver got %q", m.Data)
	}
}

func ruleOneReceiverBesideListen(t *testing.T, near, far *Channel) {
	called, leave := make(chan string), make(chan struct{})
	stop := near.Listen(func(m Message) {
		called <- string(m.Data)
		<-leave
	}, nil)
	sent := async(func() error { return far.SendText(t.Context(), "a") })
	if got := within(t, "the callback", called); got != "a" {
		t.Errorf("callback: %q", got)
	}
	if err := within(t, "Send", sent); err != nil {
		t.Fatal(err)
	}
	if _, err := near.Receive(t.Context()); err != ErrConcurrentReceive {
		t.Errorf("Receive beside a running callback: %v", err)
	}
	// Rule 7: not even a local close comes before that.
	near.CloseNow()
	if _, err := near.Receive(t.Context()); err != ErrConcurrentReceive {
		t.Errorf("Receive beside a running callback, after CloseNow: %v", err)
	}
	stop()
	close(leave)
	eventually(t, "the callback to return", func() bool {
		_, err := near.Receive(t.Context())
		return err != ErrConcurrentReceive
	})
	wantOver(t, near, ownHangUp)
}

func ruleBreak(t *testing.T, near, far *Channel) {
	sent := async(func() error {
		for i := range 10 {
			mustSend(t, far, fmt.Sprint(i))
		}
		return far.Close()
	})
	next := 0
	for next < 10 {
		for m, err := range near.Messages(t.Context()) {
			if err != nil || string(m.Data) != fmt.Sprint(next) {
				t.Fatalf("message %d: %q %v", next, m.Data, err)
			}
			next++
			if next%3 == 0 {
				break
			}
		}
	}
	for m, err := range near.Messages(t.Context()) {
		t.Errorf("after a clean end: %v %v", m, err)
	}
	if err := within(t, "Close", sent); err != nil {
		t.Errorf("Close: %v", err)
	}
	wantOver(t, near, peerClose)
}

func ruleDoneAndErr(t *testing.T, near, far *Channel) {
	for _, c := range []*Channel{near, far} {
		if isClosed(c.Done()) || c.Err() != nil || c.CloseCode() != 0 || c.CloseReason() != "" {
			t.Fatalf("before the end: %v %v %q", c.Err(), c.CloseCode(), c.CloseReason())
		}
	}
	if done := near.Done(); done != near.Done() {
		t.Error("Done returns two channels")
	}
	if err := far.CloseWith(4999, "bye"); err != nil {
		t.Errorf("CloseWith: %v", err)
	}
	wantOver(t, far, CloseError{Code: 4999, Reason: "bye"})
	wantOver(t, near, CloseError{Code: 4999, Reason: "bye", Remote: true})
	if near.Err() != near.Err() {
		t.Error("Err returns two errors")
	}
}

// Receivers, senders and pings that wait when closer closes.
func ruleWaitingCalls(t *testing.T, near, closer *Channel) {
	want := peerClose
	if near == closer {
		want = ownClose
	}
	receive := async(func() error {
		_, err := near.Receive(t.Context())
		return err
	})
	eventually(t, "a receiver", receiverWaits(near))
	w, err := near.NextWriter(t.Context(), Text)
	if err != nil {
		t.Fatal(err)
	}
	send := async(func() error { return near.SendText(t.Context(), "behind the writer") })
	if err := closer.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	wantCloseError(t, "Receive", within(t, "Receive", receive), want)
	wantCloseError(t, "Send", within(t, "Send", send), want)
	within(t, "Done", near.Done())
	wantCloseError(t, "Close of the writer", w.Close(), want)
	_, err = near.Ping(t.Context())
	wantCloseError(t, "Ping", err, want)
	wantOver(t, near, want)
}

func ruleCloseAnywhere(t *testing.T, near, far *Channel) {
	var all sync.WaitGroup
	var codes sync.Map
	for i := range 16 {
		all.Go(func() {
			switch i % 4 {
			case 0:
				if err := near.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			default:
				code := status.Code(4000 + i)
				switch err := near.CloseWith(code, "").(type) {
				case nil:
					codes.Store(code, true)
				case *CloseError:
					if err.Code == code || err.Remote || err.Cause != nil {
						t.Errorf("CloseWith(%v): %+v", code, err)
					}
				default:
					t.Errorf("CloseWith: %v", err)
				}
			}
		})
	}
	all.Wait()
	within(t, "Done", near.Done())
	won := near.CloseCode()
	codes.Range(func(code, _ any) bool {
		if code != won {
			t.Errorf("CloseWith(%v) returned nil, the code is %v", code, won)
		}
		return true
	})
	wantOver(t, near, CloseError{Code: won})
	wantOver(t, far, CloseError{Code: won, Remote: true})
}

func ruleCloseBothSides(t *testing.T, near, far *Channel) {
	start := make(chan struct{})
	var all sync.WaitGroup
	for i, c := range []*Channel{near, far} {
		all.Go(func() {
			<-start
			if err := c.CloseWith(status.Code(4000+i), ""); err != nil && !errors.Is(err, ErrClosed) {
				t.Errorf("CloseWith: %v", err)
			}
		})
	}
	close(start)
	all.Wait()
	// Each has closed first, or the other one has: a code of no one is wrong.
	for i, c := range []*Channel{near, far} {
		own, peers := CloseError{Code: status.Code(4000 + i)}, CloseError{Code: status.Code(4001 - i), Remote: true}
		within(t, "Done", c.Done())
		if end := c.Err().(*CloseError); *end != own && *end != peers {
			t.Errorf("Err: %+v, want %+v or %+v", *end, own, peers)
		}
	}
}

func ruleOwnership(t *testing.T, near, far *Channel) {
	for _, size := range []int{1, 1000, 100_000} {
		sent := async(func() error {
			b := bytes.Repeat([]byte{'a'}, size)
			for range 3 {
				if err := far.SendBinary(t.Context(), b); err != nil {
					return err
				}
				for i := range b {
					b[i]++
				}
			}
			return nil
		})
		var got [3]Message
		for i := range got {
			m, err := near.Receive(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got[i] = m
		}
		for i, m := range got {
			if want := bytes.Repeat([]byte{'a' + byte(i)}, size); !bytes.Equal(m.Data, want) {
				t.Errorf("message %d of %d bytes is no longer what it was", i, size)
			}
			_ = append(m.Data, "into the next one?"...)
		}
		if err := within(t, "Send", sent); err != nil {
			t.Fatal(err)
		}
	}
}

func ruleSendErrors(t *testing.T, near, far *Channel) {
	done, cancel := context.WithCancel(t.Context())
	cancel()
	check := func(name string, ctx context.Context, end error) {
		t.Helper()
		valid := func(misuse error) error { return either(misuse, either(end, ctx.Err())) }
		for _, c := range []struct {
			name string
			m    Message
			want error
		}{
			{"zero Message", Message{}, valid(ErrInvalidType)},
			{"type 3", Message{3, []byte("x")}, valid(ErrInvalidType)},
			{"type of a close frame", Message{8, nil}, valid(ErrInvalidType)},
			{"not UTF-8", Message{Text, []byte("\xff")}, valid(ErrInvalidUTF8)},
			{"half a character", Message{Text, []byte("\xe2\x82")}, valid(ErrInvalidUTF8)},
			{"text", Message{Text, []byte("x")}, valid(nil)},
			{"binary", Message{Binary, []byte("\xff")}, valid(nil)},
		} {
			if err := near.Send(ctx, c.m); err != c.want {
				t.Errorf("%s: Send of %s: %v, want %v", name, c.name, err, c.want)
			}
		}
		if err := near.SendText(ctx, "\xff"); err != ErrInvalidUTF8 {
			t.Errorf("%s: SendText: %v", name, err)
		}
		if _, err := near.NextWriter(ctx, 0); err != ErrInvalidType {
			t.Errorf("%s: NextWriter: %v", name, err)
		}
		if want := valid(nil); want != nil {
			if w, err := near.NextWriter(ctx, Text); err != want || w != nil {
				t.Errorf("%s: NextWriter: %v %v, want %v", name, w, err, want)
			}
		}
	}
	check("open, ctx done", done, nil)
	open := async(func() error {
		check("open", t.Context(), nil)
		return near.CloseWith(3000, "")
	})
	wantMessage(t, far, "x")
	wantMessage(t, far, "\xff")
	wantOver(t, far, CloseError{Code: 3000, Remote: true})
	if err := within(t, "CloseWith", open); err != nil {
		t.Fatal(err)
	}
	check("over", t.Context(), near.Err())
	check("over, ctx done", done, near.Err())
}
