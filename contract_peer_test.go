//go:build !js

package wschannel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Rule 2: what arrived before the peer's close is delivered before the end,
// also when the peer hangs up right behind, and when nobody was receiving.
func TestDeliveredBeforePeersClose(t *testing.T) {
	for _, on := range connectors {
		t.Run(on.name, func(t *testing.T) {
			eachRole(t, func(t *testing.T, role Role) {
				for _, tt := range []struct {
					name     string
					hangUp   bool // right behind the close frame
					receives bool // while it comes
				}{
					{"receiver", false, true},
					{"receiver, hang-up", true, true},
					{"nobody", false, false},
					{"nobody, hang-up", true, false},
				} {
					c, p := withPeer(t, on.connect, role, nil)
					big := strings.Repeat("x", 40_000)
					var b []byte
					for _, m := range []string{"a", big, ""} {
						b = append(b, p.frame(textFrame, m)...)
					}
					b = append(b, p.frame(pingFrame, "between")...)
					b = append(b, p.frame(textFrame, "z")...)
					b = append(b, p.frame(closeFrame, closeBody(4000, "bye"))...)
					played := async(func() error {
						_, err := p.conn.Write(b)
						if tt.hangUp {
							p.conn.Close()
						}
						return err
					})
					if !tt.hangUp {
						go func() {
							for { // the pong and the answer need a reader on some streams
								if _, _, err := p.read(); err != nil {
									return
								}
							}
						}()
					}
					if !tt.receives {
						within(t, tt.name+": the end", c.Done())
					}
					for _, m := range []string{"a", big, "", "z"} {
						wantMessage(t, c, m)
					}
					wantOver(t, c, CloseError{Code: 4000, Reason: "bye", Remote: true})
					if err := within(t, "the peer", played); err != nil {
						t.Errorf("%s: peer: %v", tt.name, err)
					}
				}
			})
		})
	}
}

// The same while we send, and learn by a failing write that the peer has gone.
func TestDeliveredAlthoughSendingFails(t *testing.T) {
	for _, on := range connectors[1:3] {
		t.Run(on.name, func(t *testing.T) {
			eachRole(t, func(t *testing.T, role Role) {
				c, p := withPeer(t, on.connect, role, nil)
				p.send(textFrame, "last words")
				p.sendClose(4000, "bye")
				p.conn.Close()
				end := CloseError{Code: 4000, Reason: "bye", Remote: true}
				for {
					// How many of them go out before the reset comes is up to the kernel.
					if err := c.SendText(t.Context(), "into the void"); err != nil {
						wantCloseError(t, "Send", err, end)
						break
					}
				}
				wantMessage(t, c, "last words")
				wantOver(t, c, end)
			})
		})
	}
}

// What is echoed is what was sent, to the type and the last byte. The channels
// are made of open connections, T051.
func TestEcho(t *testing.T) {
	hello := strings.Repeat("Hello World!", 10_000)
	for _, on := range connectors {
		t.Run(on.name, func(t *testing.T) {
			client, server := channelPair(t, on.connect, nil)
			go func() {
				for m, err := range server.Messages(t.Context()) {
					if err == nil {
						err = server.Send(t.Context(), m)
					}
					if err != nil {
						t.Errorf("echo: %v", err)
					}
				}
			}()
			for _, tt := range []struct {
				name     string
				messages []Message
			}{
				{"T024 T044", []Message{{Text, nil}}},
				{"T025 T045", []Message{{Binary, nil}}},
				{"T026 T046", []Message{{Text, []byte("Hello World!")}}},
				{"T027", []Message{{Binary, []byte{1, 2, 3, 4, 5}}}},
				{"T028", []Message{{Text, []byte(hello)}}},
				{"T029", []Message{{Binary, bytes.Repeat([]byte{0, 255}, 500_000)}}},
				{"T030", []Message{{Text, []byte("\U0001F600 \U0001F9D1\u200D\U0001F680")}}},
				{"T031", []Message{{Binary, []byte{1}}, {Text, []byte("Hello!")}, {Binary, []byte{1, 2}}, {Text, []byte("Hello World!")}}},
				{"T048", []Message{{Text, []byte("a")}, {Binary, []byte("b")}, {Text, []byte("c")}, {Binary, []byte("d")}}},
			} {
				sent := async(func() error {
					for _, m := range tt.messages {
						if err := client.Send(t.Context(), m); err != nil {
							return err
						}
					}
					return nil
				})
				for i, want := range tt.messages {
					m, err := client.Receive(t.Context())
					if err != nil || m.Type != want.Type || !bytes.Equal(m.Data, want.Data) {
						t.Fatalf("%s: message %d: %v of %d bytes, %v", tt.name, i, m.Type, len(m.Data), err)
					}
				}
				if err := within(t, "Send", sent); err != nil {
					t.Errorf("%s: %v", tt.name, err)
				}
			}
			if err := client.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

// Rule 7 for receiving, with messages that wait in every place where messages
// can wait.
func TestReceiveErrors(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		done, cancel := context.WithCancel(t.Context())
		cancel()
		for _, where := range []string{"prefix", "read buffer", "receive buffer", "connection"} {
			for _, how := range []string{"by the peer", "by us", "CloseNow", "lost"} {
				near, far := netPipe(t)
				p := newPeer(t, far, RoleClient+RoleServer-role)
				frames := append(p.frame(textFrame, "a"), p.frame(textFrame, "b")...)
				o := &StreamOptions{}
				if where == "prefix" {
					o.Buffered = frames
				}
				c := New(near, role, o)
				t.Cleanup(func() { c.CloseNow() })
				left := []string{"a", "b"}
				switch where {
				case "read buffer":
					wrote := async(func() error { _, err := p.conn.Write(append(p.frame(textFrame, "first"), frames...)); return err })
					wantMessage(t, c, "first")
					<-wrote
				case "receive buffer":
					time.Sleep(attendAfter)
					p.write(frames)
				case "connection":
					go p.conn.Write(frames)
				}
				synctest.Wait()

				// Open: a done ctx wins over a message, and consumes nothing.
				for range 2 {
					wantReceiveError(t, where, c, done, context.Canceled)
				}
				if how == "by us" || how == "CloseNow" {
					if how == "by us" {
						closed := async(c.Close)
						p.expectClose(1000, "")
						wantReceiveError(t, where+", closing", c, t.Context(), c.engine.outcome())
						wantReceiveError(t, where+", closing", c, done, c.engine.outcome())
						p.sendClose(1000, "")
						<-closed
					} else {
						c.CloseNow()
					}
					// A local close drops what was unread, and wins over ctx.
					wantReceiveError(t, where+", closed", c, t.Context(), c.Err())
					wantReceiveError(t, where+", closed", c, done, c.Err())
					continue
				}
				if where == "connection" {
					wantMessage(t, c, "a")
					wantMessage(t, c, "b")
					left = nil
				}
				if how == "by the peer" {
					p.sendClose(1000, "")
					p.expectClose(1000, "")
				} else {
					p.conn.Close()
				}
				<-c.Done()
				// Over: ctx is ignored, first comes what had arrived.
				for _, want := range left {
					if m, err := c.Receive(done); err != nil || string(m.Data) != want {
						t.Errorf("%s, %s: %q, %v, want %q", where, how, m.Data, err, want)
					}
				}
				for range 2 {
					wantReceiveError(t, where+", over", c, done, c.Err())
					wantReceiveError(t, where+", over", c, t.Context(), c.Err())
				}
			}
		}
	})
}

// wantReceiveError demands an error of every form of receiving.
func wantReceiveError(t *testing.T, what string, c *Channel, ctx context.Context, want error) {
	t.Helper()
	if m, err := c.Receive(ctx); err != want || m.Type != 0 || m.Data != nil {
		t.Errorf("%s: Receive: %v %v, want %v", what, m, err, want)
	}
	dst := append(make([]byte, 0, 100), "dst"...)
	if typ, b, err := c.ReceiveAppend(ctx, dst); err != want || typ != 0 || string(b) != "dst" || cap(b) != 100 {
		t.Errorf("%s: ReceiveAppend: %v %q %v, want %v", what, typ, b, err, want)
	}
	if typ, r, err := c.NextReader(ctx); err != want || typ != 0 || r != nil {
		t.Errorf("%s: NextReader: %v %v %v, want %v", what, typ, r, err, want)
	}
	var errs []error
	for m, err := range c.Messages(ctx) {
		if m.Type != 0 || m.Data != nil {
			t.Errorf("%s: Messages: %v", what, m)
		}
		errs = append(errs, err)
	}
	var end *CloseError
	if errors.As(want, &end) && end.Clean() {
		if len(errs) != 0 {
			t.Errorf("%s: Messages: %v after a clean end", what, errs)
		}
	} else if len(errs) != 1 || errs[0] != want {
		t.Errorf("%s: Messages: %v, want %v", what, errs, want)
	}
}

// Rule 1: a peer that does not read makes Send wait, and nothing grows. X27
func TestSendWaitsForTheReader(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, &Options{WriteTimeout: -1, PingInterval: -1})
		if n := c.Buffered(); n != 0 {
			t.Errorf("Buffered: %d", n)
		}
		message := strings.Repeat("x", 200)
		sent := make(chan int, 1)
		go func() {
			n := 0
			for c.SendText(t.Context(), message) == nil {
				n++
			}
			sent <- n
		}()
		time.Sleep(time.Hour)
		if n, want := c.Buffered(), len(frameBytes(textFrame, role == RoleClient, message)); n != want {
			t.Errorf("Buffered: %d, want %d", n, want)
		}
		for range 3 {
			p.expect(textFrame, message)
		}
		synctest.Wait()
		c.CloseNow()
		if n := <-sent; n != 3 {
			t.Errorf("%d messages were accepted, the peer took 3", n)
		}
		if n := c.Buffered(); n != 0 {
			t.Errorf("Buffered: %d", n)
		}
	})
}

// The same ways of saying that a message is empty, both ways. T024 T025
func TestEmptyMessages(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, nil)
		for i, m := range []Message{{Text, nil}, {Text, []byte{}}, {Binary, nil}, {Binary, []byte{}}} {
			sent := async(func() error { return c.Send(t.Context(), m) })
			p.expect([]byte{textFrame, binaryFrame}[i/2], "")
			if err := <-sent; err != nil {
				t.Errorf("Send: %v", err)
			}
			go p.conn.Write(p.frame([]byte{textFrame, binaryFrame}[i/2], ""))
			got, err := c.Receive(t.Context())
			if err != nil || got.Type != m.Type || got.Data == nil || len(got.Data) != 0 {
				t.Errorf("Receive: %v %v", fmt.Sprintf("%#v", got), err)
			}
		}
	})
}
