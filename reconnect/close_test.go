package reconnect_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/reconnect"
	"github.com/wschannel/wschannel/status"
	"github.com/wschannel/wschannel/streamchannel"
)

// takes demands how long a call takes, to the nanosecond.
func takes(t *testing.T, want time.Duration, what string, call func() error) error {
	t.Helper()
	began := time.Now()
	err := call()
	if got := time.Since(began); got != want {
		t.Errorf("%s took %v, want %v", what, got, want)
	}
	return err
}

func localEnd(t *testing.T, c *channel, code status.Code) {
	t.Helper()
	end := ended(t, c)
	var closed *wschannel.CloseError
	if !errors.Is(end, wschannel.ErrLocalClose) || !errors.As(end, &closed) || closed.Code != code || !closed.Clean() {
		t.Errorf("the end: %v, want a local close with %v", end, code)
	}
}

// With nothing to send there is nothing to wait for.
func TestCloseWithoutALink(t *testing.T) {
	phases := map[string]func(*testing.T) *channel{
		"connecting": func(t *testing.T) *channel { return reconnect.New(newDialer().dial, nil) },
		"in OnConnect": func(t *testing.T) *channel {
			d := newDialer()
			d.link()
			return reconnect.New(d.dial, &options{OnConnect: func(ctx context.Context, l *fakeLink) error {
				_, err := l.Receive(ctx)
				return err
			}})
		},
		"waiting": func(t *testing.T) *channel {
			d := newDialer()
			d.fail(errors.New("no route"))
			return reconnect.New(d.dial, &options{BaseDelay: time.Hour, MaxDelay: time.Hour, Jitter: longest})
		},
		"offline": func(t *testing.T) *channel {
			return reconnect.New(newDialer().dial, &options{Network: new(network)})
		},
	}
	for name, begin := range phases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := begin(t)
				received := make(chan error)
				go func() {
					_, err := c.Receive(t.Context())
					received <- err
				}()
				synctest.Wait()
				if err := takes(t, 0, "Close", c.Close); err != nil {
					t.Errorf("Close: %v", err)
				}
				localEnd(t, c, status.NormalClosure)
				if err := <-received; err != c.Err() {
					t.Errorf("a waiting Receive: %v", err)
				}
				if err := c.Close(); err != nil {
					t.Errorf("second Close: %v", err)
				}
			})
		})
	}
}

func TestCloseBringsOutWhatWasAccepted(t *testing.T) {
	t.Run("while connecting", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := newDialer()
			c := reconnect.New(d.dial, nil)
			send(t, c, "1", "2")
			closed := make(chan error, 1)
			go func() { closed <- c.Close() }()
			time.Sleep(time.Second)
			if err := c.Send(t.Context(), "3"); !errors.Is(err, wschannel.ErrLocalClose) {
				t.Errorf("Send beside Close: %v", err)
			}
			if _, err := c.Receive(t.Context()); !errors.Is(err, wschannel.ErrLocalClose) {
				t.Errorf("Receive beside Close: %v", err)
			}
			l := d.link()
			if err := <-closed; err != nil {
				t.Errorf("Close: %v", err)
			}
			receive(t, l.far, "1", "2")
			localEnd(t, c, status.NormalClosure)
		})
	})

	t.Run("in one more attempt while waiting", func(t *testing.T) {
		for _, works := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				d := newDialer()
				d.fail(errors.New("no route"))
				var dropped []string
				c := reconnect.New(d.dial, &options{BaseDelay: time.Hour, MaxDelay: time.Hour, Jitter: longest,
					OnDrop: func(m string, why error) {
						if !errors.Is(why, wschannel.ErrLocalClose) {
							t.Errorf("dropped because of %v", why)
						}
						dropped = append(dropped, m)
					}})
				send(t, c, "1", "2")
				synctest.Wait()
				l := newLink(16)
				if works {
					d.results <- result{link: l}
				} else {
					d.fail(errors.New("still no route"))
				}
				err := takes(t, 0, "Close", c.Close)
				if works {
					receive(t, l.far, "1", "2")
				} else if !slices.Equal(dropped, []string{"1", "2"}) {
					t.Errorf("dropped %q", dropped)
				}
				if (err == nil) != works {
					t.Errorf("Close: %v", err)
				}
				if n := d.count(); n != 2 {
					t.Errorf("%d attempts, want 2", n)
				}
				localEnd(t, c, status.NormalClosure)
			})
		}
	})

	// The peer takes nothing until Close has begun.
	t.Run("to a slow link", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := newDialer()
			l := newLink(0)
			c := reconnect.New(d.dial, nil)
			send(t, c, "1", "2")
			d.results <- result{link: l}
			received := make(chan error, 1)
			go func() {
				_, err := c.Receive(t.Context())
				received <- err
			}()
			synctest.Wait()
			closed := make(chan error, 1)
			go func() { closed <- c.Close() }()
			if err := <-received; !errors.Is(err, wschannel.ErrLocalClose) {
				t.Errorf("a Receive, as Close has begun: %v", err)
			}
			receive(t, l.far, "1", "2")
			if err := <-closed; err != nil {
				t.Errorf("Close: %v", err)
			}
			if l.hungUp.Load() {
				t.Error("the link was cut off")
			}
		})
	})
}

func TestCloseTimeout(t *testing.T) {
	for _, linked := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			d := newDialer()
			l := newLink(0) // takes nothing unless somebody receives
			var lost []string
			c := reconnect.New(d.dial, &options{CloseTimeout: 3 * time.Second,
				OnDoubt: func(d reconnect.Doubt[string]) []string { lost = append(lost, d.Messages...); return nil },
				OnDrop:  func(m string, _ error) { lost = append(lost, m) },
			})
			send(t, c, "1", "2")
			if linked {
				d.results <- result{link: l}
				synctest.Wait()
			}
			if err := takes(t, 3*time.Second, "Close", c.Close); err == nil {
				t.Error("Close does not tell of dropped messages")
			}
			if !slices.Equal(lost, []string{"1", "2"}) {
				t.Errorf("reported %q", lost)
			}
			if l.hungUp.Load() != linked {
				t.Errorf("cut off: %t", !linked)
			}
			localEnd(t, c, status.NormalClosure)
		})
	}
}

func TestCloseCutsOffALinkThatDoesNotClose(t *testing.T) {
	for _, now := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			d := newDialer()
			l := d.link()
			l.closes = func() error {
				<-l.Done()
				return errors.New("cut off")
			}
			c := reconnect.New(d.dial, nil)
			synctest.Wait()
			var err error
			if now {
				go c.Close()
				time.Sleep(time.Second)
				err = takes(t, 0, "CloseNow", c.CloseNow)
			} else {
				err = takes(t, 5*time.Second, "Close", c.Close)
			}
			if (err == nil) != now {
				t.Errorf("closing: %v", err)
			}
			if !l.hungUp.Load() {
				t.Error("the link was not cut off")
			}
			localEnd(t, c, status.NormalClosure) // the first code stands
		})
	}
}

func TestCloseNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDialer()
		l := newLink(0)
		var doubtful, dropped []string
		c := reconnect.New(d.dial, &options{
			OnDoubt: func(d reconnect.Doubt[string]) []string { doubtful = d.Messages; return nil },
			OnDrop:  func(m string, _ error) { dropped = append(dropped, m) },
		})
		send(t, c, "being sent", "queued")
		d.results <- result{link: l}
		synctest.Wait()
		if err := takes(t, 0, "CloseNow", c.CloseNow); err != nil {
			t.Errorf("CloseNow: %v", err)
		}
		localEnd(t, c, status.AbnormalClosure)
		// Whether the message counts as begun depends on what the link meets first.
		if all := append(doubtful, dropped...); !slices.Equal(all, []string{"being sent", "queued"}) || len(dropped) == 0 {
			t.Errorf("in doubt %q, dropped %q", doubtful, dropped)
		}
		if !l.hungUp.Load() {
			t.Error("the link was not cut off")
		}
	})
}

// A function of Options closes the channel that is waiting for it.
func TestCloseInsideOfFunctions(t *testing.T) {
	var c *channel
	synctestClose := func(close func() error) map[string]options {
		return map[string]options{
			"OnConnect": {OnConnect: func(context.Context, *fakeLink) error { return close() }},
			"OnDoubt":   {OnDoubt: func(reconnect.Doubt[string]) []string { close(); return nil }},
			"Retry":     {Retry: func(error) bool { close(); return true }},
		}
	}
	for _, now := range []bool{true, false} {
		for name, o := range synctestClose(func() error {
			if now {
				return c.CloseNow()
			}
			return c.Close()
		}) {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					d := newDialer()
					o.StableAfter = -1
					c = reconnect.New(d.dial, &o)
					l := d.link() // not before c is set
					if name != "OnConnect" {
						send(t, c, "x")
						synctest.Wait()
						l.breaks(lost)
					}
					<-c.Done()
				})
			})
		}
	}
}

// A local close drops what has not been received, also after another end.
func TestCloseDropsTheUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDialer()
		l := d.link()
		c := reconnect.New(d.dial, nil)
		send(t, l.far, "received", "dropped")
		receive(t, c, "received")
		end := remote(status.NormalClosure)
		l.breaks(end)
		<-c.Done()
		c.Close()
		if m, err := c.Receive(t.Context()); err != end {
			t.Errorf("Receive: %q, %v, want %v", m, err, end)
		}
	})
}

// What the application closes itself is closed for good, or not.
func TestLinkEndedByTheApplication(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDialer()
		first, second := d.link(), d.link()
		c := reconnect.New(d.dial, nil)
		synctest.Wait()
		first.CloseNow()
		send(t, c, "x")
		receive(t, second.far, "x")
		second.end.Store(&wschannel.CloseError{Code: status.NormalClosure})
		second.Close()
		localEnd(t, c, status.NormalClosure)
		if _, err := second.far.Receive(t.Context()); err != streamchannel.ErrClosed {
			t.Error(err)
		}
	})
}

// RFC 6455 §7.4.
func TestInvalidClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDialer()
		l := d.link()
		c := reconnect.New(d.dial, nil)
		for _, tt := range []struct {
			code   status.Code
			reason string
		}{
			{999, ""}, {status.NoStatusReceived, ""}, {status.AbnormalClosure, ""}, {5000, ""}, {0, "reason"},
			{4000, strings.Repeat("x", 124)}, {4000, "\xff"},
		} {
			if err := c.CloseWith(tt.code, tt.reason); err != wschannel.ErrInvalidClose {
				t.Errorf("CloseWith(%v, %q): %v", tt.code, tt.reason, err)
			}
		}
		send(t, c, "still open")
		receive(t, l.far, "still open")
		reason := strings.Repeat("x", 123)
		if err := c.CloseWith(4000, reason); err != nil { // the link knows no codes
			t.Errorf("CloseWith: %v", err)
		}
		localEnd(t, c, 4000)
		if c.CloseReason() != reason {
			t.Errorf("reason %q", c.CloseReason())
		}
	})
}

func TestCloseCodeOfAnotherEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := reconnect.New(newDialer(result{err: refused(403)}).dial, nil)
		if ended(t, c); c.CloseCode() != 0 || c.CloseReason() != "" {
			t.Errorf("code %v, reason %q for %v", c.CloseCode(), c.CloseReason(), c.Err())
		}
	})
}
