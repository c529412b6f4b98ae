package reconnect_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/reconnect"
	"github.com/wschannel/wschannel/status"
	"github.com/wschannel/wschannel/streamchannel"
)

func TestFullQueue(t *testing.T) {
	tests := []struct {
		policy    reconnect.Policy
		limit     int
		results   []error // of sending 0, 1, 2, 3 without a link
		dropped   []string
		delivered []string
	}{
		{reconnect.Fail, 2, []error{nil, nil, reconnect.ErrQueueFull, reconnect.ErrQueueFull}, nil, []string{"0", "1"}},
		{reconnect.DropOldest, 2, make([]error, 4), []string{"0", "1"}, []string{"2", "3"}},
		{reconnect.DropNewest, 2, make([]error, 4), []string{"2", "3"}, []string{"0", "1"}},
		{reconnect.Fail, -1, slices.Repeat([]error{reconnect.ErrQueueFull}, 4), nil, nil},
		{reconnect.DropOldest, -1, make([]error, 4), []string{"0", "1", "2", "3"}, nil},
		{reconnect.DropNewest, -1, make([]error, 4), []string{"0", "1", "2", "3"}, nil},
		{reconnect.Fail, 0, make([]error, 4), nil, []string{"0", "1", "2", "3"}}, // the default has room
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			d := newDialer()
			var dropped []string
			c := reconnect.New(d.dial, &options{QueueLimit: tt.limit, WhenFull: tt.policy, OnDrop: func(m string, why error) {
				if why != reconnect.ErrQueueFull {
					t.Errorf("policy %d: dropped because of %v", tt.policy, why)
				}
				dropped = append(dropped, m)
			}})
			defer c.Close()
			for i, want := range tt.results {
				if err := c.Send(t.Context(), strconv.Itoa(i)); err != want {
					t.Errorf("policy %d, limit %d: Send(%d): %v, want %v", tt.policy, tt.limit, i, err, want)
				}
			}
			if !slices.Equal(dropped, tt.dropped) {
				t.Errorf("policy %d, limit %d: dropped %q, want %q", tt.policy, tt.limit, dropped, tt.dropped)
			}
			l := d.link()
			synctest.Wait()
			send(t, c, "with a link")
			receive(t, l.far, append(tt.delivered, "with a link")...)
		})
	}
}

// Many wait for room; each gets its turn, and whoever gives up takes nobody's.
func TestBlockedSendersGetTheirTurn(t *testing.T) {
	for _, limit := range []int{-1, 1, 3} {
		synctest.Test(t, func(t *testing.T) {
			d := newDialer()
			c := reconnect.New(d.dial, &options{QueueLimit: limit})
			defer c.Close()
			const senders = 20
			var all sync.WaitGroup
			for s := range senders {
				all.Go(func() { send(t, c, strconv.Itoa(s)) })
			}
			ctx, cancel := context.WithCancel(t.Context())
			for range senders {
				all.Go(func() {
					if err := c.Send(ctx, "given up"); err != nil && err != context.Canceled {
						t.Errorf("Send: %v", err)
					}
				})
			}
			synctest.Wait()
			cancel()
			l := newLink(1)
			d.results <- result{link: l}
			got := map[string]bool{}
			for len(got) < senders {
				m, err := l.far.Receive(t.Context())
				if err != nil || got[m] {
					t.Fatalf("received %q, %v, after %d of %d", m, err, len(got), senders)
				}
				if m != "given up" { // some had found room before
					got[m] = true
				}
			}
			all.Wait()
		})
	}
}

// While a slow link takes what is queued, there is room for as many as it takes.
func TestRoomIsPassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDialer()
		c := reconnect.New(d.dial, &options{QueueLimit: 3})
		defer c.Close()
		send(t, c, "1", "2", "3")
		var accepted atomic.Int32
		for range 5 {
			go func() {
				if c.Send(t.Context(), "later") == nil {
					accepted.Add(1)
				}
			}()
		}
		l := newLink(1)
		d.results <- result{link: l}
		for received := range 3 {
			synctest.Wait()
			// The link holds one message, and one is on its way into it.
			if got, want := int(accepted.Load()), received+2; got != want {
				t.Errorf("%d were accepted when %d had been received, want %d", got, received, want)
			}
			l.far.Receive(t.Context())
		}
	})
}

// A sender gets its buffer back when Send returns.
func TestQueuedMessagesAreCopies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := streamchannel.Pair[[]byte, []byte](4)
		there := make(chan struct{})
		doubt := make(chan reconnect.Doubt[[]byte], 1)
		c := reconnect.New(func(context.Context) (streamchannel.Channel[[]byte, []byte], error) {
			<-there
			return near, nil
		}, &reconnect.Options[streamchannel.Channel[[]byte, []byte], []byte]{
			Retry:   func(error) bool { return false },
			OnDoubt: func(d reconnect.Doubt[[]byte]) [][]byte { doubt <- d; return nil },
		})
		buffer := []byte("queued")
		c.Send(t.Context(), buffer)
		copy(buffer, "------")
		close(there)
		synctest.Wait()
		copy(buffer, "direct")
		c.Send(t.Context(), buffer)
		copy(buffer, "------")
		for _, want := range []string{"queued", "direct"} {
			if m, err := far.Receive(t.Context()); string(m) != want {
				t.Errorf("received %q, %v, want %q", m, err, want)
			}
		}
		far.Close()
		if d := <-doubt; len(d.Messages) != 2 || string(d.Messages[0]) != "queued" || string(d.Messages[1]) != "direct" {
			t.Errorf("in doubt: %q", d.Messages)
		}
		<-c.Done()
	})
}

func TestMessagesInDoubt(t *testing.T) {
	t.Run("are reported and not repeated", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := newDialer()
			first, second := d.link(), d.link()
			var doubts []reconnect.Doubt[string]
			c := reconnect.New(d.dial, &options{OnDoubt: func(d reconnect.Doubt[string]) []string {
				doubts = append(doubts, d)
				return nil
			}})
			defer c.Close()
			send(t, c, "read", "unread")
			receive(t, first.far, "read")
			first.breaks(lost)
			send(t, c, "next")
			receive(t, second.far, "next")
			if len(doubts) != 1 || !slices.Equal(doubts[0].Messages, []string{"read", "unread"}) || doubts[0].Forgotten != 0 || doubts[0].Err != lost {
				t.Errorf("in doubt: %+v", doubts)
			}
		})
	})

	t.Run("go first when they are returned", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := newDialer()
			first, second := d.link(), d.link()
			c := reconnect.New(d.dial, &options{
				QueueLimit: 2,
				OnDoubt:    func(d reconnect.Doubt[string]) []string { return d.Messages },
			})
			defer c.Close()
			send(t, c, "1", "2", "3")
			synctest.Wait()
			first.breaks(lost)
			synctest.Wait()
			send(t, c, "4", "5") // the queue has its room all the same
			receive(t, second.far, "1", "2", "3", "4", "5")
		})
	})

	t.Run("are forgotten beyond the limit", func(t *testing.T) {
		for _, limit := range []int{-1, 2} {
			synctest.Test(t, func(t *testing.T) {
				d := newDialer()
				l := d.link()
				var got reconnect.Doubt[string]
				c := reconnect.New(d.dial, &options{DoubtLimit: limit, OnDoubt: func(d reconnect.Doubt[string]) []string {
					got = d
					return nil
				}})
				defer c.Close()
				send(t, c, "1", "2", "3", "4", "5")
				receive(t, l.far, "1", "2", "3", "4", "5")
				l.breaks(lost)
				synctest.Wait()
				if want := []string{"1", "2", "3", "4", "5"}[5-max(limit, 0):]; !slices.Equal(got.Messages, want) || got.Forgotten != 5-len(want) {
					t.Errorf("in doubt: %+v", got)
				}
			})
		}
	})

	t.Run("are those that a link was taking", func(t *testing.T) {
		for _, queued := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				d := newDialer()
				first := newLink(0) // takes nothing unless somebody receives
				var got []string
				c := reconnect.New(d.dial, &options{OnDoubt: func(d reconnect.Doubt[string]) []string {
					got = append(got, d.Messages...)
					return nil
				}})
				defer c.Close()
				if queued {
					send(t, c, "being taken", "untouched")
				}
				d.results <- result{link: first}
				synctest.Wait()
				sent := make(chan error, 1)
				if !queued {
					go func() { sent <- c.Send(t.Context(), "being taken") }()
				}
				synctest.Wait()
				first.breaks(lost)
				if !queued {
					if err := <-sent; err != nil {
						t.Errorf("Send: %v", err)
					}
					send(t, c, "untouched")
				}
				receive(t, d.link().far, "untouched")
				if !slices.Equal(got, []string{"being taken"}) {
					t.Errorf("in doubt: %q", got)
				}
			})
		}
	})

	// A link may end because a Send was cancelled in the middle of its message;
	// that sender knows.
	t.Run("are none that were not accepted", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := newDialer()
			l := newLink(0)
			l.refuse = func(string) error {
				cut := &wschannel.CloseError{Code: status.AbnormalClosure, Cause: context.Canceled}
				l.breaks(cut)
				return cut
			}
			d.results <- result{link: l}
			c := reconnect.New(d.dial, &options{OnDoubt: func(d reconnect.Doubt[string]) []string {
				t.Errorf("in doubt: %+v", d)
				return nil
			}})
			defer c.Close()
			synctest.Wait()
			ctx, cancel := context.WithCancel(t.Context())
			l.sending = cancel
			if err := c.Send(ctx, "cut"); err != context.Canceled {
				t.Errorf("Send: %v", err)
			}
			synctest.Wait()
		})
	})

	// The end of a link is decided before the link is over.
	t.Run("are not those that come while a link is ending", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := newDialer()
			first := newLink(16)
			first.refuse = func(string) error { return lost }
			d.results <- result{link: first}
			var got []string
			c := reconnect.New(d.dial, &options{OnDoubt: func(d reconnect.Doubt[string]) []string {
				got = append(got, d.Messages...)
				return nil
			}})
			defer c.Close()
			synctest.Wait()
			send(t, c, "met the end", "came later", "and later")
			first.breaks(lost)
			receive(t, d.link().far, "came later", "and later")
			if !slices.Equal(got, []string{"met the end"}) {
				t.Errorf("in doubt: %q", got)
			}
		})
	})

	t.Run("are none after a close in good order", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := newDialer()
			d.link()
			c := reconnect.New(d.dial, &options{OnDoubt: func(d reconnect.Doubt[string]) []string {
				t.Errorf("in doubt: %+v", d)
				return nil
			}})
			send(t, c, "sent")
			synctest.Wait()
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	})

	t.Run("are reported by a close that meets another end", func(t *testing.T) {
		meets := map[string]func(*fakeLink){
			"before":           func(l *fakeLink) { l.breaks(lost) },
			"before, no codes": func(l *fakeLink) { l.far.Close() },
			"meanwhile": func(l *fakeLink) {
				l.closes = func() error { l.breaks(lost); return nil }
			},
		}
		for name, meet := range meets {
			for range 10 { // as it takes one way or the other
				synctest.Test(t, func(t *testing.T) {
					d := newDialer()
					l := d.link()
					var inDoubt []string
					c := reconnect.New(d.dial, &options{OnDoubt: func(d reconnect.Doubt[string]) []string {
						inDoubt = append(inDoubt, d.Messages...)
						return nil
					}})
					send(t, c, "sent")
					synctest.Wait()
					meet(l)
					c.Close()
					if !slices.Equal(inDoubt, []string{"sent"}) {
						t.Errorf("%s: in doubt: %q", name, inDoubt)
					}
				})
			}
		}
	})

	t.Run("are reported by a close that fails", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := newDialer()
			l := d.link()
			l.closes = func() error {
				l.breaks(lost)
				return errors.New("no answer")
			}
			var inDoubt, dropped []string
			c := reconnect.New(d.dial, &options{
				OnDoubt: func(d reconnect.Doubt[string]) []string { inDoubt = d.Messages; return d.Messages },
				OnDrop:  func(m string, why error) { dropped = append(dropped, m) },
			})
			send(t, c, "sent")
			synctest.Wait()
			if err := c.Close(); err == nil {
				t.Error("Close does not tell")
			}
			if !slices.Equal(inDoubt, []string{"sent"}) || !slices.Equal(dropped, inDoubt) {
				t.Errorf("in doubt: %q, then dropped: %q", inDoubt, dropped)
			}
		})
	})
}
