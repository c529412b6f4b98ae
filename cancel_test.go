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
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// resumptions are the ways to go on with a message of which a receive was
// cancelled, after rest has been written.
var resumptions = []struct {
	name   string
	resume func(t *testing.T, c *Channel, p *peer, rest []byte) (Type, []byte, error)
}{
	{"Receive", func(t *testing.T, c *Channel, p *peer, rest []byte) (Type, []byte, error) {
		go p.conn.Write(rest)
		m, err := c.Receive(t.Context())
		return m.Type, m.Data, err
	}},
	{"ReceiveAppend", func(t *testing.T, c *Channel, p *peer, rest []byte) (Type, []byte, error) {
		go p.conn.Write(rest)
		typ, b, err := c.ReceiveAppend(t.Context(), append(make([]byte, 0, 10_000), "dst"...))
		data, ok := bytes.CutPrefix(b, []byte("dst"))
		if !ok {
			t.Errorf("ReceiveAppend lost dst: %.60q", b)
		}
		return typ, data, err
	}},
	{"ReceiveAppend, no capacity", func(t *testing.T, c *Channel, p *peer, rest []byte) (Type, []byte, error) {
		go p.conn.Write(rest)
		typ, b, err := c.ReceiveAppend(t.Context(), []byte("dst")[:3:3])
		return typ, bytes.TrimPrefix(b, []byte("dst")), err
	}},
	{"NextReader", func(t *testing.T, c *Channel, p *peer, rest []byte) (Type, []byte, error) {
		go p.conn.Write(rest)
		typ, r, err := c.NextReader(t.Context())
		if err != nil {
			return 0, nil, err
		}
		data, err := io.ReadAll(r)
		return typ, data, err
	}},
	{"attention", func(t *testing.T, c *Channel, p *peer, rest []byte) (Type, []byte, error) {
		time.Sleep(attendAfter)
		p.write(rest)
		m, err := c.Receive(t.Context())
		return m.Type, m.Data, err
	}},
	{"attention before the rest", func(t *testing.T, c *Channel, p *peer, rest []byte) (Type, []byte, error) {
		time.Sleep(attendAfter)
		synctest.Wait()
		go p.conn.Write(rest)
		m, err := c.Receive(t.Context())
		return m.Type, m.Data, err
	}},
}

// receiveCancelled has a receive cancelled after written was read, and fails if
// it does not leave dst alone.
func receiveCancelled(t *testing.T, c *Channel, dst []byte, written func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	before := bytes.Clone(dst)
	cancelled := async(func() error {
		typ, b, err := c.ReceiveAppend(ctx, dst)
		if typ != 0 || len(b) != len(dst) || cap(b) != cap(dst) || cap(b) > 0 && &b[:1][0] != &dst[:1][0] {
			t.Errorf("a cancelled ReceiveAppend does not return dst: %v, %d bytes", typ, len(b))
		}
		return err
	})
	written()
	synctest.Wait()
	cancel()
	if err := <-cancelled; err != context.Canceled {
		t.Fatalf("ReceiveAppend: %v", err)
	}
	if !bytes.Equal(dst, before) {
		t.Errorf("a cancelled ReceiveAppend has changed dst: %q", dst)
	}
	// From now on the channel must not write to it.
	for i, free := 0, dst[len(dst):cap(dst)]; i < len(free); i++ {
		free[i] = '!'
	}
}

// A receive is cancelled at every byte of a message, in its headers, payloads
// and between its fragments and a ping, and another one goes on.
func TestReceiveCancelledAtEveryByte(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		for _, r := range resumptions {
			for cut := 0; ; cut++ {
				c, p := withPeer(t, netPipe, role, nil)
				var message []byte
				message = append(message, p.frame(textBegin, "gr\xc3")...)
				message = append(message, p.frame(continuation, "")...)
				message = append(message, p.frame(pingFrame, "ping")...)
				message = append(message, p.frame(lastFragment, "\xbc\xc3\x9fe")...)
				if cut == len(message) {
					break
				}
				pong := async(func() error {
					first, payload, err := p.read()
					if first != pongFrame || payload != "ping" {
						return fmt.Errorf("got %#x %q %w", first, payload, err)
					}
					return nil
				})
				dst := append(make([]byte, 0, 100), "dst"...)
				receiveCancelled(t, c, dst, func() { p.write(message[:cut]) })
				typ, data, err := r.resume(t, c, p, message[cut:])
				if err != nil || typ != Text || string(data) != "grüße" {
					t.Fatalf("%s at byte %d: %v %q %v", r.name, cut, typ, data, err)
				}
				if free := dst[len(dst):cap(dst)]; bytes.Count(free, []byte("!")) != len(free) {
					t.Fatalf("%s at byte %d: memory of the cancelled receive was written to: %q", r.name, cut, free)
				}
				if err := <-pong; err != nil {
					t.Errorf("%s at byte %d: pong: %v", r.name, cut, err)
				}
				go p.conn.Write(p.frame(textFrame, "next"))
				wantMessage(t, c, "next")
				c.CloseNow()
			}
		}
	})
}

// The same for a message that is read straight into the memory of the caller.
func TestReceiveCancelledInsideALargeMessage(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		big := strings.Repeat("0123456789", 2000)
		for _, r := range resumptions {
			for _, cut := range []int{1, 13, 14, 15, 100, smallBuffer, smallBuffer + 100, 10_000, 15_000, 20_000} {
				c, p := withPeer(t, netPipe, role, nil)
				message := p.frame(binaryFrame, big)
				for _, dst := range [][]byte{nil, make([]byte, 3, 100), make([]byte, 3, 30_000)} {
					// In three steps, each of which may leave something behind.
					receiveCancelled(t, c, dst, func() { p.write(message[:cut/2]) })
					receiveCancelled(t, c, dst, func() {})
					receiveCancelled(t, c, dst, func() { p.write(message[cut/2 : cut]) })
					typ, data, err := r.resume(t, c, p, message[cut:])
					if err != nil || typ != Binary || string(data) != big {
						t.Fatalf("%s at byte %d: %v, %d bytes, %v", r.name, cut, typ, len(data), err)
					}
					if free := dst[len(dst):cap(dst)]; bytes.Count(free, []byte("!")) != len(free) {
						t.Fatalf("%s at byte %d: memory of the cancelled receive was written to", r.name, cut)
					}
				}
				c.CloseNow()
			}
		}
	})
}

// One message, and a receive that is cancelled after each of its bytes.
func TestReceiveCancelledAfterEveryByte(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, nil)
		want := strings.Repeat("x", 300)
		message := append(p.frame(textBegin, want[:200]), p.frame(lastFragment, want[200:])...)
		last := len(message) - 1
		for i := range message[:last] {
			receiveCancelled(t, c, make([]byte, i%7), func() { p.write(message[i : i+1]) })
		}
		go p.conn.Write(message[last:])
		wantMessage(t, c, want)
	})
}

// Receives with a ctx that lasts a moment only, on every kind of stream: no
// message is lost or comes twice.
func TestReceiveCancelledAtAnyTime(t *testing.T) {
	for _, on := range connectors {
		t.Run(on.name, func(t *testing.T) {
			eachRole(t, func(t *testing.T, role Role) {
				client, server := channelPair(t, on.connect, nil)
				near, far := client, server
				if role == RoleServer {
					near, far = server, client
				}
				const count = 200
				cancelled := make(chan struct{}, 1)
				sent := async(func() error {
					for i := range count {
						if i%5 == 0 {
							<-cancelled // so that some are
						}
						m := bytes.Repeat([]byte{byte(i)}, sizes[i%len(sizes)]%10_000+1)
						if err := far.SendBinary(t.Context(), m); err != nil {
							return err
						}
					}
					return nil
				})
				for i := 0; i < count; {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(100))*time.Microsecond)
					m, err := near.Receive(ctx)
					cancel()
					switch err {
					case nil:
						if n := sizes[i%len(sizes)]%10_000 + 1; len(m.Data) != n || bytes.Count(m.Data, []byte{byte(i)}) != n {
							t.Fatalf("message %d is not as it was sent", i)
						}
						i++
					case context.DeadlineExceeded:
						select {
						case cancelled <- struct{}{}:
						default:
						}
					default:
						t.Fatal(err)
					}
				}
				if err := within(t, "Send", sent); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A Send that was cancelled before anything had left has sent nothing.
func TestSendCancelledBeforeItBegan(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		for _, size := range []int{0, 1, 3 * pendingLimit} {
			c, p := withPeer(t, netPipe, role, nil)
			withdrawn := strings.Repeat("w", size)
			for range 3 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				began := time.Now()
				if err := c.SendText(ctx, withdrawn); err != context.DeadlineExceeded {
					t.Errorf("Send: %v", err)
				}
				wantAfter(t, "Send returned", began, time.Second)
				cancel()
			}
			if c.Err() != nil || c.Buffered() != 0 {
				t.Errorf("Err: %v, Buffered: %d", c.Err(), c.Buffered())
			}
			sent := async(func() error { return c.SendText(t.Context(), "after") })
			p.expect(textFrame, "after")
			if err := <-sent; err != nil {
				t.Errorf("Send: %v", err)
			}
		}
	})
}

// A Send that was cancelled when a part had left ends the channel: at every
// byte of a message, and between the pieces of a large one.
func TestSendCancelledInsideAMessage(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		small, big := "small", strings.Repeat("x", 3*pendingLimit)
		length := func(m string) int { return len(frameBytes(textFrame, role == RoleClient, m)) }
		type cut struct {
			message string
			after   int
		}
		cuts := []cut{{big, 1}, {big, pendingLimit}, {big, pendingLimit + 1}, {big, 2 * pendingLimit}, {big, length(big) - 1}}
		for n := 1; n < length(small); n++ {
			cuts = append(cuts, cut{small, n})
		}
		for _, cut := range cuts {
			c, p := withPeer(t, netPipe, role, nil)
			ctx, cancel := context.WithCancel(t.Context())
			sent := async(func() error { return c.SendText(ctx, cut.message) })
			received := async(func() error { return receiveError(c) })
			if _, err := io.ReadFull(p.conn, make([]byte, cut.after)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			waiting := async(func() error { return c.SendText(t.Context(), noRoom) })
			closing := async(func() error { return c.SendText(ctx, noRoom) })
			synctest.Wait()
			cancel()
			err := <-sent
			if r, w := <-received, <-waiting; r != err || w != err {
				t.Errorf("after %d bytes: Send: %v, Receive: %v, a Send that waited: %v", cut.after, err, r, w)
			}
			wantLost(t, c, err, context.Canceled)
			if cause := err.(*CloseError).Cause; cause != context.Canceled {
				t.Errorf("cause: %v", cause)
			}
			if err := <-closing; err != context.Canceled && err != c.Err() {
				t.Errorf("a Send that waited: %v", err)
			}
			if rest, _ := io.ReadAll(p.conn); len(rest) > 0 {
				t.Errorf("%d bytes follow half a message", len(rest))
			}
		}
	})
}

// A Send that was cancelled while it waited for another one has sent nothing.
func TestSendCancelledWhileItWaits(t *testing.T) {
	for _, on := range []struct {
		name    string
		connect connector
	}{{"net.Pipe", netPipe}, {"TLS", tlsPipe}, {"no deadlines", streamPair}} {
		t.Run(on.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, role Role) {
				c, p := withPeer(t, on.connect, role, nil)
				first := async(func() error { return c.SendText(t.Context(), "first") })
				synctest.Wait()
				ctx, cancel := context.WithCancel(t.Context())
				second := async(func() error { return c.SendText(ctx, noRoom) })
				third := async(func() error { return c.SendText(t.Context(), "third") })
				synctest.Wait()
				cancel()
				if err := <-second; err != context.Canceled {
					t.Errorf("the second Send: %v", err)
				}
				p.expect(textFrame, "first")
				p.expect(textFrame, "third")
				if err := errors.Join(<-first, <-third); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// tlsPipe is TLS for synctest.
func tlsPipe(t testing.TB) (near, far io.ReadWriteCloser) {
	a, b := net.Pipe()
	client := tls.Client(a, &tls.Config{InsecureSkipVerify: true})
	server := tls.Server(b, &tls.Config{Certificates: []tls.Certificate{testCertificate()}})
	shaken := async(server.Handshake)
	if err := errors.Join(client.Handshake(), <-shaken); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return client, server
}

// Where a write cannot be called back, a Send is cancelled before it has begun
// or ends the channel.
func TestSendCancelledWhereWritesCannotBeResumed(t *testing.T) {
	for _, on := range []struct {
		name    string
		connect connector
	}{{"TLS", tlsPipe}, {"no deadlines", streamPair}} {
		t.Run(on.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, role Role) {
				c, p := withPeer(t, on.connect, role, nil)
				done, cancel := context.WithCancel(t.Context())
				cancel()
				if err := c.SendText(done, "withdrawn"); err != context.Canceled {
					t.Errorf("Send: %v", err)
				}
				go c.SendText(t.Context(), "sent")
				p.expect(textFrame, "sent")
				synctest.Wait()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				began := time.Now()
				err := c.SendText(ctx, "begun")
				wantAfter(t, "Send returned", began, time.Second)
				wantLost(t, c, err, context.DeadlineExceeded)
			})
		})
	}
}

// Sends with a ctx that lasts a moment only: those that returned nil have been
// sent, those that returned the error of ctx have not, in this order. Where a
// part of one has left the channel ends, and another one is made.
func TestSendCancelledAtAnyTime(t *testing.T) {
	for _, on := range connectors {
		t.Run(on.name, func(t *testing.T) {
			eachRole(t, func(t *testing.T, role Role) {
				cancelled := 0
				for range 20 {
					client, server := channelPair(t, on.connect, nil)
					near, far := client, server
					if role == RoleServer {
						near, far = server, client
					}
					received := async(func() (got []string) {
						for {
							m, err := far.Receive(t.Context())
							if err != nil {
								return got
							}
							got = append(got, string(m.Data))
						}
					})
					var accepted []string
					begun := "" // the one that the channel has ended with
					for i := range 20 {
						ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(50))*time.Microsecond)
						m := fmt.Sprint(i, strings.Repeat("x", sizes[i%len(sizes)]))
						err := near.SendText(ctx, m)
						cancel()
						if err == nil {
							accepted = append(accepted, m)
							continue
						}
						cancelled++
						if err != context.DeadlineExceeded {
							wantLost(t, near, err, context.DeadlineExceeded)
							begun = m
							break
						}
					}
					near.Close()
					got := within(t, "the receiver", received)
					if last := len(got) - 1; last >= 0 && got[last] == begun && !near.engine.exact {
						got = got[:last] // it came through before anybody could know
					}
					if strings.Join(got, "|") != strings.Join(accepted, "|") {
						t.Fatalf("accepted %d messages, received %d, or other ones", len(accepted), len(got))
					}
				}
				if cancelled == 0 {
					t.Error("no Send was cancelled: this tests nothing")
				}
			})
		})
	}
}
