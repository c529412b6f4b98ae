//go:build !js

package wschannel

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/wschannel/wschannel/status"
)

// A log keeps what callbacks have seen, and that no two of them run at once.
type callbackLog struct {
	mu      sync.Mutex
	told    []string
	running atomic.Int32
	mixed   atomic.Bool
	ends    int
	end     error
}

func (l *callbackLog) begin() (end func()) {
	if l.running.Add(1) != 1 {
		l.mixed.Store(true)
	}
	return func() { l.running.Add(-1) }
}

func (l *callbackLog) message(t Type, data []byte) {
	defer l.begin()()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ends > 0 {
		l.told = append(l.told, "after onDone")
	}
	l.told = append(l.told, told(t, string(data)))
}

func (l *callbackLog) done(err error) {
	defer l.begin()()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ends++
	l.end = err
}

// want checks what was seen when everything has happened that is due.
func (l *callbackLog) want(t *testing.T, messages []string, ends int, end func() error) {
	t.Helper()
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.told, messages) {
		t.Errorf("callbacks got %q, want %q", short(l.told), short(messages))
	}
	var wantEnd error
	if end != nil {
		wantEnd = end()
	}
	if l.ends != ends || l.end != wantEnd {
		t.Errorf("onDone came %d times with %v, want %d times with %v", l.ends, l.end, ends, wantEnd)
	}
	if l.mixed.Load() {
		t.Error("two callbacks ran at once")
	}
}

// formsOfListening are Listen and ListenView as one.
var formsOfListening = []struct {
	name   string
	listen func(c *Channel, onMessage func(Type, []byte), onDone func(error)) (stop func())
}{
	{"Listen", func(c *Channel, onMessage func(Type, []byte), onDone func(error)) func() {
		return c.Listen(func(m Message) { onMessage(m.Type, m.Data) }, onDone)
	}},
	{"ListenView", func(c *Channel, onMessage func(Type, []byte), onDone func(error)) func() {
		return c.ListenView(func(v View) { onMessage(v.Type, v.Data) }, onDone)
	}},
}

// listening runs f for each form and role, in a bubble.
func listening(t *testing.T, f func(t *testing.T, role Role, listen func(*Channel, func(Type, []byte), func(error)) func())) {
	for _, form := range formsOfListening {
		t.Run(form.name, func(t *testing.T) {
			inBothRoles(t, func(t *testing.T, role Role) { f(t, role, form.listen) })
		})
	}
}

type listenFunc = func(*Channel, func(Type, []byte), func(error)) func()

// waysToEnd bring a channel to its end; the peer is a rawEnd that does not
// answer a close.
var waysToEnd = []struct {
	name string
	end  func(c *Channel, r *rawEnd)
	want string
}{
	{"peer closes", func(c *Channel, r *rawEnd) { r.send(closeOf(1000, "bye")) }, `wschannel: closed by the peer: 1000 normal closure: "bye"`},
	{"peer closes without a code", func(c *Channel, r *rawEnd) { r.send(fr(0x88, "")) }, "wschannel: closed by the peer: 1005 no status received"},
	{"loss", func(c *Channel, r *rawEnd) { r.conn.Close() }, "wschannel: connection lost: unexpected EOF"},
	{"violation", func(c *Channel, r *rawEnd) { r.send(fr(0x81, "\xff")) },
		"wschannel: closed: 1007 invalid frame payload data: text message with bytes that are not UTF-8 (RFC 6455 §8.1)"},
	{"local close", func(c *Channel, r *rawEnd) { go c.CloseWith(4000, "enough"); pass(0); r.send(closeOf(4000, "")) }, `wschannel: closed: 4000: "enough"`},
	{"local close, unanswered", func(c *Channel, r *rawEnd) { go c.Close(); pass(5 * time.Second) }, "wschannel: closed: 1000 normal closure"},
	{"local hang-up", func(c *Channel, r *rawEnd) { c.CloseNow() }, "wschannel: closed: 1006 abnormal closure"},
}

// Messages come in order, and the end comes once and last.
func TestListen(t *testing.T) {
	for _, way := range waysToEnd {
		t.Run(way.name, func(t *testing.T) {
			listening(t, func(t *testing.T, role Role, listen listenFunc) {
				for _, before := range []bool{true, false} { // messages come before Listen
					c, r := rawChannel(t, role, nil)
					var l callbackLog
					if !before {
						listen(c, l.message, l.done)
						l.want(t, nil, 0, nil)
					}
					pass(attendAfter)
					var want []string
					for i := range 20 {
						s := strings.Repeat(fmt.Sprint(i), i)
						r.send(fr(0x81+byte(i%2), s))
						want = append(want, told(Type(1+i%2), s))
					}
					synctest.Wait()
					if before {
						listen(c, l.message, l.done)
					}
					l.want(t, want, 0, nil)
					way.end(c, r)
					l.want(t, want, 1, c.Err)
					if got := fmt.Sprint(c.Err()); got != way.want {
						t.Errorf("ended with %q, want %q", got, way.want)
					}
					pass(time.Minute)
					l.want(t, want, 1, c.Err)
					r.hangUp()
				}
			})
		})
	}
}

// At the end, what had arrived comes first; after a local close nothing does.
func TestListenAfterTheEnd(t *testing.T) {
	listening(t, func(t *testing.T, role Role, listen listenFunc) {
		for _, local := range []bool{true, false} {
			c, r := rawChannel(t, role, nil)
			pass(attendAfter)
			r.send(fr(0x81, "one"), fr(0x82, "two"))
			want := []string{`text "one"`, `binary "two"`}
			if local {
				go c.Close()
				synctest.Wait()
				want = nil
			}
			r.send(closeOf(1000, ""))
			<-c.Done()
			for range 2 {
				var l callbackLog
				listen(c, l.message, l.done)
				l.want(t, want, 1, c.Err)
				want = nil
			}
		}
	})
}

// The message of Listen is the callback's own; a View is only lent.
func TestListenOwnership(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role Role) {
		c, r := rawChannel(t, role, nil)
		var kept []Message
		stop := c.Listen(func(m Message) {
			kept = append(kept, m)
			_ = append(m.Data, "more"...)
		}, nil)
		for _, s := range []string{"", "one", "two", "three"} {
			r.send(fr(0x81, s))
		}
		synctest.Wait()
		stop()
		var memory []*byte
		stop = c.ListenView(func(v View) {
			kept = append(kept, v.Clone())
			memory = append(memory, unsafe.SliceData(v.Data))
			clear(v.Data)
		}, nil)
		for _, s := range []string{"four", "five", "", "six"} {
			r.send(fr(0x82, s))
		}
		long := letters(maxViewBuffer + 1)
		r.send(fr(0x82, long), fr(0x82, "seven"), fr(0x82, "eight"))
		synctest.Wait()
		stop()
		want := []string{`text ""`, `text "one"`, `text "two"`, `text "three"`,
			`binary "four"`, `binary "five"`, `binary ""`, `binary "six"`, told(Binary, long), `binary "seven"`, `binary "eight"`}
		var got []string
		for _, m := range kept {
			if m.Data == nil {
				t.Error("a message without memory")
			}
			got = append(got, told(m.Type, string(m.Data)))
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", short(got), short(want))
		}
		if memory[0] != memory[1] || memory[0] != memory[3] || memory[5] != memory[6] {
			t.Error("ListenView did not use its buffer again")
		}
		if memory[4] == memory[5] {
			t.Error("ListenView has kept the buffer of a long message")
		}
	})
}

// A nil function is not called.
func TestListenWithoutCallbacks(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role Role) {
		for _, view := range []bool{false, true} {
			for _, withDone := range []bool{false, true} {
				c, r := rawChannel(t, role, nil)
				var l callbackLog
				done := l.done
				ends, end := 1, c.Err
				if !withDone {
					done, ends, end = nil, 0, nil
				}
				if view {
					c.ListenView(nil, done)
				} else {
					c.Listen(nil, done)
				}
				for range 100 {
					r.send(fr(0x82, letters(10_000)))
				}
				r.send(closeOf(1000, ""))
				<-c.Done()
				l.want(t, nil, ends, end)
			}
		}
	})
}

// While a callback runs, however a channel is closed and by whom, that returns
// once the close frame is accepted.
func TestCloseWhileACallbackRuns(t *testing.T) {
	for _, how := range []struct {
		name  string
		close func(*Channel) error
		told  []string
	}{
		{"Close", (*Channel).Close, []string{`close 1000 ""`}},
		{"CloseWith", func(c *Channel) error { return c.CloseWith(4000, "bye") }, []string{`close 4000 "bye"`}},
		{"CloseNow", (*Channel).CloseNow, nil},
	} {
		t.Run(how.name, func(t *testing.T) {
			listening(t, func(t *testing.T, role Role, listen listenFunc) {
				for _, inside := range []bool{true, false} {
					c, r := rawChannel(t, role, nil)
					var l callbackLog
					begun, release := make(chan bool), make(chan bool)
					listen(c, func(typ Type, data []byte) {
						if inside {
							if err := how.close(c); err != nil {
								t.Errorf("inside: %v", err)
							}
						}
						begun <- true
						<-release
						l.message(typ, data)
					}, func(err error) {
						if err := c.Close(); err != nil {
							t.Errorf("Close inside onDone: %v", err)
						}
						if err := c.CloseWith(4001, "again"); err != c.Err() {
							t.Errorf("CloseWith inside onDone: %v", err)
						}
						l.done(err)
					})
					r.send(fr(0x81, "one"), fr(0x81, "two"))
					<-begun
					if !inside {
						if err := how.close(c); err != nil {
							t.Errorf("outside: %v", err)
						}
					}
					if isClosed(c.Done()) != (how.told == nil) {
						t.Errorf("inside %v: over: %v", inside, isClosed(c.Done()))
					}
					synctest.Wait()
					if how.told != nil {
						wantTaken(t, r, how.told...)
						r.send(closeOf(1000, ""))
					}
					// The callback does not hold up the end.
					<-c.Done()
					if !errors.Is(c.Err(), ErrLocalClose) {
						t.Error(c.Err())
					}
					l.want(t, nil, 0, nil)
					close(release)
					l.want(t, []string{`text "one"`}, 1, c.Err)
				}
			})
		})
	}
}

// A callback that runs does not keep the channel from being attended to (X08).
func TestAttendedWhileACallbackRuns(t *testing.T) {
	listening(t, func(t *testing.T, role Role, listen listenFunc) {
		c, r := rawChannel(t, role, nil)
		var l callbackLog
		release := make(chan bool)
		listen(c, func(typ Type, data []byte) {
			<-release
			l.message(typ, data)
		}, l.done)
		r.send(fr(0x81, "one"))
		pass(attendAfter)
		r.send(fr(0x81, "two"), fr(0x89, "ping"), fr(0x82, "three"))
		wantTaken(t, r, `pong "ping"`)
		r.send(closeOf(1001, ""))
		pass(0)
		wantEnd(t, c, status.GoingAway, "", true)
		l.want(t, nil, 0, nil)
		close(release)
		l.want(t, []string{`text "one"`, `text "two"`, `binary "three"`}, 1, c.Err)
	})
}

// After stop nothing is called, and whoever receives next misses nothing.
func TestListenStop(t *testing.T) {
	listening(t, func(t *testing.T, role Role, listen listenFunc) {
		for _, came := range []int{0, 1, 3} { // messages, before stop
			c, r := rawChannel(t, role, nil)
			var l callbackLog
			stop := listen(c, l.message, l.done)
			if came > 0 {
				synctest.Wait()
			}
			var want []string
			for i := range came {
				r.send(fr(0x81, fmt.Sprint(i)))
				want = append(want, told(Text, fmt.Sprint(i)))
			}
			l.want(t, want, 0, nil)
			half := fr(0x81, "in two").append(nil, r.nextKey())
			if came > 0 {
				r.write(half[:len(half)-3])
				synctest.Wait()
			}
			stop()
			stop()
			go func() {
				if came > 0 {
					half = half[len(half)-3:]
				}
				r.write(half)
				r.send(fr(0x82, "next"), fr(0x82, "last"), closeOf(1000, ""))
			}()
			wantNext(t, c, "in two") // at once
			wantNext(t, c, "next")
			pass(time.Second)
			l.want(t, want, 0, nil)
			var second callbackLog
			listen(c, second.message, second.done)
			second.want(t, []string{`binary "last"`}, 1, c.Err)
			stop()
			l.want(t, want, 0, nil)
		}
	})
}

// stop inside a callback lets it run to its end; until then it is a receiver.
func TestListenStopInside(t *testing.T) {
	listening(t, func(t *testing.T, role Role, listen listenFunc) {
		for _, inside := range []bool{true, false} {
			c, r := rawChannel(t, role, nil)
			var l callbackLog
			begun, release := make(chan bool), make(chan bool)
			var stop func()
			stop = listen(c, func(typ Type, data []byte) {
				begun <- true
				if inside {
					<-release
					stop()
					stop()
					begun <- true
				}
				<-release
				l.message(typ, data)
			}, l.done)
			r.send(fr(0x81, "one"), fr(0x81, "two"), fr(0x81, "three"))
			<-begun
			if inside {
				release <- true
				<-begun
			} else {
				stop()
			}
			synctest.Wait()
			if _, err := c.Receive(t.Context()); err != ErrConcurrentReceive {
				t.Errorf("Receive while the callback runs: %v", err)
			}
			release <- true
			synctest.Wait()
			wantNext(t, c, "two")
			r.send(closeOf(1000, ""))
			synctest.Wait()
			wantNext(t, c, "three")
			l.want(t, []string{`text "one"`}, 0, nil)
		}
	})
}

// A message that was on its way to a callback when stop came is the next one
// again, in front of those that wait.
func TestListenStopAtTheLastMoment(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role Role) {
		for _, idle := range []time.Duration{0, time.Second} { // wait in the channel, or behind it
			c, r := rawChannel(t, role, nil)
			pass(idle)
			go r.send(fr(0x81, "one"), fr(0x82, "two"), fr(0x81, "three"))
			pass(idle)
			for i, want := range []string{"one", "two", "three"} {
				for range i + 1 {
					_, data, err := c.engine.receive(t.Context(), []byte("mine"), func() bool { return false })
					if string(data) != "mine" || err != errStopped {
						t.Fatalf("%q, %v", data, err)
					}
				}
				if i == 1 {
					if err := readsAs(wantReader(t, c, Binary), want); err != nil {
						t.Error(err)
					}
				} else {
					wantNext(t, c, want)
				}
			}
		}
	})
}

// In onDone there is nothing left to stop, and nothing left to receive.
func TestListenStopInOnDone(t *testing.T) {
	listening(t, func(t *testing.T, role Role, listen listenFunc) {
		c, r := rawChannel(t, role, nil)
		var l callbackLog
		var stop func()
		stop = listen(c, l.message, func(err error) {
			stop()
			l.done(err)
		})
		synctest.Wait()
		r.send(closeOf(1000, ""))
		l.want(t, nil, 1, c.Err)
		stop()
		if _, err := c.Receive(t.Context()); err != c.Err() {
			t.Errorf("Receive: %v", err)
		}
	})
}

// Beside a receiver a Listen gets only an error; its stop has no effect.
func TestListenBesideAReceiver(t *testing.T) {
	listening(t, func(t *testing.T, role Role, listen listenFunc) {
		for _, first := range []string{"Receive", "Listen"} {
			c, r := rawChannel(t, role, nil)
			var one, two callbackLog
			if first == "Receive" {
				go func() {
					m, _ := c.Receive(context.Background())
					one.message(m.Type, m.Data)
				}()
			} else {
				listen(c, one.message, one.done)
			}
			synctest.Wait()
			stop := listen(c, two.message, two.done)
			two.want(t, nil, 1, func() error { return ErrConcurrentReceive })
			stop()
			if _, err := c.Receive(t.Context()); err != ErrConcurrentReceive {
				t.Errorf("Receive beside %s: %v", first, err)
			}
			r.send(fr(0x81, "one"))
			one.want(t, []string{`text "one"`}, 0, nil)
			two.want(t, nil, 1, func() error { return ErrConcurrentReceive })
			listen(c, nil, nil)
		}
	})
}
