//go:build !js

package wschannel

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pingBody is the payload of the n-th ping that a channel sends.
func pingBody(n byte) string { return "\x00\x00\x00\x00\x00\x00\x00" + string([]byte{n}) }

// readers are those who read a channel.
var readers = []struct {
	name  string
	start func(t *testing.T, c *Channel)
}{
	{"receiver", func(t *testing.T, c *Channel) {
		go func() {
			for range c.Messages(t.Context()) {
			}
		}()
	}},
	{"attention", func(*testing.T, *Channel) {}},
}

// wantDead fails if c was not lost for want of a sign of life.
func wantDead(t *testing.T, c *Channel) {
	t.Helper()
	synctest.Wait() // for the receiver to leave
	wantLost(t, c, c.Err(), os.ErrDeadlineExceeded)
	if text := c.Err().Error(); !strings.Contains(text, "no sign of life for ") {
		t.Errorf("Err: %s", text)
	}
}

// The ping comes exactly PingInterval after the last byte, and if nothing
// follows, the channel is lost exactly PingTimeout later. X09
func TestKeepalive(t *testing.T) {
	for _, tt := range []struct {
		name              string
		interval, timeout time.Duration
	}{
		{"defaults", 0, 0},
		{"short time-out", 10 * time.Second, time.Second},
		{"long time-out", time.Second, 10 * time.Second},
		{"uneven", 7 * time.Second, 11 * time.Second},
	} {
		for _, r := range readers {
			t.Run(tt.name+", "+r.name, func(t *testing.T) {
				inBubble(t, func(t *testing.T, role Role) {
					c, p := withPeer(t, netPipe, role, &Options{PingInterval: tt.interval, PingTimeout: tt.timeout})
					interval, timeout := either(tt.interval, 30*time.Second), either(tt.timeout, 30*time.Second)
					last := time.Now()
					r.start(t, c)
					signs := [][]byte{
						p.frame(pongFrame, pingBody(1)),
						p.frame(pongFrame, "unsolicited"),
						p.frame(pingFrame, ""),
						p.frame(textFrame, "message")[:1], // any byte will do
						p.frame(textFrame, "message")[1:],
					}
					for i, sign := range signs {
						p.expect(pingFrame, pingBody(byte(i+1)))
						wantAfter(t, "the ping", last, interval)
						// From at once to as late as can be.
						time.Sleep((timeout - 1) * time.Duration(i) / time.Duration(len(signs)-1))
						p.write(sign)
						last = time.Now()
						if sign[0] == pingFrame {
							p.expect(pongFrame, "")
						}
					}
					p.expect(pingFrame, pingBody(byte(len(signs)+1)))
					wantAfter(t, "the last ping", last, interval)
					p.expectEnd()
					<-c.Done()
					wantAfter(t, "lost", last, interval+timeout)
					if r.name == "attention" {
						wantMessage(t, c, "message")
					}
					wantDead(t, c)
				})
			})
		}
	}
}

// Bytes from the peer put the ping off, bytes to the peer do not.
func TestKeepaliveCountsWhatIsReceived(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, nil)
		readers[0].start(t, c)
		for range 10 {
			for _, b := range p.frame(textFrame, "m") {
				time.Sleep(30*time.Second - 1)
				p.write([]byte{b})
			}
		}
		last := time.Now()
		for range 29 {
			time.Sleep(time.Second)
			go c.SendText(t.Context(), "ours")
			p.expect(textFrame, "ours")
		}
		p.expect(pingFrame, pingBody(1))
		wantAfter(t, "the ping", last, 30*time.Second)
	})
}

func TestKeepaliveSwitchedOff(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, &Options{PingInterval: -1})
		time.Sleep(24 * time.Hour)
		if c.Err() != nil {
			t.Errorf("Err: %v", c.Err())
		}
		p.send(textFrame, "still here")
		wantMessage(t, c, "still here")

		c, p = withPeer(t, netPipe, role, &Options{PingTimeout: -1})
		for i := range 200 {
			last := time.Now()
			p.expect(pingFrame, pingBody(byte(i+1)))
			wantAfter(t, "the ping", last, 30*time.Second)
		}
		p.send(textFrame, "still here")
		wantMessage(t, c, "still here")
	})
}

// While we do not read, nothing that the peer does could be noticed, so it is
// not judged. Our pings go on.
func TestKeepaliveDoesNotJudgeWhilePaused(t *testing.T) {
	for _, buffer := range []int{139, -1} {
		inBubble(t, func(t *testing.T, role Role) {
			c, p := withPeer(t, netPipe, role, &Options{ReceiveBuffer: buffer})
			big := strings.Repeat("x", 1000)
			wrote := async(func() error { _, err := p.conn.Write(p.frame(textFrame, big)); return err })
			began := time.Now()
			pings := byte(0)
			for time.Since(began) < time.Hour {
				pings++
				p.expect(pingFrame, pingBody(pings))
			}
			if pings < 100 || c.Err() != nil {
				t.Errorf("%d pings in an hour, Err: %v", pings, c.Err())
			}
			// Somebody reads again.
			wantMessage(t, c, big)
			if err := <-wrote; err != nil {
				t.Error(err)
			}
			last := time.Now()
			readers[0].start(t, c)
			p.expect(pingFrame, pingBody(pings+1))
			wantAfter(t, "the ping", last, 30*time.Second)
			<-c.Done()
			wantAfter(t, "lost", last, time.Minute)
			wantDead(t, c)
		})
	}
}

// A lazyConn takes a moment to bring what lies there.
type lazyConn struct {
	net.Conn
	moment time.Duration
}

func (c *lazyConn) Read(p []byte) (int, error) {
	time.Sleep(c.moment)
	return c.Conn.Read(p)
}

// A peer is not judged by a wait that has just begun, after nobody had waited:
// what lies in the socket may be about to come.
func TestKeepaliveDoesNotJudgeByAReadThatHasJustBegun(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		near, far := net.Pipe()
		c := newOn(t, &lazyConn{near, time.Second}, role, &Options{ReceiveBuffer: -1})
		p := newPeer(t, far, RoleClient+RoleServer-role)
		wrote := async(func() error { _, err := p.conn.Write(p.frame(textFrame, "was there")); return err })
		p.expect(pingFrame, pingBody(1))
		time.Sleep(30*time.Second - 1) // the time-out is about to pass
		wantMessage(t, c, "was there")
		if err := <-wrote; err != nil {
			t.Error(err)
		}
		// And if nothing comes, such a wait ends as any other does.
		last := time.Now()
		p.expect(pingFrame, pingBody(2))
		time.Sleep(30*time.Second - 1)
		received := async(func() error { return receiveError(c) })
		<-c.Done()
		wantAfter(t, "lost", last, time.Minute+3*time.Second)
		<-received
		wantDead(t, c)
	})
}

// A peer that is busy taking a large message cannot answer, but is alive.
func TestKeepaliveWhileAWriteGoesOn(t *testing.T) {
	for _, tt := range []struct {
		name    string
		timeout time.Duration // of writing
	}{{"default", 0}, {"no write time-out", -1}, {"long write time-out", time.Hour}} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, role Role) {
				c, p := withPeer(t, netPipe, role, &Options{WriteTimeout: tt.timeout})
				readers[0].start(t, c)
				sent := async(func() error { return c.SendText(t.Context(), strings.Repeat("x", 100_000)) })
				for range 1000 {
					time.Sleep(5 * time.Second)
					if _, err := io.ReadFull(p.conn, make([]byte, 7)); err != nil {
						t.Fatalf("a peer that takes a few bytes all the time: %v", c.Err())
					}
				}
				// And when it takes nothing any more it is dead, or the write has failed.
				last := time.Now()
				<-c.Done()
				if took := time.Since(last); took < 10*time.Second || took > time.Minute {
					t.Errorf("lost after %v", took)
				}
				synctest.Wait()
				wantLost(t, c, <-sent, os.ErrDeadlineExceeded)
			})
		})
	}
}

// Nothing is left when the channel has ended. X10
func TestTimersStopAtTheEnd(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(c *Channel, p *peer)
	}{
		{"CloseNow", func(c *Channel, p *peer) { c.CloseNow() }},
		{"Close", func(c *Channel, p *peer) {
			closed := async(c.Close)
			p.expectClose(1000, "")
			p.sendClose(1000, "")
			<-closed
		}},
		{"Close, no answer", func(c *Channel, p *peer) { c.Close() }},
		{"peer's close", func(c *Channel, p *peer) {
			p.sendClose(1000, "")
			p.expectClose(1000, "")
		}},
		{"loss", func(c *Channel, p *peer) { p.conn.Close() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, r := range readers {
				inBubble(t, func(t *testing.T, role Role) {
					c, p := withPeer(t, netPipe, role, nil)
					r.start(t, c)
					time.Sleep(attendAfter / 2)
					tt.end(c, p)
					<-c.Done()
					synctest.Wait()
					if c.engine.clock.timer.Stop() {
						t.Errorf("%s: the timer is still set", r.name)
					}
				})
			}
		})
	}
}

// No ping follows a close frame.
func TestNoPingAfterClose(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, &Options{CloseTimeout: time.Hour})
		began := time.Now()
		closed := async(c.Close)
		p.expectClose(1000, "")
		p.expectEnd()
		wantAfter(t, "hung up", began, time.Hour)
		if err := <-closed; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Close: %v", err)
		}
	})
}

func TestPing(t *testing.T) {
	for _, r := range readers {
		t.Run(r.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, role Role) {
				c, p := withPeer(t, netPipe, role, silent)
				r.start(t, c)
				type pong struct {
					d   time.Duration
					err error
				}
				ping := func(ctx context.Context) <-chan pong {
					return async(func() pong { d, err := c.Ping(ctx); return pong{d, err} })
				}
				waits := func(pings ...<-chan pong) {
					t.Helper()
					synctest.Wait()
					for _, ping := range pings {
						if len(ping) > 0 {
							t.Errorf("Ping: %v", <-ping)
						}
					}
				}
				want := func(ping <-chan pong, want pong) {
					t.Helper()
					if got := <-ping; got != want {
						t.Errorf("Ping: %v, want %v", got, want)
					}
				}
				first := ping(t.Context())
				p.expect(pingFrame, pingBody(1))
				time.Sleep(123 * time.Millisecond)
				p.send(pongFrame, pingBody(1))
				want(first, pong{d: 123 * time.Millisecond})

				// A pong answers all pings before it (RFC 6455 §5.5.3), and only these.
				second := ping(t.Context())
				p.expect(pingFrame, pingBody(2))
				time.Sleep(time.Second)
				third := ping(t.Context())
				p.expect(pingFrame, pingBody(3))
				time.Sleep(time.Second)
				fourth := ping(t.Context())
				p.expect(pingFrame, pingBody(4))
				waits(second, third, fourth)
				p.send(pongFrame, pingBody(3))
				want(second, pong{d: 2 * time.Second})
				want(third, pong{d: time.Second})
				waits(fourth)

				// What is no answer is ignored.
				for _, body := range []string{"", "4", pingBody(3), pingBody(5), "heart!!!", pingBody(4) + "x", pingBody(4)[1:]} {
					p.send(pongFrame, body)
					waits(fourth)
				}
				p.send(pongFrame, pingBody(4))
				want(fourth, pong{})

				// Cancelled, before it is sent and after.
				done, cancel := context.WithCancel(t.Context())
				cancel()
				want(ping(done), pong{err: context.Canceled})
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				fifth := ping(ctx)
				p.expect(pingFrame, pingBody(5))
				want(fifth, pong{err: context.DeadlineExceeded})
				p.send(pongFrame, pingBody(5)) // too late
				c.engine.control.mu.Lock()
				if f := c.engine.control.frames; f != nil && len(f.waiters) != 0 {
					t.Errorf("%d pings are still waited for", len(f.waiters))
				}
				c.engine.control.mu.Unlock()

				// At the end.
				sixth := ping(t.Context())
				p.expect(pingFrame, pingBody(6))
				p.sendClose(1000, "")
				p.expectClose(1000, "")
				<-c.Done()
				want(sixth, pong{err: c.Err()})
				want(ping(t.Context()), pong{err: c.Err()})
				want(ping(done), pong{err: c.Err()})
			})
		})
	}
}

// Pings that cannot be written yet become one.
func TestPingsBehindAWrite(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, silent)
		sent := async(func() error { return c.SendText(t.Context(), "message") })
		synctest.Wait()
		const count = 10
		results := make(chan error, count)
		for range count {
			go func() {
				_, err := c.Ping(t.Context())
				results <- err
			}()
		}
		synctest.Wait()
		// The same goes for the answers to the peer's pings.
		for _, body := range []string{"a", "b", "c"} {
			p.send(pingFrame, body)
		}
		p.expect(textFrame, "message")
		if err := <-sent; err != nil {
			t.Error(err)
		}
		// One frame of each kind may have been taken up before.
		var pings, pongs []string
		for len(pings) == 0 || pings[len(pings)-1] != pingBody(count) || len(pongs) == 0 || pongs[len(pongs)-1] != "c" {
			switch first, body, err := p.read(); {
			case err != nil:
				t.Fatal(err)
			case first == pingFrame:
				pings = append(pings, body)
			default:
				pongs = append(pongs, body)
			}
		}
		if len(pings) > 2 || len(pongs) > 2 {
			t.Errorf("pings %q, pongs %q", pings, pongs)
		}
		p.send(pongFrame, pingBody(count))
		for range count {
			if err := <-results; err != nil {
				t.Errorf("Ping: %v", err)
			}
		}
	})
}

// Ping has somebody read its pong, and leaves the channel as it was.
func TestPingThenReceive(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, silentWith(1000))
		for i := range 20 {
			began := time.Now()
			pong := async(func() error { _, err := c.Ping(t.Context()); return err })
			p.expect(pingFrame, pingBody(byte(i+1)))
			p.write(append(p.frame(textFrame, "before"), p.frame(pongFrame, pingBody(byte(i+1)))...))
			if err := <-pong; err != nil {
				t.Error(err)
			}
			wantAfter(t, "the pong", began, 0)
			wantMessage(t, c, "before")
			time.Sleep(time.Duration(i) * 20 * time.Millisecond)
		}
		// And it is attended to as before.
		began := time.Now()
		p.send(pingFrame, "")
		if waited := time.Since(began); waited > 2*attendAfter {
			t.Errorf("attended to after %v", waited)
		}
	})
}

// Without a receive buffer nobody reads the pong but a receiver.
func TestPingWithoutReceiver(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, silentWith(-1))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		pong := async(func() error { _, err := c.Ping(ctx); return err })
		p.expect(pingFrame, pingBody(1))
		go p.conn.Write(p.frame(pongFrame, pingBody(1)))
		if err := <-pong; err != context.DeadlineExceeded {
			t.Errorf("Ping: %v", err)
		}
		readers[0].start(t, c)
		pong = async(func() error { _, err := c.Ping(t.Context()); return err })
		p.expect(pingFrame, pingBody(2))
		p.send(pongFrame, pingBody(2))
		if err := <-pong; err != nil {
			t.Errorf("Ping: %v", err)
		}
	})
}
