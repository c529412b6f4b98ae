//go:build !js

package wschannel

import (
	"context"
	"math"
	"sync/atomic"
	"time"

	"github.com/wschannel/wschannel/internal/proto"
	"github.com/wschannel/wschannel/internal/wire"
)

const (
	// attendAfter is how long nobody has to receive until the channel is
	// attended to.
	attendAfter = 100 * time.Millisecond
	// pollInterval is how often a socket is asked for errors while nothing is
	// read because the receive buffer is full.
	pollInterval = time.Second
	// salvageTime is how long a channel whose writing has failed is read on
	// without a byte coming, salvageMost how long at all, and salvageLimit how
	// much of it is kept: more than most systems hold for a socket.
	salvageTime  = 100 * time.Millisecond
	salvageMost  = 5 * time.Second
	salvageLimit = 16 << 20
)

// An attention decides when to attend to a channel: to read it while nobody
// receives, so that pings are answered and an end is noticed. A receiver that
// leaves sets the alarm if it is not set; when that rings it is looked whether
// anybody has received in the meantime. So receiving costs an atomic or two.
type attention struct {
	state atomic.Int32  // of the alarm: unset, set or polling
	seen  atomic.Uint32 // how many receives there were when it was set
}

const (
	alarmUnset int32 = iota
	alarmSet
	alarmPolling // it is set, to look after a socket that is not read
)

// awaitReceiver sets the alarm when a receiver has left.
func (e *engine) awaitReceiver() {
	if e.set.receiveBuffer == 0 {
		return
	}
	a := &e.attention
	if s := a.state.Load(); s != alarmSet && a.state.CompareAndSwap(s, alarmSet) {
		e.remindToAttend(attendAfter)
	}
}

func (e *engine) remindToAttend(after time.Duration) {
	e.attention.seen.Store(e.reading.receives())
	e.remind(attendAlarm, after)
}

// considerAttending is called when the alarm rings.
func (e *engine) considerAttending() {
	a := &e.attention
	if e.is(finished) {
		return
	}
	if !e.reading.anybody() && e.reading.receives() != a.seen.Load() {
		e.remindToAttend(attendAfter)
		return
	}
	// From now on a receiver that leaves sets the alarm, and only then is it
	// looked whether one is there.
	a.state.Store(alarmUnset)
	if !e.reading.anybody() {
		e.attend()
	}
}

// attend reads until a receiver comes, the channel ends, or the receive buffer
// is full. In the last case the socket is looked after by the alarm. Somebody who
// is reading already makes it return at once.
func (e *engine) attend() {
	if !e.reading.try() {
		return
	}
	full := e.readAhead(e.set.receiveBuffer, attending)
	e.park()
	e.reading.release()
	if !full {
		return
	}
	if err := socketError(e.link.Load().transport); err != nil {
		e.salvage(err)
		return
	}
	if a := &e.attention; a.state.CompareAndSwap(alarmUnset, alarmPolling) {
		e.remindToAttend(pollInterval)
	}
}

// readAhead reads into the inbox until there is an objection, the transport
// fails, or the inbox is full, which holds size bytes and no message beyond the
// limits.
func (e *engine) readAhead(size int, why errand) (full bool) {
	defer e.in.Release()
	if e.fresh {
		e.fresh, e.begun = false, int32(min(e.in.Held(), math.MaxInt32))
	}
	var part []byte
	for {
		if e.streaming {
			if part == nil {
				part = make([]byte, smallBuffer)
			}
			e.in.Stream(part)
		} else {
			e.in.CollectAhead()
		}
		switch ev := e.in.Next(); ev.Kind {
		case proto.Message:
			h := wire.Header{Fin: true, Opcode: ev.Opcode, Masked: e.server}
			if ev.Compressed {
				h.Rsv = wire.Rsv1
			}
			e.mailbox().add(h, ev.Data)
		case proto.Part:
			e.mailbox().add(wire.Header{Fin: ev.Last, Opcode: wire.Continuation, Masked: e.server}, ev.Data)
			e.streaming = !ev.Last
		case proto.More, proto.Over:
			// What a receiver has begun to read takes no room.
			held := e.in.Held()
			e.begun = int32(min(int(e.begun), held))
			room := size - e.inbox.size() - (held - int(e.begun))
			if room <= 0 {
				return true
			}
			if e.fill(context.Background(), room, why) != nil {
				return false
			}
		case proto.TooLong:
			return true // the next receiver may want to stream it
		default:
			e.handle(ev)
		}
	}
}

// salvage ends a channel whose writing has failed, or whose socket has, and
// waits for that. The peer may have closed, or sent its last messages, before
// it went away: what the connection still holds is read first, also beyond the
// receive buffer. So this takes no more memory than the system held for it.
func (e *engine) salvage(cause error) {
	e.writeError.CompareAndSwap(nil, &cause)
	var giveUp *time.Timer
	began := e.now()
	giveUp = newTimer(func() {
		if wait := e.salvageWait(began); wait > 0 {
			giveUp.Reset(wait)
			return
		}
		e.lose(cause)
	})
	giveUp.Reset(salvageTime)
	defer giveUp.Stop()
	if e.obtain(context.Background(), &e.reading.right, finished) {
		e.readAhead(salvageLimit, salvaging)
		e.reading.release()
		e.lose(cause)
	}
	<-e.when(finished)
}

// salvageWait returns for how long to wait for more, where salvaging began then.
func (e *engine) salvageWait(began int64) time.Duration {
	if e.isOver() {
		return 0 // the timer fired while it was being stopped
	}
	now := e.now()
	wait := max(began, e.heard.Load()) + int64(salvageTime) - now
	if wait <= 0 && !e.inRead.Load() {
		wait = int64(salvageTime) // who is to read has not come to it yet
	}
	return time.Duration(min(wait, began+int64(salvageMost)-now))
}
