package streamchannel_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/wschannel/wschannel/status"
	"github.com/wschannel/wschannel/streamchannel"
)

// T093 T094: one side is another one, the other side is as it was.
func TestWithStreamWithSink(t *testing.T) {
	doubled := streamchannel.Map(func(n int) (int, error) { return 2 * n, nil })
	near, far := streamchannel.Pair[int, int](3)
	ch := streamchannel.WithStream(near, streamchannel.TransformStream(near, doubled))
	sendAll(t, far, 10)
	sendAll(t, ch, 1)
	if n, err := ch.Receive(t.Context()); n != 20 || err != nil {
		t.Errorf("received %d, %v", n, err)
	}
	if n, err := far.Receive(t.Context()); n != 1 || err != nil {
		t.Errorf("sent %d, %v", n, err)
	}

	ch = streamchannel.WithSink(near, streamchannel.TransformSink(near, doubled))
	sendAll(t, far, 10)
	sendAll(t, ch, 1)
	if n, err := ch.Receive(t.Context()); n != 10 || err != nil {
		t.Errorf("received %d, %v", n, err)
	}
	ch.Close()
	want(t, "sent", collect(t, far), 2)
	if !slices.Equal(nil, collect(t, ch)) {
		t.Error("received after the close")
	}
}

// embedding is a channel that changes one method of another one. T095 T096
type embedding struct {
	streamchannel.Channel[int, int]
	closed *bool
}

func (c embedding) Close() error {
	*c.closed = true
	return c.Channel.Close()
}

func TestEmbeddedChannel(t *testing.T) {
	near, far := streamchannel.Pair[int, int](3)
	var closed bool
	ch := embedding{near, &closed}
	sendAll(t, ch, 1, 2, 3)
	sendAll(t, far, 4)
	if n, err := ch.Receive(t.Context()); n != 4 || err != nil {
		t.Errorf("received %d, %v", n, err)
	}
	ch.Close()
	if want(t, "sent", collect(t, far), 1, 2, 3); !closed {
		t.Error("its own method was not called")
	}
}

// T097 T098 T100 T101: a pair has no delay. What was sent lies ready and the end
// is seen when the call returns.
func TestPairIsSynchronous(t *testing.T) {
	for _, swapped := range []bool{false, true} {
		near, far := streamchannel.Pair[int, int](3)
		if swapped {
			near, far = far, near
		}
		sendAll(t, near, 1, 2, 3)
		near.Close()
		if far.Err() == nil {
			t.Error("the other end is not over")
		}
		want(t, "received", collect(t, far), 1, 2, 3)
	}
}

// A close code passes through every wrapper.
func TestCodesPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		same := streamchannel.Stateful(func() (step func(int, func(int)) error, flush func(func(int))) {
			return func(n int, emit func(int)) error { emit(n); return nil }, func(func(int)) {}
		})
		every := streamchannel.Filter(func(int) bool { return true })
		near, _ := streamchannel.Pair[int, int](0)
		real := &codedChannel{Channel: near}
		var ch streamchannel.Channel[int, int] = real
		ch = streamchannel.Transform(ch, same, same)
		ch = streamchannel.Transform(ch, every, every)
		ch = streamchannel.WithDisconnector(ch, new(streamchannel.Disconnector))
		ch = streamchannel.WithStream(ch, ch)
		ch = streamchannel.WithSink(ch, ch)
		d := streamchannel.NewDeferred[int, int](0)
		d.Resolve(ch, nil)
		synctest.Wait()

		if code, reason := d.CloseCode(), d.CloseReason(); code != 0 || reason != "" {
			t.Errorf("before the end: %v %q", code, reason)
		}
		if err := streamchannel.CloseWith(d, 4000, "bye"); err != nil || real.code != 4000 || real.reason != "bye" {
			t.Errorf("CloseWith: %v, %v %q", err, real.code, real.reason)
		}
		<-d.Done()
		if code, reason := d.CloseCode(), d.CloseReason(); code != 4000 || reason != "bye" {
			t.Errorf("after the end: %v %q", code, reason)
		}
	})
}

// Where a channel has no codes it is closed all the same.
func TestCloseWithoutCodes(t *testing.T) {
	near, far := streamchannel.Pair[int, int](0)
	every := streamchannel.Filter(func(int) bool { return true })
	if err := streamchannel.CloseWith(streamchannel.TransformStream(near, every), 4000, "bye"); err != nil || far.Err() == nil {
		t.Errorf("CloseWith: %v, Err of the peer: %v", err, far.Err())
	}
}

func TestPipeCodes(t *testing.T) {
	for _, tt := range []struct {
		name         string
		code, passed status.Code
		reason       string
	}{
		{"a code", 4000, 4000, "bye"},
		{"normal", status.NormalClosure, status.NormalClosure, ""},
		{"none", status.NoStatusReceived, 0, ""},
		{"lost", status.AbnormalClosure, status.BadGateway, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, front := streamchannel.Pair[int, int](0)
				back, server := streamchannel.Pair[int, int](0)
				ended := &codedChannel{Channel: front, code: tt.code, reason: tt.reason}
				other := &codedChannel{Channel: back, code: 1}
				client.Close()
				if err := streamchannel.Pipe(t.Context(), ended, other); err != nil {
					t.Errorf("Pipe: %v", err)
				}
				if other.code != tt.passed || other.reason != tt.reason {
					t.Errorf("the other one was closed with %v %q, want %v %q", other.code, other.reason, tt.passed, tt.reason)
				}
				<-server.Done()
			})
		})
	}
}
