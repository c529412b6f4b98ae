//go:build !js

package wschannel

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A peer that takes nothing is given up after WriteTimeout. X28
func TestWriteTimeout(t *testing.T) {
	for _, on := range []struct {
		name    string
		connect connector
	}{{"net.Pipe", netPipe}, {"TLS", tlsPipe}, {"no deadlines", streamPair}} {
		for _, timeout := range []time.Duration{0, 7 * time.Second, time.Hour} {
			t.Run(on.name+" "+timeout.String(), func(t *testing.T) {
				inBubble(t, func(t *testing.T, role Role) {
					c, p := withPeer(t, on.connect, role, &Options{WriteTimeout: timeout, PingInterval: -1, PingTimeout: -1})
					go c.SendText(t.Context(), "taken")
					p.expect(textFrame, "taken")
					time.Sleep(time.Minute)

					received := async(func() error { return receiveError(c) })
					synctest.Wait()
					began := time.Now()
					sent := async(func() error { return c.SendText(t.Context(), "not taken") })
					synctest.Wait()
					waiting := async(func() error { return c.SendText(t.Context(), noRoom) })
					err := <-sent
					timeout := either(timeout, 10*time.Second)
					wantAfter(t, "given up", began, timeout)
					if r, w := <-received, <-waiting; r != err || w != err {
						t.Errorf("Send: %v, a Send that waited: %v, Receive: %v", err, w, r)
					}
					if want := "wschannel: connection lost: the peer has taken nothing for " + timeout.String() + ": i/o timeout"; err.Error() != want {
						t.Errorf("Send: %v, want %v", err, want)
					}
					wantLost(t, c, err, os.ErrDeadlineExceeded)
				})
			})
		}
	}
}

// Progress puts it off, however slow: on streams whose writes can be resumed
// any byte, elsewhere a piece.
func TestWriteTimeoutIsForNoProgress(t *testing.T) {
	message := strings.Repeat("x", 100_000)
	for _, tt := range []struct {
		name    string
		connect connector
		step    int
	}{
		{"net.Pipe", netPipe, 100},
		{"no deadlines", streamPair, recordSize},
		{"TLS", tlsPipe, recordSize},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, role Role) {
				c, p := withPeer(t, tt.connect, role, &Options{PingInterval: -1})
				for range 2 {
					sent := async(func() error { return c.SendText(t.Context(), message) })
					left := len(frameBytes(textFrame, role == RoleClient, message))
					for left > 0 {
						time.Sleep(9900 * time.Millisecond)
						n, err := io.ReadFull(p.conn, make([]byte, min(tt.step, left)))
						if err != nil {
							t.Fatalf("%d bytes before the end: %v", left, c.Err())
						}
						left -= n
					}
					if err := <-sent; err != nil {
						t.Fatal(err)
					}
				}
				// Then the peer takes half of it and no more.
				sent := async(func() error { return c.SendText(t.Context(), message) })
				if _, err := io.ReadFull(p.conn, make([]byte, 50_000)); err != nil {
					t.Fatal(err)
				}
				last := time.Now()
				err := <-sent
				if took := time.Since(last); took < 10*time.Second || took > 12500*time.Millisecond {
					t.Errorf("given up after %v", took)
				}
				wantLost(t, c, err, os.ErrDeadlineExceeded)
			})
		})
	}
}

func TestNoWriteTimeout(t *testing.T) {
	for _, connect := range []connector{netPipe, streamPair, tlsPipe} {
		inBubble(t, func(t *testing.T, role Role) {
			c, p := withPeer(t, connect, role, silent)
			sent := async(func() error { return c.SendText(t.Context(), "at last") })
			time.Sleep(1000 * time.Hour)
			if c.Err() != nil {
				t.Errorf("Err: %v", c.Err())
			}
			p.expect(textFrame, "at last")
			if err := <-sent; err != nil {
				t.Error(err)
			}
		})
	}
}

// Control frames are no exception, and nobody has to send for it.
func TestWriteTimeoutOfAPong(t *testing.T) {
	for _, r := range readers {
		t.Run(r.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, role Role) {
				c, p := withPeer(t, netPipe, role, nil)
				r.start(t, c)
				p.send(pingFrame, "x")
				began := time.Now()
				<-c.Done()
				wantAfter(t, "given up", began, 10*time.Second)
				synctest.Wait()
				wantLost(t, c, c.Err(), os.ErrDeadlineExceeded)
			})
		})
	}
}

// Neither is the close frame.
func TestWriteTimeoutOfAClose(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, _ := withPeer(t, netPipe, role, &Options{WriteTimeout: time.Second})
		began := time.Now()
		err := c.Close()
		wantAfter(t, "Close returned", began, time.Second)
		if !errors.Is(err, os.ErrDeadlineExceeded) || err.Error() != "wschannel: close not completed: the peer has taken nothing for 1s: i/o timeout" {
			t.Errorf("Close: %v", err)
		}
		wantOver(t, c, ownClose)
	})
}
