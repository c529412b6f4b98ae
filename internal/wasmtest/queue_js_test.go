package wasmtest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
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
