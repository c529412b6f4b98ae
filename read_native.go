//go:build !js

package wschannel

import (
	"context"
	"errors"
	"io"
	"math"
	"runtime"
	"time"
)

// An errand is what somebody reads for.
type errand uint8

const (
	receiving errand = iota
	attending        // gives way to receivers
	salvaging        // what came before a failure
	draining         // what comes before the peer's close
)

var (
	errEnded   = errors.New("wschannel: the channel has ended")
	errGiveWay = errors.New("wschannel: a receiver has come")
)

// objection returns why not to go on reading, if there is a reason.
func (e *engine) objection(ctx context.Context, why errand) error {
	// Looked at first, so that it does not win over an end that was before: the
	// ctx of a handler is done because of the end.
	err := ctx.Err()
	switch {
	case e.isOver():
		return e.end.Load()
	case why == draining:
		return nil
	case why == attending && e.reading.anybody():
		return errGiveWay
	case e.is(decided):
		return errEnded
	}
	return err
}

// fill reads once into in, at most limit bytes. Before it blocks, and whenever
// it is woken, it looks for an objection, and returns it. A transport that fails
// ends the channel. The caller has the right to read.
func (e *engine) fill(ctx context.Context, limit int, why errand) error {
	e.expectReplies(false)
	seen := e.wakes.Load()
	for fruitless := 0; fruitless < maxFruitless; {
		if e.prefix == nil { // else it has arrived, whatever happened since
			if err := e.objection(ctx, why); err != nil {
				return err
			}
		}
		n, err := e.read(ctx, limit, why)
		if n > 0 {
			e.in.Filled(n)
			e.giveWay()
			return nil
		}
		if wakes := e.wakes.Load(); wakes == seen {
			fruitless++ // nobody has asked for this
		} else {
			seen = wakes
		}
		if isTimeout(err) {
			// A wake-up. Only the reader clears the deadline, and looks for
			// the reason after that: so it misses none.
			err = e.link.Load().SetReadDeadline(time.Time{})
		}
		switch err {
		case errObjection:
			continue
		case errDry, errOthers:
			return err
		}
		if err != nil {
			return e.readFailed(err)
		}
	}
	return e.readFailed(io.ErrNoProgress)
}

// giveWay is called after a read, and lets others run when much has been handled
// since the last time. A peer that sends all the time gives its reader no reason to
// wait: the reader would hold a processor until the scheduler takes it away, after
// 10 ms, and many such peers would hold up everybody else for so long each. What
// counts is how often something came, not how long it was: to change too often
// between long messages costs more, for memory that is not in the caches any more.
func (e *engine) giveWay() {
	const read, many = 4, 128 // a message or a control frame counts as one
	if e.handled += read; e.handled >= many {
		e.handled = 0
		runtime.Gosched()
	}
}

// maxFruitless is how many reads in a row may bring nothing.
const maxFruitless = 100

// read reads what was there before the channel, then from the transport.
func (e *engine) read(ctx context.Context, limit int, why errand) (n int, err error) {
	r := &e.reader
	r.ctx, r.limit, r.errand = ctx, int32(min(limit, math.MaxInt32)), why
	if p := e.prefix; p != nil {
		n = copy(e.space(-1), *p)
		if *p = (*p)[n:]; len(*p) == 0 {
			e.prefix = nil
		}
		e.tally.read(n)
		return n, nil
	}
	if e.plain {
		if ctx == dry {
			if err := e.mayRead(); err != nil {
				return 0, err
			}
		}
		n, err = e.readSocket()
	} else {
		p := e.space(-1)
		if err := e.blocks(); err != nil {
			return 0, err
		}
		n, err = e.link.Load().Read(p)
		if n < 0 || n > len(p) {
			n, err = 0, errWrongCount
		}
	}
	e.inRead.Store(false)
	e.readWatch.end()
	if n > 0 {
		e.heard.Store(e.now())
		e.tally.read(n)
	}
	return n, err
}

// space lends the memory to read into, at most as much as whoever reads wants. fd
// is the descriptor that is being read, -1 if none is.
func (e *engine) space(fd int) []byte {
	if least, most := e.in.Lacks(); least > 0 {
		if fd >= 0 && most > least {
			least = min(most, max(least, sysAvailable(fd)))
		}
		e.makeRoom(e.reader.ctx, least)
	}
	p := e.in.Space()
	if len(p) == 0 && e.in.Parked() {
		e.in.Unpark(takeReadBuffer())
		p = e.in.Space()
	}
	return p[:min(len(p), int(e.reader.limit))]
}

// makeRoom gets memory for n more bytes of the message that is being received.
func (e *engine) makeRoom(ctx context.Context, n int) {
	if l := e.rider.Load(); ctx == dry && l != nil && l.views {
		giveView(e.in.Lend(takeView(e.in.Collected() + n)))
	} else {
		e.in.Grow(n)
	}
}

// dry is the ctx of a receive that does not wait: it returns errDry when nothing
// more has come, and errOthers when others have to have their turn.
var dry context.Context = &struct{ context.Context }{context.Background()}

var (
	errDry    = errors.New("wschannel: nothing more has come")
	errOthers = errors.New("wschannel: others are waiting")
)

// errObjection says that an objection has come up since it was looked for.
var errObjection = errors.New("wschannel: not to be waited for")

// blocks is called before a read may wait.
func (e *engine) blocks() error {
	if e.reader.ctx == dry {
		return errDry
	}
	e.park()
	e.readWatch.begin(e, e.reader.ctx)
	e.inRead.Store(true)
	if e.objection(e.reader.ctx, e.reader.errand) != nil {
		return errObjection
	}
	return nil
}

// park gives the read buffer of a socket back, if little is in it.
func (e *engine) park() {
	if e.plain {
		giveReadBuffer(e.in.Park())
	}
}

// errWrongCount is of a stream that claims to have read or written more bytes
// than it was asked to.
var errWrongCount = errors.New("the stream returned an impossible count")

func (e *engine) readFailed(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if cause := e.writeError.Load(); cause != nil {
		err = *cause // it came first
	}
	e.lose(err)
	return err
}
