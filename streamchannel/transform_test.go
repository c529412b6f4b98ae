package streamchannel_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel/streamchannel"
)

// collect receives until the end, and checks that this is a clean one.
func collect[R any](t *testing.T, stream streamchannel.Stream[R]) []R {
	t.Helper()
	var got []R
	for m, err := range streamchannel.Messages(t.Context(), stream) {
		if err != nil {
			t.Fatalf("Receive: %v", err)
		}
		got = append(got, m)
	}
	return got
}

// sendAll sends all, which there must be room for.
func sendAll[S any](t *testing.T, sink streamchannel.Sink[S], messages ...S) {
	t.Helper()
	if err := streamchannel.SendAll(t.Context(), sink, slices.Values(messages)); err != nil {
		t.Error(err)
	}
}

func want[T comparable](t *testing.T, what string, got []T, want ...T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

var chunks = []string{"hello world", " what\nis", "\nup"}
var lines = []string{"hello world what", "is", "up"}

// T090: decoded on the way in, encoded on the way out, and the close passes.
func TestTransformBothSides(t *testing.T) {
	near, far := streamchannel.Pair[[]byte, []byte](1)
	text := streamchannel.Transform(near,
		streamchannel.Map(func(b []byte) (string, error) { return string(b), nil }),
		streamchannel.Map(func(s string) ([]byte, error) { return []byte(s), nil }))
	sendAll(t, far, []byte("foobar"))
	if s, err := text.Receive(t.Context()); s != "foobar" || err != nil {
		t.Errorf("received %q, %v", s, err)
	}
	sendAll(t, text, "fblthp")
	text.Close()
	if b, err := far.Receive(t.Context()); string(b) != "fblthp" || err != nil {
		t.Errorf("sent %q, %v", b, err)
	}
	if m, err := far.Receive(t.Context()); err != streamchannel.ErrClosed {
		t.Errorf("after the close: %q, %v", m, err)
	}
}

// T091: what is received is split into lines, what is sent is not.
func TestTransformStreamOfLines(t *testing.T) {
	near, far := streamchannel.Pair[string, string](3)
	split := streamchannel.TransformStream(near, streamchannel.Lines(0))
	sendAll(t, split, "fbl\nthp")
	if s, _ := far.Receive(t.Context()); s != "fbl\nthp" {
		t.Errorf("sent %q", s)
	}
	sendAll(t, far, chunks...)
	far.Close()
	want(t, "received", collect(t, split), lines...)
}

// T092: what is sent is split into lines, what is received is not.
func TestTransformSinkOfLines(t *testing.T) {
	near, far := streamchannel.Pair[string, string](3)
	split := streamchannel.TransformSink(near, streamchannel.Lines(0))
	sendAll(t, far, "fbl\nthp")
	if s, _ := split.Receive(t.Context()); s != "fbl\nthp" {
		t.Errorf("received %q", s)
	}
	sendAll(t, split, chunks...)
	split.Close()
	want(t, "sent", collect(t, far), lines...)
}

func TestLines(t *testing.T) {
	for _, tt := range []struct {
		name  string
		limit int
		in    []string
		want  []string
	}{
		{"nothing", 0, nil, nil},
		{"empty messages", 0, []string{"", ""}, nil},
		{"empty lines", 0, []string{"\n\n", "\n"}, []string{"", "", ""}},
		{"CR LF", 0, []string{"a\r\nb\r\n"}, []string{"a", "b"}},
		{"CR LF, split between", 0, []string{"a\r", "\nb"}, []string{"a", "b"}},
		{"CR alone stays", 0, []string{"a\rb\r"}, []string{"a\rb\r"}},
		{"at the limit", 3, []string{"abc\n", "ab", "c\n", "abc"}, []string{"abc", "abc", "abc"}},
		{"CR LF behind the limit", 3, []string{"abc\r\n", "abc\r", "\nd"}, []string{"abc", "abc", "d"}},
		{"over the limit", 3, []string{"abcdefgh\ni"}, []string{"abc", "def", "gh", "i"}},
		{"over the limit, in parts", 3, []string{"a", "bcd", "efg", "h\n"}, []string{"abc", "def", "gh"}},
		{"not inside a character", 4, []string{"aaéééé\n"}, []string{"aaé", "éé", "é"}},
		{"a limit below a character", 1, []string{"é\n"}, []string{"\xc3", "\xa9"}},
		{"no UTF-8", 2, []string{"\x80\x80\x80\x80\x80\x80\n"}, []string{"\x80\x80", "\x80\x80", "\x80\x80"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			near, far := streamchannel.Pair[string, string](len(tt.in))
			sendAll(t, far, tt.in...)
			far.Close()
			got := collect(t, streamchannel.TransformStream(near, streamchannel.Lines(tt.limit)))
			if !slices.Equal(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
	defer func() {
		if recover() == nil {
			t.Error("a negative limit does not panic")
		}
	}()
	streamchannel.Lines(-1)
}

// However a text is cut into messages, the lines are the same.
func FuzzLines(f *testing.F) {
	f.Add("a\r\nb\n\nlong line without end", uint8(3), uint8(7))
	f.Add("\r\r\n\r", uint8(1), uint8(1))
	f.Fuzz(func(t *testing.T, text string, cut, limit uint8) {
		split := func(size int) []string {
			near, far := streamchannel.Pair[string, string](len(text) + 1)
			for rest := text; rest != ""; {
				n := min(size, len(rest))
				sendAll(t, far, rest[:n])
				rest = rest[n:]
			}
			far.Close()
			return collect(t, streamchannel.TransformStream(near, streamchannel.Lines(int(limit)+1)))
		}
		whole, pieces := split(len(text)+1), split(int(cut)+1)
		if !slices.Equal(whole, pieces) {
			t.Errorf("%q: whole %q, in pieces of %d %q", text, whole, cut+1, pieces)
		}
		for _, l := range whole {
			if len(l) > int(limit)+2 { // a "\r" at the end of the text belongs to no line end
				t.Errorf("%q is longer than the limit %d", l, limit+1)
			}
		}
	})
}

// pairs joins two numbers each, and refuses negative ones.
func pairs() streamchannel.Transformer[int, string] {
	return streamchannel.Stateful(func() (step func(int, func(string)) error, flush func(func(string))) {
		var first []int
		step = func(n int, emit func(string)) error {
			if n < 0 {
				emit("does not count")
				return errNegative
			}
			if first = append(first, n); len(first) == 2 {
				emit(strconv.Itoa(first[0]))
				emit(strconv.Itoa(first[1]))
				first = nil
			}
			return nil
		}
		return step, func(emit func(string)) {
			for _, n := range first {
				emit("last " + strconv.Itoa(n))
			}
		}
	})
}

var errNegative = errors.New("negative")

// A message that is refused leaves no trace but its error.
func TestTransformErrors(t *testing.T) {
	near, far := streamchannel.Pair[int, int](10)
	sendAll(t, far, 1, -2, 3)
	far.Close()
	stream := streamchannel.TransformStream(near, pairs())
	var got []string
	refused := 0
	for m, err := range streamchannel.Messages(t.Context(), stream) {
		var decode *streamchannel.DecodeError
		if errors.As(err, &decode) && errors.Is(err, errNegative) {
			refused++
			continue
		}
		got = append(got, m)
	}
	if want(t, "received", got, "1", "3"); refused != 1 {
		t.Errorf("%d errors, want 1", refused)
	}

	texts, out := streamchannel.Pair[string, string](10)
	sink := streamchannel.TransformSink(out, pairs())
	sendAll(t, sink, 1)
	var encode *streamchannel.EncodeError
	if err := sink.Send(t.Context(), -2); !errors.As(err, &encode) || !errors.Is(err, errNegative) {
		t.Errorf("Send: %v", err)
	}
	sendAll(t, sink, 3, 4)
	sink.Close()
	want(t, "sent", collect(t, texts), "1", "3", "last 4")
}

// A local close drops what was not received, in whatever place it waits. T075
// T087
func TestTransformLocalClose(t *testing.T) {
	near, far := streamchannel.Pair[int, int](10)
	sendAll(t, far, 1, 2, 3)
	stream := streamchannel.TransformStream(near, pairs())
	if s, err := stream.Receive(t.Context()); s != "1" || err != nil {
		t.Fatalf("%q, %v", s, err)
	}
	stream.Close()
	if s, err := stream.Receive(t.Context()); !errors.Is(err, streamchannel.ErrClosed) {
		t.Errorf("received %q, %v after the close", s, err)
	}
}

// A Send that is cancelled when its message has moved the state on was
// accepted: what became of it goes out, before what is sent later.
func TestTransformSinkCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far, near := streamchannel.Pair[string, string](0)
		sink := streamchannel.TransformSink(near, pairs())
		sendAll(t, sink, 1)
		ctx, cancel := context.WithCancel(t.Context())
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { first <- sink.Send(ctx, 2) }()
		synctest.Wait()
		go func() { second <- sink.Send(t.Context(), 3) }()
		cancel()
		if err := <-first; err != nil {
			t.Errorf("Send: %v", err)
		}
		synctest.Wait()
		if len(second) > 0 {
			t.Error("the next Send did not wait for its turn")
		}
		for _, want := range []string{"1", "2"} {
			if s, err := far.Receive(t.Context()); s != want || err != nil {
				t.Errorf("%q, %v, want %q", s, err, want)
			}
		}
		if err := <-second; err != nil {
			t.Errorf("Send: %v", err)
		}
		go sink.Close()
		want(t, "at the close", collect(t, far), "last 3")
	})
}

// Where nobody takes what is left, Close gives it up after five seconds.
func TestTransformSinkCloseTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, near := streamchannel.Pair[string, string](0)
		sink := streamchannel.TransformSink(near, pairs())
		sendAll(t, sink, 1)
		began := time.Now()
		if err := sink.Close(); err != nil {
			t.Error(err)
		}
		if d := time.Since(began); d != 5*time.Second {
			t.Errorf("Close took %v", d)
		}
		if err := sink.Send(t.Context(), 1); err != streamchannel.ErrClosed {
			t.Errorf("Send: %v", err)
		}
	})
}

func TestFilter(t *testing.T) {
	near, far := streamchannel.Pair[int, int](10)
	even := streamchannel.Filter(func(n int) bool { return n%2 == 0 })
	ch := streamchannel.Transform(near, even, even)
	sendAll(t, far, 1, 2, 3, 4, 5)
	sendAll(t, ch, 6, 7, 8)
	if err := ch.Send(cancelled(), 9); err != context.Canceled {
		t.Errorf("Send of what is left out, cancelled: %v", err)
	}
	for _, want := range []int{2, 4} {
		if n, err := ch.Receive(t.Context()); n != want || err != nil {
			t.Errorf("received %d, %v, want %d", n, err, want)
		}
	}
	ch.Close()
	want(t, "sent", collect(t, far), 6, 8)
	if err := ch.Send(cancelled(), 9); err != streamchannel.ErrClosed {
		t.Errorf("Send of what is left out, closed: %v", err)
	}
}

// A coder cannot end a channel.
func TestCodecErrorIsNoEnd(t *testing.T) {
	near, far := streamchannel.Pair[int, int](1)
	failing := streamchannel.Codec[int, int, int]{
		Decode: func(int) (int, error) { return 0, streamchannel.ErrClosed },
		Encode: func(int) (int, error) { return 0, streamchannel.ErrClosed },
	}.Bind(near)
	sendAll(t, far, 1)
	_, received := failing.Receive(t.Context())
	for _, err := range []error{received, failing.Send(t.Context(), 1)} {
		if err == nil || errors.Is(err, streamchannel.ErrClosed) || !strings.HasSuffix(err.Error(), "streamchannel: closed") {
			t.Errorf("error %v", err)
		}
	}
}

func TestMessagesBreak(t *testing.T) {
	near, far := streamchannel.Pair[int, int](3)
	sendAll(t, far, 1, 2, 3)
	for range streamchannel.Messages(t.Context(), near) {
		break
	}
	far.Close()
	want(t, "after the break", collect(t, near), 2, 3)
	for _, err := range streamchannel.Messages(t.Context(), receivesNothing{}) {
		if err != errNegative {
			t.Error(err)
		}
	}
}

// receivesNothing fails without an end.
type receivesNothing struct{}

func (receivesNothing) Receive(context.Context) (int, error) { return 0, errNegative }

// SendAll waits for room, and leaves the sequence at the first error.
func TestSendAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := streamchannel.Pair[int, int](0)
		taken := 0
		numbers := func(yield func(int) bool) {
			for taken < 10 && yield(taken) {
				taken++
			}
		}
		result := make(chan error, 1)
		go func() { result <- streamchannel.SendAll(t.Context(), far, numbers) }()
		for range 3 {
			near.Receive(t.Context())
		}
		synctest.Wait()
		if taken != 3 {
			t.Errorf("took %d of the sequence, received 3", taken)
		}
		near.Close()
		if err := <-result; err != streamchannel.ErrClosed || taken != 3 {
			t.Errorf("SendAll: %v, after %d", err, taken)
		}
	})
}

func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
