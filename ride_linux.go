package wschannel

import (
	"context"
	"net"
	"syscall"

	"github.com/wschannel/wschannel/internal/epoll"
	"github.com/wschannel/wschannel/internal/wire"
)

// On Linux the listener of a plain socket does not wait on a goroutine of its own.
// The socket moves to a loop (package epoll) at the first Listen, and the loop
// calls the listener when something has come. Between two messages such a
// listener is in the same state as a receiver that waits, but for the right to
// read, which it does not hold.

type loopConn = epoll.Conn

// readsInARow is how many reads a listener makes until others have their turn.
const readsInARow = 4

// ride hands the listener over to a loop, if that can be.
func (l *listener) ride(ctx context.Context) bool {
	e := &l.c.engine
	// Not before one that was stopped has left.
	if !e.board(ctx) || !e.rider.CompareAndSwap(nil, l) {
		return false
	}
	l.mu.Lock()
	l.cancel = nil // nobody has to be woken
	l.mu.Unlock()
	c := e.link.Load().loop
	c.Watch(l)
	c.Nudge()
	return true
}

// alight is called when the listener is not to be called any more.
func (l *listener) alight() {
	e := &l.c.engine
	if l.waiting {
		l.waiting = false
		if e.reading.try() {
			e.inRead.Store(false)
			e.reading.release()
		} // else whoever has it sets inRead
		e.leave()
	}
	e.link.Load().loop.Watch(nil)
	e.rider.Store(nil)
	l.leave()
}

// nudge has a listener on a loop look at the channel.
func (e *engine) nudge() {
	if c := e.link.Load().loop; c != nil {
		c.Nudge()
	}
}

// board moves the socket to a loop, if it is one, nobody is writing, and it is not
// there yet.
func (e *engine) board(ctx context.Context) bool {
	if e.link.Load().loop != nil {
		return true
	}
	if e.socket == nil || e.startReading(ctx) != nil {
		return false
	}
	defer e.stopReading()
	if !e.frame.try() {
		return false
	}
	defer e.stopWriting()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.is(finished) { // and the old one is being closed
		return false
	}
	c, err := epoll.Adopt(e.socket.raw)
	if err != nil {
		return false
	}
	before := e.link.Load()
	conn := net.Conn(c)
	if p, ok := before.transport.(plainSocket); ok {
		conn = p.over(c)
	}
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		c.Close()
		return false
	}
	e.socket.raw = raw
	e.link.Store(&link{transport: conn, loop: c})
	before.Close()
	return true
}

// Ready implements epoll.Handler: it calls back for what has come.
func (l *listener) Ready() (more bool) {
	ended := true
	defer func() {
		if ended { // the callback has ended the goroutine
			l.alight()
		}
	}()
	more = l.listen()
	ended = false
	return more
}

func (l *listener) listen() (more bool) {
	e := &l.c.engine
	stopped := l.isStopped()
	for first := true; !stopped; first = false {
		t, data, err := l.poll(first)
		switch {
		case err == errDry:
			return false
		case err == errOthers:
			return true
		case err == errStopped:
			stopped = true
		case err == nil:
			stopped = l.call(t, data)
			if l.views {
				giveView(data)
			}
			if !stopped && l.rest() {
				return false
			}
		case !e.isOver():
			return false // there is more to come: the end
		default:
			if l.begin() {
				l.finish(l.c.Err())
			}
			stopped = true
		}
	}
	l.alight()
	return false
}

// poll is receive for a listener on a loop: it does not wait. A first one looks into
// the socket, whatever was found there before.
func (l *listener) poll(first bool) (Type, []byte, error) {
	e := &l.c.engine
	if !l.waiting {
		e.presence.enter()
	}
	l.waiting = false
	if err := e.takeReading(dry); err != nil {
		e.leave()
		return 0, nil, err
	}
	if first {
		e.socket.drained, e.socket.reads = false, readsInARow
	}
	op, data, err := l.next()
	switch {
	case err == errDry || err == errOthers:
		e.pack()
		l.wait()
		return 0, nil, err
	case err == nil && !l.begin():
		e.inbox.putBack(op, data)
		err = errStopped
	}
	e.stopReading()
	return Type(op), data, err
}

// wait gives the right to read back, for something to come.
func (l *listener) wait() {
	e := &l.c.engine
	l.waiting = true
	e.inRead.Store(true)
	e.reading.release()
}

// rest is what poll does when it finds nothing, if that is certain without
// looking.
func (l *listener) rest() bool {
	e := &l.c.engine
	if !e.reading.try() {
		return false
	}
	if !e.drained() || !e.in.Empty() || e.inbox.size() > 0 || e.is(decided) {
		e.reading.release()
		return false
	}
	e.presence.enter()
	l.wait()
	return true
}

// mayRead returns why a receive that does not wait is not to read, if so.
func (e *engine) mayRead() error {
	switch {
	case e.drained():
		return errDry
	case e.socket.reads == 0:
		return errOthers
	}
	e.socket.reads--
	return nil
}

// drained reports whether the last read has taken all that was there: a socket
// says so by returning less than it was asked for, unless an end follows. If more
// has come since, the loop calls once more.
func (e *engine) drained() bool {
	l := e.link.Load()
	return e.socket.drained && !l.loop.HungUp() && l.loop.Streams()
}

// next is nextMessage, with memory for a view.
func (l *listener) next() (wire.Opcode, []byte, error) {
	e := &l.c.engine
	if err := e.dropStream(dry); err != nil {
		return 0, nil, err
	}
	var buf []byte
	if l.views {
		if _, ok := e.in.Lent(); !ok {
			buf = takeView(1)
		}
	}
	return e.nextMessage(dry, buf)
}

// pack gives back what memory is not needed while nothing comes. What holds a
// good part of a message is.
func (e *engine) pack() {
	if p, ok := e.in.Lent(); ok && cap(p) > 4*len(p) {
		giveView(e.in.Release())
	}
	e.park()
}
