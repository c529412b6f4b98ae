package wschannel

import (
	"context"
	"net"
	"runtime"
	"syscall"

	"github.com/wschannel/wschannel/internal/epoll"
	"github.com/wschannel/wschannel/internal/proto"
)

// On Linux the listener of a plain socket does not wait on a goroutine of its own.
// The socket moves to a loop (package epoll) at the first Listen, and the loop
// calls the listener when something has come. Between two messages such a
// listener is in the same state as a receiver that waits, but for the right to
// read, which it does not hold.

type loopConn = epoll.Conn

// A ride is what a listener needs on a loop.
type ride struct {
	waiting bool   // for something to come
	scratch []byte // a place for messages, while there are some
}

// readsInARow is how many reads a listener makes until others have their turn.
const readsInARow = 4

// board hands the listener over to a loop, if that can be.
func (l *listener) board(ctx context.Context) bool {
	e := &l.c.engine
	// Not before one that was stopped has left, which it is about to.
	if !e.toLoop(ctx) || !e.seat.take(ctx.Done(), nil) {
		return false
	}
	e.rider.Store(l)
	l.mu.Lock()
	l.cancel = nil // nobody has to be woken
	l.mu.Unlock()
	e.link.Load().loop.Watch(l)
	return true
}

// alight is called when the listener is not to be called any more.
func (l *listener) alight() {
	e := &l.c.engine
	if l.ride.waiting {
		l.ride.waiting = false
		if e.reading.try() {
			e.inRead.Store(false)
			e.reading.release()
		} // else whoever has it sets inRead
		e.leave()
	}
	e.link.Load().loop.Watch(nil)
	e.rider.Store(nil)
	e.seat.release()
	l.leave()
}

// nudge has a listener on a loop look at the channel.
func (e *engine) nudge() {
	if c := e.link.Load().loop; c != nil {
		c.Nudge()
	}
}

// toLoop moves the socket to a loop, if it is one, nobody is writing, and it is not
// there yet.
func (e *engine) toLoop(ctx context.Context) bool {
	if e.link.Load().loop != nil {
		return true
	}
	if !e.plain || e.startReading(ctx) != nil {
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
	c, err := epoll.Adopt(e.raw)
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
	e.raw = raw
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
	if l.c.engine.outbox.some.Load() {
		runtime.Gosched() // to whoever is to write the replies that were put off
	}
	giveView(l.ride.scratch)
	l.ride.scratch = nil
	ended = false
	return more
}

func (l *listener) listen() (more bool) {
	e := &l.c.engine
	stopped := false
	var a arrivals
	for first := true; !stopped; first = false {
		err := l.poll(&a, first)
		switch {
		case err == errDry:
			return false
		case err == errOthers:
			return true
		case err == errStopped:
			stopped = true
		case err == nil:
			stopped = l.deliverAll(&a)
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
func (l *listener) poll(a *arrivals, first bool) error {
	e := &l.c.engine
	if l.isStopped() { // so as not to wait for the next receiver
		return errStopped
	}
	if !l.ride.waiting {
		e.reading.enter()
	}
	l.ride.waiting = false
	if err := e.takeReading(dry); err != nil {
		e.leave()
		return err
	}
	if l.isStopped() { // and the next receiver may have begun something
		e.stopReading()
		return errStopped
	}
	if first {
		e.tookAll, e.readsLeft = false, readsInARow
	}
	err := l.take(a)
	switch {
	case err == errDry || err == errOthers:
		l.pack()
		l.wait()
		return err
	case err == nil && !l.begin():
		a.returnTo(e.mailbox())
		err = errStopped
	case err == nil:
		l.secure(a)
	}
	e.stopReading()
	return err
}

// wait gives the right to read back, for something to come.
func (l *listener) wait() {
	e := &l.c.engine
	l.ride.waiting = true
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
	e.reading.enter()
	l.wait()
	return true
}

// mayRead returns why a receive that does not wait is not to read, if so.
func (e *engine) mayRead() error {
	switch {
	case e.drained():
		return errDry
	case e.readsLeft <= 0:
		return errOthers
	}
	return nil
}

// drained reports whether the last read has taken all that was there: a socket
// says so by returning less than it was asked for, unless an end follows. If more
// has come since, the loop calls once more.
func (e *engine) drained() bool {
	l := e.link.Load()
	return e.tookAll && !l.loop.HungUp() && l.loop.Streams()
}

// pack gives back what memory is not needed while nothing comes. What has come of a
// message is looked at, since it may be wrong, and leaves the read buffer. It
// stays in memory that is lent if it fills a good part of that.
func (l *listener) pack() {
	e := &l.c.engine
	// Not inside a message that is skimmed: that is not collected.
	if n := e.in.Unparsed(); n > 0 && !e.streaming {
		if _, ok := e.in.Lent(); !ok {
			e.in.Collect(nil)
			if l.views && n > readBuffer/4 {
				e.in.Lend(takeView(e.in.Collected() + max(n, e.in.Wants())))
			}
		}
		if ev := e.in.Next(); ev.Kind != proto.More {
			e.handle(ev)
		}
	}
	if p, ok := e.in.Lent(); ok && cap(p) > 4*len(p) {
		giveView(e.in.Release())
	}
	e.park()
}
