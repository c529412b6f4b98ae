package wschannel

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/wschannel/wschannel/status"
)

// together returns frames of n messages, and what they say.
func together(p *peer, n int) (frames []byte, texts []string) {
	for i := range n {
		text := fmt.Sprint(i, " ", letters(i*7%50))
		frames = append(frames, p.frame(textFrame, text)...)
		texts = append(texts, text)
	}
	return frames, texts
}

// Messages that come together, more than are taken at a time, with control frames in
// between and a part of one behind them, are called back in order and stay as they
// are during the calls.
func TestArrivalsTogether(t *testing.T) {
	riding(t, func(t *testing.T, connect connector, role Role, listen listenFunc) {
		c, p := withPeer(t, connect, role, nil)
		onMessage, messages, _, _ := collect()
		listen(c, func(typ Type, data []byte) {
			onMessage(typ, data)
			// Somebody else may read meanwhile, to where the messages were.
			if e := &c.engine; e.reading.try() {
				e.reader.limit = math.MaxInt32
				copy(e.space(-1), letters(readBuffer))
				e.park()
				e.reading.release()
			}
			onMessage(typ, data)
		}, nil)
		wantRiding(t, c)
		for _, n := range []int{1, 2, 15, 16, 17, 32, 33, 100} {
			for _, tail := range []string{"", "a part", "a ping", "a ping within"} {
				frames, texts := together(p, n)
				behind := p.frame(textFrame, "behind")
				switch tail {
				case "a part":
					frames = append(frames, behind[:4]...)
					behind = behind[4:]
				case "a ping":
					frames = append(frames, p.frame(pingFrame, "?")...)
				case "a ping within":
					frames = append(frames, p.frame(pingFrame, "?")...)
					frames, behind = append(frames, behind...), nil
				}
				p.write(frames)
				for _, text := range texts {
					wantTold(t, messages, Text, text)
					wantTold(t, messages, Text, text)
				}
				p.write(behind)
				wantTold(t, messages, Text, "behind")
				wantTold(t, messages, Text, "behind")
				if strings.HasPrefix(tail, "a ping") {
					p.expect(pongFrame, "?")
				}
			}
		}
	})
}

// Who stops in a callback, or ends its goroutine there, leaves the messages that
// came with it to others, in order, before those that come later.
func TestArrivalsLeft(t *testing.T) {
	riding(t, func(t *testing.T, connect connector, role Role, listen listenFunc) {
		c, p := withPeer(t, connect, role, nil)
		for i := range 24 {
			n := []int{2, 3, 16, 20}[i%4]
			last := min(i%3*7, n-1) // the last that is called back for
			exits := i%2 == 0
			calls := make(chan string, n)
			ready := make(chan func(), 1)
			stop := listen(c, func(typ Type, data []byte) {
				calls <- string(data)
				if strings.HasPrefix(string(data), fmt.Sprint(last, " ")) {
					if exits {
						runtime.Goexit()
					}
					(<-ready)()
				}
			}, func(err error) { t.Errorf("onDone: %v", err) })
			ready <- stop
			wantRiding(t, c)
			frames, texts := together(p, n)
			p.write(frames)
			for _, text := range texts[:last+1] {
				if got := within(t, "a callback", calls); got != text {
					t.Fatalf("called back with %q, want %q", got, text)
				}
			}
			eventually(t, "the right to receive", func() bool { return !c.engine.reading.isClaimed() })
			p.send(textFrame, "later")
			for _, text := range append(texts[last+1:], "later") {
				wantMessage(t, c, text)
			}
			if len(calls) > 0 {
				t.Fatalf("called back with %q after stop", <-calls)
			}
		}
	})
}

// A local close in a callback is the last that a listener hears of.
func TestArrivalsDropped(t *testing.T) {
	riding(t, func(t *testing.T, connect connector, role Role, listen listenFunc) {
		c, p := withPeer(t, connect, role, nil)
		onMessage, messages, onDone, over := collect()
		listen(c, func(typ Type, data []byte) {
			onMessage(typ, data)
			if string(data) == "two" {
				c.CloseWith(4000, "enough")
			}
		}, onDone)
		wantRiding(t, c)
		var frames []byte
		for _, text := range []string{"one", "two", "three", "four"} {
			frames = append(frames, p.frame(textFrame, text)...)
		}
		p.write(frames)
		wantTold(t, messages, Text, "one")
		wantTold(t, messages, Text, "two")
		p.expectClose(4000, "enough")
		p.sendClose(4000, "")
		if err := within(t, "onDone", over); !isClosedWith(err, 4000) {
			t.Errorf("onDone: %v", err)
		}
		if len(messages) > 0 {
			t.Errorf("called back with %q", <-messages)
		}
	})
}

// What came before a close or a violation is called back first.
func TestArrivalsBeforeTheEnd(t *testing.T) {
	for _, end := range []struct {
		name  string
		frame func(p *peer) []byte
		code  status.Code
	}{
		{"a close", func(p *peer) []byte { return p.frame(closeFrame, "\x03\xe8bye") }, 1000},
		{"a violation", func(p *peer) []byte { return p.frame(textFrame|0x40, "rsv") }, 1002},
		{"no UTF-8", func(p *peer) []byte { return p.frame(textFrame, "a\xff") }, 1007},
		{"too long", func(p *peer) []byte { return p.frame(textFrame, letters(101)) }, 1009},
	} {
		t.Run(end.name, func(t *testing.T) {
			riding(t, func(t *testing.T, connect connector, role Role, listen listenFunc) {
				c, p := withPeer(t, connect, role, &Options{MessageLimit: 100})
				onMessage, messages, onDone, over := collect()
				listen(c, onMessage, onDone)
				wantRiding(t, c)
				frames, texts := together(p, 20)
				p.write(append(frames, end.frame(p)...))
				for _, text := range texts {
					wantTold(t, messages, Text, text)
				}
				if err := within(t, "onDone", over); !isClosedWith(err, end.code) {
					t.Errorf("onDone: %v, want %d", err, end.code)
				}
			})
		})
	}
}

func isClosedWith(err error, code status.Code) bool {
	end, ok := errors.AsType[*CloseError](err)
	return ok && end.Code == code
}

// A compressed message that a reader has left in the middle is read to its end,
// wherever it is cut, for the next one refers to it.
func TestArrivalsBehindAReader(t *testing.T) {
	for _, on := range sockets {
		for _, form := range formsOfListening {
			t.Run(form.name+" on "+on.name, func(t *testing.T) {
				c, p := compressedPeer(t, on.connect, RoleServer, Options{}, contextMode)
				d := newDeflater(CompressionContext)
				onMessage, messages, _, _ := collect()
				for _, cut := range []int{1, 2, 5, 6, 7, 200, 500} {
					left, next := fmt.Sprint(rand.Perm(100), cut), fmt.Sprint(rand.Perm(100))
					z := d.deflate(left)
					p.write(p.frame(textBegin|rsv1, z[:10]))
					wantReader(t, c, Text)
					stop := form.listen(c, onMessage, nil)
					wantRiding(t, c)
					rest := append(p.frame(continuation, z[10:20]), p.frame(pingFrame, "?")...)
					rest = append(rest, p.frame(lastFragment, z[20:])...)
					rest = append(rest, p.frame(textFrame|rsv1, d.deflate(next))...)
					cut = min(cut, len(rest)-1)
					writePart(t, c, p, rest[:cut])
					wantRiding(t, c)
					p.write(rest[cut:])
					wantTold(t, messages, Text, next)
					p.expect(pongFrame, "?")
					stop()
					eventually(t, "the right to receive", func() bool { return !c.engine.reading.isClaimed() })
				}
			})
		}
	}
}

// A callback that pings has its pong, although messages wait behind its own.
func TestArrivalsPing(t *testing.T) {
	riding(t, func(t *testing.T, connect connector, role Role, listen listenFunc) {
		c, p := withPeer(t, connect, role, nil)
		onMessage, messages, _, _ := collect()
		pinged := make(chan error, 1)
		listen(c, func(typ Type, data []byte) {
			before := string(data)
			if strings.HasPrefix(before, "2 ") {
				_, err := c.Ping(t.Context())
				pinged <- err
			}
			if string(data) != before {
				t.Error("changed")
			}
			onMessage(typ, data)
		}, nil)
		wantRiding(t, c)
		for _, n := range []int{10, 16, 40} {
			frames, texts := together(p, n)
			p.write(frames)
			first, payload, err := p.read()
			if err != nil || first != pingFrame {
				t.Fatal(first, err)
			}
			p.send(textFrame, "in between")
			p.send(pongFrame, payload)
			if err := within(t, "pong", pinged); err != nil {
				t.Error(err)
			}
			for _, text := range append(texts, "in between") {
				wantTold(t, messages, Text, text)
			}

		}
	})
}

// What came before a connection was lost is called back, or received, although a
// callback was the first to notice, in the middle of it.
func TestArrivalsBeforeALoss(t *testing.T) {
	for _, stops := range []bool{false, true} {
		riding(t, func(t *testing.T, connect connector, role Role, listen listenFunc) {
			c, p := withPeer(t, connect, role, nil)
			onMessage, messages, onDone, over := collect()
			ready := make(chan func(), 1)
			ready <- listen(c, func(typ Type, data []byte) {
				before := string(data)
				if strings.HasPrefix(before, "2 ") {
					for c.SendText(t.Context(), letters(1000)) == nil {
					}
					if stops {
						(<-ready)()
					}
				}
				if string(data) != before {
					t.Error("changed")
				}
				onMessage(typ, data)
			}, onDone)
			wantRiding(t, c)
			frames, texts := together(p, 60)
			p.write(frames)
			p.conn.Close()
			called := texts
			if stops {
				called = texts[:3]
			}
			for _, text := range called {
				wantTold(t, messages, Text, text)
			}
			end := error(nil)
			if stops {
				eventually(t, "the right to receive", func() bool { return !c.engine.reading.isClaimed() })
				for _, text := range texts[3:] {
					wantMessage(t, c, text)
				}
				_, end = c.Receive(t.Context())
			} else {
				end = within(t, "onDone", over)
			}
			if !isClosedWith(end, 1006) || len(messages) > 0 || len(over) > 0 {
				t.Errorf("ended with %v", end)
			}
		})
	}
}
