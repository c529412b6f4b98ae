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

	"github.com/wschannel/wschannel/status"
)

// inBubble runs f with the fake time of synctest, for each role of the channel.
func inBubble(t *testing.T, f func(t *testing.T, role Role)) {
	eachRole(t, func(t *testing.T, role Role) {
		synctest.Test(t, func(t *testing.T) { f(t, role) })
	})
}

// wantAfter fails if not exactly that time has passed since began.
func wantAfter(t testing.TB, what string, began time.Time, want time.Duration) {
	t.Helper()
	if got := time.Since(began); got != want {
		t.Errorf("%s after %v, want after %v", what, got, want)
	}
}

// reason is the longest one: 123 bytes in characters of three bytes.
var reason = strings.Repeat("€", 41)

// T050: the code is our own. T012, T013: sending fails as soon as it is decided,
// before the peer has answered.
func TestCloseByUs(t *testing.T) {
	for _, tt := range []struct {
		name   string
		close  func(*Channel) error
		onWire string // the body of the close frame
		want   CloseError
	}{
		{"Close, T007", (*Channel).Close, "\x03\xe8", ownClose},
		{"no code, T006", closeWith(0, ""), "", CloseError{Code: status.NoStatusReceived}},
		{"1000, T007", closeWith(1000, ""), "\x03\xe8", ownClose},
		{"1001", closeWith(status.GoingAway, "x"), "\x03\xe9x", CloseError{Code: 1001, Reason: "x"}},
		{"1014", closeWith(1014, ""), "\x03\xf6", CloseError{Code: 1014}},
		{"3005 and reason, T050", closeWith(3005, "please close"), "\x0b\xbdplease close", CloseError{Code: 3005, Reason: "please close"}},
		{"3000, T008", closeWith(3000, ""), "\x0b\xb8", CloseError{Code: 3000}},
		{"4999, T009", closeWith(4999, ""), "\x13\x87", CloseError{Code: 4999}},
		{
			"3000 and reason, T010", closeWith(3000, "Client initiated closure"),
			"\x0b\xb8Client initiated closure", CloseError{Code: 3000, Reason: "Client initiated closure"},
		},
		{"reason of 123 bytes, X04", closeWith(3000, reason), "\x0b\xb8" + reason, CloseError{Code: 3000, Reason: reason}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, role Role) {
				c, p := withPeer(t, netPipe, role, nil)
				began := time.Now()
				received := async(func() error { _, err := c.Receive(t.Context()); return err })
				synctest.Wait()
				closed := async(func() error { return tt.close(c) })
				p.expect(closeFrame, tt.onWire)
				synctest.Wait()
				if c.Err() != nil || c.CloseCode() != 0 || len(closed) != 0 {
					t.Errorf("before the peer's answer: over with %v", c.Err())
				}
				// The end is decided, whatever the peer says to it.
				wantCloseError(t, "Receive that waited", <-received, tt.want)
				_, err := c.Receive(t.Context())
				wantCloseError(t, "Receive", err, tt.want)
				wantCloseError(t, "Send", c.SendText(t.Context(), ""), tt.want)
				wantCloseError(t, "SendBinary", c.SendBinary(t.Context(), make([]byte, 10)), tt.want)

				p.send(textFrame, "too late, X02")
				p.send(pingFrame, "too late as well")
				p.sendClose(4123, "the peer's own")
				if err := <-closed; err != nil {
					t.Errorf("close: %v", err)
				}
				wantOver(t, c, tt.want)
				wantCloseError(t, "CloseWith, T011", c.CloseWith(3001, "again"), tt.want)
				if err := errors.Join(c.Close(), c.CloseNow()); err != nil {
					t.Errorf("closing again: %v", err)
				}
				p.conn.Close()
				wantOver(t, c, tt.want)
				wantAfter(t, "closed", began, 0)
			})
		})
	}
}

func closeWith(code status.Code, reason string) func(*Channel) error {
	return func(c *Channel) error { return c.CloseWith(code, reason) }
}

// X03: a close that is refused sends nothing and changes nothing.
func TestCloseMisuse(t *testing.T) {
	prefix := "wschannel: invalid close: "
	for _, tt := range []struct {
		name   string
		code   status.Code
		reason string
		want   string
	}{
		{"1004, T002", 1004, "", "code 1004 must not be sent: 1000-1003, 1007-1014 and 3000-4999 may"},
		{"2999, T003", 2999, "", "code 2999 must not be sent: 1000-1003, 1007-1014 and 3000-4999 may"},
		{"5000, T004", 5000, "", "code 5000 must not be sent: 1000-1003, 1007-1014 and 3000-4999 may"},
		{"1", 1, "", "code 1 must not be sent: 1000-1003, 1007-1014 and 3000-4999 may"},
		{"999", 999, "", "code 999 must not be sent: 1000-1003, 1007-1014 and 3000-4999 may"},
		{"1005", 1005, "", "code 1005 must not be sent: 1000-1003, 1007-1014 and 3000-4999 may"},
		{"1006", 1006, "", "code 1006 must not be sent: 1000-1003, 1007-1014 and 3000-4999 may"},
		{"1015", 1015, "", "code 1015 must not be sent: 1000-1003, 1007-1014 and 3000-4999 may"},
		{"1016", 1016, "", "code 1016 must not be sent: 1000-1003, 1007-1014 and 3000-4999 may"},
		{"65535", 65535, "", "code 65535 must not be sent: 1000-1003, 1007-1014 and 3000-4999 may"},
		{"reason without code", 0, "x", "a reason needs a code"},
		{"reason of 124 bytes, T005", 3000, strings.Repeat("x", 124), "reason of 124 bytes, at most 123 fit"},
		{"reason of 124 bytes, X04", 3000, reason + "x", "reason of 124 bytes, at most 123 fit"},
		{"reason not UTF-8", 3000, "\xff", "reason is not valid UTF-8"},
		{"reason cut inside a character", 3000, "€"[:2], "reason is not valid UTF-8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, role Role) {
				c, p := withPeer(t, netPipe, role, nil)
				misuse := func() {
					t.Helper()
					if err := c.CloseWith(tt.code, tt.reason); !errors.Is(err, ErrInvalidClose) || err.Error() != prefix+tt.want {
						t.Errorf("CloseWith: %v", err)
					}
				}
				misuse()
				synctest.Wait()
				// Nothing was sent, and nothing has changed.
				if c.Err() != nil {
					t.Errorf("Err: %v", c.Err())
				}
				sent := async(func() error { return c.SendText(t.Context(), "after") })
				p.expect(textFrame, "after")
				if err := <-sent; err != nil {
					t.Errorf("Send: %v", err)
				}
				closed := async(c.Close)
				p.expectClose(1000, "")
				p.sendClose(1000, "")
				if err := <-closed; err != nil {
					t.Errorf("Close: %v", err)
				}
				misuse() // first of all it is misuse
			})
		})
	}
}

func TestCloseByThePeer(t *testing.T) {
	for _, tt := range []struct {
		name string
		body string
		want CloseError
	}{
		{"no code", "", CloseError{Code: status.NoStatusReceived, Remote: true}},
		{"1000", closeBody(1000, ""), peerClose},
		{"4123, T014", closeBody(4123, "server closed the connection"), CloseError{Code: 4123, Reason: "server closed the connection", Remote: true}},
		{"1014", closeBody(1014, ""), CloseError{Code: 1014, Remote: true}},
		{"2 bytes and 123", closeBody(4999, reason), CloseError{Code: 4999, Reason: reason, Remote: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, role Role) {
				c, p := withPeer(t, netPipe, role, nil)
				began := time.Now()
				received := async(func() error { _, err := c.Receive(t.Context()); return err })
				synctest.Wait()
				// What follows a close frame is not looked at.
				p.write(append(p.frame(closeFrame, tt.body), p.frame(textFrame, "ignored")...))
				synctest.Wait()
				if c.Err() != nil {
					t.Error("over before the answer is written")
				}
				wantCloseError(t, "Send before the answer is written", c.SendText(t.Context(), "x"), tt.want)
				p.expect(closeFrame, tt.body)
				wantCloseError(t, "Receive, T014 X26", <-received, tt.want)
				wantOver(t, c, tt.want)                                                 // T015, T016
				wantCloseError(t, "CloseWith, T017", c.CloseWith(1000, ""), tt.want)    // strict: also when the code is the same
				if err := errors.Join(c.Close(), c.CloseNow(), c.Close()); err != nil { // T017
					t.Errorf("Close: %v", err)
				}
				wantOver(t, c, tt.want)
				// The client did not wait for anything, either.
				wantAfter(t, "closed", began, 0)
			})
		})
	}
}

// The close frame that tells the peer what it did wrong, and the error that
// tells the application. Reason is what both are told.
func TestViolations(t *testing.T) {
	for _, tt := range []struct {
		name    string
		frame   func(p *peer) []byte
		code    status.Code
		section string
		text    string
	}{
		{"reason not UTF-8, T018", closing("\x10\x1b\xff"), 1007, "8.1", "UTF-8"},
		{"body of 1 byte, X15", closing("x"), 1002, "5.5.1", "one byte"},
		{"code 0, X15", closing(closeBody(0, "")), 1002, "7.4", "0"},
		{"code 999, X15", closing(closeBody(999, "")), 1002, "7.4", "999"},
		{"code 1004, X15", closing(closeBody(1004, "")), 1002, "7.4", "1004"},
		{"code 1005, X15", closing(closeBody(1005, "")), 1002, "7.4", "1005"},
		{"code 1006, X15", closing(closeBody(1006, "")), 1002, "7.4", "1006"},
		{"code 1015, X15", closing(closeBody(1015, "x")), 1002, "7.4", "1015"},
		{"code 1016, X15", closing(closeBody(1016, "")), 1002, "7.4", "1016"},
		{"code 2999, X15", closing(closeBody(2999, "")), 1002, "7.4", "2999"},
		{"code 5000, X15", closing(closeBody(5000, "")), 1002, "7.4", "5000"},
		{"code 65535, X15", closing(closeBody(65535, "")), 1002, "7.4", "65535"},
		{"garbage, T022", func(*peer) []byte { return []byte("minutes of a meeting") }, 1002, "5.2", "RSV1,RSV2"},
		{"RSV1, X13", func(p *peer) []byte { return p.frame(textFrame|0x40, "x") }, 1002, "5.2", "RSV1"},
		{"wrong masking, X14", func(p *peer) []byte { return frameBytes(textFrame, !p.masked, "x") }, 1002, "5.1", "masked"},
		{"over the limit, X17", func(p *peer) []byte { return p.frame(binaryFrame, strings.Repeat("x", 1001)) }, 1009, "7.4.1", "1001"},
		{"text not UTF-8, X16", func(p *peer) []byte { return p.frame(textFrame, "\xff") }, 1007, "8.1", "UTF-8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, role Role) {
				c, p := withPeer(t, netPipe, role, &Options{MessageLimit: 1000})
				sent := async(func() error { return c.SendText(t.Context(), "before, T023") })
				p.expect(textFrame, "before, T023")
				if err := <-sent; err != nil {
					t.Error(err)
				}
				received := async(func() error { _, err := c.Receive(t.Context()); return err })
				synctest.Wait()
				wrote := async(func() error { _, err := p.conn.Write(tt.frame(p)); return err })
				first, body, err := p.read()
				if err != nil || first != closeFrame || !strings.HasPrefix(body, closeBody(uint16(tt.code), "")) {
					t.Fatalf("peer: got frame %#x %q, %v, want a close frame with %v", first, body, err, tt.code)
				}
				p.conn.Close()
				<-wrote
				err = <-received
				end, ok := err.(*CloseError)
				if !ok || end.Code != tt.code || end.Remote || end.Reason != body[2:] {
					t.Fatalf("Receive: %+v, and the peer was told %q", err, body)
				}
				broken, ok := end.Cause.(*ProtocolError)
				if !ok || broken.Section != tt.section || !strings.Contains(broken.Text, tt.text) {
					t.Fatalf("cause: %v, want section %s and %q", end.Cause, tt.section, tt.text)
				}
				if strings.Contains(end.Error(), "\xff") {
					t.Errorf("the peer's bytes are in the error: %q", end.Error())
				}
				if errors.Is(err, ErrLocalClose) || end.Clean() {
					t.Error("looks like a clean or local end")
				}
				wantOver(t, c, *end)
			})
		})
	}
}

func closing(body string) func(*peer) []byte {
	return func(p *peer) []byte { return p.frame(closeFrame, body) }
}

func TestLoss(t *testing.T) {
	for _, tt := range []struct {
		name  string
		bytes func(p *peer) []byte
		want  string // what is received before the end
	}{
		{"at once, T020 X11", func(p *peer) []byte { return nil }, ""},
		{"behind a message", func(p *peer) []byte { return p.frame(textFrame, "whole") }, "whole"},
		{"inside a header", func(p *peer) []byte { return p.frame(textFrame, "whole")[:1] }, ""},
		{"inside a message", func(p *peer) []byte { return p.frame(textFrame, "whole")[:6] }, ""},
		{"inside a close frame", func(p *peer) []byte { return p.frame(closeFrame, closeBody(1000, "bye"))[:3] }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, on := range connectors {
				t.Run(on.name, func(t *testing.T) {
					eachRole(t, func(t *testing.T, role Role) {
						c, p := withPeer(t, on.connect, role, nil)
						written := async(func() error {
							_, err := p.conn.Write(tt.bytes(p))
							p.conn.Close()
							return err
						})
						if tt.want != "" {
							wantMessage(t, c, tt.want)
						}
						_, err := c.Receive(t.Context())
						wantLost(t, c, err, io.ErrUnexpectedEOF)
						if err := <-written; err != nil {
							t.Errorf("peer: %v", err)
						}
					})
				})
			}
		})
	}
}

// wantLost fails if err, and c, do not tell of a lost connection and its cause.
func wantLost(t testing.TB, c *Channel, err, cause error) {
	t.Helper()
	end, ok := err.(*CloseError)
	if !ok || end.Code != status.AbnormalClosure || end.Reason != "" || end.Remote || !errors.Is(end.Cause, cause) {
		t.Fatalf("%v, want a channel that was lost because of %v", err, cause)
	}
	if errors.Is(err, ErrLocalClose) || errors.Is(err, net.ErrClosed) || end.Clean() {
		t.Errorf("%v: a loss that looks like a local close, or a clean one", err)
	}
	wantOver(t, c, *end)
}

func TestCloseNow(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, nil)
		blocked := async(func() error { return c.SendText(t.Context(), "nobody reads this") })
		received := async(func() error { _, err := c.Receive(t.Context()); return err })
		synctest.Wait()
		began := time.Now()
		if err := c.CloseNow(); err != nil {
			t.Errorf("CloseNow: %v", err)
		}
		wantCloseError(t, "Err", c.Err(), ownHangUp) // over as it returns
		wantCloseError(t, "Receive", <-received, ownHangUp)
		wantCloseError(t, "Send", <-blocked, ownHangUp)
		p.expectEnd()
		wantCloseError(t, "CloseWith", c.CloseWith(1000, ""), ownHangUp)
		if err := errors.Join(c.Close(), c.CloseNow()); err != nil {
			t.Errorf("closing again: %v", err)
		}
		wantOver(t, c, ownHangUp)
		wantAfter(t, "over", began, 0)
	})
}

// CloseNow while another close goes on: what was decided stands.
func TestCloseNowDuringClose(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, nil)
		began := time.Now()
		closed := async(closeWithOn(c, 3000, "bye"))
		p.expectClose(3000, "bye")
		again := async(c.Close)
		synctest.Wait()
		if len(closed)+len(again) > 0 {
			t.Error("a close returned before the handshake was done")
		}
		c.CloseNow()
		if err := <-closed; err == nil || err.Error() != "wschannel: close not completed: hung up" {
			t.Errorf("CloseWith: %v", err)
		}
		if err := <-again; err != nil {
			t.Errorf("Close: %v", err)
		}
		wantOver(t, c, CloseError{Code: 3000, Reason: "bye"})
		wantAfter(t, "over", began, 0)
		p.expectEnd()
	})
}

func closeWithOn(c *Channel, code status.Code, reason string) func() error {
	return func() error { return c.CloseWith(code, reason) }
}

// Every kind of end, and what errors.Is finds in it.
func TestEndsAndTheirErrors(t *testing.T) {
	for _, tt := range []struct {
		name  string
		end   func(t *testing.T, c *Channel, p *peer)
		text  string
		is    []error
		clean bool
	}{
		{"Close", func(t *testing.T, c *Channel, p *peer) {
			closed := async(c.Close)
			p.expectClose(1000, "")
			p.sendClose(1000, "")
			<-closed
		}, "wschannel: closed: 1000 normal closure", []error{ErrClosed, ErrLocalClose, net.ErrClosed}, true},
		{"CloseWith", func(t *testing.T, c *Channel, p *peer) {
			closed := async(closeWithOn(c, 4000, "why\n"))
			p.expectClose(4000, "why\n")
			p.sendClose(1000, "")
			<-closed
		}, `wschannel: closed: 4000: "why\n"`, []error{ErrClosed, ErrLocalClose, net.ErrClosed}, true},
		{"CloseNow", func(t *testing.T, c *Channel, p *peer) {
			c.CloseNow()
		}, "wschannel: closed: 1006 abnormal closure", []error{ErrClosed, ErrLocalClose, net.ErrClosed}, true},
		{"Close that is not answered", func(t *testing.T, c *Channel, p *peer) {
			c.Close()
		}, "wschannel: closed: 1000 normal closure", []error{ErrClosed, ErrLocalClose, net.ErrClosed}, true},
		{"peer 1000", func(t *testing.T, c *Channel, p *peer) {
			p.sendClose(1000, "")
			p.expectClose(1000, "")
		}, "wschannel: closed by the peer: 1000 normal closure", []error{ErrClosed}, true},
		{"peer 1001", func(t *testing.T, c *Channel, p *peer) {
			p.sendClose(1001, "")
			p.expectClose(1001, "")
		}, "wschannel: closed by the peer: 1001 going away", []error{ErrClosed}, true},
		{"peer without code", func(t *testing.T, c *Channel, p *peer) {
			p.send(closeFrame, "")
			p.expect(closeFrame, "")
		}, "wschannel: closed by the peer: 1005 no status received", []error{ErrClosed}, true},
		{"peer 4000", func(t *testing.T, c *Channel, p *peer) {
			p.sendClose(4000, "why")
			p.expectClose(4000, "why")
		}, `wschannel: closed by the peer: 4000: "why"`, []error{ErrClosed}, false},
		{"violation", func(t *testing.T, c *Channel, p *peer) {
			p.send(pingFrame|0x40, "")
			p.read()
		}, "wschannel: closed: 1002 protocol error: reserved bits RSV1 set, no extension defines them (RFC 6455 §5.2)", []error{ErrClosed}, false},
		{"loss", func(t *testing.T, c *Channel, p *peer) {
			p.conn.Close()
		}, "wschannel: connection lost: unexpected EOF", []error{ErrClosed, io.ErrUnexpectedEOF}, false},
		{"dead peer", func(t *testing.T, c *Channel, p *peer) {
			p.expect(pingFrame, "\x00\x00\x00\x00\x00\x00\x00\x01")
		}, "wschannel: connection lost: no sign of life for 30s after a ping: i/o timeout", []error{ErrClosed, os.ErrDeadlineExceeded}, false},
		{"peer that does not read", func(t *testing.T, c *Channel, p *peer) {
			if err := c.SendText(t.Context(), "x"); err != c.Err() {
				t.Errorf("Send: %v", err)
			}
		}, "wschannel: connection lost: the peer has taken nothing for 10s: i/o timeout", []error{ErrClosed, os.ErrDeadlineExceeded}, false},
		{"cancelled inside a message", func(t *testing.T, c *Channel, p *peer) {
			ctx, cancel := context.WithCancel(t.Context())
			sent := async(func() error { return c.SendText(ctx, "x") })
			io.ReadFull(p.conn, make([]byte, 1))
			cancel()
			if err := <-sent; err != c.Err() {
				t.Errorf("Send: %v", err)
			}
		}, "wschannel: connection lost: context canceled", []error{ErrClosed, context.Canceled}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, role Role) {
				c, p := withPeer(t, netPipe, role, nil)
				received := async(func() error { _, err := c.Receive(t.Context()); return err })
				synctest.Wait()
				tt.end(t, c, p)
				<-c.Done()
				err := <-received
				end, ok := errors.AsType[*CloseError](err)
				if !ok || err != c.Err() {
					t.Fatalf("Receive: %v, Err: %v", err, c.Err())
				}
				if err.Error() != tt.text {
					t.Errorf("Error() is\n%s, want\n%s", err, tt.text)
				}
				for _, target := range []error{
					ErrClosed, ErrLocalClose, net.ErrClosed, os.ErrDeadlineExceeded, io.ErrUnexpectedEOF,
					io.EOF, io.ErrClosedPipe, context.Canceled, context.DeadlineExceeded, ErrConcurrentReceive,
				} {
					want := false
					for _, e := range tt.is {
						want = want || e == target
					}
					if errors.Is(err, target) != want {
						t.Errorf("errors.Is(%v) is %v", target, !want)
					}
				}
				if _, ok := errors.AsType[*ProtocolError](err); ok != (tt.name == "violation") {
					t.Errorf("a *ProtocolError: %v", ok)
				}
				if end.Clean() != tt.clean {
					t.Errorf("Clean() is %v", !tt.clean)
				}
			})
		})
	}
}
