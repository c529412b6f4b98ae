//go:build !js

package wschannel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wschannel/wschannel/status"
)

// A play is what the two ends of a connection do to each other. Each part
// returns the first error that it gets; without faults there is none. Both ends
// are closed when both parts are over.
type play struct {
	name      string
	near, far func(s *stage) error
	loose     bool // the near end is closed while others use it
}

// A stage is one end of a play.
type stage struct {
	ctx      context.Context
	c        *Channel
	messages []Message     // to be sent
	cue      chan struct{} // from far to near or back: go on
	tried    []Message     // what was sent
	accepted []Message     // what was sent without an error
	received []Message
	closes   bool  // this end has called Close
	closed   error // what Close returned
}

// messagesOf are what a play sends; long is the length of the longest one.
func messagesOf(long int) []Message {
	return []Message{
		{Text, []byte("short")}, {Binary, nil}, {Binary, []byte(letters(long / 7))}, {Binary, []byte(letters(long))}, {Text, []byte("last")},
	}
}

func (s *stage) send(m Message) error { return s.sendWith((*Channel).Send, m) }

func (s *stage) sendWith(send func(*Channel, context.Context, Message) error, m Message) error {
	s.tried = append(s.tried, m)
	err := send(s.c, s.ctx, m)
	if err == nil {
		s.accepted = append(s.accepted, m)
	}
	return err
}

func (s *stage) sendAll() error {
	for _, m := range s.messages {
		if err := s.send(m); err != nil {
			return err
		}
	}
	return nil
}

// receiveAll receives until the channel ends; a clean end is no error.
func (s *stage) receiveAll() error {
	for m, err := range s.c.Messages(s.ctx) {
		if err != nil {
			return err
		}
		s.received = append(s.received, m)
	}
	return nil
}

func (s *stage) close() error {
	s.closes = true
	s.closed = s.c.Close()
	return s.closed
}

func (s *stage) sendAndClose() error {
	if err := s.sendAll(); err != nil {
		return err
	}
	return s.close()
}

func (s *stage) echo() error {
	for m, err := range s.c.Messages(s.ctx) {
		if err == nil {
			s.received = append(s.received, m)
			err = s.send(m)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) askEcho() error {
	for _, m := range s.messages {
		if err := s.send(m); err != nil {
			return err
		}
		m, err := s.c.Receive(s.ctx)
		if err != nil {
			return err
		}
		s.received = append(s.received, m)
	}
	return s.close()
}

func (s *stage) stream() error {
	w, err := s.c.NextWriter(s.ctx, Text)
	if err != nil {
		return err
	}
	l := string(s.messages[3].Data)
	s.tried = append(s.tried, Message{Text, []byte(l)})
	for from, n := 0, 1; from < len(l); from, n = from+n, min(n*3, len(l)-from-n) {
		if _, err := io.WriteString(w, l[from:from+n]); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	s.accepted = append(s.accepted, Message{Text, []byte(l)})
	return nil
}

func (s *stage) readStream() error {
	typ, body, err := s.c.NextReader(s.ctx)
	if err != nil {
		return err
	}
	data, err := io.ReadAll(body)
	if err == nil {
		s.received = append(s.received, Message{typ, data})
	}
	return err
}

func (s *stage) pingAndClose() error {
	for range 3 {
		if _, err := s.c.Ping(s.ctx); err != nil {
			return err
		}
	}
	return s.close()
}

// receiveImpatiently cancels each receive at least once.
func (s *stage) receiveImpatiently() error {
	for range s.messages {
		ctx, cancel := context.WithTimeout(s.ctx, time.Millisecond)
		m, err := s.c.Receive(ctx)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("received %.20q before it was sent: %w", m.Data, err)
		}
		s.cue <- struct{}{}
		for wait := time.Millisecond; err != nil; wait = min(2*wait, time.Second) {
			ctx, cancel := context.WithTimeout(s.ctx, wait)
			m, err = s.c.Receive(ctx)
			cancel()
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				return err
			}
		}
		s.received = append(s.received, m)
	}
	return nil
}

func (s *stage) sendOnCue() error {
	for _, m := range s.messages {
		select {
		case <-s.cue:
		case <-s.c.Done():
		}
		if err := s.send(m); err != nil {
			return err
		}
	}
	return nil
}

// listen receives with Listen until the channel ends.
func (s *stage) listen() error {
	return s.listened(func(ended func(error)) {
		s.c.Listen(func(m Message) { s.received = append(s.received, m) }, ended)
	})
}

// view receives with ListenView until the channel ends.
func (s *stage) view() error {
	return s.listened(func(ended func(error)) {
		s.c.ListenView(func(v View) { s.received = append(s.received, v.Clone()) }, ended)
	})
}

// listened waits for the end of what listen begins; a clean one is no error.
func (s *stage) listened(listen func(onDone func(error))) error {
	ended := make(chan error, 1)
	listen(func(err error) { ended <- err })
	end := <-ended
	for errors.Is(s.receiveNothing(), ErrConcurrentReceive) {
		runtime.Gosched() // the callback has yet to return
	}
	if closed, ok := end.(*CloseError); ok && closed.Clean() {
		return nil
	}
	return end
}

// receiveNothing returns why there is nothing to be received after the end.
func (s *stage) receiveNothing() error {
	m, err := s.c.Receive(s.ctx)
	if err == nil {
		return fmt.Errorf("received %.20q after the end", m.Data)
	}
	return err
}

// sendPrepared sends messages as if there were more channels to send them to.
func (s *stage) sendPrepared() error {
	for _, m := range s.messages {
		p, err := Prepare(m)
		if err != nil {
			return err
		}
		send := func(c *Channel, ctx context.Context, _ Message) error { return c.SendPrepared(ctx, p) }
		if err := s.sendWith(send, m); err != nil {
			return err
		}
	}
	return s.close()
}

// listenAndEcho answers what it views.
func (s *stage) listenAndEcho() error {
	var failed error
	err := s.listened(func(ended func(error)) {
		s.c.ListenView(func(v View) {
			m := v.Clone()
			s.received = append(s.received, m)
			if failed != nil {
				return
			}
			failed = s.send(m)
		}, ended)
	})
	return either(failed, err)
}

// Nobody receives: what comes is noticed by who attends.
func (s *stage) wait() error {
	<-s.c.Done()
	return nil
}

var plays = []play{
	{"send", (*stage).sendAndClose, (*stage).receiveAll, false},
	{"receive", (*stage).receiveAll, (*stage).sendAndClose, false},
	{"ask", (*stage).askEcho, (*stage).echo, false},
	{"answer", (*stage).echo, (*stage).askEcho, false},
	{"both send", both((*stage).sendAll, (*stage).receiveN), both((*stage).sendAll, (*stage).receiveN), false},
	{"write a stream", (*stage).stream, (*stage).readStream, false},
	{"read a stream", (*stage).readStream, (*stage).stream, false},
	{"ping", both((*stage).pingAndClose, (*stage).receiveAll), (*stage).receiveAll, true},
	{"be pinged", (*stage).receiveAll, both((*stage).pingAndClose, (*stage).receiveAll), false},
	{"close", (*stage).close, (*stage).receiveAll, false},
	{"be closed", (*stage).receiveAll, (*stage).close, false},
	{"close both", (*stage).close, (*stage).close, false},
	{"be closed unattended", (*stage).wait, (*stage).close, false},
	{"view", (*stage).view, (*stage).sendAndClose, false},
	{"listen and answer", (*stage).listenAndEcho, (*stage).askEcho, false},
	{"listen and be closed", both((*stage).view, (*stage).close), (*stage).listen, true},
	{"cancel and resume", (*stage).receiveImpatiently, (*stage).sendOnCue, false},
	{"listen", (*stage).listen, (*stage).sendPrepared, false},
	{"be viewed", (*stage).sendPrepared, (*stage).view, false},
}

// receiveN receives what the other end sends in a play.
func (s *stage) receiveN() error {
	for range s.messages {
		m, err := s.c.Receive(s.ctx)
		if err != nil {
			return err
		}
		s.received = append(s.received, m)
	}
	return nil
}

// both does two things at the same time.
func both(f, g func(*stage) error) func(*stage) error {
	return func(s *stage) error {
		other := make(chan error, 1)
		go func() { other <- g(s) }()
		err := f(s)
		return errors.Join(err, <-other)
	}
}

// playOptions have no pings, so that nothing comes to the rescue of who hangs.
// The time-outs are long enough for a machine that has other things to do.
var playOptions = Options{PingInterval: -1, CloseTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second}

// perform plays p and returns the stages when both channels are over.
func (p play) perform(ctx context.Context, long int, nearEnd, farEnd *Channel) (near, far *stage, nearErr, farErr error) {
	cue := make(chan struct{}, 1)
	messages := messagesOf(long)
	near = &stage{ctx: ctx, c: nearEnd, cue: cue, messages: messages}
	far = &stage{ctx: ctx, c: farEnd, cue: cue, messages: messages}
	var parts sync.WaitGroup
	parts.Go(func() { nearErr = p.near(near) })
	parts.Go(func() { farErr = p.far(far) })
	parts.Wait()
	for _, s := range []*stage{near, far} {
		parts.Go(func() {
			if err := s.c.Close(); !s.closes {
				s.closed = err
			}
		})
	}
	parts.Wait()
	<-near.c.Done()
	<-far.c.Done()
	return near, far, nearErr, farErr
}

// A faultTest performs all plays with one fault.
type faultTest struct {
	t      *testing.T
	what   string
	exact  bool // the near transport
	prompt bool // it says at once what went wrong
	loose  bool // of the play
	plan   *faultPlan
	long   int // how long the longest message is
}

func (f *faultTest) errorf(format string, args ...any) {
	f.t.Helper()
	failed, early := f.plan.outcome()
	f.t.Errorf("%s, %s number %d (%s, early %v): %s", f.what, f.plan.kind.name, f.plan.at, failed, early, fmt.Sprintf(format, args...))
}

// perform plays p with the near end on a transport that follows the plan. It
// returns false when the fault was not reached, so that all went well.
func (f *faultTest) perform(ctx context.Context, p play, near, far *Channel) (again bool) {
	f.t.Helper()
	f.loose = p.loose
	n, m, nearErr, farErr := p.perform(ctx, f.long, near, far)
	failed, early := f.plan.outcome()
	if f.harmless(failed) {
		if nearErr != nil || farErr != nil {
			f.errorf("%v; %v", nearErr, farErr)
		}
		for _, c := range []*Channel{near, far} {
			if c.CloseCode() != status.NormalClosure {
				f.errorf("ended with %v", c.Err())
			}
		}
		if m.closed != nil || n.closed != nil {
			f.errorf("Close returned %v and %v", n.closed, m.closed)
		}
	}
	f.checkErrors(early, n, nearErr)
	f.checkErrors(false, m, farErr)
	f.checkMessages("near to far", n, m)
	f.checkMessages("far to near", m, n)
	return failed != ""
}

// harmless is true if the channel must not mind what went wrong.
func (f *faultTest) harmless(failed string) bool {
	k := f.plan.kind
	return failed == "" || failed == callClose || k.harmless && (f.exact || !k.inexact || failed == callRead)
}

// checkErrors looks at the errors of one end. broken is true if its transport
// failed before anything else has ended the channel.
func (f *faultTest) checkErrors(broken bool, s *stage, err error) {
	f.t.Helper()
	end, ok := s.c.Err().(*CloseError)
	if !ok {
		f.errorf("Err is %v", s.c.Err())
		return
	}
	if err != nil && !errors.Is(err, ErrClosed) && !errors.Is(err, s.closed) {
		f.errorf("an error that is not the end: %v", err)
	}
	if errors.Is(err, io.EOF) {
		f.errorf("an end that can be taken for that of a message: %v", err)
	}
	if err := s.receiveNothing(); err != error(end) && !errors.Is(err, context.DeadlineExceeded) {
		f.errorf("Receive after the end: %v, Err is %v", err, end)
	}
	if err := s.c.SendText(s.ctx, "late"); err != error(end) {
		f.errorf("Send after the end: %v, Err is %v", err, end)
	}
	failed, _ := f.plan.outcome()
	// It may be noticed later, or by another goroutine than the one that closes.
	late := !f.prompt || f.loose || failed == callReadDeadline || failed == callRead && (f.plan.kind.some || f.plan.kind.err == nil)
	if !broken || f.harmless(failed) || end.Remote || late && end.local() {
		return // what the peer said before counts
	}
	cause := f.plan.kind.err
	switch {
	case cause == io.EOF:
		cause = io.ErrUnexpectedEOF
	case cause == nil:
		cause = io.ErrNoProgress
	case cause == net.ErrClosed:
		// A loss must not look like a local close.
		if errors.Is(end, net.ErrClosed) || end.Cause == nil || !strings.Contains(end.Error(), "closed network") {
			f.errorf("ended with %v, cause %v", end, end.Cause)
		}
		return
	}
	if end.Code != status.AbnormalClosure || !errors.Is(end, cause) || errors.Is(end, ErrLocalClose) {
		f.errorf("ended with %v, want %v", end, cause)
	}
}

// checkMessages sees to it that what was accepted arrived in order, or that its
// sender or its receiver can know that it did not.
func (f *faultTest) checkMessages(way string, from, to *stage) {
	f.t.Helper()
	for i, m := range to.received {
		if i < len(from.tried) && (m.Type != from.tried[i].Type || !bytes.Equal(m.Data, from.tried[i].Data)) {
			f.errorf("%s: message %d is %v %.40q, want %v %.40q", way, i, m.Type, m.Data, from.tried[i].Type, from.tried[i].Data)
		}
	}
	// One that had left may have failed all the same.
	if len(to.received) > len(from.accepted)+1 {
		f.errorf("%s: %d messages accepted, %d received", way, len(from.accepted), len(to.received))
	}
	if len(to.received) < len(from.accepted) && to.c.Err().(*CloseError).Remote && to.c.CloseCode() == status.NormalClosure {
		f.errorf("%s: %d messages accepted, %d received, and a clean end: %v", way, len(from.accepted), len(to.received), to.c.Err())
	}
}

// faultWrappers are the transports that go wrong.
var faultWrappers = []struct {
	name   string
	wrap   func(conn net.Conn, p *faultPlan) io.ReadWriteCloser
	exact  bool
	prompt bool
}{
	{"inexact", func(c net.Conn, p *faultPlan) io.ReadWriteCloser { return &faultConn{Conn: c, plan: p} }, false, true},
	{"exact", func(c net.Conn, p *faultPlan) io.ReadWriteCloser { return &faultSocket{faultConn{Conn: c, plan: p}} }, true, true},
	// What goes wrong while it reads ahead comes out later.
	{"no deadlines", func(c net.Conn, p *faultPlan) io.ReadWriteCloser { return &faultStream{&faultConn{Conn: c, plan: p}} }, false, false},
}

// newFaultPair returns the two ends of a connection, the near one with faults.
func newFaultPair(t *testing.T, near, far net.Conn, wrap func(net.Conn, *faultPlan) io.ReadWriteCloser, role Role, plan *faultPlan) (*Channel, *Channel) {
	return newCompressedFaultPair(t, near, far, wrap, role, plan, Compression{})
}

func newCompressedFaultPair(t *testing.T, near, far net.Conn, wrap func(net.Conn, *faultPlan) io.ReadWriteCloser, role Role, plan *faultPlan, z Compression) (*Channel, *Channel) {
	o := &StreamOptions{Options: playOptions, Compression: z}
	a, b := New(wrap(near, plan), role, o), New(far, RoleClient+RoleServer-role, o)
	t.Cleanup(func() {
		a.CloseNow()
		b.CloseNow()
	})
	plan.begin(a)
	return a, b
}

// One byte at a time each way, nothing goes wrong.
func TestCrumbs(t *testing.T) {
	for _, tt := range []struct {
		name string
		wrap func(c net.Conn) net.Conn
	}{
		{"inexact", func(c net.Conn) net.Conn { return &crumbConn{Conn: c} }},
		{"exact", func(c net.Conn) net.Conn { return &crumbSocket{crumbConn{c, true}} }},
	} {
		for _, p := range plays {
			t.Run(tt.name+"/"+p.name, func(t *testing.T) {
				t.Parallel()
				inBothRoles(t, func(t *testing.T, role Role) {
					a, b := net.Pipe()
					near, far := newOn(t, tt.wrap(a), role, &playOptions), newOn(t, tt.wrap(b), RoleClient+RoleServer-role, &playOptions)
					f := &faultTest{t: t, what: p.name, plan: &faultPlan{}, long: 2000}
					f.perform(t.Context(), p, near, far)
				})
			})
		}
	}
}

// A stream that writes less than it was given, and says nothing, is broken. No
// byte must be left out without a word.
func TestShortWritesWithoutAnError(t *testing.T) {
	for _, wrap := range []func(net.Conn) io.ReadWriteCloser{
		func(c net.Conn) io.ReadWriteCloser { return &shortConn{c} },
		func(c net.Conn) io.ReadWriteCloser { return &shortSocket{shortConn{c}} },
		func(c net.Conn) io.ReadWriteCloser { return struct{ io.ReadWriteCloser }{&shortConn{c}} },
	} {
		inBothRoles(t, func(t *testing.T, role Role) {
			near, far := net.Pipe()
			r := newRawEnd(t, far, role)
			c := newOn(t, wrap(near), role, nil)
			err := c.SendText(t.Context(), "Hello")
			if err == nil || err != c.Err() || !errors.Is(err, io.ErrShortWrite) {
				t.Errorf("Send: %v, Err: %v", err, c.Err())
			}
			wantEnd(t, c, status.AbnormalClosure, "", false)
			wantTaken(t, r)
		})
	}
}

// A peer that vanishes while a long message is on its way ends the channel,
// however much it has taken.
func TestPeerVanishesInALongSend(t *testing.T) {
	long := make([]byte, 8<<20)
	for _, role := range []Role{RoleClient, RoleServer} {
		for _, stream := range []bool{true, false} {
			for _, taken := range []int64{0, 1, 100_000, 1_000_000} {
				near, far := tcpPair(t)
				c := newOn(t, near, role, nil)
				go func() {
					io.CopyN(io.Discard, far, taken)
					far.Close() // with bytes unread: a reset
				}()
				var err error
				if stream {
					w := wantWriter(t, c, t.Context(), Binary)
					_, err = w.Write(long)
					wantNothing(t, "Close", 0, w.Close(), c.Err())
				} else {
					err = c.SendBinary(t.Context(), long)
				}
				if err == nil || err != c.Err() {
					t.Errorf("Send: %v, Err: %v", err, c.Err())
				}
				wantEnd(t, c, status.AbnormalClosure, "", false)
			}
		}
	}
}
