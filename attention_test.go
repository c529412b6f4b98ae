//go:build !js

package wschannel

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel/status"
)

// silent are options for tests in which nothing happens by itself.
var silent = &Options{PingInterval: -1, WriteTimeout: -1}

func silentWith(receiveBuffer int) *Options {
	o := *silent
	o.ReceiveBuffer = receiveBuffer
	return &o
}

// X08: pings are answered although nobody receives, after 100 ms.
func TestAttentionAnswersPings(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, silent)
		began := time.Now()
		p.send(pingFrame, "first")
		wantAfter(t, "the first ping was read", began, attendAfter)
		p.expect(pongFrame, "first")
		for i := range 10 {
			p.send(pingFrame, fmt.Sprint(i))
			p.expect(pongFrame, fmt.Sprint(i))
		}
		wantAfter(t, "the other ones were answered", began, attendAfter)

		// Once more after a receive. The timer is set lazily: 100 ms to 200 ms.
		for i := range 10 {
			time.Sleep(time.Duration(i) * 23 * time.Millisecond)
			go p.conn.Write(p.frame(textFrame, "message"))
			wantMessage(t, c, "message")
			left := time.Now()
			p.send(pingFrame, "again")
			if waited := time.Since(left); waited < attendAfter || waited > 2*attendAfter {
				t.Errorf("a ping after a receive was read after %v", waited)
			}
			p.expect(pongFrame, "again")
		}
	})
}

// As long as somebody receives now and then, nobody attends.
func TestNoAttentionBesideReceivers(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, silent)
		for range 100 {
			time.Sleep(attendAfter - 1)
			if c.engine.inRead.Load() {
				t.Fatal("somebody attends")
			}
			go p.conn.Write(p.frame(textFrame, "message"))
			wantMessage(t, c, "message")
		}
	})
}

// T049: the peer's close is noticed.
func TestAttentionNoticesTheClose(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, silent)
		sent := async(func() error { return c.SendText(t.Context(), "close") })
		p.expect(textFrame, "close")
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		p.sendClose(3001, "you asked me to")
		p.expectClose(3001, "you asked me to")
		<-c.Done()
		wantAfter(t, "over", began, attendAfter)
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		wantOver(t, c, CloseError{Code: 3001, Reason: "you asked me to", Remote: true})
	})
}

func TestAttentionNoticesTheLoss(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, silent)
		time.Sleep(time.Hour)
		began := time.Now()
		p.conn.Close()
		<-c.Done()
		wantAfter(t, "over", began, 0)
		wantLost(t, c, c.Err(), io.ErrUnexpectedEOF)
	})
}

func TestAttentionNoticesAViolation(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, silent)
		p.send(textFrame, "before it")
		go p.conn.Write(p.frame(0x83, ""))
		first, body, err := p.read()
		if err != nil || first != closeFrame || !strings.HasPrefix(body, closeBody(1002, "")) {
			t.Fatalf("peer: %#x %q %v", first, body, err)
		}
		<-c.Done()
		wantMessage(t, c, "before it")
		if end := receiveError(c); end != c.Err() || c.CloseCode() != status.ProtocolError {
			t.Errorf("Receive: %v, Err: %v", end, c.Err())
		}
	})
}

// What came while nobody received is delivered afterwards, in order.
func TestAttentionKeepsTheOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, silent)
		for round := range 20 {
			for i := range 10 {
				p.send(textBegin, fmt.Sprint(round))
				p.send(pingFrame, "between")
				p.expect(pongFrame, "between")
				p.send(continuation, ",")
				p.send(lastFragment, fmt.Sprint(i))
				p.send(binaryFrame, "")
			}
			// The receiver comes while nothing is on its way, or a part of a message.
			p.send(textBegin, "cut ")
			if round%2 == 1 {
				time.Sleep(time.Second)
			}
			go p.conn.Write(p.frame(lastFragment, fmt.Sprint("in ", round)))
			for i := range 10 {
				wantMessage(t, c, fmt.Sprintf("%d,%d", round, i))
				wantMessage(t, c, "")
			}
			wantMessage(t, c, fmt.Sprint("cut in ", round))
		}
		if b := c.engine.inbox; b.size() != 0 || b != nil && cap(b.frames) != 0 {
			t.Error("the receive buffer still holds memory")
		}
	})
}

// The receive buffer takes as many bytes from the wire as it is told, and then
// the peer has to wait.
func TestAttentionIsBounded(t *testing.T) {
	repeat := func(first byte, payload string) func(*peer, int) []byte {
		return func(p *peer, _ int) []byte { return p.frame(first, payload) }
	}
	for _, tt := range []struct {
		name  string
		frame func(p *peer, i int) []byte
	}{
		{"messages", repeat(textFrame, "0123456789")},
		{"empty messages", repeat(binaryFrame, "")},
		{"messages of 16-bit length", repeat(textFrame, strings.Repeat("x", 300))},
		{"one message that is longer", repeat(binaryFrame, strings.Repeat("x", 100_000))},
		{"one message that is much longer", repeat(binaryFrame, strings.Repeat("x", 1_000_000))},
		{"one message in fragments", func(p *peer, i int) []byte {
			if i == 0 {
				return p.frame(binaryBegin, "")
			}
			return p.frame(continuation, "fragment")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, role Role) {
				for _, size := range []int{1, 139, 140, 1000, 5000, 0} {
					c, p := withPeer(t, netPipe, role, silentWith(size))
					size = max(either(size, 64<<10), 139) // a control frame fits in
					var flood []byte
					for i := 0; len(flood) <= size; i++ {
						flood = append(flood, tt.frame(p, i)...)
					}
					if n := writeFor(t, p, time.Hour, flood); n != size {
						t.Fatalf("a buffer of %d bytes took %d", size, n)
					}
					if c.Err() != nil {
						t.Fatal(c.Err())
					}
					c.CloseNow()
				}
			})
		})
	}
}

// writeFor writes for that time, and returns how many bytes were read.
func writeFor(t *testing.T, p *peer, d time.Duration, b []byte) int {
	t.Helper()
	conn := p.conn.(net.Conn)
	conn.SetWriteDeadline(time.Now().Add(d))
	n, err := conn.Write(b)
	if err == nil {
		t.Fatalf("all of %d bytes were read", n)
	}
	conn.SetWriteDeadline(time.Time{})
	return n
}

// Control frames are answered, not kept: they take no room.
func TestAttentionBoundIsForMessages(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, silentWith(100))
		p.send(textBegin, "0123456789")
		for i := range 100 {
			p.send(pingFrame, fmt.Sprint(i))
			p.expect(pongFrame, fmt.Sprint(i))
		}
		p.send(lastFragment, "")
		p.sendClose(1000, "")
		p.expectClose(1000, "")
		<-c.Done()
		wantMessage(t, c, "0123456789")
		wantOver(t, c, peerClose)
	})
}

// When the buffer was full, reading goes on as soon as it is received from.
func TestAttentionGoesOn(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		message := strings.Repeat("x", 100)
		frame := len(frameBytes(textFrame, role == RoleServer, message))
		c, p := withPeer(t, netPipe, role, silentWith(5*frame))
		stream := []byte{}
		for range 20 {
			stream = append(stream, p.frame(textFrame, message)...)
		}
		n := writeFor(t, p, time.Hour, stream)
		for taken := range 3 {
			wantMessage(t, c, message)
			if got := writeFor(t, p, time.Hour, stream[n:]); got != frame {
				t.Fatalf("after %d messages were received: %d bytes were read, want %d", taken+1, got, frame)
			}
			n += frame
		}
		// A receiver takes what is in the buffer and then what is on the wire.
		wrote := async(func() error { _, err := p.conn.Write(stream[n:]); return err })
		for range 20 - 3 {
			wantMessage(t, c, message)
		}
		if err := <-wrote; err != nil {
			t.Error(err)
		}
		// And nobody has to wait for the poll of the time when it was full.
		began := time.Now()
		p.send(pingFrame, "")
		if waited := time.Since(began); waited > 2*attendAfter {
			t.Errorf("attended to after %v", waited)
		}
		p.expect(pongFrame, "")
	})
}

// A message that a cancelled receive has begun may be as long as MessageLimit:
// what it has read counts for nobody's buffer.
func TestAttentionAfterACancelledReceive(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, silentWith(1000))
		message := p.frame(binaryFrame, strings.Repeat("x", 50_000))
		receiveCancelled(t, c, nil, func() { p.write(message[:10_000]) })
		if n := writeFor(t, p, time.Hour, message[10_000:]); n != 1000 {
			t.Errorf("%d bytes were read, want 1000", n)
		}
		go p.conn.Write(message[11_000:])
		wantMessage(t, c, strings.Repeat("x", 50_000))

		// That is over with this message, also if it was completed meanwhile.
		message = p.frame(binaryFrame, strings.Repeat("x", 10_000))
		receiveCancelled(t, c, nil, func() { p.write(message[:9_500]) })
		p.write(message[9_500:])
		wantMessage(t, c, strings.Repeat("x", 10_000))
		if n := writeFor(t, p, time.Hour, p.frame(binaryFrame, strings.Repeat("x", 50_000))); n != 1000 {
			t.Errorf("then %d bytes were read, want 1000", n)
		}
	})
}

// Nothing is read ahead without a buffer.
func TestNoReceiveBuffer(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, silentWith(-1))
		if n := writeFor(t, p, time.Hour, p.frame(textFrame, "a")); n != 0 {
			t.Fatalf("%d bytes were read", n)
		}
		go p.conn.Write(p.frame(textFrame, "a"))
		wantMessage(t, c, "a")
		go p.conn.Write(p.frame(closeFrame, closeBody(1000, "")))
		time.Sleep(time.Hour)
		if c.Err() != nil {
			t.Errorf("Err: %v", c.Err())
		}
		received := async(func() error { return receiveError(c) })
		p.expectClose(1000, "")
		wantCloseError(t, "Receive", <-received, peerClose)
	})
}

// Two ends that send and do not receive do not block each other, as long as the
// receive buffers last.
func TestAttentionWhileBothSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, connect := range []connector{netPipe, streamPair, tlsPipe} {
			client, server := channelPair(t, connect, silent)
			message := strings.Repeat("x", 60_000)
			began := time.Now()
			a := async(func() error { return client.SendText(t.Context(), message) })
			b := async(func() error { return server.SendText(t.Context(), message) })
			if err := errors.Join(<-a, <-b); err != nil {
				t.Error(err)
			}
			wantAfter(t, "sent", began, attendAfter)
			wantMessage(t, client, message)
			wantMessage(t, server, message)
		}
	})
}

// The channel is attended to while a callback of Listen takes its time.
func TestAttentionWhileACallbackRuns(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, silent)
		leave := make(chan struct{})
		var got []string
		ended := make(chan error, 1)
		c.Listen(func(m Message) {
			if got = append(got, string(m.Data)); len(got) == 1 {
				<-leave
			}
		}, func(err error) { ended <- err })
		p.send(textFrame, "a")
		began := time.Now()
		p.send(pingFrame, "")
		p.expect(pongFrame, "")
		if waited := time.Since(began); waited > 2*attendAfter {
			t.Errorf("attended to after %v", waited)
		}
		p.send(textFrame, "b")
		p.sendClose(1000, "")
		p.expectClose(1000, "")
		<-c.Done()
		close(leave)
		wantCloseError(t, "onDone", <-ended, peerClose)
		if fmt.Sprint(got) != "[a b]" {
			t.Errorf("callbacks got %q", got)
		}
	})
}

// A lost connection is noticed while reading pauses: by the ping that cannot be
// written.
func TestPausedNoticesAFailingPing(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, &Options{ReceiveBuffer: 139})
		writeFor(t, p, time.Second, append(p.frame(textFrame, "a"), p.frame(binaryFrame, strings.Repeat("x", 1000))...))
		began := time.Now()
		p.conn.Close()
		<-c.Done()
		// The last byte had come a second before, less the time until attending.
		wantAfter(t, "over", began, 30*time.Second-time.Second+attendAfter)
		wantMessage(t, c, "a")
		wantLost(t, c, receiveError(c), io.ErrClosedPipe)
	})
}

// A reset is noticed while reading pauses, by asking the socket.
func TestPausedNoticesAReset(t *testing.T) {
	for _, on := range []struct {
		name    string
		connect connector
	}{{"TCP", tcpPair}, {"TLS", tlsPair}} {
		t.Run(on.name, func(t *testing.T) {
			eachRole(t, func(t *testing.T, role Role) {
				c, p := withPeer(t, on.connect, role, silentWith(139))
				p.send(textFrame, "a")
				p.send(binaryFrame, strings.Repeat("x", 1000))
				eventually(t, "a full buffer", func() bool {
					if !c.engine.reading.try() {
						return false
					}
					defer c.engine.reading.release()
					return c.engine.inbox.size()+c.engine.in.Held() >= 139-8
				})
				socket := p.conn
				if over, ok := socket.(*tls.Conn); ok {
					socket = over.NetConn()
				}
				socket.(*net.TCPConn).SetLinger(0)
				socket.Close()
				within(t, "the end", c.Done())
				wantMessage(t, c, "a")
				wantMessage(t, c, strings.Repeat("x", 1000)) // it had arrived
				wantLost(t, c, receiveError(c), syscall.ECONNRESET)
			})
		})
	}
}

// However often whoever attends is woken, by receivers that leave at once, the
// channel is none the worse for it.
func TestAttentionIsWokenOften(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, silentWith(1000))
		time.Sleep(2 * attendAfter)
		for range 3 * maxFruitless {
			c.engine.wakeReader()
			synctest.Wait()
		}
		p.send(textFrame, "still here")
		wantMessage(t, c, "still here")
	})
}

// Somebody who receives needs no goroutine beside his own, and an idle channel
// that nobody receives from one.
func TestGoroutinesOfIdleChannels(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		const count = 100
		before := bubbleGoroutines()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for range count {
			c, _ := withPeer(t, netPipe, role, silent)
			go c.Receive(ctx)
		}
		time.Sleep(time.Hour)
		if n := bubbleGoroutines() - before; n != count {
			t.Errorf("%d goroutines for %d receivers", n, count)
		}
		cancel()
		synctest.Wait()
		if n := bubbleGoroutines() - before; n != 0 {
			t.Errorf("%d goroutines after the receivers have left", n)
		}
		time.Sleep(attendAfter)
		synctest.Wait()
		if n := bubbleGoroutines() - before; n != count {
			t.Errorf("%d goroutines attend to %d channels", n, count)
		}
	})
}

// bubbleGoroutines returns how many goroutines there are in this bubble.
func bubbleGoroutines() int {
	stacks := make([]byte, 4<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	// The first one is the caller: "goroutine 7 [running, synctest bubble 5]:".
	head, _, _ := bytes.Cut(stacks, []byte("\n"))
	return bytes.Count(stacks, head[bytes.Index(head, []byte("synctest bubble")):])
}

// A receiver takes over at any moment, and leaves at any moment.
func TestReceiversTakeOver(t *testing.T) {
	for _, on := range connectors {
		t.Run(on.name, func(t *testing.T) {
			eachRole(t, func(t *testing.T, role Role) {
				client, server := channelPair(t, on.connect, silentWith(2000))
				near, far := client, server
				if role == RoleServer {
					near, far = server, client
				}
				const count = 100
				sent := async(func() error {
					for i := range count {
						if err := far.SendText(t.Context(), fmt.Sprint(i, strings.Repeat("x", i%300))); err != nil {
							return err
						}
					}
					return nil
				})
				left := make(chan struct{}, 1) // the receiver has
				attended := async(func() bool {
					for range left {
						near.engine.attend()
					}
					return true
				})
				for i := 0; i < count; {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(100))*time.Microsecond)
					if i%3 != 0 {
						ctx = t.Context()
					}
					select {
					case left <- struct{}{}:
						runtime.Gosched() // for somebody to take over from
					default:
					}
					m, err := near.Receive(ctx)
					cancel()
					if err == context.DeadlineExceeded {
						continue
					}
					if want := fmt.Sprint(i, strings.Repeat("x", i%300)); err != nil || string(m.Data) != want {
						t.Fatalf("%.60q %v, want %.60q", m.Data, err, want)
					}
					i++
				}
				closed := async(far.Close) // not before: it would not wait for a slow receiver
				wantOver(t, near, peerClose)
				if err := within(t, "closing", closed); err != nil {
					t.Error(err)
				}
				close(left)
				within(t, "attending", attended)
				if err := within(t, "the sender", sent); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
