//go:build !js

package wschannel

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel/status"
)

// The end of the channel in the middle of a message is never taken for the end
// of the message, whoever notices it.
func TestNextReaderAtTheEnd(t *testing.T) {
	ends := []struct {
		name string
		end  func(c *Channel, r *rawEnd)
		code status.Code
		from byte // what the peer does: c closes, v breaks a rule, l is lost
	}{
		{"peer closes", func(_ *Channel, r *rawEnd) { r.send(closeOf(4000, "bye")) }, 4000, 'c'},
		{"peer closes cleanly", func(_ *Channel, r *rawEnd) { r.send(closeOf(1000, "")) }, 1000, 'c'},
		{"loss", func(_ *Channel, r *rawEnd) { r.conn.Close() }, 1006, 'l'},
		{"loss inside a frame", func(_ *Channel, r *rawEnd) {
			r.write(fr(0x80, "rest").append(nil, r.nextKey())[:5])
			r.conn.Close()
		}, 1006, 'l'},
		{"not UTF-8", func(_ *Channel, r *rawEnd) { r.send(fr(0x80, "\xff")) }, 1007, 'v'},
		{"ends inside a character", func(_ *Channel, r *rawEnd) { r.send(fr(0x80, "\xc3")) }, 1007, 'v'},
		{"another message", func(_ *Channel, r *rawEnd) { r.send(fr(0x81, "rest")) }, 1002, 'v'},
		{"local close", func(c *Channel, r *rawEnd) { go c.CloseWith(4001, "enough") }, 4001, 'o'},
		{"local hang-up", func(c *Channel, r *rawEnd) { c.CloseNow() }, 1006, 'o'},
	}
	for _, end := range ends {
		t.Run(end.name, func(t *testing.T) {
			inBothRoles(t, func(t *testing.T, role Role) {
				for _, attended := range []bool{false, true} {
					c, r := rawChannel(t, role, nil)
					go r.send(fr(0x01, "begin"))
					body := wantReader(t, c, Text)
					wantRead(t, body, "beg")
					result := make(chan error, 1)
					var got []byte
					read := func() {
						rest, err := io.ReadAll(body)
						got = rest
						result <- err
					}
					if attended {
						pass(time.Second)
						end.end(c, r)
						pass(time.Second)
						go read()
					} else {
						go read()
						synctest.Wait()
						end.end(c, r)
					}
					pass(time.Second) // less than any time-out
					var err error
					select {
					case err = <-result:
					default:
						t.Fatalf("attended %v: Read still waits", attended)
					}
					if end.from == 'o' {
						if e := new(CloseError); !errors.As(err, &e) || e.Code != end.code || !errors.Is(err, ErrLocalClose) {
							t.Errorf("Read: %v", err)
						}
						r.hangUp()
						continue
					}
					if !bytes.HasPrefix(got, []byte("in")) {
						t.Errorf("attended %v: what had come was lost, read %q", attended, got)
					}
					if err == nil || err != c.Err() || errors.Is(err, io.EOF) {
						t.Errorf("attended %v: Read: %v, Err: %v", attended, err, c.Err())
					}
					wantEnd(t, c, end.code, map[bool]string{true: "bye"}[end.code == 4000], end.from == 'c')
					r.hangUp()
				}
			})
		})
	}
}

// Who reads is a receiver.
func TestNextReaderIsAReceiver(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role Role) {
		c, r := rawChannel(t, role, nil)
		go r.send(fr(0x01, "a"))
		body := wantReader(t, c, Text)
		wantRead(t, body, "a")
		read := make(chan error, 1)
		go func() {
			_, err := io.ReadFull(body, make([]byte, 1))
			read <- err
		}()
		synctest.Wait()
		if n, err := body.Read(make([]byte, 1)); n != 0 || err != ErrConcurrentReceive {
			t.Errorf("Read beside Read: %d, %v", n, err)
		}
		for _, form := range formsOfReceiving {
			if _, err := form.receive(c, t.Context()); err != ErrConcurrentReceive {
				t.Errorf("%s beside Read: %v", form.name, err)
			}
		}
		r.send(fr(0x80, "b"))
		if err := <-read; err != nil {
			t.Errorf("the first Read: %v", err)
		}
		waiting := make(chan error, 1)
		go func() {
			_, err := c.Receive(t.Context())
			waiting <- err
		}()
		synctest.Wait()
		if n, err := body.Read(make([]byte, 1)); n != 0 || err != ErrConcurrentReceive {
			t.Errorf("Read beside Receive: %d, %v", n, err)
		}
		r.send(fr(0x81, "c"))
		if err := <-waiting; err != nil {
			t.Error(err)
		}
	})
}

// The ctx of NextReader governs the reads. When it is done that harms nothing.
func TestNextReaderCtx(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role Role) {
		for _, blocked := range []bool{true, false} {
			c, r := rawChannel(t, role, nil)
			ctx, cancel := context.WithCancel(t.Context())
			go r.send(fr(0x01, "begin"))
			_, body, err := c.NextReader(ctx)
			if err != nil {
				t.Fatal(err)
			}
			wantRead(t, body, "be")
			if blocked {
				wantRead(t, body, "gin")
				time.AfterFunc(time.Millisecond, cancel)
			} else {
				cancel()
			}
			for range 2 {
				if n, err := body.Read(make([]byte, 100)); n != 0 || err != context.Canceled {
					t.Errorf("blocked %v: %d, %v", blocked, n, err)
				}
			}
			go r.send(fr(0x80, "rest"), fr(0x82, "next"))
			wantNext(t, c, "next")
			if _, err := body.Read(make([]byte, 100)); err != context.Canceled && err != ErrReaderStale {
				t.Errorf("blocked %v: the old reader: %v", blocked, err)
			}
			r.send(closeOf(1000, ""))
			synctest.Wait()
		}
	})
}
