package wschannel

import (
	"unsafe"

	"github.com/wschannel/wschannel/internal/wire"
)

// Arrivals are messages that came together: a listener on a loop takes them with
// one turn at reading, and delivers them without holding anything. One that it does
// not deliver, because it was stopped, is the next message again.
type arrivals struct {
	list   [16]arrival
	next   int
	n      int    // list[next:n] are to be delivered
	more   bool   // behind them lie others, whole
	buffer []byte // where they lie, a read buffer, or nil
}

type arrival struct {
	op   wire.Opcode
	data []byte
}

func (a *arrivals) add(op wire.Opcode, data []byte) {
	a.list[a.n] = arrival{op, data}
	a.n++
}

// take takes the next message, and others that lie behind it. The caller has the
// right to read.
func (l *listener) take(a *arrivals) error {
	e := &l.c.engine
	if err := e.dropStream(dry); err != nil {
		return err
	}
	if l.views && (e.compression != nil || e.inbox.size() > 0) {
		l.room(1)
	}
	op, data, err := e.nextMessage(dry, l.ride.scratch)
	if err != nil {
		return err
	}
	a.next, a.n, a.more = 0, 0, e.answering.Load()
	a.add(op, data)
	if !e.inPlace || !a.more {
		return nil
	}
	for a.n < len(a.list) {
		op, data, ok := e.in.Whole()
		if !ok {
			break
		}
		a.add(op, data)
		e.handled++
	}
	a.more = e.in.Ready()
	return nil
}

// secure takes care that nobody who reads meanwhile touches the messages.
func (l *listener) secure(a *arrivals) {
	e := &l.c.engine
	switch list := a.list[:a.n]; {
	case !e.inPlace:
	case !l.views:
		for i := range list {
			list[i].data = append([]byte{}, list[i].data...)
		}
	case e.in.Empty():
		a.buffer = e.in.Park() // the next read takes another
	default:
		size := 0
		for i := range list {
			size += len(list[i].data)
		}
		to := l.room(size)
		for i := range list {
			at := len(to)
			to = append(to, list[i].data...)
			list[i].data = to[at:len(to):len(to)]
		}
	}
}

// room returns empty memory for n bytes of views.
func (l *listener) room(n int) []byte {
	if r := &l.ride; cap(r.scratch) < n {
		giveView(r.scratch)
		r.scratch = takeView(n)
	}
	return l.ride.scratch
}

// deliverAll calls back for messages, which begin has announced. It reports whether
// listening has been stopped.
func (l *listener) deliverAll(a *arrivals) (stopped bool) {
	defer func() { // also if a callback has ended the goroutine
		if a.next < a.n {
			l.putBack(a)
		}
		giveReadBuffer(a.buffer)
		a.buffer = nil
		stopped = l.returned()
	}()
	for !l.deliverSome(a) {
	}
	return false
}

// deliverSome calls back until a callback panics, and reports whether there is
// nothing more to be delivered.
func (l *listener) deliverSome(a *arrivals) (done bool) {
	defer l.rescue()
	e := &l.c.engine
	for a.next < a.n && !l.isStopped() && !e.is(deafened) {
		m := a.list[a.next]
		if a.next++; a.next == a.n {
			e.expectReplies(a.more)
		}
		e.tally.received(1, len(m.data))
		l.pass(Type(m.op), m.data)
		switch {
		case a.buffer != nil:
			poison(m.data)
		case l.views && unsafe.SliceData(m.data) != unsafe.SliceData(l.ride.scratch):
			giveView(m.data)
		}
	}
	return true
}

// putBack makes what was not delivered the next messages again, unless nothing is to
// be received any more.
func (l *listener) putBack(a *arrivals) {
	e := &l.c.engine
	e.expectReplies(false)
	if e.startReading(dry) == nil {
		a.returnTo(e.mailbox())
		e.stopReading()
	}
}

func (a *arrivals) returnTo(b *inbox) {
	for ; a.n > a.next; a.n-- {
		m := a.list[a.n-1]
		b.putBack(m.op, m.data)
	}
}
