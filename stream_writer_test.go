//go:build !js

package wschannel

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel/status"
)

// wantWriter begins a message.
func wantWriter(t testing.TB, c *Channel, ctx context.Context, typ Type) io.WriteCloser {
	t.Helper()
	w, err := c.NextWriter(ctx, typ)
	if err != nil {
		t.Fatalf("NextWriter: %v", err)
	}
	return w
}

// wantWritten writes all of s.
func wantWritten(t testing.TB, w io.Writer, s string) {
	t.Helper()
	if n, err := io.WriteString(w, s); n != len(s) || err != nil {
		t.Fatalf("Write of %d bytes: %d, %v", len(s), n, err)
	}
}

// wantTaken checks what has come at a raw end.
func wantTaken(t testing.TB, r *rawEnd, want ...string) {
	t.Helper()
	if got := r.takenTold(); !slices.Equal(got, want) {
		t.Fatalf("the peer got %q, want %q", short(got), short(want))
	}
}

// wantNothing checks that sending fails with an error and takes nothing.
func wantNothing(t testing.TB, what string, n int, err, want error) {
	t.Helper()
	if n != 0 || !errors.Is(err, want) || want == nil {
		t.Errorf("%s: %d, %v; want 0, %v", what, n, err, want)
	}
}

// Small writes are collected; large ones are frames of their own.
func TestNextWriterFrames(t *testing.T) {
	l := letters(100_000)
	for _, tt := range []struct {
		name   string
		typ    Type
		writes []string
		frames []string
	}{
		{"no write", Text, nil, []string{`text ""`}},
		{"empty writes", Binary, []string{"", ""}, []string{`binary ""`}},
		{"small writes", Text, []string{"Hel", "", "lo"}, []string{`text "Hello"`}},
		{"as much as is collected", Binary, []string{l[:1], l[1:fragmentSize]}, []string{told(Binary, l[:fragmentSize])}},
		{"a byte more", Text, []string{l[:fragmentSize], l[fragmentSize : fragmentSize+1]},
			[]string{fmt.Sprintf("text+ %q", l[:fragmentSize]), fmt.Sprintf("next+ %q", l[fragmentSize:fragmentSize+1]), `next ""`}},
		{"large", Binary, []string{l}, []string{fmt.Sprintf("binary+ %q", l), `next ""`}},
		{"small, large, small", Text, []string{"a", "b", l, "c", "d"},
			[]string{`text+ "ab"`, fmt.Sprintf("next+ %q", l), `next "cd"`}},
		{"characters in pieces", Text, []string{"\xf0", "\x9f\x98", "\x80\xe2", "\x82\xac"}, []string{`text "😀€"`}},
		{"characters across frames", Text, []string{"\xe2", "\x82\xac" + l + "\xc3", "\xa4"},
			[]string{`text+ "\xe2"`, fmt.Sprintf("next+ %q", "\x82\xac"+l+"\xc3"), `next "\xa4"`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBothRoles(t, func(t *testing.T, role Role) {
				c, r := rawChannel(t, role, nil)
				for range 2 {
					w := wantWriter(t, c, t.Context(), tt.typ)
					for _, s := range tt.writes {
						b := []byte(s)
						if n, err := w.Write(b); n != len(b) || err != nil {
							t.Fatalf("Write of %d bytes: %d, %v", len(b), n, err)
						}
						if string(b) != s {
							t.Error("Write changed what it was given")
						}
						clear(b) // it is not kept
					}
					if err := w.Close(); err != nil {
						t.Error(err)
					}
					wantTaken(t, r, tt.frames...)
				}
				w := wantWriter(t, c, t.Context(), tt.typ)
				wantWritten(t, w, "x")
				wantTaken(t, r)
				w.Close()
			})
		})
	}
}

// The message of a writer is whole: other sends wait until it is closed. Those
// who wait can give up.
func TestNextWriterKeepsOthersWaiting(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role Role) {
		c, r := rawChannel(t, role, nil)
		l := letters(5000)
		w := wantWriter(t, c, t.Context(), Binary)
		wantWritten(t, w, l)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.SendText(ctx, "given up"); err != context.DeadlineExceeded {
			t.Errorf("Send: %v", err)
		}
		if _, err := c.NextWriter(ctx, Text); err != context.DeadlineExceeded {
			t.Errorf("NextWriter: %v", err)
		}
		sent := make(chan error, 1)
		go func() { sent <- c.SendText(t.Context(), "waits") }()
		wantTaken(t, r, fmt.Sprintf("binary+ %q", l))
		wantWritten(t, w, "end")
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
		wantTaken(t, r, `next "end"`, `text "waits"`)
	})
}

// Control frames go out between the fragments.
func TestNextWriterLetsControlFramesPass(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role Role) {
		c, r := rawChannel(t, role, nil)
		l := letters(5000)
		go c.Receive(t.Context())
		w := wantWriter(t, c, t.Context(), Text)
		wantWritten(t, w, l)
		r.send(fr(0x89, "now"))
		wantTaken(t, r, fmt.Sprintf("text+ %q", l), `pong "now"`)
		ponged := make(chan error, 1)
		go func() {
			_, err := c.Ping(t.Context())
			ponged <- err
		}()
		ping := r.taken()
		if len(ping) != 1 || !strings.HasPrefix(ping[0].String(), "ping ") {
			t.Fatalf("the peer got %v, want a ping", ping)
		}
		r.send(fr(0x8A, ping[0].payload))
		if err := <-ponged; err != nil {
			t.Error(err)
		}
		w.Close()
		wantTaken(t, r, `next ""`)
	})
}

// A Write of what is not UTF-8 takes nothing, and the writer goes on as if it
// had not been.
func TestNextWriterRefusesInvalidUTF8(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role Role) {
		c, r := rawChannel(t, role, nil)
		w := wantWriter(t, c, t.Context(), Text)
		l := letters(5000)
		for _, s := range []string{"a", "\xe2", "\x82"} {
			wantWritten(t, w, s)
			for _, wrong := range []string{"\xff", "b", l, l + "\xff"} {
				if s != "a" || wrong[len(wrong)-1] == 0xFF {
					n, err := io.WriteString(w, wrong)
					wantNothing(t, "Write", n, err, ErrInvalidUTF8)
				}
			}
		}
		wantWritten(t, w, "\xac"+l)
		n, err := io.WriteString(w, "\xac")
		wantNothing(t, "Write", n, err, ErrInvalidUTF8)
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		wantTaken(t, r, `text+ "a\xe2\x82"`, fmt.Sprintf("next+ %q", "\xac"+l), `next ""`)
		if _, err := c.NextWriter(t.Context(), 0); err != ErrInvalidType {
			t.Errorf("NextWriter without a type: %v", err)
		}
	})
}

// waysToGiveUp end a message that is not complete.
var waysToGiveUp = []struct {
	name  string
	begin string // is written before
	want  error
	do    func(w io.Closer, cancel func()) error
}{
	{"Close inside a character", "a\xe2\x82", ErrInvalidUTF8, func(w io.Closer, cancel func()) error { return w.Close() }},
	{"cancelled", "a", context.Canceled, func(w io.Closer, cancel func()) error { cancel(); return w.Close() }},
}

// Before a frame has left, giving a message up harms nothing.
func TestNextWriterWithdrawn(t *testing.T) {
	for _, way := range waysToGiveUp {
		t.Run(way.name, func(t *testing.T) {
			inBothRoles(t, func(t *testing.T, role Role) {
				c, r := rawChannel(t, role, nil)
				ctx, cancel := context.WithCancel(t.Context())
				w := wantWriter(t, c, ctx, Text)
				wantWritten(t, w, way.begin)
				sent := make(chan error, 1)
				go func() { sent <- c.SendText(t.Context(), "waits") }()
				synctest.Wait()
				for range 2 {
					wantNothing(t, "Close", 0, way.do(w, cancel), way.want)
				}
				n, err := io.WriteString(w, "more")
				wantNothing(t, "Write", n, err, way.want)
				if err := <-sent; err != nil {
					t.Error(err)
				}
				wantTaken(t, r, `text "waits"`)
				if err := c.Err(); err != nil {
					t.Error(err)
				}
				cancel()
			})
		})
	}
}

// A ctx that is done withdraws a message although nobody touches its writer.
func TestNextWriterWithdrawnByItself(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role Role) {
		c, r := rawChannel(t, role, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		w := wantWriter(t, c, ctx, Text)
		wantWritten(t, w, "forgotten")
		if err := c.SendText(t.Context(), "waits"); err != nil {
			t.Error(err)
		}
		wantTaken(t, r, `text "waits"`)
		wantNothing(t, "Close", 0, w.Close(), context.DeadlineExceeded)
	})
}

// Once a frame has left, giving the message up ends the channel.
func TestNextWriterGivenUp(t *testing.T) {
	for _, way := range waysToGiveUp {
		t.Run(way.name, func(t *testing.T) {
			inBothRoles(t, func(t *testing.T, role Role) {
				c, r := rawChannel(t, role, nil)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				w := wantWriter(t, c, ctx, Text)
				l := letters(fragmentSize + 1)
				wantWritten(t, w, l)
				wantWritten(t, w, way.begin)
				sent := make(chan error, 1)
				go func() { sent <- c.SendText(t.Context(), "waits") }()
				synctest.Wait()
				err := way.do(w, cancel)
				<-c.Done()
				wantEnd(t, c, status.AbnormalClosure, "", false)
				wantNothing(t, "Close", 0, err, c.Err())
				wantNothing(t, "Close", 0, err, way.want)
				wantNothing(t, "Send", 0, <-sent, c.Err())
				wantTaken(t, r, fmt.Sprintf("text+ %q", l))
				if r.err != io.EOF {
					t.Errorf("the peer got %v", r.err)
				}
			})
		})
	}
}

// A writer whose ctx is done while it waits for the peer: harmless as long as
// the peer has taken nothing.
func TestNextWriterCancelledInAWrite(t *testing.T) {
	for _, taken := range []int{0, 1, 5000, 40_000} {
		inBothRoles(t, func(t *testing.T, role Role) {
			near, far := net.Pipe()
			c := newOn(t, near, role, nil)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			go io.CopyN(io.Discard, far, int64(taken))
			w := wantWriter(t, c, ctx, Binary)
			n, err := w.Write(make([]byte, 100_000))
			wantNothing(t, "Write", n, err, context.DeadlineExceeded)
			if taken > 0 {
				wantNothing(t, "Write", n, err, c.Err())
				wantEnd(t, c, status.AbnormalClosure, "", false)
				wantNothing(t, "Close", 0, w.Close(), c.Err())
				return
			}
			r := newRawEnd(t, far, role)
			if err := c.SendText(t.Context(), "goes on"); err != nil {
				t.Error(err)
			}
			wantTaken(t, r, `text "goes on"`)
			wantNothing(t, "Close", 0, w.Close(), context.DeadlineExceeded)
		})
	}
}

// A frame of which nothing has left cannot be taken back once another one of
// its message has left.
func TestNextWriterCancelledInALaterWrite(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role Role) {
		for _, closing := range []bool{true, false} {
			near, far := net.Pipe()
			c := newOn(t, near, role, nil)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			go far.Read(make([]byte, 100_000)) // of the first frame, no more
			w := wantWriter(t, c, ctx, Binary)
			wantWritten(t, w, letters(fragmentSize+1))
			var err error
			if closing {
				err = w.Close()
			} else {
				_, err = w.Write(make([]byte, 100_000))
			}
			wantNothing(t, "the second frame", 0, err, context.DeadlineExceeded)
			wantNothing(t, "the second frame", 0, err, c.Err())
			wantEnd(t, c, status.AbnormalClosure, "", false)
			wantNothing(t, "Send", 0, c.SendText(t.Context(), "late"), c.Err())
		}
	})
}

func TestNextWriterAfterClose(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role Role) {
		c, r := rawChannel(t, role, nil)
		ctx, cancel := context.WithCancel(t.Context())
		w := wantWriter(t, c, ctx, Text)
		w.Close()
		cancel()
		next := wantWriter(t, c, t.Context(), Text)
		for range 2 {
			n, err := io.WriteString(w, "more")
			wantNothing(t, "Write", n, err, ErrWriterClosed)
			wantNothing(t, "Close", 0, w.Close(), ErrWriterClosed)
		}
		// The right to send is not that of the old writer.
		wantWritten(t, next, "next")
		synctest.Wait()
		if err := next.Close(); err != nil {
			t.Error(err)
		}
		wantTaken(t, r, `text ""`, `text "next"`)
	})
}

// The end of the channel ends a message that is not complete, whoever brings it
// about. The close frame goes out between its fragments.
func TestNextWriterAtTheEnd(t *testing.T) {
	l := letters(5000)
	for _, begun := range []string{"", "small", l} {
		for _, end := range []struct {
			name string
			end  func(c *Channel, r *rawEnd)
			told []string // to the peer
		}{
			{"local close", func(c *Channel, r *rawEnd) { go c.CloseWith(4001, "enough") }, []string{`close 4001 "enough"`}},
			{"local hang-up", func(c *Channel, r *rawEnd) { c.CloseNow() }, nil},
			{"peer's close", func(c *Channel, r *rawEnd) { r.send(closeOf(4002, "")) }, []string{`close 4002 ""`}},
			{"loss", func(c *Channel, r *rawEnd) { r.conn.Close() }, nil},
		} {
			inBothRoles(t, func(t *testing.T, role Role) {
				c, r := rawChannel(t, role, nil)
				w := wantWriter(t, c, t.Context(), Text)
				wantWritten(t, w, begun)
				waiting := make(chan error, 1)
				go func() {
					_, err := c.NextWriter(t.Context(), Text)
					waiting <- err
				}()
				pass(attendAfter)
				want := []string{}
				if begun == l {
					want = []string{fmt.Sprintf("text+ %q", l)}
				}
				wantTaken(t, r, want...)
				end.end(c, r)
				wantTaken(t, r, end.told...)
				wantNothing(t, "waiting NextWriter", 0, <-waiting, ErrClosed)
				n, err := io.WriteString(w, "more")
				wantNothing(t, end.name+": Write", n, err, ErrClosed)
				n, err = io.WriteString(w, l)
				wantNothing(t, end.name+": long Write", n, err, ErrClosed)
				wantNothing(t, end.name+": Close", 0, w.Close(), ErrClosed)
				if len(end.told) > 0 {
					r.send(closeOf(1000, ""))
				}
				r.hangUp()
				<-c.Done()
				wantNothing(t, end.name+": Close", 0, w.Close(), c.Err())
				wantTaken(t, r)
			})
		}
	}
}

// A ctx that is done while NextWriter returns.
func TestNextWriterCancelledAtOnce(t *testing.T) {
	near, far := tcpPair(t)
	go io.Copy(io.Discard, far)
	c := newOn(t, near, RoleClient, nil)
	for range 2000 {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		w, err := c.NextWriter(ctx, Text)
		if err == nil {
			err = w.Close()
		}
		if err != nil && err != context.Canceled && c.Err() == nil {
			t.Fatal(err)
		}
		if c.Err() != nil { // its only frame was on its way
			near, far := tcpPair(t)
			go io.Copy(io.Discard, far)
			c = newOn(t, near, RoleClient, nil)
		}
	}
}

// What is long is written without a copy of it.
func TestNextWriterCopiesLittle(t *testing.T) {
	for _, role := range []Role{RoleClient, RoleServer} {
		near, far := tcpPair(t)
		c := newOn(t, near, role, nil)
		go io.Copy(io.Discard, far)
		w := wantWriter(t, c, t.Context(), Binary)
		p := make([]byte, 8<<20)
		grown := allocated(func() {
			for range 4 {
				if _, err := w.Write(p); err != nil {
					t.Fatal(err)
				}
			}
		})
		if grown > 1<<20 {
			t.Errorf("%s: allocated %d bytes to write %d", roleName(role), grown, 4*len(p))
		}
		if !bytes.Equal(p, make([]byte, len(p))) {
			t.Errorf("%s: Write changed what it was given", roleName(role))
		}
	}
}

// allocated returns how many bytes were allocated while f ran.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// A message of any length passes from a writer to a reader in little memory.
func TestStreamOf64MiB(t *testing.T) {
	const size = 64 << 20
	for _, sender := range []Role{RoleClient, RoleServer} {
		near, far := tcpPair(t)
		from, to := newOn(t, near, sender, nil), newOn(t, far, RoleClient+RoleServer-sender, nil)
		sent, received := sha256.New(), sha256.New()
		grown := allocated(func() {
			wrote := make(chan error, 1)
			go func() {
				w, err := from.NextWriter(t.Context(), Binary)
				if err != nil {
					wrote <- err
					return
				}
				chunk := []byte(letters(100_000))
				for n, left := 1, size; left > 0 && err == nil; n = n*7%99_991 + 1 {
					n := min(n, left)
					chunk[0]++
					sent.Write(chunk[:n])
					_, err = w.Write(chunk[:n])
					left -= n
				}
				wrote <- errors.Join(err, w.Close())
			}()
			_, body, err := to.NextReader(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			n, err := io.CopyBuffer(struct{ io.Writer }{received}, body, make([]byte, 32<<10))
			if n != size || err != nil || !bytes.Equal(sent.Sum(nil), received.Sum(nil)) {
				t.Errorf("%s sends: received %d bytes, %v, the same: %v", roleName(sender), n, err, bytes.Equal(sent.Sum(nil), received.Sum(nil)))
			}
			if err := <-wrote; err != nil {
				t.Error(err)
			}
		})
		limit := uint64(2 << 20)
		if poisoning {
			limit = size // under the race detector a sync.Pool forgets much of what it is given
		}
		if grown > limit {
			t.Errorf("%s sends: allocated %d bytes", roleName(sender), grown)
		}
	}
}
