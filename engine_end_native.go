//go:build !js

package wschannel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/wschannel/wschannel/internal/proto"
	"github.com/wschannel/wschannel/internal/wire"
	"github.com/wschannel/wschannel/status"
)

// The end of a channel comes in two steps. It is decided by whatever happens
// first (decide): from then on nothing is accepted for sending. It is over
// when the closing handshake is done or has failed (finish): then Done is
// closed. In between, one goroutine works on it: shakeHands for a local close,
// reply for a peer's close or violation. A lost channel is over at once.

// decide makes end the outcome if there is none yet. It returns the outcome.
func (e *engine) decide(end *CloseError) *CloseError {
	e.mu.Lock()
	defer e.mu.Unlock()
	if first := e.end.Load(); first != nil {
		return first
	}
	e.end.Store(end)
	e.reach(decided)
	return end
}

// A lastStep is what whoever answers for a channel is told of.
type lastStep uint8

const (
	stepOver lastStep = iota // the channel is over, and has counted this
	stepGone                 // its transport is closed, too
)

// finish makes the channel over, and returns false if it was. Who made it over
// sees to its transport, and calls gone after that. unclean is why a local close was
// not completed in good order, if so.
func (e *engine) finish(unclean error) (first bool) {
	e.mu.Lock()
	var counted traffic
	if !e.is(finished) {
		counted = e.tally.finish(e.end.Load()) // first, so that whoever sees the end sees it counted
	}
	first = e.reach(finished)
	if first && unclean != nil {
		why := unclean // so that only this one is on the heap
		e.unclean = &why
	}
	onEnd := e.onEnd
	e.mu.Unlock()
	if !first {
		return false
	}

	e.clock.stop()
	e.readWatch.release()
	if b := e.blockage.Load(); b != nil {
		b.watch.release()
	}
	e.nudge()
	if q := e.queue.Load(); q != nil {
		q.leaveGroups()
	}
	if onEnd != nil {
		onEnd(stepOver, counted)
	}
	return true
}

// gone is called when the transport of a channel that is over is closed.
func (e *engine) gone() {
	if e.onEnd != nil {
		e.onEnd(stepGone, traffic{})
	}
}

// hangUp ends the channel without further ceremony.
func (e *engine) hangUp(unclean error) {
	if e.finish(unclean) {
		defer e.gone()
	}
	e.cut()
	e.dropUnsent()
}

// dropUnsent drops what nobody will write any more. Not before the transport is
// closed: a close frame behind a gap would make it look as if all had come.
func (e *engine) dropUnsent() {
	e.outbox.takePending()
	if q := e.queue.Load(); q != nil {
		q.drop()
	}
}

// lose ends the channel because its transport failed.
func (e *engine) lose(cause error) {
	end := lostBy(cause)
	if e.decide(end) != end {
		return
	}
	if isTimeout(cause) {
		dropUnsent(e.link.Load().transport)
	}
	e.hangUp(nil)
}

// settled returns why a local close was not completed in good order.
func (e *engine) settled() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.unclean == nil || !e.end.Load().local() {
		return nil
	}
	return fmt.Errorf("wschannel: close not completed: %w", *e.unclean)
}

// deafen drops what was not received.
func (e *engine) deafen() {
	e.mu.Lock()
	first := e.reach(deafened)
	e.mu.Unlock()
	if first {
		e.wakeReader()
	}
}

// startClose closes the channel from this side. It returns nil, or the end
// that was decided before.
func (e *engine) startClose(code status.Code, reason string) *CloseError {
	end := &CloseError{Code: code, Reason: reason}
	first := e.decide(end)
	e.deafen()
	if first != end {
		return first
	}
	go e.shakeHands(end)
	return nil
}

// closeDecided does the closing handshake for an end that this side has decided
// because it cannot go on.
func (e *engine) closeDecided() {
	e.deafen()
	go e.shakeHands(e.end.Load())
}

func (e *engine) closeNow() {
	e.decide(&CloseError{Code: status.AbnormalClosure})
	e.deafen()
	e.hangUp(errHungUp)
}

var errHungUp = errors.New("hung up")

// shakeHands does the closing handshake that this side began: it writes and
// reads at once, for two ends that both write first must not block each other.
// A peer that breaks the protocol meanwhile still gets our close frame.
func (e *engine) shakeHands(end *CloseError) {
	stop := e.boundClose(end)
	defer stop()
	type outcome struct{ violation, err error }
	drained := make(chan outcome, 1)
	go func() {
		violation, err := e.drain()
		if err != nil {
			e.hangUp(err)
		}
		drained <- outcome{violation, err}
	}()
	if err := e.writeClose(end); err != nil {
		e.hangUp(err)
	}
	d := <-drained
	if d.err != nil {
		return // nothing is left to be seen off, and somebody may be reading still
	}
	if e.finish(d.violation) {
		defer e.gone()
	}
	stop()
	e.linger(d.violation != nil)
}

// reply answers the peer's close frame, or tells the peer what it did wrong.
func (e *engine) reply(end *CloseError) {
	stop := e.boundClose(end)
	defer stop()
	if err := e.writeClose(end); err != nil {
		e.hangUp(err)
		return
	}
	if e.finish(nil) {
		defer e.gone()
	}
	stop()
	e.linger(end.Cause != nil)
}

// closeAtLast is how long the peer is waited for where CloseTimeout is none, and
// that cannot be meant.
const closeAtLast = 5 * time.Second

// boundClose hangs up when CloseTimeout has passed, unless stop is called. A peer
// that is too slow is not waited for without a limit.
func (e *engine) boundClose(end *CloseError) (stop func()) {
	timeout := e.set.closeTimeout
	if timeout == 0 && end.slow() {
		timeout = closeAtLast
	}
	if timeout == 0 {
		return func() {}
	}
	timer := time.AfterFunc(timeout, func() {
		e.hangUp(fmt.Errorf("not done within %v: %w", timeout, os.ErrDeadlineExceeded))
	})
	return func() { timer.Stop() }
}

// drain reads and drops everything up to the peer's close frame, or to a
// violation.
func (e *engine) drain() (violation, err error) {
	if !e.obtain(context.Background(), &e.reading.right, finished) {
		return nil, errHungUp
	}
	defer func() {
		e.park()
		e.reading.release()
	}()
	e.inbox = nil
	e.in.Discard()
	for {
		switch ev := e.in.Next(); ev.Kind {
		case proto.More:
			if err := e.fill(context.Background(), smallBuffer, draining); err != nil {
				return nil, err
			}
		case proto.Ping:
			e.answerPing(ev.Data)
		case proto.Close:
			e.received()
			return nil, nil
		case proto.Violation:
			return protocolError(ev.Violation), nil
		case proto.Over:
			// Whoever was reading when this side closed has seen it.
			if e.violation != nil {
				return e.violation, nil
			}
			return nil, nil
		}
	}
}

func (e *engine) received() {
	e.mu.Lock()
	e.closing = e.closing.Received()
	e.mu.Unlock()
}

// peerClosed takes the peer's close frame.
func (e *engine) peerClosed(code status.Code, reason string) {
	e.received()
	end := &CloseError{Code: code, Reason: reason, Remote: true}
	if e.decide(end) == end {
		go e.reply(end)
	}
}

// violated fails the connection (RFC 6455 §7.1.7).
func (e *engine) violated(v *wire.Violation) {
	e.violation = protocolError(v)
	reason := v.Text[:min(len(v.Text), wire.MaxReason)]
	end := &CloseError{Code: v.Code, Reason: reason, Cause: e.violation}
	if e.decide(end) == end {
		go e.reply(end)
	}
}

func protocolError(v *wire.Violation) *ProtocolError {
	return &ProtocolError{Section: v.Section, Text: v.Text}
}

// linger sees the transport off in the background, after the channel is over:
// "the server MUST close the TCP connection immediately; the client SHOULD
// wait for the server to close" (RFC 6455 §7.1.1). Closing a socket while
// bytes are unread would reset it and could destroy our close frame on its
// way, so who closes first sends a FIN and reads on to the peer's. That is the
// server, and a client that fails the connection.
func (e *engine) linger(failing bool) {
	conn := e.link.Load()
	defer conn.Close()
	timeout := e.set.closeTimeout
	if timeout == 0 {
		timeout = closeAtLast
	}
	defer time.AfterFunc(timeout, e.cut).Stop()
	if e.server || failing {
		half, ok := conn.transport.(interface{ CloseWrite() error })
		if !ok || half.CloseWrite() != nil {
			return
		}
	}
	var scrap [512]byte
	for fruitless := 0; fruitless < maxFruitless; fruitless++ {
		n, err := conn.Read(scrap[:])
		if isTimeout(err) {
			err = conn.SetReadDeadline(time.Time{})
		}
		if err != nil {
			return
		}
		if n > 0 {
			fruitless = 0
		}
	}
}
