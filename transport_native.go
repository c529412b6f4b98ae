//go:build !js

package wschannel

import (
	"crypto/tls"
	"io"
	"os"
	"sync"
	"time"
)

// A transport is a byte stream whose reads and writes can be interrupted by
// setting a deadline.
type transport interface {
	io.ReadWriteCloser
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// newTransport returns rwc itself if its deadlines work and harm nothing, and
// otherwise gives it some.
func newTransport(rwc io.ReadWriteCloser) transport {
	t, ok := rwc.(transport)
	if ok && !isShaking(rwc) &&
		t.SetReadDeadline(time.Time{}) == nil && t.SetWriteDeadline(time.Time{}) == nil {
		return t
	}
	return &pump{
		rwc:           rwc,
		readDeadline:  deadline{over: make(chan struct{})},
		writeDeadline: deadline{over: make(chan struct{})},
		closed:        make(chan struct{}),
	}
}

// isShaking reports whether rwc is a TLS connection that has yet to do its
// handshake. A read or write that times out in there breaks it for good.
func isShaking(rwc io.ReadWriteCloser) bool {
	t, ok := rwc.(*tls.Conn)
	return ok && !t.ConnectionState().HandshakeComplete
}

// A pump gives deadlines to a stream that has none: one goroutine reads and
// one writes, each in memory of its own, and who waits for them can stop
// waiting.
type pump struct {
	rwc    io.ReadWriteCloser
	closed chan struct{}
	once   sync.Once

	readDeadline deadline
	reads        chan chunk    // what the reading goroutine has read; nil before the first Read
	next         chan struct{} // lets it read on
	rest         chunk         // what is left of the last one

	writeDeadline deadline
	writes        chan []byte // what the writing goroutine has to write
	written       chan error
	stuck         bool // a write was given up and may go on
}

// A chunk is the outcome of one read.
type chunk struct {
	data []byte
	err  error
}

func (t *pump) Read(p []byte) (int, error) {
	if t.reads == nil {
		t.reads, t.next = make(chan chunk), make(chan struct{})
		go t.readLoop(t.reads, t.next)
	}
	if len(t.rest.data) == 0 && t.rest.err == nil {
		select {
		case <-t.readDeadline.passed():
			return 0, os.ErrDeadlineExceeded
		default:
		}
		select {
		case t.rest = <-t.reads:
		case <-t.readDeadline.passed():
			return 0, os.ErrDeadlineExceeded
		case <-t.closed:
			return 0, io.ErrClosedPipe
		}
	}
	n := copy(p, t.rest.data)
	if t.rest.data = t.rest.data[n:]; len(t.rest.data) > 0 {
		return n, nil
	}
	if t.rest.err != nil {
		return n, t.rest.err
	}
	select {
	case t.next <- struct{}{}:
	case <-t.closed:
	}
	return n, nil
}

func (t *pump) readLoop(reads chan<- chunk, next <-chan struct{}) {
	buf := make([]byte, smallBuffer)
	for {
		n, err := t.rwc.Read(buf)
		if n < 0 || n > len(buf) {
			n, err = 0, errWrongCount
		}
		select {
		case reads <- chunk{buf[:n], err}:
		case <-t.closed:
			return
		}
		if err != nil {
			return
		}
		select {
		case <-next:
		case <-t.closed:
			return
		}
	}
}

func (t *pump) Write(p []byte) (int, error) {
	if t.stuck {
		return 0, os.ErrDeadlineExceeded
	}
	if t.writes == nil {
		t.writes, t.written = make(chan []byte, 1), make(chan error, 1)
		go t.writeLoop(t.writes, t.written)
	}
	// The copy is what lets the caller have p back before the write ends.
	t.writes <- append([]byte(nil), p...)
	select {
	case err := <-t.written:
		if err != nil {
			return 0, err
		}
		return len(p), nil
	case <-t.writeDeadline.passed():
		t.stuck = true
		return 0, os.ErrDeadlineExceeded
	case <-t.closed:
		t.stuck = true
		return 0, io.ErrClosedPipe
	}
}

func (t *pump) writeLoop(writes <-chan []byte, written chan<- error) {
	for {
		select {
		case p := <-writes:
			n, err := t.rwc.Write(p)
			switch {
			case n < 0 || n > len(p):
				err = errWrongCount
			case err == nil && n < len(p):
				err = io.ErrShortWrite
			}
			written <- err
		case <-t.closed:
			return
		}
	}
}

func (t *pump) Close() error {
	err := io.ErrClosedPipe
	t.once.Do(func() {
		close(t.closed)
		err = t.rwc.Close()
	})
	return err
}

func (t *pump) SetReadDeadline(at time.Time) error {
	t.readDeadline.set(at)
	return nil
}

func (t *pump) SetWriteDeadline(at time.Time) error {
	t.writeDeadline.set(at)
	return nil
}

// A deadline is a time to be waited for that can be moved.
type deadline struct {
	mu    sync.Mutex
	over  chan struct{} // closed when the time has passed
	timer *time.Timer
	moves int // so that a timer knows whether it is still meant
}

func (d *deadline) passed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.over
}

// set moves the deadline; the zero time stands for none.
func (d *deadline) set(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.moves++
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	if isClosed(d.over) {
		d.over = make(chan struct{})
	}
	if at.IsZero() {
		return
	}
	wait := time.Until(at)
	if wait <= 0 {
		close(d.over)
		return
	}
	move := d.moves
	d.timer = time.AfterFunc(wait, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if move == d.moves {
			close(d.over)
		}
	})
}
