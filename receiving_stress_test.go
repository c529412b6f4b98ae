//go:build !js

package wschannel

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
)

// Whoever receives, in whatever form, and however it ends: every message comes
// once, in order and unharmed, and every reply leaves in order.
func TestReceivingStress(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %#x", seed)
	for i, on := range connectors {
		for j, mode := range []CompressionMode{CompressionOff, CompressionStateless, CompressionContext} {
			t.Run(fmt.Sprintf("%s, %v", on.name, mode), func(t *testing.T) {
				t.Parallel()
				stressReceiving(t, on.connect, mode, rand.New(rand.NewPCG(seed, uint64(i*10+j))))
			})
		}
	}
}

// A stressed channel has a peer that sends messages in frames and pieces at random.
type stressed struct {
	t    *testing.T
	c    *Channel
	p    *peer
	r    *rand.Rand
	want []string // in this order

	// With the right to receive, as the race detector watches.
	next    int
	dice    *rand.Rand
	replies []string

	taken atomic.Int64 // next, for all
}

func stressReceiving(t *testing.T, connect connector, mode CompressionMode, r *rand.Rand) {
	counters := &Counters{}
	o := Options{Counters: counters, ReceiveBuffer: 1 << r.IntN(14)}
	role := Role(1 + r.IntN(2))
	c, p := compressedPeer(t, connect, role, o, Compression{Mode: mode, Threshold: 1 << 20})
	dice := func() *rand.Rand { return rand.New(rand.NewPCG(r.Uint64(), r.Uint64())) }
	s := &stressed{t: t, c: c, p: p, r: r, dice: dice()}
	const atLast = 40
	for i := range 600 {
		size := r.IntN(20)
		if r.IntN(10) == 0 {
			size = r.IntN([]int{200, 5000, 100_000}[r.IntN(3)])
		}
		s.want = append(s.want, fmt.Sprintf("%d %s", i, letters(size)))
	}
	sends := dice()
	sent := async(func() error { return s.send(mode, sends) })
	answers := async(s.readAnswers)
	for int(s.taken.Load()) < len(s.want)-atLast && !t.Failed() {
		s.step()
	}
	if t.Failed() {
		return
	}
	over := make(chan error, 1)
	var stop func()
	eventually(t, "the right to receive", func() bool {
		form := formsOfListening[r.IntN(2)]
		refused := make(chan bool, 1)
		took := make(chan bool, 1000)
		stop = form.listen(c, func(typ Type, data []byte) { s.take(typ, data); took <- true }, func(err error) {
			if err == ErrConcurrentReceive {
				refused <- true
			} else {
				over <- err
			}
		})
		select {
		case <-refused:
			return false
		case <-took:
			return true
		}
	})
	if err := within(t, "the end", over); !isClosedBy(err, 1000) {
		t.Errorf("onDone: %v", err)
	}
	stop()
	if err := within(t, "the sender", sent); err != nil {
		t.Error(err)
	}
	got := within(t, "the answers", answers)
	if s.next != len(s.want) {
		t.Errorf("%d messages were received, want %d", s.next, len(s.want))
	}
	if strings.Join(got, ",") != strings.Join(s.replies, ",") {
		t.Errorf("replies %q, want %q", got, s.replies)
	}
	if n := counters.Snapshot().MessagesIn; n != int64(len(s.want)) {
		t.Errorf("%d messages were counted, want %d", n, len(s.want))
	}
}

// isClosedBy reports whether err is the end of a channel that the peer has closed.
func isClosedBy(err error, code int) bool {
	end, ok := err.(*CloseError)
	return ok && end.Remote && int(end.Code) == code
}

// send is the peer: it writes all messages and a close.
func (s *stressed) send(mode CompressionMode, r *rand.Rand) error {
	d := newDeflater(mode)
	var run []byte
	for i, text := range s.want {
		first, body := byte(textBegin), text
		if i%3 == 0 {
			first = binaryBegin
		}
		if mode != CompressionOff && r.IntN(3) > 0 {
			first, body = first|rsv1, d.deflate(text)
		}
		for r.IntN(16) == 0 {
			n := r.IntN(len(body) + 1)
			run = append(run, s.p.frame(first, body[:n])...)
			first, body = continuation, body[n:]
			if r.IntN(3) == 0 {
				run = append(run, s.p.frame(pongFrame, "unsolicited")...)
			}
		}
		run = append(run, s.p.frame(first|0x80, body)...)
		if r.IntN(30) == 0 {
			run = append(run, s.p.frame(pingFrame, "?")...)
		}
		if i == len(s.want)-1 {
			run = append(run, s.p.frame(closeFrame, closeBody(1000, ""))...)
		} else if r.IntN(60) > 0 && len(run) < 100_000 {
			continue // more leave together
		}
		for len(run) > 0 {
			n := len(run)
			if r.IntN(2) == 0 {
				n = 1 + r.IntN(min(n, 1<<r.IntN(18)))
			}
			if _, err := s.p.conn.Write(run[:n]); err != nil {
				return err
			}
			run = run[n:]
			for range r.IntN(4) {
				runtime.Gosched()
			}
		}
	}
	return nil
}

// readAnswers returns the messages that the channel has sent until its end.
func (s *stressed) readAnswers() (replies []string) {
	for {
		first, payload, err := s.p.read()
		if err != nil || first == closeFrame {
			if err != nil {
				replies = append(replies, err.Error())
			}
			s.p.conn.Close()
			return replies
		}
		if first == textFrame {
			replies = append(replies, payload)
		}
	}
}

// took checks what was received of the next message, all of it or its beginning.
func (s *stressed) took(typ Type, data []byte, whole bool) {
	if s.next == len(s.want) {
		s.t.Errorf("got %.40q after the last message", data)
		return
	}
	want, wantType := s.want[s.next], Text
	if s.next%3 == 0 {
		wantType = Binary
	}
	if got := string(data); typ != wantType || got != want && (whole || !strings.HasPrefix(want, got)) {
		s.t.Errorf("message %d: got %v %.40q of %d bytes, want %v of %d", s.next, typ, got, len(got), wantType, len(want))
		s.c.CloseNow()
	}
	s.next++
	s.taken.Add(1)
}

// take is took for a callback: it does what callbacks do, and then the message has
// to be as it was.
func (s *stressed) take(typ Type, data []byte) {
	before := string(data)
	s.took(typ, data, true)
	if s.dice.IntN(4) == 0 {
		reply := fmt.Sprint(s.next)
		switch err := s.c.SendText(context.Background(), reply); {
		case err == nil:
			s.replies = append(s.replies, reply)
		case !isClosedBy(err, 1000): // the close may have been read ahead
			s.t.Errorf("Send: %v", err)
		}
	}
	switch s.dice.IntN(1000) {
	case 0:
		go s.c.engine.attend() // as if it had taken long
		fallthrough
	case 1, 2, 3, 4, 5, 6, 7, 8:
		for range 20 {
			runtime.Gosched()
		}
	}
	if string(data) != before {
		s.t.Errorf("message %d has changed during the call", s.next-1)
	}
}

// step receives one message or some, in one of the ways there are.
func (s *stressed) step() {
	switch s.r.IntN(12) {
	case 0:
		s.received(s.c.Receive(s.t.Context()))
	case 1:
		typ, data, err := s.c.ReceiveAppend(s.t.Context(), make([]byte, 3, 3+s.r.IntN(5000)))
		s.received(Message{typ, data[3:]}, err)
	case 2:
		ctx, cancel := context.WithCancel(s.t.Context())
		go cancel()
		m, err := s.c.Receive(ctx)
		if err != context.Canceled {
			s.received(m, err)
		}
	case 3:
		typ, body, err := s.c.NextReader(s.t.Context())
		if err == ErrConcurrentReceive {
			return
		}
		whole := s.r.IntN(2) == 0
		var data []byte
		if err == nil && whole {
			data, err = io.ReadAll(body)
		} else if err == nil {
			data, err = io.ReadAll(io.LimitReader(body, int64(s.r.IntN(1000))))
		}
		if err != nil {
			s.t.Errorf("reader: %v", err)
			return
		}
		s.took(typ, data, whole)
	case 4:
		if s.r.IntN(16) == 0 {
			go s.c.engine.attend() // as if nobody had received for a while
		}
		runtime.Gosched()
	default:
		s.listen()
	}
}

// received checks what a receive has returned. It may have been refused while the
// last callback of a listener was about to return.
func (s *stressed) received(m Message, err error) {
	switch err {
	case nil:
		s.took(m.Type, m.Data, true)
	case ErrConcurrentReceive:
		runtime.Gosched()
	default:
		s.t.Errorf("Receive: %v", err)
	}
}

// listen listens until some messages have come, or is stopped before.
func (s *stressed) listen() {
	most := int64(1 + s.r.IntN(30))
	how := s.r.IntN(4)
	var count atomic.Int64
	ready, done, stopped := make(chan func(), 1), make(chan bool, 200), make(chan bool)
	stop := formsOfListening[s.r.IntN(2)].listen(s.c, func(typ Type, data []byte) {
		s.take(typ, data)
		n := count.Add(1)
		if n < most {
			return
		}
		if n == most {
			defer func() { done <- true }()
		}
		switch {
		case how == 1: // somebody else is about to stop
			if s.next > len(s.want)-100 {
				done <- true
				<-stopped
			}
			return
		case n > most:
			s.t.Errorf("called back for message %d of %d", n, most)
		case how == 2:
			runtime.Goexit()
		}
		(<-ready)()
		for range s.dice.IntN(3) {
			runtime.Gosched()
		}
	}, func(err error) {
		if err != ErrConcurrentReceive {
			s.t.Errorf("onDone: %v", err)
		}
		done <- true
	})
	ready <- stop
	if how != 0 {
		within(s.t, "the callbacks", done)
	}
	stop()
	close(stopped)
	if s.r.IntN(2) == 0 {
		eventually(s.t, "the right to receive", func() bool { return !s.c.engine.reading.isClaimed() })
	}
}
