package wasmtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall/js"
	"testing"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

// full is a fake whose platform holds as much as it should.
func full(t *testing.T) *fake {
	f := newFake(t, open)
	f.Set("bufferedAmount", 1<<20)
	return f
}

// with returns options with a policy and room for that many messages of a byte.
func with(policy wschannel.Policy, messages int) *wschannel.Options {
	return &wschannel.Options{WhenFull: policy, SendQueue: messages * 65}
}

// While the platform has no room messages wait in the queue, and its policy says
// which. The first has left it and waits for the platform.
func TestFullSendQueue(t *testing.T) {
	refused := wschannel.ErrQueueFull
	for _, tt := range []struct {
		o       *wschannel.Options
		results []error // of sending 1, 2, 3, 4
		sent    []any
	}{
		{with(wschannel.Fail, 2), []error{nil, nil, refused, refused}, []any{"0", "1", "2"}},
		{with(wschannel.DropOldest, 2), make([]error, 4), []any{"0", "3", "4"}},
		{with(wschannel.DropNewest, 2), make([]error, 4), []any{"0", "1", "2"}},
		{with(wschannel.DropOldest, -1), make([]error, 4), []any{"0", "4"}},
	} {
		f := full(t)
		c := f.channel(t, tt.o)
		sendText(t, c, "0")
		for c.QueueStats().Messages > 0 {
			<-time.After(time.Millisecond) // until it is taken from the queue
		}
		var results []error
		for i := range 4 {
			results = append(results, c.SendText(patiently(t), fmt.Sprint(i+1)))
		}
		if !slices.Equal(results, tt.results) || len(f.sent) > 0 {
			t.Errorf("policy %d: %v and %q; want %v", tt.o.WhenFull, results, f.sent, tt.results)
		}
		f.Set("bufferedAmount", 0)
		for c.QueueStats().Messages > 0 || len(f.sent) < len(tt.sent) {
			<-time.After(time.Millisecond)
		}
		sendText(t, c, "directly")
		if want := append(tt.sent, "directly"); !reflect.DeepEqual(f.sent, want) {
			t.Errorf("policy %d: sent %q; want %q", tt.o.WhenFull, f.sent, want)
		}
	}
}

// What was accepted precedes a close, though the platform has no room.
func TestCloseFlushesTheQueue(t *testing.T) {
	f := full(t)
	c := f.channel(t, with(wschannel.Fail, 9))
	for i := range 3 {
		sendText(t, c, fmt.Sprint(i))
	}
	closing := make(chan error, 1)
	go func() { closing <- c.Close() }()
	for len(f.closed) == 0 {
		<-time.After(time.Millisecond)
	}
	wantClosed(t, "SendText", c.SendText(patiently(t), "late"), 1000, "", false)
	f.closes(1000, "", true)
	if err := wait(t, "Close", closing); err != nil {
		t.Error(err)
	}
	if want := []any{"0", "1", "2"}; !reflect.DeepEqual(f.sent, want) || !slices.Equal(f.closed, []string{" 1000 "}) {
		t.Errorf("sent %q, closed %q; want %q", f.sent, f.closed, want)
	}
}

// counted returns options with a policy, room for many messages, and Counters.
func counted(policy wschannel.Policy) *wschannel.Options {
	o := with(policy, 9)
	o.Counters = new(wschannel.Counters)
	return o
}

// wantCounts checks how many messages of a channel with such options were sent,
// and how many were dropped; none waits any more.
func wantCounts(t *testing.T, c *wschannel.Channel, o *wschannel.Options, sent, dropped int64) {
	t.Helper()
	for range 1000 {
		if c.QueueStats().Dropped < uint64(dropped) {
			<-time.After(time.Millisecond) // the last one may be dropped a moment after the end
		}
	}
	if s := o.Counters.Snapshot(); s.MessagesOut != sent || s.Dropped != dropped {
		t.Errorf("%d messages are counted as sent, %d as dropped; want %d and %d", s.MessagesOut, s.Dropped, sent, dropped)
	}
	if s := c.QueueStats(); s.Messages != 0 || s.Bytes != 0 || s.Dropped != uint64(dropped) {
		t.Errorf("the queue: %+v; want %d dropped", s, dropped)
	}
}

// After the peer's close, of which no event has told yet, the platform discards what
// it is given: that was not sent.
func TestCloseAfterThePeersClose(t *testing.T) {
	f := full(t)
	o := counted(wschannel.Fail)
	c := f.channel(t, o)
	for i := range 3 {
		sendText(t, c, fmt.Sprint(i))
	}
	f.Set("readyState", closing)
	time.AfterFunc(time.Millisecond, func() { f.closes(1000, "", true) })
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	wantCounts(t, c, o, 0, 3)
}

// If the platform does not take what waits at a close, that must not look as if all
// had come: no close code is sent, and Close says so.
func TestCloseThatCannotFlush(t *testing.T) {
	f := full(t)
	f.Set("send", js.Global().Get("decodeURIComponent").Call("bind", js.Null(), "%"))
	o := counted(wschannel.Fail)
	c := f.channel(t, o)
	for i := range 3 {
		sendText(t, c, fmt.Sprint(i))
	}
	closing := make(chan error, 1)
	go func() { closing <- c.Close() }()
	if err := wait(t, "Close", closing); err == nil || !strings.HasPrefix(err.Error(), "wschannel: close not completed: ") {
		t.Errorf("Close: %v", err)
	}
	if !slices.Equal(f.closed, []string{""}) {
		t.Errorf("close was called: %q", f.closed)
	}
	wantClosed(t, "Err", c.Err(), 1000, "", false)
	wantCounts(t, c, o, 0, 3)
}

// What waits behind a message of NextWriter is sent at a close; that one is not.
func TestCloseBeforeAnOpenMessage(t *testing.T) {
	f := newFake(t, open)
	o := counted(wschannel.DropOldest)
	c := f.channel(t, o)
	w, err := c.NextWriter(patiently(t), wschannel.Text)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, "begun")
	sendText(t, c, "1")
	sendText(t, c, "2")
	time.AfterFunc(10*time.Millisecond, func() { f.closes(1000, "", true) })
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	wantClosed(t, "Close of the writer", w.Close(), 1000, "", false)
	if want := []any{"1", "2"}; !reflect.DeepEqual(f.sent, want) || !slices.Equal(f.closed, []string{" 1000 "}) {
		t.Errorf("sent %q, closed %q; want %q", f.sent, f.closed, want)
	}
	wantCounts(t, c, o, 2, 0)
}

// A Send that waits for its turn comes before what is published after it, and one
// that is given up takes nobody else's.
func TestTurns(t *testing.T) {
	f := full(t)
	o := counted(wschannel.Block)
	c := f.channel(t, o)
	g := wschannel.Group{WhenFull: wschannel.Fail}
	g.Join(c)
	publish := func(text string) {
		if err := g.Publish(wschannel.Message{Type: wschannel.Text, Data: []byte(text)}); err != nil {
			t.Error(err)
		}
		<-time.After(time.Millisecond) // until it waits for the platform, or in the queue
	}
	publish("0")
	publish("1")
	ctx, cancel := context.WithCancel(t.Context())
	withdrawn, sent := make(chan error, 1), make(chan error, 1)
	go func() { withdrawn <- c.SendText(ctx, "withdrawn") }()
	<-time.After(time.Millisecond)
	go func() { sent <- c.SendText(patiently(t), "2") }()
	<-time.After(time.Millisecond)
	publish("3")
	cancel()
	if err := wait(t, "SendText", withdrawn); err != context.Canceled {
		t.Errorf("SendText: %v", err)
	}
	f.Set("bufferedAmount", 0)
	if err := wait(t, "SendText", sent); err != nil {
		t.Error(err)
	}
	for o.Counters.Snapshot().MessagesOut < 4 {
		<-time.After(time.Millisecond)
	}
	if want := []any{"0", "1", "2", "3"}; !reflect.DeepEqual(f.sent, want) {
		t.Errorf("sent %q; want %q", f.sent, want)
	}
	wantCounts(t, c, o, 4, 0)
}

// Whatever the platform does, each message is counted once, as sent, dropped or
// refused; what was sent has reached the platform, and in order.
func TestEachMessageIsCountedOnce(t *testing.T) {
	closesSoon := func(f *fake) { time.AfterFunc(time.Millisecond, func() { f.closes(1000, "", true) }) }
	ends := []func(f *fake, c *wschannel.Channel){
		func(f *fake, c *wschannel.Channel) { closesSoon(f); c.Close() },
		func(f *fake, c *wschannel.Channel) { c.CloseNow() },
		func(f *fake, c *wschannel.Channel) { f.closes(1006, "", false) },
		func(f *fake, c *wschannel.Channel) { f.Set("readyState", closing); closesSoon(f) },
		func(f *fake, c *wschannel.Channel) { f.Set("readyState", closing); closesSoon(f); c.Close() },
	}
	const count = 60
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		policy := []wschannel.Policy{wschannel.Fail, wschannel.DropOldest, wschannel.DropNewest}[r.IntN(3)]
		f := newFake(t, open)
		taken := js.Global().Get("Array").New()
		f.Set("send", taken.Get("push").Call("bind", taken)) // no function of Go: while that runs others may go on
		o := counted(policy)
		c := f.channel(t, o)
		var g wschannel.Group
		if err := g.Join(c); err != nil {
			t.Fatal(err)
		}
		for i := range count {
			switch r.IntN(6) {
			case 0:
				f.Set("bufferedAmount", 0)
				<-time.After(2 * time.Millisecond) // so that what waits looks for room
			case 1, 2:
				f.Set("bufferedAmount", 1<<20)
			}
			m := wschannel.Message{Type: wschannel.Text, Data: fmt.Append(nil, i)}
			if r.IntN(2) == 0 {
				g.Publish(m)
			} else if err := c.Send(patiently(t), m); err != nil && err != wschannel.ErrQueueFull {
				t.Errorf("seed %d: Send: %v", seed, err)
			}
		}
		end := r.IntN(len(ends))
		ends[end](f, c)
		wait(t, "Done", c.Done())
		s := o.Counters.Snapshot()
		discarded := int64(taken.Length()) - s.MessagesOut
		if s.MessagesOut+s.Dropped+s.Refused != count || discarded != 0 && (discarded != 1 || end != 4) {
			t.Errorf("seed %d, policy %d, end %d: of %d messages %d are counted as sent, %d dropped, %d refused; the platform has %d",
				seed, policy, end, count, s.MessagesOut, s.Dropped, s.Refused, taken.Length())
		}
		if q := c.QueueStats(); q.Messages != 0 || int64(q.Dropped) != s.Dropped {
			t.Errorf("seed %d: the queue: %+v", seed, q)
		}
		for i, last := 0, -1; i < taken.Length(); i++ {
			n, err := strconv.Atoi(taken.Index(i).String())
			if err != nil || n <= last {
				t.Errorf("seed %d: message %d came behind %d", seed, n, last)
			}
			last = n
		}
	}
}

// A peer that is too slow is closed, also if it never answers and nothing else
// bounds that.
func TestSlowPeerIsClosed(t *testing.T) {
	for policy, code := range map[wschannel.Policy]status.Code{wschannel.CloseTryAgainLater: 1013, wschannel.ClosePolicyViolation: 1008} {
		f := full(t)
		o := with(policy, 1)
		o.CloseTimeout = 10 * time.Millisecond
		c := f.channel(t, o)
		sendText(t, c, "0")
		for c.QueueStats().Messages > 0 {
			<-time.After(time.Millisecond)
		}
		sendText(t, c, "1")
		err := c.SendText(patiently(t), "2")
		end, ok := errors.AsType[*wschannel.CloseError](err)
		slow, isSlow := errors.AsType[*wschannel.SlowPeerError](err)
		if !ok || !isSlow || end.Code != code || slow.Messages != 1 || slow.Bytes != 65 || errors.Is(err, wschannel.ErrLocalClose) {
			t.Fatalf("SendText: %v", err)
		}
		wait(t, "Done", c.Done())
		if want := fmt.Sprintf(" %d too slow for what is sent", code+3000); c.Err() != err || !slices.Equal(f.closed, []string{want}) || len(f.sent) > 0 {
			t.Errorf("%v; closed %q; want %q; sent %q", c.Err(), f.closed, want, f.sent)
		}
		if s := c.QueueStats(); s.Messages != 0 || s.Dropped != 2 {
			t.Errorf("the queue: %+v", s)
		}
	}
}
