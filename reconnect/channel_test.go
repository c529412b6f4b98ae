package reconnect_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel/reconnect"
	"github.com/wschannel/wschannel/streamchannel"
)

func TestGoesOnWithTheNextLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDialer()
		first, second := d.link(), d.link()
		c := reconnect.New(d.dial, nil)
		defer c.Close()

		send(t, c, "to the first")
		receive(t, first.far, "to the first")
		send(t, first.far, "from the first", "unread as it broke")
		receive(t, c, "from the first")
		received := make(chan string)
		go func() {
			for range 2 {
				m, err := c.Receive(t.Context())
				if err != nil {
					t.Error(err)
				}
				received <- m
			}
		}()
		first.breaks(lost)
		send(t, c, "to the second")
		receive(t, second.far, "to the second")
		send(t, second.far, "from the second")
		if got := <-received; got != "unread as it broke" {
			t.Errorf("received %q", got)
		}
		if got := <-received; got != "from the second" {
			t.Errorf("received %q", got)
		}
	})
}

// Nobody receives while the first two links come and go.
func TestWhatArrivedWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDialer()
		c := reconnect.New(d.dial, nil)
		defer c.Close()
		for _, m := range []string{"1", "2", "3"} {
			l := d.link()
			send(t, l.far, m+"a", m+"b")
			if m != "3" {
				l.breaks(lost)
			}
		}
		time.Sleep(time.Minute)
		receive(t, c, "1a", "1b", "2a", "2b", "3a", "3b")
	})
}

// A channel from which nobody receives must not gather messages of one link
// after the other.
func TestUnreceivedMessagesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDialer()
		const each = 600 // and 1024 are the bound
		for range 10 {
			l := newLink(each)
			for range each {
				send(t, l.far, "x")
			}
			l.breaks(lost)
			d.results <- result{link: l}
		}
		c := reconnect.New(d.dial, nil)
		defer c.Close()
		time.Sleep(time.Hour)
		if n := d.count(); n != 2 {
			t.Fatalf("%d links while nobody receives, want 2", n)
		}
		if s := c.State(); s.Phase != reconnect.Waiting || !s.Until.IsZero() {
			t.Errorf("state %+v, want waiting without a time", s)
		}
		for range 10 * each {
			receive(t, c, "x")
		}
		if s := c.State(); s.Links != 10 {
			t.Errorf("%d links, want 10", s.Links)
		}
	})
}

func TestOnConnectComesBeforeTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDialer()
		o := &options{OnConnect: func(ctx context.Context, l *fakeLink) error {
			if err := l.Send(ctx, "token"); err != nil {
				return err
			}
			if m, err := l.Receive(ctx); err != nil || m != "welcome" {
				return errors.Join(errors.New("unexpected answer "+m), err)
			}
			return l.Send(ctx, "subscribe")
		}}
		c := reconnect.New(d.dial, o)
		defer c.Close()
		for range 2 {
			send(t, c, "queued 1", "queued 2")
			l := d.link()
			receive(t, l.far, "token")
			send(t, c, "queued 3")
			synctest.Wait()
			if s := c.State(); s.Phase != reconnect.Connecting {
				t.Errorf("state %+v while OnConnect is running", s)
			}
			send(t, l.far, "welcome", "news")
			receive(t, l.far, "subscribe", "queued 1", "queued 2", "queued 3")
			receive(t, c, "news")
			l.breaks(lost)
			synctest.Wait()
		}
	})
}

func TestOnConnectFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDialer()
		bad, hung, good := newLink(16), newLink(16), newLink(16)
		var states []reconnect.State
		var c *channel
		c = reconnect.New(d.dial, &options{
			ConnectTimeout: time.Minute,
			OnConnect: func(ctx context.Context, l *fakeLink) error {
				states = append(states, c.State())
				switch l {
				case bad:
					return errors.New("wrong token")
				case hung:
					_, err := l.Receive(ctx)
					return err
				}
				return nil
			},
		})
		defer c.Close()
		send(t, c, "queued")
		for _, l := range []*fakeLink{bad, hung, good} {
			d.results <- result{link: l} // not before c is set
		}
		receive(t, good.far, "queued")
		for _, l := range []*fakeLink{bad, hung} {
			if _, err := l.far.Receive(t.Context()); err != streamchannel.ErrClosed {
				t.Errorf("a link that OnConnect refused: %v, want closed and nothing sent", err)
			}
		}
		if s := c.State(); s.Phase != reconnect.Open || s.Attempt != 3 || s.Links != 1 || s.Err != nil {
			t.Errorf("state %+v", s)
		}
		if got := states[1].Err; got == nil || got.Error() != "wrong token" {
			t.Errorf("the second attempt was made because of %v", got)
		}
		if got := states[2].Err; !errors.Is(got, context.DeadlineExceeded) {
			t.Errorf("the third attempt was made because of %v", got)
		}
	})
}

func TestReceiveIsOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDialer()
		c := reconnect.New(d.dial, nil)
		defer c.Close()
		go c.Receive(t.Context()) // waits for a link
		synctest.Wait()
		if _, err := c.Receive(t.Context()); err != streamchannel.ErrConcurrentReceive {
			t.Errorf("beside a receiver: %v", err)
		}
	})
}

// The end of a link is decided before the link is over.
func TestReceiveWhileALinkIsEnding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDialer()
		first := newLink(16)
		calls := 0
		first.receiving = func() error {
			calls++
			return lost
		}
		d.results <- result{link: first}
		c := reconnect.New(d.dial, nil)
		defer c.Close()
		received := make(chan string)
		go func() {
			m, _ := c.Receive(t.Context())
			received <- m
		}()
		synctest.Wait()
		if calls != 1 {
			t.Errorf("the link was asked %d times", calls)
		}
		first.breaks(lost)
		send(t, d.link().far, "next")
		if m := <-received; m != "next" {
			t.Errorf("received %q", m)
		}
	})
}

// What is wrong with a call is no reason to connect again.
func TestErrorsOfOneCallPassThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDialer()
		l := newLink(16)
		invalid := errors.New("invalid")
		l.refuse = func(m string) error {
			if m == "invalid" {
				return invalid
			}
			return nil
		}
		var dropped []string
		c := reconnect.New(d.dial, &options{OnDrop: func(m string, why error) {
			if why != invalid {
				t.Errorf("dropped because of %v", why)
			}
			dropped = append(dropped, m)
		}})
		defer c.Close()
		send(t, c, "before", "invalid", "after") // into the queue, which cannot know
		d.results <- result{link: l}
		receive(t, l.far, "before", "after")
		if !slices.Equal(dropped, []string{"invalid"}) {
			t.Errorf("dropped %q", dropped)
		}
		if err := c.Send(t.Context(), "invalid"); err != invalid {
			t.Errorf("Send on an open link: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Receive(ctx); err != context.DeadlineExceeded {
			t.Errorf("Receive: %v", err)
		}
		send(t, c, "still open")
		receive(t, l.far, "still open")
	})
}

func TestWaitingForALinkCanBeCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := reconnect.New(newDialer().dial, &options{QueueLimit: -1})
		defer c.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Send(ctx, "x"); err != context.DeadlineExceeded {
			t.Errorf("Send: %v", err)
		}
		if _, err := c.Receive(ctx); err != context.DeadlineExceeded {
			t.Errorf("Receive: %v", err)
		}
	})
}
