//go:build !js

package wschannel

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel/status"
)

// A channel that never waits keeps the contract, too, as long as there is room;
// and so does one that waits behind a queue.
func TestContractWithAQueue(t *testing.T) {
	for _, o := range []*Options{{WhenFull: Fail, SendQueue: 1 << 30}, {SendQueue: 1 << 20}} {
		for _, on := range connectors[:2] {
			for _, c := range contract {
				if o.WhenFull != Block && strings.HasPrefix(c.name, "4 waiting calls") {
					continue // none waits
				}
				t.Run(fmt.Sprint(o.WhenFull, " ", on.name, " ", c.name), func(t *testing.T) {
					client, server := channelPair(t, on.connect, o)
					c.rule(t, server, client)
				})
			}
		}
	}
}

// What was accepted arrives, in order, whatever part of it the transport has taken
// and when; what was refused does not.
func TestAcceptedArrivesAndRefusedDoesNot(t *testing.T) {
	for _, on := range connectors {
		t.Run(on.name, func(t *testing.T) {
			client, server := channelPair(t, on.connect, &Options{WhenFull: Fail})
			for _, c := range []struct{ from, to *Channel }{{server, client}, {client, server}} {
				var accepted []int
				message := func(i int) []byte {
					return binary.BigEndian.AppendUint32(bytes.Repeat([]byte{byte(i)}, i*997%90_000), uint32(i))
				}
				slowly := make(chan int, 1) // how many are to be received
				received := async(func() (all []int) {
					for n := range slowly {
						for ; n > 0; n-- {
							m, err := c.to.Receive(t.Context())
							if err != nil || len(m.Data) < 4 {
								t.Errorf("Receive: %d bytes, %v", len(m.Data), err)
								return all
							}
							i := int(binary.BigEndian.Uint32(m.Data[len(m.Data)-4:]))
							if !bytes.Equal(m.Data, message(i)) {
								t.Errorf("message %d is another one", i)
							}
							all = append(all, i)
						}
					}
					return all
				})
				asked := 0
				for i := range 1000 {
					buffer := message(i)
					err := c.from.SendBinary(t.Context(), buffer)
					clear(buffer) // it is the sender's again
					switch err {
					case nil:
						accepted = append(accepted, i)
					case ErrQueueFull:
					default:
						t.Fatal(err)
					}
					if len(accepted) > asked && len(slowly) == 0 {
						slowly <- 1
						asked++
					}
				}
				slowly <- len(accepted) - asked
				close(slowly)
				if got := within(t, "all messages", received); !slices.Equal(got, accepted) {
					t.Errorf("%d messages were accepted and %d have come, or others", len(accepted), len(got))
				}
				if s := c.from.QueueStats(); s.Refused == 0 || s.Queued == 0 || s.Refused != uint64(1000-len(accepted)) {
					t.Errorf("%+v with %d accepted", s, len(accepted))
				}
			}
		})
	}
}

// with returns options with a policy and room for that many messages of a byte.
func with(policy Policy, messages int) *Options {
	return &Options{WhenFull: policy, SendQueue: messages * (1 + messageOverhead), WriteTimeout: -1, PingInterval: -1}
}

// clogged returns a channel, in a bubble, whose transport takes nothing more: the
// peer has yet to read "clog", and noRoom is being sent from the queue.
func clogged(t *testing.T, role Role, o *Options) (*Channel, *peer) {
	t.Helper()
	c, p := withPeer(t, netPipe, role, o)
	mustSend(t, c, "clog")
	synctest.Wait()
	mustSend(t, c, noRoom)
	synctest.Wait()
	if s := c.QueueStats(); s.Messages != 0 || s.Queued != 1 {
		t.Fatalf("the queue: %+v", s)
	}
	return c, p
}

// sendEach sends messages, and returns the errors.
func sendEach(t *testing.T, c *Channel, messages ...string) (errs []error) {
	for _, m := range messages {
		errs = append(errs, c.SendText(t.Context(), m))
	}
	return errs
}

func expectTexts(p *peer, messages ...string) {
	p.t.Helper()
	for _, m := range messages {
		p.expect(textFrame, m)
	}
}

func TestFullSendQueue(t *testing.T) {
	for _, tt := range []struct {
		name      string
		o         *Options
		results   []error // of sending 1, 2, 3, 4, 5
		delivered []string
		stats     QueueStats // behind noRoom
	}{
		{"Fail", with(Fail, 3), []error{nil, nil, nil, ErrQueueFull, ErrQueueFull}, []string{"1", "2", "3"}, QueueStats{3, 195, 4, 0, 2}},
		{"DropOldest", with(DropOldest, 3), make([]error, 5), []string{"3", "4", "5"}, QueueStats{3, 195, 6, 2, 0}},
		{"DropNewest", with(DropNewest, 3), make([]error, 5), []string{"1", "2", "3"}, QueueStats{3, 195, 4, 2, 0}},
		{"Fail, no queue", with(Fail, -1), []error{nil, ErrQueueFull, ErrQueueFull, ErrQueueFull, ErrQueueFull}, []string{"1"}, QueueStats{1, 65, 2, 0, 4}},
		{"DropOldest, no queue: the latest", with(DropOldest, -1), make([]error, 5), []string{"5"}, QueueStats{1, 65, 6, 4, 0}},
		{"DropNewest, no queue", with(DropNewest, -1), make([]error, 5), []string{"1"}, QueueStats{1, 65, 2, 4, 0}},
		{"the default has room", with(Fail, 0), make([]error, 5), []string{"1", "2", "3", "4", "5"}, QueueStats{5, 325, 6, 0, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, role Role) {
				c, p := clogged(t, role, tt.o)
				if got := sendEach(t, c, "1", "2", "3", "4", "5"); !slices.Equal(got, tt.results) {
					t.Errorf("Send: %v, want %v", got, tt.results)
				}
				if got := c.QueueStats(); got != tt.stats {
					t.Errorf("the queue: %+v, want %+v", got, tt.stats)
				}
				expectTexts(p, "clog", noRoom)
				expectTexts(p, tt.delivered...)
				synctest.Wait()
				mustSend(t, c, "there is room again")
				p.expect(textFrame, "there is room again")
				want := tt.stats
				want.Messages, want.Bytes = 0, 0
				if got := c.QueueStats(); got != want {
					t.Errorf("the queue, in the end: %+v, want %+v", got, want)
				}
			})
		})
	}
}

// A peer that is too slow is closed, and told why; what is on its way arrives
// before that, what is in the queue is dropped.
func TestSlowPeerIsClosed(t *testing.T) {
	for policy, code := range map[Policy]status.Code{CloseTryAgainLater: 1013, ClosePolicyViolation: 1008} {
		inBubble(t, func(t *testing.T, role Role) {
			c, p := clogged(t, role, with(policy, 2))
			receiving := async(func() error { _, err := c.Receive(t.Context()); return err })
			errs := sendEach(t, c, "1", "2", "3", "4")
			end, ok := errors.AsType[*CloseError](errs[2])
			if errs[0] != nil || errs[1] != nil || !ok || errs[3] != errs[2] {
				t.Fatalf("Send: %v", errs)
			}
			slow, ok := errors.AsType[*SlowPeerError](end)
			if !ok || *slow != (SlowPeerError{2, 130}) || end.Code != code || end.Remote || end.Reason != tooSlow {
				t.Errorf("the end is %+v", end)
			}
			if errors.Is(end, ErrLocalClose) || !errors.Is(end, ErrClosed) || end.Clean() {
				t.Errorf("what %v satisfies is wrong", end)
			}
			if want := "the peer is too slow: 2 messages wait that take 130 bytes, and there is no room for another one"; !strings.HasSuffix(end.Error(), want) {
				t.Errorf("it reads %q", end)
			}
			if err := <-receiving; err != end {
				t.Errorf("Receive: %v, want %v", err, end)
			}
			p.expect(textFrame, "clog")
			p.expectClose(uint16(code), tooSlow)
			p.sendClose(uint16(code), "")
			<-c.Done()
			if s := c.QueueStats(); c.Err() != end || s.Dropped != 3 || s.Messages != 0 {
				t.Errorf("Err: %v, want %v; the queue: %+v", c.Err(), end, s)
			}
		})
	}
}

// A peer that never reads holds nothing up: not the channel's end, whatever the
// time-outs, and not Close, which may have something to flush.
func TestPeerThatNeverReads(t *testing.T) {
	for _, tt := range []struct {
		name         string
		closeTimeout time.Duration
		want         time.Duration
		end          func(*Channel) error
		code         status.Code
	}{
		{"policy", 0, 5 * time.Second, nil, 1013},
		{"policy, of our own", 2 * time.Second, 2 * time.Second, nil, 1013},
		{"policy, no time-out", -1, closeAtLast, nil, 1013},
		{"Close", 3 * time.Second, 3 * time.Second, (*Channel).Close, 1000},
		{"CloseNow", 3 * time.Second, 0, (*Channel).CloseNow, 1006},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, role Role) {
				o := with(CloseTryAgainLater, 2)
				o.CloseTimeout = tt.closeTimeout
				c, _ := clogged(t, role, o)
				mustSend(t, c, "1")
				mustSend(t, c, "2")
				began := time.Now()
				if tt.end == nil {
					c.SendText(t.Context(), "3")
					wantAfter(t, "Send", began, 0)
				} else {
					tt.end(c)
				}
				<-c.Done()
				wantAfter(t, "the end", began, tt.want)
				synctest.Wait()
				if s := c.QueueStats(); c.CloseCode() != tt.code || s.Messages != 0 || s.Dropped < 2 || s.Dropped > 3 || c.Buffered() != 0 {
					t.Errorf("%v; the queue: %+v; %d bytes are buffered", c.Err(), s, c.Buffered())
				}
			})
		})
	}
}

// All that was accepted precedes the close frame, ours or the reply to the peer's.
// X25
func TestQueuePrecedesTheClose(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := clogged(t, role, with(Fail, 3))
		for _, m := range []string{"1", "2", "3"} {
			mustSend(t, c, m)
		}
		closed := async(c.Close)
		synctest.Wait()
		wantCloseError(t, "Send", c.SendText(t.Context(), "too late"), ownClose)
		expectTexts(p, "clog", noRoom, "1", "2", "3")
		p.expectClose(1000, "")
		p.sendClose(1000, "")
		if err := <-closed; err != nil {
			t.Error(err)
		}
		if s := c.QueueStats(); s.Dropped != 0 || s.Messages != 0 {
			t.Errorf("the queue: %+v", s)
		}
	})
	inBubble(t, func(t *testing.T, role Role) {
		c, p := clogged(t, role, with(DropNewest, 3))
		mustSend(t, c, "1")
		go c.Receive(t.Context())
		p.sendClose(1000, "")
		synctest.Wait()
		expectTexts(p, "clog", noRoom, "1")
		p.expectClose(1000, "")
		<-c.Done()
		wantCloseError(t, "Err", c.Err(), peerClose)
	})
}

// What waits at a close and cannot be sent is counted as dropped, also the message
// whose turn it is.
func TestCloseThatCannotSendTheQueue(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		o := with(Fail, 3)
		o.Counters = new(Counters)
		c, p := clogged(t, role, o)
		for _, m := range []string{"1", "2", "3"} {
			mustSend(t, c, m)
		}
		go c.Close()
		expectTexts(p, "clog", noRoom)
		p.conn.Close()
		<-c.Done()
		synctest.Wait()
		if s := c.QueueStats(); s.Dropped != 3 || s.Messages != 0 {
			t.Errorf("the queue: %+v", s)
		}
		if s := o.Counters.Snapshot(); s.MessagesOut != 2 || s.Dropped != 3 {
			t.Errorf("%d messages are counted as sent, %d as dropped", s.MessagesOut, s.Dropped)
		}
	})
}

// A message that could not be sent, and comes back after the end, is dropped.
func TestMessageThatComesBackTooLate(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, _ := withPeer(t, netPipe, role, with(Fail, 3))
		c.CloseNow()
		c.sendQueue().takeBack(outgoing{Message: Message{Text, []byte("late")}})
		if s := c.QueueStats(); s != (QueueStats{Dropped: 1}) {
			t.Errorf("the queue: %+v", s)
		}
	})
}

// A message that no queue has room for is sent all the same, if none waits.
func TestMessageLongerThanTheQueue(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := clogged(t, role, with(Fail, 1))
		long := strings.Repeat("l", 200_000)
		if got, want := sendEach(t, c, long, "short", long), []error{nil, ErrQueueFull, ErrQueueFull}; !slices.Equal(got, want) {
			t.Errorf("Send: %v, want %v", got, want)
		}
		expectTexts(p, "clog", noRoom, long)
	})
}

// A sender gets its buffer back when Send returns; ctx counts before that.
func TestQueuedMessagesAreCopies(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := clogged(t, role, with(Fail, 9))
		buffer := []byte("mine")
		if err := c.SendBinary(t.Context(), buffer); err != nil {
			t.Fatal(err)
		}
		copy(buffer, "xxxx")
		done, cancel := context.WithCancel(t.Context())
		cancel()
		if err := c.SendText(done, "withdrawn"); err != context.Canceled {
			t.Errorf("Send with a ctx that is done: %v", err)
		}
		if n := c.Buffered(); n < len("clog")+len(buffer) {
			t.Errorf("%d bytes are said to wait", n)
		}
		expectTexts(p, "clog", noRoom)
		p.expect(binaryFrame, "mine")
		mustSend(t, c, "next")
		p.expect(textFrame, "next")
	})
}

// The n-th call of the transport goes wrong while sends do not wait for it.
func TestFaultsWithAQueue(t *testing.T) {
	for _, on := range faultWrappers {
		for i, kind := range faultKinds {
			if !on.prompt && kind.err == os.ErrDeadlineExceeded {
				continue // it has none
			}
			t.Run(on.name+"/"+kind.name, func(t *testing.T) {
				t.Parallel()
				for j, p := range plays {
					role := Role(1 + (i+j)%2)
					again := true
					for n := 0; again && !t.Failed(); n++ {
						synctest.Test(t, func(t *testing.T) {
							plan := &faultPlan{kind: kind, at: n}
							f := &faultTest{t: t, what: roleName(role) + " in " + p.name, exact: on.exact, plan: plan, long: pendingLimit + 1}
							near, far := net.Pipe()
							a, b := newFaultPair(t, near, far, on.wrap, role, plan)
							a.limitSending(&Options{WhenFull: Fail, SendQueue: 1 << 20})
							b.limitSending(&Options{SendQueue: 1 << 20})
							ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
							defer cancel()
							again = f.perform(ctx, p, a, b)
							if ctx.Err() != nil {
								f.errorf("it hangs")
							}
						})
					}
				}
			})
		}
	}
}
