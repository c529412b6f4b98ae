package reconnect_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/reconnect"
	"github.com/wschannel/wschannel/status"
	"github.com/wschannel/wschannel/streamchannel"
)

type (
	channel = reconnect.Channel[string, string]
	options = reconnect.Options[*fakeLink, string]
)

// lost is the end of a link that breaks.
var lost = &wschannel.CloseError{Code: status.AbnormalClosure, Cause: errors.New("connection reset")}

// fakeLink is a link in memory that can end with any error, as can a WebSocket.
type fakeLink struct {
	streamchannel.Channel[string, string]
	far    streamchannel.Channel[string, string]
	end    atomic.Pointer[wschannel.CloseError]
	hungUp atomic.Bool

	// If not nil: what Close does, what Send returns, what Send and Receive do
	// before.
	closes    func() error
	refuse    func(string) error
	sending   func()
	receiving func() error
}

// newLink returns a link that holds some messages in each direction.
func newLink(capacity int) *fakeLink {
	near, far := streamchannel.Pair[string, string](capacity)
	return &fakeLink{Channel: near, far: far}
}

// breaks ends the link.
func (l *fakeLink) breaks(end *wschannel.CloseError) {
	l.end.CompareAndSwap(nil, end)
	l.far.Close()
}

func (l *fakeLink) told(err error) error {
	if end := l.end.Load(); end != nil && err == streamchannel.ErrClosed {
		return end
	}
	return err
}

func (l *fakeLink) Send(ctx context.Context, m string) error {
	if l.sending != nil {
		l.sending()
	}
	if l.refuse != nil {
		if err := l.refuse(m); err != nil {
			return err
		}
	}
	return l.told(l.Channel.Send(ctx, m))
}

func (l *fakeLink) Receive(ctx context.Context) (string, error) {
	if l.receiving != nil {
		if err := l.receiving(); err != nil {
			return "", err
		}
	}
	m, err := l.Channel.Receive(ctx)
	return m, l.told(err)
}

func (l *fakeLink) Err() error { return l.told(l.Channel.Err()) }

func (l *fakeLink) Close() error {
	if l.closes != nil {
		return l.closes()
	}
	return l.Channel.Close()
}

func (l *fakeLink) CloseNow() error {
	l.hungUp.Store(true)
	l.end.CompareAndSwap(nil, &wschannel.CloseError{Code: status.AbnormalClosure})
	return l.Channel.Close()
}

// A dialer hands out links, or errors, as its test wants it.
type dialer struct {
	results chan result // one for each attempt, which waits for it
	mu      sync.Mutex
	dials   int
}

type result struct {
	link *fakeLink
	err  error
}

func newDialer(results ...result) *dialer {
	d := &dialer{results: make(chan result, 1000)}
	for _, r := range results {
		d.results <- r
	}
	return d
}

func (d *dialer) dial(ctx context.Context) (*fakeLink, error) {
	d.mu.Lock()
	d.dials++
	d.mu.Unlock()
	select {
	case r := <-d.results:
		return r.link, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (d *dialer) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.dials
}

// link makes the next attempt succeed.
func (d *dialer) link() *fakeLink {
	l := newLink(16)
	d.results <- result{link: l}
	return l
}

func (d *dialer) fail(err error) { d.results <- result{err: err} }

func send(t *testing.T, s streamchannel.Sink[string], messages ...string) {
	t.Helper()
	for _, m := range messages {
		if err := s.Send(t.Context(), m); err != nil {
			t.Errorf("Send(%q): %v", m, err)
		}
	}
}

func receive(t *testing.T, s streamchannel.Stream[string], want ...string) {
	t.Helper()
	for _, w := range want {
		if m, err := s.Receive(t.Context()); err != nil || m != w {
			t.Fatalf("Receive: %q, %v, want %q", m, err, w)
		}
	}
}

// ended demands the end of a channel, for everybody the same.
func ended(t *testing.T, c *channel) error {
	t.Helper()
	<-c.Done()
	end := c.Err()
	if !errors.Is(end, streamchannel.ErrClosed) {
		t.Errorf("the end does not satisfy ErrClosed: %v", end)
	}
	if err := c.Send(t.Context(), ""); err != end {
		t.Errorf("Send: %v, want %v", err, end)
	}
	if s := c.State(); s.Phase != reconnect.Closed || s.Err != end {
		t.Errorf("State: %+v, want closed for %v", s, end)
	}
	return end
}
