package streamchannel

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// testPipe gives run a pipe between the peers of two pairs, and checks what
// Pipe returns.
func testPipe(t *testing.T, capacity int, want error, run func(t *testing.T, p *piped)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &piped{}
		p.left, p.a = Pair[int, string](capacity)
		p.b, p.right = Pair[int, string](capacity)
		ctx, cancel := context.WithCancel(t.Context())
		p.cancel = cancel
		result := make(chan error, 1)
		go func() { result <- Pipe(ctx, p.a, p.b) }()
		run(t, p)
		if err := <-result; !errors.Is(err, want) {
			t.Errorf("Pipe: %v, want %v", err, want)
		}
		cancel()
	})
}

// left is the peer of a, and right that of b: left and right talk.
type piped struct {
	left   Channel[int, string]
	a      Channel[string, int]
	b      Channel[int, string]
	right  Channel[string, int]
	cancel context.CancelFunc
}

// T089, where both sides have received everything before the first one closes.
func TestPipeForwards(t *testing.T) {
	for _, capacity := range []int{0, 1, 10} {
		testPipe(t, capacity, nil, func(t *testing.T, p *piped) {
			go func() {
				for _, s := range []string{"1", "2", "3"} {
					p.left.Send(t.Context(), s)
				}
			}()
			go func() {
				for _, n := range []int{4, 5, 6} {
					p.right.Send(t.Context(), n)
				}
			}()
			for _, want := range []string{"1", "2", "3"} {
				if s, err := p.right.Receive(t.Context()); s != want || err != nil {
					t.Errorf("right: %q, %v, want %q", s, err, want)
				}
			}
			for _, want := range []int{4, 5, 6} {
				if n, err := p.left.Receive(t.Context()); n != want || err != nil {
					t.Errorf("left: %d, %v, want %d", n, err, want)
				}
			}
			p.left.Close()
			<-p.right.Done()
		})
	}
}

// Whichever of the four ends closes, the other side learns of it, after what
// had been accepted before.
func TestPipeEnds(t *testing.T) {
	for name, closeOne := range map[string]func(p *piped) error{
		"left":  func(p *piped) error { return p.left.Close() },
		"a":     func(p *piped) error { return p.a.Close() },
		"b":     func(p *piped) error { return p.b.Close() },
		"right": func(p *piped) error { return p.right.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			testPipe(t, 1, nil, func(t *testing.T, p *piped) {
				closeOne(p)
				<-p.left.Done()
				<-p.right.Done()
			})
		})
	}
}

func TestPipeForwardsBeforeItCloses(t *testing.T) {
	testPipe(t, 3, nil, func(t *testing.T, p *piped) {
		go func() {
			for i := range 20 {
				p.left.Send(t.Context(), strconv.Itoa(i))
			}
			p.left.Close()
		}()
		synctest.Wait() // right receives nothing: pipe and pairs are full
		for want := range 20 {
			if s, err := p.right.Receive(t.Context()); s != strconv.Itoa(want) || err != nil {
				t.Errorf("right: %q, %v, want %d", s, err, want)
			}
		}
		if s, err := p.right.Receive(t.Context()); err != ErrClosed {
			t.Errorf("right: %q, %v after the end", s, err)
		}
	})
}

// An echo does not receive while it sends. When the other side has gone, its
// echoes must go somewhere, or what was sent to it would never arrive.
func TestPipeDrainsTheOtherSide(t *testing.T) {
	const count = 20
	synctest.Test(t, func(t *testing.T) {
		near, a := Pair[int, int](count)
		b, echo := Pair[int, int](0)
		for i := range count {
			near.Send(t.Context(), i)
		}
		near.Close()
		result := make(chan error, 1)
		go func() { result <- Pipe(t.Context(), a, b) }()
		for want := range count {
			if n, err := echo.Receive(t.Context()); n != want || err != nil {
				t.Fatalf("echo received %d, %v, want %d", n, err, want)
			}
			// After the last message the pipe may close before it takes the echo.
			if err := echo.Send(t.Context(), want); err != nil && want < count-1 {
				t.Fatalf("echo of %d: %v", want, err)
			}
		}
		<-echo.Done()
		if err := <-result; err != nil {
			t.Error(err)
		}
	})
}

func TestPipeCancelled(t *testing.T) {
	testPipe(t, 1, context.Canceled, func(t *testing.T, p *piped) {
		synctest.Wait()
		p.cancel()
		synctest.Wait()

		// Both are open, and free for another receiver.
		p.left.Send(t.Context(), "x")
		if s, err := p.a.Receive(t.Context()); s != "x" || err != nil {
			t.Errorf("a: %q, %v", s, err)
		}
		p.right.Send(t.Context(), 1)
		if n, err := p.b.Receive(t.Context()); n != 1 || err != nil {
			t.Errorf("b: %d, %v", n, err)
		}
	})
}

// At most the one message is lost that the pipe had taken.
func TestPipeCancelledInSend(t *testing.T) {
	testPipe(t, 0, context.Canceled, func(t *testing.T, p *piped) {
		if err := p.left.Send(t.Context(), "lost"); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		p.cancel()
		synctest.Wait()
		go p.left.Send(t.Context(), "kept")
		if s, err := p.a.Receive(t.Context()); s != "kept" || err != nil {
			t.Errorf("a: %q, %v", s, err)
		}
	})
}

// lingering is a channel whose Receive, once cancelled, returns when it is let go.
type lingering struct {
	Channel[int, int]
	letGo chan struct{}
}

func (l lingering) Receive(ctx context.Context) (int, error) {
	n, err := l.Channel.Receive(ctx)
	<-l.letGo
	return n, err
}

// When Pipe returns it uses neither channel any more.
func TestPipeWaitsForBothDirections(t *testing.T) {
	for _, aLingers := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			_, a := Pair[int, int](0)
			b, _ := Pair[int, int](0)
			letGo := make(chan struct{})
			if aLingers {
				a = lingering{a, letGo}
			} else {
				b = lingering{b, letGo}
			}
			result := make(chan error, 1)
			go func() { result <- Pipe(cancelled(), a, b) }()
			synctest.Wait()
			if len(result) > 0 {
				t.Error("Pipe returned while it was receiving")
			}
			close(letGo)
			if err := <-result; err != context.Canceled {
				t.Error(err)
			}
		})
	}
}

func TestPipeDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a := Pair[int, int](0)
		b, _ := Pair[int, int](0)
		if err := Pipe(expired(t), a, b); err != context.DeadlineExceeded {
			t.Error(err)
		}
	})
}

func TestPipeSecondReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, a := Pair[int, int](0)
		b, far := Pair[int, int](0)
		go a.Receive(t.Context())
		synctest.Wait()
		if err := Pipe(t.Context(), a, b); err != ErrConcurrentReceive {
			t.Error(err)
		}
		if near.Err() != nil || far.Err() != nil {
			t.Error("Pipe closed a channel that had not ended")
		}
	})
}

// odd is a channel that differs from the one inside in what it returns. A
// type of its own, it shows too that Pipe infers its type arguments.
type odd struct {
	Channel[int, int]
	end      error // for ErrClosed
	refusal  error // of every Send
	closeErr error
}

func (o odd) Receive(ctx context.Context) (int, error) {
	n, err := o.Channel.Receive(ctx)
	if err == ErrClosed && o.end != nil {
		err = o.end
	}
	return n, err
}

func (o odd) Send(ctx context.Context, n int) error {
	if o.refusal != nil {
		return o.refusal
	}
	return o.Channel.Send(ctx, n)
}

func (o odd) Close() error {
	o.Channel.Close()
	return o.closeErr
}

func TestPipeResult(t *testing.T) {
	cleanEnd, lost := &endError{true}, &endError{false}
	failed := errors.New("close failed")
	for name, c := range map[string]struct{ end, closeErr, want error }{
		"clean":                     {cleanEnd, nil, nil},
		"lost":                      {lost, nil, lost},
		"clean, the close fails":    {cleanEnd, failed, failed},
		"lost, the close fails":     {lost, failed, lost},
		"closed, the close fails":   {ErrClosed, failed, failed},
		"closed, the close is fine": {ErrClosed, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, a := Pair[int, int](0)
				b, far := Pair[int, int](0)
				go near.Close()
				err := Pipe(t.Context(), odd{Channel: a, end: c.end}, odd{Channel: b, closeErr: c.closeErr})
				if err != c.want {
					t.Errorf("Pipe: %v, want %v", err, c.want)
				}
				if far.Err() == nil {
					t.Error("the other channel is open")
				}
			})
		})
	}
}

func TestPipeRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refusal := errors.New("no such message")
		near, a := Pair[int, int](0)
		b, far := Pair[int, int](0)
		go near.Send(t.Context(), 1)
		if err := Pipe(t.Context(), a, odd{Channel: b, refusal: refusal}); err != refusal {
			t.Errorf("Pipe: %v, want %v", err, refusal)
		}
		if near.Err() != nil || far.Err() != nil {
			t.Error("Pipe closed a channel that had not ended")
		}
	})
}

// What has nowhere to go is not offered again, and so cannot be refused.
func TestPipeDoesNotSendAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, a := Pair[int, int](2)
		b, far := Pair[int, int](0)
		near.Send(t.Context(), 1)
		near.Send(t.Context(), 2)
		near.Close()
		sends := 0
		counted := counting{Channel: a, sends: &sends}
		result := make(chan error, 1)
		go func() { result <- Pipe(t.Context(), counted, b) }()
		for range 3 {
			far.Send(t.Context(), 0)
		}
		for range 2 {
			far.Receive(t.Context())
		}
		if err := <-result; err != nil {
			t.Error(err)
		}
		if sends != 1 {
			t.Errorf("%d sends into a channel that is over, want 1", sends)
		}
	})
}

type counting struct {
	Channel[int, int]
	sends *int
}

func (c counting) Send(ctx context.Context, n int) error {
	*c.sends++
	return c.Channel.Send(ctx, n)
}

// Both sides send until they see the end, and both close at some time. Nothing
// is lost before the end, and Pipe always returns nil.
func TestPipeStress(t *testing.T) {
	for _, capacity := range []int{0, 1, 7} {
		for range 50 {
			testPipe(t, capacity, nil, func(t *testing.T, p *piped) {
				go func() {
					closeAt := rand.IntN(100)
					for i := 0; p.left.Send(t.Context(), strconv.Itoa(i)) == nil; i++ {
						if i == closeAt {
							go p.left.Close()
						}
					}
				}()
				go func() {
					closeAt := rand.IntN(100)
					for i := 0; p.right.Send(t.Context(), i) == nil; i++ {
						if i == closeAt {
							go p.right.Close()
						}
					}
				}()
				go func() {
					for want := 0; ; want++ {
						n, err := p.left.Receive(t.Context())
						if err != nil {
							return
						}
						if n != want {
							t.Errorf("left received %d, want %d", n, want)
						}
					}
				}()
				for want := 0; ; want++ {
					s, err := p.right.Receive(t.Context())
					if err != nil {
						break
					}
					if s != strconv.Itoa(want) {
						t.Errorf("right received %q, want %d", s, want)
					}
				}
			})
		}
	}
}

// An end that makes ctx done is an end all the same: what had arrived goes out and
// the other channel is closed.
func TestPipeEndThatCancels(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			near, a := Pair[int, int](3)
			b, far := Pair[int, int](0)
			for i := range 3 {
				near.Send(t.Context(), i)
			}
			ctx, cancel := context.WithCancel(t.Context())
			result := make(chan error, 1)
			go func() { result <- Pipe(ctx, a, b) }()
			synctest.Wait()
			near.Close()
			cancel()
			synctest.Wait()
			for want := range 3 {
				if n, err := far.Receive(t.Context()); n != want || err != nil {
					t.Errorf("received %d, %v, want %d", n, err, want)
				}
			}
			<-far.Done()
			if err := <-result; err != nil {
				t.Errorf("Pipe: %v", err)
			}
		})
	}
}

// But whoever takes nothing does not keep it for ever.
func TestPipeEndThatCancelsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, a := Pair[int, int](1)
		b, far := Pair[int, int](0)
		near.Send(t.Context(), 1)
		near.Close()
		began := time.Now()
		if err := Pipe(cancelled(), a, b); err != nil {
			t.Errorf("Pipe: %v", err)
		}
		if d := time.Since(began); d != closeTimeout || far.Err() == nil {
			t.Errorf("after %v, far: %v", d, far.Err())
		}
	})
}
