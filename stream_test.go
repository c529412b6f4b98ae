//go:build !js

package wschannel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel/status"
)

// letters returns n bytes of which no two neighbouring runs are alike.
func letters(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('a' + (i+i/26+i/1000)%26)
	}
	return string(b)
}

// fragments cuts a message into frames of the given lengths and one for the
// rest, with a ping in front of each but the first.
func fragments(first byte, payload string, lengths ...int) []piece {
	var all []piece
	for _, n := range lengths {
		if len(all) > 0 {
			all = append(all, fr(0x89, "between"))
		}
		all = append(all, fr(first, payload[:n]))
		first, payload = 0x00, payload[n:]
	}
	return append(all, fr(first|0x80, payload))
}

// waysToRead are ways to read all of a message.
var waysToRead = []struct {
	name string
	read func(r io.Reader, want string) error
}{
	{"io.ReadAll", func(r io.Reader, want string) error { return readsAs(r, want) }},
	{"io.Copy", func(r io.Reader, want string) error {
		var b strings.Builder
		n, err := io.Copy(&b, r)
		if err == nil && (b.String() != want || n != int64(len(want))) {
			err = fmt.Errorf("%d bytes copied, %d wanted, or other ones", n, len(want))
		}
		return err
	}},
	{"a byte at a time", func(r io.Reader, want string) error { return readsAs(iotest.OneByteReader(r), want) }},
	{"7 bytes at a time", func(r io.Reader, want string) error { return readsAs(inSteps{r, 7}, want) }},
	{"a buffer longer than the message", func(r io.Reader, want string) error { return readsAs(inSteps{r, len(want) + 5000}, want) }},
	{"iotest.TestReader", func(r io.Reader, want string) error { return iotest.TestReader(r, []byte(want)) }},
}

// inSteps reads at most n bytes at a time, into memory that is used again.
type inSteps struct {
	r io.Reader
	n int
}

func (s inSteps) Read(p []byte) (int, error) {
	own := make([]byte, s.n)
	n, err := s.r.Read(own[:min(s.n, len(p))])
	return copy(p, own[:n]), err
}

func readsAs(r io.Reader, want string) error {
	got, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if string(got) != want {
		return fmt.Errorf("read %d bytes, want %d, or other ones", len(got), len(want))
	}
	return nil
}

func TestNextReader(t *testing.T) {
	long := letters(50_000)
	messages := []struct {
		name    string
		typ     Type
		payload string
		frames  []piece
	}{
		{"empty", Text, "", []piece{fr(0x81, "")}},
		{"empty in fragments", Binary, "", fragments(0x02, "", 0, 0)},
		{"short", Text, "Grüße", []piece{fr(0x81, "Grüße")}},
		{"fragments, in a character", Text, "Grüße", fragments(0x01, "Grüße", 3, 0, 3)},
		{"long", Binary, long, []piece{fr(0x82, long)}},
		{"long fragments", Text, long, fragments(0x01, long, 1, 20_000, 0, 4096, 10_000)},
	}
	for _, way := range waysToRead {
		t.Run(way.name, func(t *testing.T) {
			inBothRoles(t, func(t *testing.T, role Role) {
				// The limits are for messages that are held.
				c, r := rawChannel(t, role, &Options{MessageLimit: 10, FragmentLimit: 2})
				go func() {
					for _, m := range messages {
						r.send(m.frames...)
						r.send(fr(0x81, "next"))
					}
					synctest.Wait() // after a close frame pongs are not due
					r.send(closeOf(1000, ""))
				}()
				for _, m := range messages {
					typ, body, err := c.NextReader(t.Context())
					if err != nil || typ != m.typ {
						t.Fatalf("%s: %v, %v, want %v", m.name, typ, err, m.typ)
					}
					if err := way.read(body, m.payload); err != nil {
						t.Errorf("%s: %v", m.name, err)
					}
					if n, err := body.Read(make([]byte, 1)); n != 0 || err != io.EOF {
						t.Errorf("%s: read behind the end: %d, %v", m.name, n, err)
					}
					wantNext(t, c, "next")
				}
				if _, _, err := c.NextReader(t.Context()); !errors.Is(err, ErrClosed) {
					t.Errorf("at the end: %v", err)
				}
				wantEnd(t, c, status.NormalClosure, "", true)
				pongs := 0
				for _, f := range r.takenTold() {
					if isPong(f) {
						pongs++
					}
				}
				if pongs == 0 {
					t.Error("no ping between the fragments was answered")
				}
			})
		})
	}
}

// wantNext receives a message.
func wantNext(t testing.TB, c *Channel, want string) {
	t.Helper()
	m, err := c.Receive(t.Context())
	if err != nil || string(m.Data) != want {
		t.Fatalf("received %.60q, %v; want %.60q", m.Data, err, want)
	}
}

// wantReader begins to stream a message.
func wantReader(t testing.TB, c *Channel, want Type) io.Reader {
	t.Helper()
	typ, body, err := c.NextReader(t.Context())
	if err != nil || typ != want {
		t.Fatalf("NextReader: %v, %v; want %v", typ, err, want)
	}
	return body
}

// wantRead reads that many bytes of a message that consists of letters.
func wantRead(t testing.TB, body io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(body, got); err != nil || string(got) != want {
		t.Fatalf("read %d bytes %.60q, %v; want %d %.60q", n, got[:n], err, len(want), want)
	}
}

// However slowly a message is read, the channel holds no more than a buffer of
// it, and reads no further ahead than the receive buffer allows.
func TestNextReaderHoldsLittle(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role Role) {
		for _, pause := range []time.Duration{0, time.Second} {
			const buffer = 10_000
			c, r := rawChannel(t, role, &Options{MessageLimit: 10, ReceiveBuffer: buffer, PingInterval: -1})
			payload := letters(200_000)
			var sent, read int64
			go func() {
				for _, f := range fragments(0x01, payload, 50_000, 100, 20_000, 1) {
					b := f.append(nil, r.nextKey())
					for len(b) > 0 {
						n := min(len(b), 100)
						r.write(b[:n])
						atomic.AddInt64(&sent, int64(n))
						b = b[n:]
					}
				}
			}()
			body := wantReader(t, c, Text)
			p := make([]byte, 1000)
			for {
				pass(pause)
				if ahead := atomic.LoadInt64(&sent) - read; ahead > buffer+2*smallBuffer || pause > 0 && read < 150_000 && ahead < buffer-1000 {
					t.Fatalf("pause %v: %d bytes ahead at %d", pause, ahead, read)
				}
				n, err := body.Read(p)
				if string(p[:n]) != payload[read:read+int64(n)] {
					t.Fatalf("other bytes at %d", read)
				}
				read += int64(n)
				if err == io.EOF && read == int64(len(payload)) {
					break
				}
				if err != nil {
					t.Fatalf("pause %v, at %d: %v", pause, read, err)
				}
			}
			if err := c.Err(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A message of which a receive was cancelled in the middle is read from its
// beginning, however often that happened and wherever it was cut.
func TestNextReaderResumes(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role Role) {
		const payload = "Hällo, «wörld»"
		whole := fragments(0x01, payload, 2, 5)
		var length int
		for _, f := range whole {
			length += len(f.append(nil, 0))
		}
		for cut := range length {
			c, r := rawChannel(t, role, &Options{ReceiveBuffer: -1})
			var b []byte
			for _, f := range whole {
				b = f.append(b, r.nextKey())
			}
			for i, part := range [][]byte{b[:cut/2], b[cut/2 : cut], {}} {
				go r.write(part)
				ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
				_, data, err := c.ReceiveAppend(ctx, []byte("mine"))
				cancel()
				if err != context.DeadlineExceeded || string(data) != "mine" {
					t.Fatalf("cut %d.%d: %q, %v", cut, i, data, err)
				}
			}
			go func() {
				r.write(b[cut:])
				r.send(fr(0x82, "next"))
			}()
			if err := readsAs(wantReader(t, c, Text), payload); err != nil {
				t.Fatalf("cut %d: %v", cut, err)
			}
			wantNext(t, c, "next")
		}
	})
}

// A NextReader that is cancelled before its message has come harms nothing.
func TestNextReaderCancelled(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role Role) {
		c, r := rawChannel(t, role, nil)
		for i := range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			go r.write(fr(0x81, "é").append(nil, r.nextKey())[:1])
			if _, _, err := c.NextReader(ctx); err != context.DeadlineExceeded {
				t.Fatal(err)
			}
			cancel()
			r.key -= 0x9E3779B9 // the same frame again
			go r.write(fr(0x81, "é").append(nil, r.nextKey())[1:])
			if i == 1 {
				wantRead(t, wantReader(t, c, Text), "é")
			} else {
				wantNext(t, c, "é")
			}
		}
	})
}

// formsOfReceiving take the next message, whichever way.
var formsOfReceiving = []struct {
	name    string
	receive func(c *Channel, ctx context.Context) (string, error)
}{
	{"Receive", func(c *Channel, ctx context.Context) (string, error) {
		m, err := c.Receive(ctx)
		return string(m.Data), err
	}},
	{"ReceiveAppend", func(c *Channel, ctx context.Context) (string, error) {
		_, data, err := c.ReceiveAppend(ctx, nil)
		return string(data), err
	}},
	{"Messages", func(c *Channel, ctx context.Context) (string, error) {
		for m, err := range c.Messages(ctx) {
			return string(m.Data), err
		}
		return "", c.Err()
	}},
	{"NextReader", func(c *Channel, ctx context.Context) (string, error) {
		_, body, err := c.NextReader(ctx)
		if err != nil {
			return "", err
		}
		data, err := io.ReadAll(body)
		return string(data), err
	}},
	{"Listen", func(c *Channel, ctx context.Context) (string, error) {
		got, ended := make(chan string, 1), make(chan error, 1)
		var stop func()
		ready := make(chan struct{})
		stop = c.Listen(func(m Message) {
			<-ready
			stop()
			got <- string(m.Data)
		}, func(err error) { ended <- err })
		close(ready)
		select {
		case s := <-got:
			synctest.Wait() // until the callback has returned
			return s, nil
		case err := <-ended:
			return "", err
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}},
}

// The next receive drops what was not read of a streamed message, wherever that
// is: read, collected meanwhile, or still to come.
func TestNextReceiveDropsTheRest(t *testing.T) {
	payload := letters(9000)
	for _, form := range formsOfReceiving {
		t.Run(form.name, func(t *testing.T) {
			inBothRoles(t, func(t *testing.T, role Role) {
				for _, read := range []int{0, 1, 3000, 8999, 9000} {
					for _, came := range []int{0, 3001, 9000} { // before the rest is dropped
						for _, idle := range []time.Duration{0, time.Second} {
							c, r := rawChannel(t, role, nil)
							var b []byte
							for _, f := range fragments(0x01, payload, 1, 4000) {
								b = f.append(b, r.nextKey())
							}
							b = fr(0x81, "next").append(b, r.nextKey())
							cut := min(len(b), max(came, read)+100)
							go r.write(b[:cut])
							body := wantReader(t, c, Text)
							wantRead(t, body, payload[:read])
							pass(idle)
							go func() {
								r.write(b[cut:])
								r.send(fr(0x81, "last"))
							}()
							got, err := form.receive(c, t.Context())
							if got != "next" || err != nil {
								t.Fatalf("read %d, came %d, idle %v: received %.60q, %v", read, came, idle, got, err)
							}
							if n, err := body.Read(make([]byte, 10)); n != 0 || err != ErrReaderStale {
								t.Fatalf("the old reader: %d, %v", n, err)
							}
							wantNext(t, c, "last")
							c.CloseNow()
						}
					}
				}
			})
		})
	}
}

// Whole messages that came while nobody received are streamed too, and dropped.
func TestNextReaderOfWhatCameBefore(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role Role) {
		c, r := rawChannel(t, role, nil)
		pass(attendAfter)
		r.send(fr(0x81, "one"), fr(0x82, ""), fr(0x81, "three"), fr(0x82, "four"), fr(0x01, "fi"))
		synctest.Wait()
		if err := iotest.TestReader(wantReader(t, c, Text), []byte("one")); err != nil {
			t.Error(err)
		}
		if err := readsAs(wantReader(t, c, Binary), ""); err != nil {
			t.Error(err)
		}
		old := wantReader(t, c, Text)
		wantRead(t, old, "th")
		wantNext(t, c, "four")
		if _, err := old.Read(make([]byte, 1)); err != ErrReaderStale {
			t.Errorf("the old reader: %v", err)
		}
		body := wantReader(t, c, Text)
		go r.send(fr(0x80, "ve"))
		if err := readsAs(body, "five"); err != nil {
			t.Error(err)
		}
	})
}

// A message that is longer than the limits may come while nobody receives: it
// is up to the next receiver what becomes of it.
func TestNextReaderOfALongMessageThatCameBefore(t *testing.T) {
	long := letters(5000)
	for _, frames := range [][]piece{{fr(0x81, long)}, fragments(0x01, long, 4, 4, 4), fragments(0x01, long[:14], 1, 1, 1)} {
		inBothRoles(t, func(t *testing.T, role Role) {
			var want string
			for _, f := range frames {
				if f.first != 0x89 {
					want += f.payload
				}
			}
			for _, stream := range []bool{true, false} {
				c, r := rawChannel(t, role, &Options{MessageLimit: 10, FragmentLimit: 3})
				pass(attendAfter)
				go r.send(append([]piece{fr(0x81, "short")}, frames...)...)
				pass(time.Second)
				if err := c.Err(); err != nil {
					t.Fatalf("nobody has received yet: %v", err)
				}
				wantNext(t, c, "short")
				if stream {
					if err := readsAs(wantReader(t, c, Text), want); err != nil {
						t.Error(err)
					}
				} else {
					if _, err := c.Receive(t.Context()); !errors.Is(err, ErrClosed) {
						t.Error(err)
					}
					wantEnd(t, c, status.MessageTooBig, "", false)
				}
			}
		})
	}
}

// While nobody reads in the middle of a streamed message, what comes is
// collected and pings are answered; then it goes on exactly.
func TestNextReaderPauses(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role Role) {
		c, r := rawChannel(t, role, nil)
		payload := letters(30_000)
		body := func() io.Reader {
			go r.send(fr(0x01, payload[:100]))
			return wantReader(t, c, Text)
		}()
		wantRead(t, body, payload[:50])
		pass(time.Second)
		for i, at := range []int{100, 5000, 5000, 20_000} {
			end := []int{5000, 5000, 20_000, 29_999}[i]
			ping := fmt.Sprint("ping ", i)
			r.send(fr(0x00, payload[at:end]), fr(0x89, ping))
			if got, want := r.takenTold(), []string{fmt.Sprintf("pong %q", ping)}; !slices.Equal(got, want) {
				t.Fatalf("answered %q, want %q", got, want)
			}
		}
		wantRead(t, body, payload[50:10_000])
		pass(time.Second)
		r.send(fr(0x80, payload[29_999:]), fr(0x81, "one"), fr(0x82, "two"))
		wantRead(t, body, payload[10_000:])
		if n, err := body.Read(make([]byte, 9)); n != 0 || err != io.EOF {
			t.Errorf("at the end: %d, %v", n, err)
		}
		wantNext(t, c, "one")
		if err := readsAs(wantReader(t, c, Binary), "two"); err != nil {
			t.Error(err)
		}
	})
}
