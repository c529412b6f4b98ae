package streamchannel_test

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel/streamchannel"
)

// counted is a sink that counts what it gets.
type counted struct {
	streamchannel.Sink[int]
	sends, closes atomic.Int32
}

func (s *counted) Send(ctx context.Context, n int) error {
	s.sends.Add(1)
	return s.Sink.Send(ctx, n)
}

func (s *counted) Close() error {
	s.closes.Add(1)
	return s.Sink.Close()
}

// guardedPair is a Guard around one end of a pair, its sink counted.
func guardedPair(capacity int) (streamchannel.Channel[int, int], *counted, streamchannel.Channel[int, int]) {
	near, far := streamchannel.Pair[int, int](capacity)
	sink := &counted{Sink: near}
	return streamchannel.Guard(near, sink), sink, far
}

// What came before anybody received is not lost. T073
func TestGuardBeforeReceive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := streamchannel.Pair[int, int](3)
		sendAll(t, far, 1, 2, 3)
		guarded := streamchannel.Guard(near, near)
		synctest.Wait()
		far.Close()
		want(t, "received", collect(t, guarded), 1, 2, 3)
	})
}

// Once the stream has ended the sink gets no more messages, whether or not
// somebody received until then. It is closed, once: a Go sink may hold
// something that must be freed. T076 T078 T080
func TestGuardAfterStreamEnd(t *testing.T) {
	for _, drained := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			guarded, sink, far := guardedPair(3)
			far.Close()
			if drained {
				want(t, "received", collect(t, guarded))
			}
			<-guarded.Done()
			for n := range 3 {
				if err := guarded.Send(t.Context(), n); err != streamchannel.ErrClosed {
					t.Errorf("Send: %v", err)
				}
			}
			guarded.Close()
			synctest.Wait()
			if sends, closes := sink.sends.Load(), sink.closes.Load(); sends != 0 || closes != 1 {
				t.Errorf("the sink got %d messages and %d closes, want 0 and 1", sends, closes)
			}
		})
	}
}

// Who no longer receives may send. T077 T165
func TestSendWithoutReceiving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		guarded, _, far := guardedPair(3)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := guarded.Receive(ctx); err != context.Canceled {
			t.Errorf("Receive: %v", err)
		}
		sendAll(t, guarded, 1, 2, 3)
		guarded.Close()
		want(t, "sent", collect(t, far), 1, 2, 3)
	})
}

// A local close in the middle of what is under way: nothing more is delivered.
// T075 T087 T164
func TestLocalCloseInTheMiddle(t *testing.T) {
	layers := func(ch streamchannel.Channel[int, int]) streamchannel.Channel[int, int] {
		same := streamchannel.Stateful(func() (step func(int, func(int)) error, flush func(func(int))) {
			return func(n int, emit func(int)) error { emit(n); return nil }, func(func(int)) {}
		})
		for range 10 {
			ch = streamchannel.Transform(ch, same, same)
		}
		return ch
	}
	for name, connect := range map[string]func() (near, far streamchannel.Channel[int, int]){
		"Guard": func() (near, far streamchannel.Channel[int, int]) {
			near, _, far = guardedPair(5)
			return near, far
		},
		"FromChans": func() (near, far streamchannel.Channel[int, int]) {
			there, back := make(chan int, 5), make(chan int, 5)
			return streamchannel.FromChans(back, there), streamchannel.FromChans(there, back)
		},
		"ten layers on each side": func() (near, far streamchannel.Channel[int, int]) {
			near, far = streamchannel.Pair[int, int](5)
			return layers(near), layers(far)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := connect()
				sendAll(t, far, 1, 2, 3, 4, 5)
				synctest.Wait()
				var got []int
				for n := range streamchannel.Messages(t.Context(), near) {
					if got = append(got, n); n == 2 {
						near.Close()
					}
				}
				want(t, "received", got, 1, 2)
				<-near.Done()
				<-far.Done()
			})
		})
	}
}

// T088: closed before anybody receives and before anything comes.
func TestLocalCloseFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		guarded, _, far := guardedPair(3)
		guarded.Close()
		for n := range 3 {
			far.Send(t.Context(), n)
		}
		far.Close()
		want(t, "received", collect(t, guarded))
	})
}

// failing ends in its own way.
type failing struct{ err error }

func (s failing) Receive(context.Context) (int, error) { return 0, s.err }
func (s failing) Send(context.Context, int) error      { return s.err }
func (s failing) Close() error                         { return nil }

// waiting receives nothing until its ctx is done.
type waiting struct{}

func (waiting) Receive(ctx context.Context) (int, error) { <-ctx.Done(); return 0, ctx.Err() }

func TestGuardEnds(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		name  string
		err   error
		clean bool
		is    error
	}{
		{"io.EOF", io.EOF, true, streamchannel.ErrClosed},
		{"an end", streamchannel.ErrDisconnected, true, streamchannel.ErrDisconnected},
		{"any error", broken, false, broken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, sink := streamchannel.Pair[int, int](0)
				guarded := streamchannel.Guard(failing{tt.err}, sink)
				_, err := guarded.Receive(t.Context())
				if !errors.Is(err, tt.is) || !errors.Is(err, streamchannel.ErrClosed) || err != guarded.Err() {
					t.Errorf("Receive: %v, Err: %v", err, guarded.Err())
				}
				silent := true
				for range streamchannel.Messages(t.Context(), guarded) {
					silent = false
				}
				if silent != tt.clean {
					t.Errorf("clean: %t, want %t", silent, tt.clean)
				}
			})
		})
	}

	// An error from the sink that is no end is about the message.
	synctest.Test(t, func(t *testing.T) {
		guarded := streamchannel.Guard(waiting{}, failing{broken})
		if err := guarded.Send(t.Context(), 1); err != broken || guarded.Err() != nil {
			t.Errorf("Send: %v, Err: %v", err, guarded.Err())
		}
		guarded.Close()
	})
	synctest.Test(t, func(t *testing.T) {
		guarded := streamchannel.Guard(waiting{}, failing{streamchannel.ErrDisconnected})
		if err := guarded.Send(t.Context(), 1); err != streamchannel.ErrDisconnected || guarded.Err() != err {
			t.Errorf("Send: %v, Err: %v", err, guarded.Err())
		}
	})
}

// A DecodeError of the stream comes in its place.
func TestGuardPassesDecodeErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := streamchannel.Pair[string, string](3)
		numbers := streamchannel.JSON[int, int](near, nil)
		guarded := streamchannel.Guard(numbers, numbers)
		sendAll(t, far, "1", "x", "3")
		far.Close()
		var got []int
		for n, err := range streamchannel.Messages(t.Context(), guarded) {
			var bad *streamchannel.DecodeError
			if errors.As(err, &bad) {
				n = -1
			}
			got = append(got, n)
		}
		want(t, "received", got, 1, -1, 3)
	})
}

// stubborn does not return when its ctx is done.
type stubborn struct{ letGo chan struct{} }

func (s stubborn) Send(context.Context, int) error { <-s.letGo; return nil }
func (s stubborn) Close() error                    { return nil }

// Close does not wait for ever for a sink that breaks its promise.
func TestGuardCloseTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := stubborn{make(chan struct{})}
		guarded := streamchannel.Guard(waiting{}, sink)
		go guarded.Send(t.Context(), 1)
		synctest.Wait()
		began := time.Now()
		if err := guarded.Close(); err == nil || errors.Is(err, streamchannel.ErrClosed) {
			t.Errorf("Close: %v", err)
		}
		if d := time.Since(began); d != 5*time.Second {
			t.Errorf("Close took %v", d)
		}
		close(sink.letGo)
	})
}

// T160 T161: the other side are plain Go channels.
func TestFromChans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, out := make(chan int), make(chan int)
		ch := streamchannel.FromChans(in, out)
		go sendAll(t, ch, 1, 2, 3)
		for want := range 3 {
			if n := <-out; n != want+1 {
				t.Errorf("sent %d, want %d", n, want+1)
			}
		}
		go func() {
			for n := range 3 {
				in <- n + 1
			}
			close(in)
		}()
		want(t, "received", collect(t, ch), 1, 2, 3)
		if n, open := <-out; open {
			t.Errorf("out is open, and gives %d", n)
		}
	})
}

// T170: closing works though nobody ever was at the other side.
func TestFromChansCloseWithoutPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch := streamchannel.FromChans(make(chan int), make(chan int))
		go ch.Send(t.Context(), 1)
		synctest.Wait()
		if err := ch.Close(); err != nil {
			t.Error(err)
		}
		<-ch.Done()
		want(t, "received", collect(t, ch))
	})
}

func TestFromChansOfNil(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	streamchannel.FromChans[int, int](nil, make(chan int))
}
