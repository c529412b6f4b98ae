//go:build !js

package wschannel

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

// A scriptedStream has no deadlines; its parts can be replaced.
type scriptedStream struct {
	io.Reader
	io.Writer
	close func() error
}

func (s *scriptedStream) Close() error {
	if s.close == nil {
		return nil
	}
	return s.close()
}

// deadlineErrors has deadlines that do not work.
type deadlineErrors struct {
	scriptedStream
	read, write error
}

func (d *deadlineErrors) SetReadDeadline(time.Time) error  { return d.read }
func (d *deadlineErrors) SetWriteDeadline(time.Time) error { return d.write }

func TestNewTransport(t *testing.T) {
	pipe, _ := net.Pipe()
	defer pipe.Close()
	for _, tt := range []struct {
		name   string
		rwc    io.ReadWriteCloser
		itself bool
	}{
		{"deadlines", &deadlineErrors{}, true},
		{"net.Pipe", pipe, true},
		{"no deadlines", &scriptedStream{}, false},
		{"no read deadline", &deadlineErrors{read: os.ErrNoDeadline}, false},
		{"no write deadline", &deadlineErrors{write: os.ErrNoDeadline}, false},
	} {
		if got := newTransport(tt.rwc); (got == tt.rwc) != tt.itself {
			t.Errorf("%s: %T", tt.name, got)
		}
	}
}

// newPump returns a pump over one end of a synchronous stream, and the other
// end.
func newPump(t *testing.T) (*pump, io.ReadWriteCloser) {
	near, far := streamPair(t)
	p := newTransport(near).(*pump)
	t.Cleanup(func() { p.Close(); far.Close() })
	return p, far
}

type ioResult struct {
	n   int
	err error
}

func readAsync(p *pump, b []byte) <-chan ioResult {
	return async(func() ioResult { n, err := p.Read(b); return ioResult{n, err} })
}

func writeAsync(p *pump, b []byte) <-chan ioResult {
	return async(func() ioResult { n, err := p.Write(b); return ioResult{n, err} })
}

func wantIO(t *testing.T, what string, got <-chan ioResult, want ioResult) {
	t.Helper()
	if r := <-got; r != want {
		t.Errorf("%s: %v, want %v", what, r, want)
	}
}

func TestPumpReads(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789"), 3000)
	broken := errors.New("broken")
	for _, tt := range []struct {
		name string
		from io.Reader
		want error
	}{
		{"all at once", bytes.NewReader(content), nil},
		{"byte by byte", iotest.OneByteReader(bytes.NewReader(content)), nil},
		{"end together with data", iotest.DataErrReader(bytes.NewReader(content)), nil},
		{"error behind it", io.MultiReader(bytes.NewReader(content), iotest.ErrReader(broken)), broken},
	} {
		for _, size := range []int{1, 7, smallBuffer, 2 * smallBuffer} {
			p := newTransport(&scriptedStream{Reader: tt.from}).(*pump)
			if s, ok := tt.from.(io.Seeker); ok {
				s.Seek(0, io.SeekStart)
			} else if size != 7 {
				continue
			}
			var got []byte
			b := make([]byte, size)
			var err error
			for err == nil {
				var n int
				n, err = p.Read(b)
				got = append(got, b[:n]...)
			}
			if !bytes.Equal(got, content) || err != either(tt.want, io.EOF) {
				t.Errorf("%s, in pieces of %d: %d bytes, %v", tt.name, size, len(got), err)
			}
			if n, again := p.Read(b); n != 0 || again != err {
				t.Errorf("%s: after the end: %d, %v", tt.name, n, again)
			}
			p.Close()
		}
	}
}

// A deadline that is set before or while somebody waits, and moved while he
// does: the last one counts.
func TestPumpDeadlines(t *testing.T) {
	late := ioResult{0, os.ErrDeadlineExceeded}
	directions := []struct {
		name string
		set  func(*pump, time.Time) error
		wait func(*pump) <-chan ioResult
	}{
		{"read", (*pump).SetReadDeadline, func(p *pump) <-chan ioResult { return readAsync(p, make([]byte, 10)) }},
		{"write", (*pump).SetWriteDeadline, func(p *pump) <-chan ioResult { return writeAsync(p, []byte("nobody reads this")) }},
	}
	in := func(d time.Duration) time.Time { return time.Now().Add(d) }
	for _, dir := range directions {
		for _, tt := range []struct {
			name  string
			set   func(set func(time.Time) error) // in one second steps
			after time.Duration
		}{
			{"before", func(set func(time.Time) error) { set(in(3 * time.Second)) }, 3 * time.Second},
			{"passed", func(set func(time.Time) error) { set(past) }, 0},
			{"passed just now", func(set func(time.Time) error) { set(time.Now()) }, 0},
			{"passed twice", func(set func(time.Time) error) { set(past); set(past) }, 0},
			{"passed and renewed", func(set func(time.Time) error) { set(past); set(in(time.Second)) }, time.Second},
			{"passed while it was waited", func(set func(time.Time) error) { time.Sleep(time.Second); set(past) }, time.Second},
			{"set while it was waited", func(set func(time.Time) error) {
				time.Sleep(time.Second)
				set(in(time.Second))
			}, 2 * time.Second},
			{"put off", func(set func(time.Time) error) {
				set(in(2 * time.Second))
				time.Sleep(time.Second)
				set(in(2 * time.Second))
				time.Sleep(time.Second)
				set(in(2 * time.Second))
			}, 4 * time.Second},
			{"brought forward", func(set func(time.Time) error) {
				set(in(time.Hour))
				time.Sleep(time.Second)
				set(in(time.Second))
			}, 2 * time.Second},
			{"taken away and set again", func(set func(time.Time) error) {
				set(in(2 * time.Second))
				time.Sleep(time.Second)
				set(time.Time{})
				time.Sleep(time.Hour)
				set(past)
			}, time.Hour + time.Second},
		} {
			t.Run(dir.name+" "+tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p, _ := newPump(t)
					set := func(at time.Time) error { return dir.set(p, at) }
					began := time.Now()
					if tt.name == "before" || len(tt.name) > 6 && tt.name[:6] == "passed" && tt.name != "passed while it was waited" {
						tt.set(set)
						wantIO(t, "it", dir.wait(p), late)
					} else {
						waiting := dir.wait(p)
						synctest.Wait()
						tt.set(set)
						wantIO(t, "it", waiting, late)
					}
					wantAfter(t, "it returned", began, tt.after)
				})
			})
		}
	}
}

// A timer that goes off while its deadline is moved counts no more.
func TestDeadlineMovedInTheLastMoment(t *testing.T) {
	d := deadline{over: make(chan struct{})}
	for range 20_000 {
		d.set(time.Now().Add(time.Duration(rand.IntN(3000))))
		for range rand.IntN(100) {
			runtime.Gosched()
		}
		d.set(time.Time{})
		runtime.Gosched()
		if isClosed(d.passed()) {
			t.Fatal("no deadline has passed")
		}
	}
}

// A read that was given up loses nothing.
func TestPumpReadGoesOnAfterADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, far := newPump(t)
		b := make([]byte, 3)
		for _, at := range []time.Time{past, time.Now().Add(time.Second)} {
			p.SetReadDeadline(at)
			wantIO(t, "Read", readAsync(p, b), ioResult{0, os.ErrDeadlineExceeded})
			wantIO(t, "Read again", readAsync(p, b), ioResult{0, os.ErrDeadlineExceeded})
		}
		go far.Write([]byte("hello"))
		synctest.Wait()
		wantIO(t, "Read under a deadline that has passed", readAsync(p, b), ioResult{0, os.ErrDeadlineExceeded})
		p.SetReadDeadline(time.Time{})
		wantIO(t, "Read", readAsync(p, b), ioResult{3, nil})
		if string(b) != "hel" {
			t.Errorf("read %q", b)
		}
		wantIO(t, "Read", readAsync(p, b), ioResult{2, nil})
		if string(b[:2]) != "lo" {
			t.Errorf("read %q", b[:2])
		}
	})
}

// Deadlines at any moment, of many reads: all bytes come, in order.
func TestPumpReadsUnderDeadlines(t *testing.T) {
	near, far := streamPair(t)
	p := newTransport(near).(*pump)
	defer p.Close()
	content := make([]byte, 200_000)
	for i := range content {
		content[i] = byte(i / 256 * 7)
	}
	go func() {
		for rest := content; len(rest) > 0; {
			n := min(len(rest), 1+rand.IntN(2000))
			far.Write(rest[:n])
			rest = rest[n:]
		}
		far.Close()
	}()
	var got []byte
	late := 0
	b := make([]byte, 1000)
	for {
		p.SetReadDeadline(time.Now().Add(time.Duration(rand.IntN(20)) * time.Microsecond))
		n, err := p.Read(b)
		got = append(got, b[:n]...)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			late++
		} else if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(got, content) {
		t.Errorf("%d bytes, or other ones", len(got))
	}
	if late == 0 {
		t.Error("no deadline passed: this tests nothing")
	}
}

func TestPumpWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, far := newPump(t)
		for _, s := range []string{"one", "two"} {
			wrote := writeAsync(p, []byte(s))
			got := make([]byte, len(s))
			if _, err := io.ReadFull(far, got); err != nil || string(got) != s {
				t.Errorf("read %q %v", got, err)
			}
			wantIO(t, "Write", wrote, ioResult{len(s), nil})
		}

		// One that is given up goes on with memory of its own, and is the last.
		b := []byte("given up")
		p.SetWriteDeadline(time.Now().Add(time.Second))
		wantIO(t, "Write", writeAsync(p, b), ioResult{0, os.ErrDeadlineExceeded})
		copy(b, "changed!")
		p.SetWriteDeadline(time.Time{})
		wantIO(t, "Write after it", writeAsync(p, []byte("never")), ioResult{0, os.ErrDeadlineExceeded})
		if _, err := io.ReadFull(far, b); err != nil || string(b) != "given up" {
			t.Errorf("read %q %v", b, err)
		}
		wantIO(t, "Write long after it", writeAsync(p, []byte("never")), ioResult{0, os.ErrDeadlineExceeded})
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestPumpWriteErrors(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		name  string
		write writerFunc
		want  ioResult
	}{
		{"error", func(b []byte) (int, error) { return 0, broken }, ioResult{0, broken}},
		{"error in the middle", func(b []byte) (int, error) { return 2, broken }, ioResult{0, broken}},
		{"short write", func(b []byte) (int, error) { return 2, nil }, ioResult{0, io.ErrShortWrite}},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newTransport(&scriptedStream{Writer: tt.write}).(*pump)
			defer p.Close()
			wantIO(t, tt.name, writeAsync(p, []byte("hello")), tt.want)
		})
	}
}

// Close unblocks who reads and who writes, and ends the goroutines: in a bubble
// one that stays is a failure.
func TestPumpClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, far := newPump(t)
		read, write := readAsync(p, make([]byte, 1)), writeAsync(p, []byte("x"))
		synctest.Wait()
		if err := p.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		closed := ioResult{0, io.ErrClosedPipe}
		wantIO(t, "Read", read, closed)
		if r := <-write; r.n != 0 || r.err != io.ErrClosedPipe {
			t.Errorf("Write: %v", r)
		}
		wantIO(t, "Read after it", readAsync(p, make([]byte, 1)), closed)
		if r := <-writeAsync(p, []byte("x")); r.err == nil {
			t.Error("Write after it succeeds")
		}
		if err := p.Close(); err != io.ErrClosedPipe {
			t.Errorf("Close again: %v", err)
		}
		if n, err := far.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("the other end: %d %v", n, err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		p := newTransport(&scriptedStream{close: func() error { return broken }})
		if err := p.Close(); err != broken {
			t.Errorf("Close: %v", err)
		}
	})
}

// Close while both sides are busy, from several goroutines.
func TestPumpCloseAtAnyTime(t *testing.T) {
	for range 200 {
		near, far := streamPair(t)
		p := newTransport(near).(*pump)
		var all sync.WaitGroup
		all.Go(func() { io.Copy(io.Discard, p) })
		all.Go(func() {
			for {
				if _, err := p.Write(make([]byte, 100)); err != nil {
					return
				}
			}
		})
		all.Go(func() { io.Copy(far, far); far.Close() })
		for range 2 {
			all.Go(func() { p.Close() })
		}
		all.Wait()
	}
}

// A stream whose reads bring nothing is given up, not asked for ever.
func TestReadsWithoutProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reads atomic.Int32
		near := &scriptedStream{
			Reader: readerFunc(func([]byte) (int, error) { reads.Add(1); return 0, nil }),
			Writer: io.Discard,
		}
		c := newOn(t, near, RoleClient, silent)
		wantLost(t, c, receiveError(c), io.ErrNoProgress)
		if n := reads.Load(); n < maxFruitless || n > 2*maxFruitless {
			t.Errorf("%d reads", n)
		}
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// A liar counts bytes that cannot be.
type liar struct {
	io.ReadWriteCloser
	n int
}

func (l liar) Read(p []byte) (int, error)  { return l.n, nil }
func (l liar) Write(p []byte) (int, error) { return l.n, nil }

func TestImpossibleCounts(t *testing.T) {
	for _, n := range []int{-1, 1 << 20} {
		for _, on := range []func(net.Conn) io.ReadWriteCloser{
			func(c net.Conn) io.ReadWriteCloser { return liar{c, n} },
			func(c net.Conn) io.ReadWriteCloser { return &liarConn{c, liar{c, n}} },
		} {
			near, _ := net.Pipe()
			c := New(on(near), RoleClient, nil)
			if _, err := c.Receive(t.Context()); !errors.Is(err, errWrongCount) {
				t.Errorf("Receive with a count of %d: %v", n, err)
			}
			near, _ = net.Pipe()
			c = New(on(near), RoleServer, &StreamOptions{Options: Options{ReceiveBuffer: -1}})
			if err := c.SendText(t.Context(), "x"); !errors.Is(err, errWrongCount) {
				t.Errorf("Send with a count of %d: %v", n, err)
			}
		}
	}
}

// A liarConn has deadlines.
type liarConn struct {
	net.Conn
	liar liar
}

func (l *liarConn) Read(p []byte) (int, error)  { return l.liar.Read(p) }
func (l *liarConn) Write(p []byte) (int, error) { return l.liar.Write(p) }
