//go:build !js

package wschannel

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// streamBuffer is how many bytes a net.Conn of NetConn holds that are still to
// be sent, besides those of the message that is being sent.
const streamBuffer = 64 << 10

// streamCloseTimeout is how long its Close waits for them.
const streamCloseTimeout = 5 * time.Second

// NetConn returns ch as a stream of bytes, for protocols that know nothing of
// messages. From then on ch belongs to it. [New] is the way back: the protocol
// over a stream of bytes.
//
// What is read are the payloads of the peer's messages, text or binary, one
// behind the other. What is written goes out in binary messages of at most
// 64 KiB, cut as it comes: one Write is not one message. So none may be missing:
// a channel with a [Policy] that drops or refuses messages is of no use here.
//
// Deadlines harm nothing: a Read or a Write that has timed out can be repeated.
// For that, Write does not wait for the transport but for room in a buffer of
// 64 KiB. What it has taken goes out in any case, in a goroutine that runs from
// the first Write to the end; if that fails, a later Write or Close says so.
//
// Read returns io.EOF after a clean close of the peer and otherwise the
// *[CloseError]. Close sends what was written, for 5 s at most, and closes ch
// with 1000. From then on everything fails with net.ErrClosed.
func NetConn(ch *Channel) net.Conn {
	return &netConn{
		ch:        ch,
		closing:   make(chan struct{}),
		reading:   deadline{over: make(chan struct{})},
		readTurn:  make(chan struct{}, 1),
		writing:   deadline{over: make(chan struct{})},
		writeTurn: make(chan struct{}, 1),
		work:      make(chan struct{}, 1),
		room:      make(chan struct{}, 1),
		flushed:   make(chan struct{}),
	}
}

type netConn struct {
	ch      *Channel
	closing chan struct{} // closed by the first Close

	reading  deadline
	readTurn chan struct{} // holds a token while somebody reads
	buffer   []byte        // the reader's: a message
	rest     []byte        // of it

	writing   deadline
	writeTurn chan struct{} // holds a token while somebody writes
	work      chan struct{} // holds a token when something was written
	room      chan struct{} // holds a token when there is room again
	flushed   chan struct{} // closed when the sending goroutine has ended

	mu      sync.Mutex // guards the rest
	pending []byte
	started bool  // the sending goroutine
	failed  error // why it has ended
}

// expiry is a context that is done when a deadline has passed.
type expiry struct{ over <-chan struct{} }

func (e expiry) Deadline() (time.Time, bool) { return time.Time{}, false }
func (e expiry) Done() <-chan struct{}       { return e.over }
func (e expiry) Value(any) any               { return nil }
func (e expiry) Err() error {
	if isClosed(e.over) {
		return context.DeadlineExceeded
	}
	return nil
}

// enter waits for a turn.
func (c *netConn) enter(turn chan struct{}, over <-chan struct{}) error {
	if !isClosed(c.closing) && !isClosed(over) {
		select {
		case turn <- struct{}{}:
			return nil
		case <-c.closing:
		case <-over:
		}
	}
	if isClosed(c.closing) {
		return net.ErrClosed
	}
	return os.ErrDeadlineExceeded
}

func (c *netConn) Read(p []byte) (int, error) {
	over := c.reading.passed()
	if err := c.enter(c.readTurn, over); err != nil {
		return 0, err
	}
	defer func() { <-c.readTurn }()
	for len(c.rest) == 0 && len(p) > 0 {
		_, data, err := c.ch.ReceiveAppend(expiry{over}, c.buffer[:0])
		if err != nil {
			return 0, c.readError(err)
		}
		c.rest = data
		if c.buffer = data; cap(data) > streamBuffer {
			c.buffer = nil
		}
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (c *netConn) readError(err error) error {
	end, ended := errors.AsType[*CloseError](err)
	switch {
	case isClosed(c.closing):
		return net.ErrClosed
	case ended && end.Remote && end.Clean():
		return io.EOF
	case !ended && errors.Is(err, context.DeadlineExceeded):
		return os.ErrDeadlineExceeded
	}
	return err
}

func (c *netConn) Write(p []byte) (n int, err error) {
	over := c.writing.passed()
	if err := c.enter(c.writeTurn, over); err != nil {
		return 0, err
	}
	defer func() { <-c.writeTurn }()
	for {
		taken, err := c.take(p[n:])
		if n += taken; n == len(p) || err != nil {
			return n, err
		}
		select {
		case <-c.room:
		case <-c.flushed: // take tells why
		case <-c.closing:
			return n, net.ErrClosed
		case <-over:
			return n, os.ErrDeadlineExceeded
		}
	}
}

// take puts as much of p into the buffer as there is room for.
func (c *netConn) take(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case isClosed(c.closing):
		return 0, net.ErrClosed
	case c.failed != nil:
		return 0, c.failed
	case isClosed(c.ch.Done()):
		return 0, c.ch.Err()
	}
	n := min(len(p), streamBuffer-len(c.pending))
	c.pending = append(c.pending, p[:n]...)
	if n > 0 {
		notify(c.work)
		if !c.started {
			c.started = true
			go c.send()
		}
	}
	return n, nil
}

// send sends what was written, until the end.
func (c *netConn) send() {
	defer close(c.flushed)
	var sending []byte
	for {
		select {
		case <-c.work:
		case <-c.closing:
		case <-c.ch.Done():
		}
		c.mu.Lock()
		sending, c.pending = c.pending, sending[:0]
		c.mu.Unlock()
		notify(c.room)
		if len(sending) == 0 && (isClosed(c.closing) || isClosed(c.ch.Done())) {
			return
		}
		if len(sending) == 0 {
			continue
		}
		if err := c.ch.SendBinary(context.Background(), sending); err != nil {
			c.mu.Lock()
			c.failed = err
			c.mu.Unlock()
			return
		}
	}
}

func (c *netConn) Close() error {
	c.mu.Lock()
	if isClosed(c.closing) {
		c.mu.Unlock()
		return net.ErrClosed
	}
	close(c.closing)
	started := c.started
	c.mu.Unlock()
	c.reading.set(time.Now()) // whoever waits in Read shall not wait for what follows
	c.writing.set(time.Time{})

	if started {
		late := time.NewTimer(streamCloseTimeout)
		defer late.Stop()
		select {
		case <-c.flushed:
		case <-late.C:
		}
	}
	err := c.ch.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if end, ok := errors.AsType[*CloseError](c.failed); ok && end.Clean() {
		return err // the peer has closed, and did not want what was left
	}
	return errors.Join(err, c.failed)
}

func (c *netConn) LocalAddr() net.Addr {
	if u := c.ch.Underlying(); u != nil {
		return u.LocalAddr()
	}
	return channelAddr{}
}

func (c *netConn) RemoteAddr() net.Addr {
	if u := c.ch.Underlying(); u != nil {
		return u.RemoteAddr()
	}
	return channelAddr{}
}

// channelAddr is the address of a channel that runs on no net.Conn.
type channelAddr struct{}

func (channelAddr) Network() string { return "websocket" }
func (channelAddr) String() string  { return "websocket" }

func (c *netConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *netConn) SetReadDeadline(t time.Time) error { return c.setDeadline(&c.reading, t) }

func (c *netConn) SetWriteDeadline(t time.Time) error { return c.setDeadline(&c.writing, t) }

func (c *netConn) setDeadline(d *deadline, t time.Time) error {
	if isClosed(c.closing) {
		return net.ErrClosed
	}
	d.set(t)
	return nil
}

// notify leaves a token in c, which has room for one.
func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
