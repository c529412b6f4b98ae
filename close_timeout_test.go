//go:build !js

package wschannel

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel/status"
)

func TestCloseTimeout(t *testing.T) {
	for _, tt := range []struct {
		name    string
		timeout time.Duration
		peer    func(p *peer)
		after   time.Duration
		text    string // of the error of Close, "" for nil
		is      error
	}{
		{"no answer", 0, func(p *peer) { p.expectClose(1000, "") }, 5 * time.Second, "not done within 5s: i/o timeout", os.ErrDeadlineExceeded},
		{"nothing is read", 0, func(p *peer) {}, 5 * time.Second, "not done within 5s: i/o timeout", os.ErrDeadlineExceeded},
		{"own time", time.Minute, func(p *peer) { p.expectClose(1000, "") }, time.Minute, "not done within 1m0s: i/o timeout", os.ErrDeadlineExceeded},
		{"messages without end", 0, func(p *peer) {
			p.expectClose(1000, "")
			go func() {
				for p.t.Context().Err() == nil {
					p.conn.Write(p.frame(textFrame, "still here"))
					select {
					case <-time.After(time.Second):
					case <-p.t.Context().Done():
					}
				}
			}()
		}, 5 * time.Second, "not done within 5s: i/o timeout", os.ErrDeadlineExceeded},
		{"late answer", 0, func(p *peer) {
			p.expectClose(1000, "")
			time.Sleep(4999 * time.Millisecond)
			p.sendClose(1000, "")
		}, 4999 * time.Millisecond, "", nil},
		{"no time-out", -1, func(p *peer) {
			p.expectClose(1000, "")
			time.Sleep(time.Hour)
			p.sendClose(1000, "")
		}, time.Hour, "", nil},
		{"answer first, read later", 0, func(p *peer) {
			p.sendClose(1000, "")
			time.Sleep(time.Second)
			p.expectClose(1000, "")
		}, time.Second, "", nil},
		{"connection lost", 0, func(p *peer) {
			p.expectClose(1000, "")
			synctest.Wait()
			p.conn.Close()
		}, 0, "unexpected EOF", io.ErrUnexpectedEOF},
		{"connection lost, nothing was read", 0, func(p *peer) { p.conn.Close() }, 0, "", io.ErrUnexpectedEOF},
		{"answer that breaks a rule", 0, func(p *peer) {
			p.expectClose(1000, "")
			p.send(closeFrame, "x")
		}, 0, "close frame with a body of one byte, a code has two (RFC 6455 §5.5.1)", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, role Role) {
				c, p := withPeer(t, netPipe, role, &Options{CloseTimeout: tt.timeout, PingInterval: -1, WriteTimeout: -1})
				began := time.Now()
				closed := async(c.Close)
				tt.peer(p)
				err := <-closed
				wantAfter(t, "Close returned", began, tt.after)
				switch {
				case tt.text != "":
					if err == nil || err.Error() != "wschannel: close not completed: "+tt.text {
						t.Errorf("Close: %v", err)
					}
				case tt.is == nil && err != nil:
					t.Errorf("Close: %v", err)
				case tt.is != nil && err == nil:
					t.Error("Close: nil")
				}
				if tt.text != "" && !errors.Is(err, tt.is) && tt.is != nil {
					t.Errorf("Close: %v is no %v", err, tt.is)
				}
				if errors.Is(err, ErrClosed) {
					t.Errorf("Close: %v looks like the end", err)
				}
				// However it went: we have closed.
				wantOver(t, c, ownClose)
			})
		})
	}
}

// The end that the peer has decided is over when our answer is written, or
// CloseTimeout has passed.
func TestPeerThatDoesNotReadItsAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, nil)
		received := async(func() error { _, err := c.Receive(t.Context()); return err })
		p.sendClose(4000, "bye")
		began := time.Now()
		<-c.Done()
		wantAfter(t, "over", began, 5*time.Second)
		end := CloseError{Code: 4000, Reason: "bye", Remote: true}
		wantCloseError(t, "Receive", <-received, end)
		wantOver(t, c, end)
	})
}

func TestPeerThatDoesNotReadWhatItDidWrong(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, nil)
		received := async(func() error { _, err := c.Receive(t.Context()); return err })
		p.send(pingFrame|0x10, "")
		began := time.Now()
		<-c.Done()
		wantAfter(t, "over", began, 5*time.Second)
		if end := (<-received).(*CloseError); end != c.Err() || end.Code != status.ProtocolError {
			t.Errorf("Receive: %v, Err: %v", end, c.Err())
		}
	})
}

// A ctx that is done while the end is decided and not over yet.
func TestCancelBetweenDecidedAndOver(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		received := async(func() error { _, err := c.Receive(ctx); return err })
		began := time.Now()
		p.sendClose(4000, "")
		if err := <-received; err != context.DeadlineExceeded {
			t.Errorf("Receive: %v", err)
		}
		wantAfter(t, "cancelled", began, time.Second)
		p.expectClose(4000, "")
		wantOver(t, c, CloseError{Code: 4000, Remote: true})
		wantAfter(t, "over", began, time.Second)
	})
}

// The peer closes while a message of ours is on its way and others wait.
func TestPeerClosesWhileWeSend(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		big := strings.Repeat("x", 3*pendingLimit)
		end := CloseError{Code: 4000, Remote: true}
		for _, reads := range []bool{true, false} {
			c, p := withPeer(t, netPipe, role, &Options{WriteTimeout: -1})
			blocked := async(func() error { return c.SendText(t.Context(), big) })
			synctest.Wait()
			waiting := async(func() error { return c.SendText(t.Context(), noRoom) })
			writer := async(func() error {
				w, err := c.NextWriter(t.Context(), Text)
				if err == nil {
					_, err = io.WriteString(w, noRoom)
				}
				return err
			})
			synctest.Wait()
			began := time.Now()
			p.sendClose(4000, "") // noticed by attending
			wantCloseError(t, "Send that waited", <-waiting, end)
			wantCloseError(t, "a writer that waited", <-writer, end)
			wantAfter(t, "noticed", began, attendAfter)
			if reads {
				p.expect(textFrame, big)
				if err := <-blocked; err != nil {
					t.Errorf("a Send that came through: %v", err)
				}
				p.expectClose(4000, "")
				wantAfter(t, "over", began, attendAfter)
			} else {
				wantCloseError(t, "Send that was blocked", <-blocked, end)
				wantAfter(t, "over", began, attendAfter+5*time.Second)
			}
			wantOver(t, c, end)
		}
	})
}

// We close while a message of ours is on its way: it was not accepted yet, but
// a close frame cannot stand inside it.
func TestCloseWhileWeSend(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		big := strings.Repeat("x", 3*pendingLimit)
		for _, reads := range []bool{true, false} {
			c, p := withPeer(t, netPipe, role, &Options{WriteTimeout: -1})
			blocked := async(func() error { return c.SendText(t.Context(), big) })
			synctest.Wait()
			waiting := async(func() error { return c.SendText(t.Context(), noRoom) })
			began := time.Now()
			closed := async(c.Close)
			wantCloseError(t, "Send that waited", <-waiting, ownClose)
			wantAfter(t, "decided", began, 0)
			if reads {
				p.expect(textFrame, big)
				if err := <-blocked; err != nil {
					t.Errorf("a Send that came through: %v", err)
				}
				p.expectClose(1000, "")
				p.sendClose(1000, "")
				if err := <-closed; err != nil {
					t.Errorf("Close: %v", err)
				}
			} else {
				wantCloseError(t, "Send that was blocked", <-blocked, ownClose)
				if err := <-closed; !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("Close: %v", err)
				}
				wantAfter(t, "over", began, 5*time.Second)
			}
			wantOver(t, c, ownClose)
		}
	})
}

// A message that is written in fragments is cut off by a close, between two of
// them.
func TestCloseInsideAFragmentedMessage(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, nil)
		w, err := c.NextWriter(t.Context(), Binary)
		if err != nil {
			t.Fatal(err)
		}
		part := strings.Repeat("x", fragmentSize+1)
		wrote := async(func() error { _, err := io.WriteString(w, part); return err })
		p.expect(binaryBegin, part)
		if err := <-wrote; err != nil {
			t.Fatal(err)
		}
		closed := async(c.Close)
		p.expectClose(1000, "")
		_, err = w.Write([]byte("more"))
		if err == nil {
			err = w.Close()
		}
		wantCloseError(t, "the writer", err, ownClose)
		p.sendClose(1000, "")
		if err := <-closed; err != nil {
			t.Errorf("Close: %v", err)
		}
		wantOver(t, c, ownClose)
	})
}

// The server closes the connection first; the client waits for that, in the
// background and not for ever. X12
func TestWhoHangsUpFirst(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		for _, local := range []bool{true, false} {
			for _, timeout := range []time.Duration{0, time.Minute, -1} {
				c, p := withPeer(t, netPipe, role, &Options{CloseTimeout: timeout})
				began := time.Now()
				if local {
					closed := async(c.Close)
					p.expectClose(1000, "")
					p.sendClose(1000, "")
					if err := <-closed; err != nil {
						t.Errorf("Close: %v", err)
					}
				} else {
					received := async(func() error { _, err := c.Receive(t.Context()); return err })
					p.sendClose(1000, "")
					p.expectClose(1000, "")
					wantCloseError(t, "Receive", <-received, peerClose)
				}
				<-c.Done()
				wantAfter(t, "over", began, 0)
				p.expectEnd()
				if role == RoleServer {
					wantAfter(t, "the server hung up", began, 0)
				} else {
					wantAfter(t, "the client hung up", began, either(max(0, timeout), 5*time.Second))
				}
			}
		}
	})
}

func TestClientHangsUpWithTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		hungUp := &closeTeller{Conn: near, closed: make(chan struct{})}
		c := newOn(t, hungUp, RoleClient, nil)
		p := newPeer(t, far, RoleServer)
		received := async(func() error { _, err := c.Receive(t.Context()); return err })
		began := time.Now()
		p.sendClose(1000, "")
		p.expectClose(1000, "")
		<-received
		time.Sleep(time.Second)
		synctest.Wait()
		if isClosed(hungUp.closed) {
			t.Error("the client hung up first")
		}
		p.conn.Close()
		<-hungUp.closed
		wantAfter(t, "the client hung up", began, time.Second)
	})
}

// A closeTeller tells of its Close.
type closeTeller struct {
	net.Conn
	closed chan struct{}
}

func (c *closeTeller) Close() error {
	defer func() { recover() }() // closed before
	close(c.closed)
	return c.Conn.Close()
}

// A halfCloser tells when it is closed for writing.
type halfCloser struct {
	closeTeller
	closedWrite chan struct{}
}

func (c *halfCloser) CloseWrite() error {
	close(c.closedWrite)
	return nil
}

// Whoever hangs up first ends its own direction and reads on, until the other
// end hangs up too or CloseTimeout has passed.
func TestHangingUpReadsOn(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		for _, patient := range []bool{true, false} {
			near, far := net.Pipe()
			conn := &halfCloser{closeTeller{near, make(chan struct{})}, make(chan struct{})}
			c := newOn(t, conn, role, nil)
			p := newPeer(t, far, RoleClient+RoleServer-role)
			go c.Receive(t.Context())
			began := time.Now()
			p.send(0x83, "")
			if _, body, err := p.read(); err != nil || body[:2] != closeBody(1002, "") {
				t.Fatalf("peer: %q %v", body, err)
			}
			<-conn.closedWrite
			for range 4 {
				p.write(make([]byte, 10_000)) // it is read
				time.Sleep(time.Second)
			}
			want := 5 * time.Second
			if patient {
				p.conn.Close()
				want = 4 * time.Second
			}
			<-conn.closed
			wantAfter(t, "the connection was closed", began, want)
		}
	})
}

// The close frame reaches a peer that had sent more than we were willing to
// read: a socket that is closed with unread bytes would be reset.
func TestCloseFrameSurvivesUnreadData(t *testing.T) {
	flood := bytes.Repeat([]byte{'x'}, 8<<20)
	for _, on := range connectors[1:4] {
		t.Run(on.name, func(t *testing.T) {
			eachRole(t, func(t *testing.T, role Role) {
				for _, tt := range []struct {
					name  string
					begin func(p *peer) []byte
					end   func(c *Channel) error
					code  uint16
				}{
					{"1002", func(p *peer) []byte { return p.frame(0x83, "") }, receiveError, 1002},
					{"1009", func(p *peer) []byte { return p.frame(binaryFrame, string(flood[:1<<20+1])) }, receiveError, 1009},
					{"1007", func(p *peer) []byte { return p.frame(textFrame, "\xff") }, receiveError, 1007},
					{"nobody receives", func(p *peer) []byte { return p.frame(0x83, "") }, func(c *Channel) error { <-c.Done(); return nil }, 1002},
				} {
					c, p := withPeer(t, on.connect, role, nil)
					ended := async(func() error { return tt.end(c) })
					p.write(append(tt.begin(p), flood...))
					first, body, err := p.read()
					if err != nil || first != closeFrame || !strings.HasPrefix(body, closeBody(tt.code, "")) {
						t.Fatalf("%s: the peer sees %#x %q %v", tt.name, first, body, err)
					}
					p.expectEnd()
					within(t, "the end", ended)
					if c.CloseCode() != status.Code(tt.code) {
						t.Errorf("%s: %v", tt.name, c.Err())
					}
					p.conn.Close()
				}
			})
		})
	}
}

func receiveError(c *Channel) error {
	_, err := c.Receive(context.Background())
	return err
}

// Our own close reaches such a peer too, and the peer's comes through.
func TestCloseBehindAFlood(t *testing.T) {
	for _, on := range connectors {
		t.Run(on.name, func(t *testing.T) {
			eachRole(t, func(t *testing.T, role Role) {
				c, p := withPeer(t, on.connect, role, nil)
				bytes := bytes.Repeat(p.frame(binaryFrame, strings.Repeat("x", 100_000)), 60)
				// What is dropped anyway may be longer than MessageLimit.
				bytes = append(bytes, p.frame(textFrame, strings.Repeat("x", 2<<20))...)
				bytes = append(bytes, p.frame(closeFrame, closeBody(1000, ""))...)
				flood := async(func() error { _, err := p.conn.Write(bytes); return err })
				closed := async(closeWithOn(c, 4000, "enough"))
				if err := within(t, "the flood", flood); err != nil {
					t.Errorf("peer: %v", err)
				}
				p.expectClose(4000, "enough")
				if err := within(t, "CloseWith", closed); err != nil {
					t.Errorf("CloseWith: %v", err)
				}
				wantOver(t, c, CloseError{Code: 4000, Reason: "enough"})
			})
		})
	}
}
