package wschannel

import (
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall/js"
	"time"

	"github.com/wschannel/wschannel/status"
)

// The engine wraps the WebSocket of the JavaScript platform. What comes is
// copied into the inbox by the socket's event handlers, since a browser cannot
// be told to wait; no goroutine runs for a channel.
//
// An event handler must not block, for all of JavaScript waits for it. So mu is
// held for a few instructions only, and never while JavaScript is called, which
// could call a handler in turn.
type engine struct {
	socket   js.Value
	sender   js.Value // socket.send
	protocol string
	set      settings
	handlers [4]handler

	mu         sync.Mutex
	closeTimer *time.Timer
	finished   bool
	unclean    error
	trouble    string // what the socket's error event said
	inbox      inbox

	end    atomic.Pointer[CloseError]
	opened chan struct{} // closed when the socket has connected
	ended  chan struct{} // closed when end is set
	deaf   chan struct{} // closed when nothing is to be received any more
	done   chan struct{} // closed when the channel is over

	claimed atomic.Bool // there is a receiver, a listener may be in its callback
	reading right
	arrived chan struct{}  // there is something new in the inbox
	stream  *messageReader // the reader that was returned last

	message right                     // to send one, from its beginning to its end
	queue   atomic.Pointer[sendQueue] // nil if all sends may wait

	tally *tally // nil if nobody wants to know
}

// A handler is a listener to one kind of event.
type handler struct {
	event string
	f     js.Func
}

// listen makes e the engine of a socket, from this moment on.
func (e *engine) listen(socket js.Value, set settings) {
	e.socket = socket
	e.sender = socket.Get("send")
	e.set = set
	e.opened = make(chan struct{})
	e.ended = make(chan struct{})
	e.deaf = make(chan struct{})
	e.done = make(chan struct{})
	e.arrived = make(chan struct{}, 1)
	e.handlers = [...]handler{
		e.on("open", func(js.Value) { close(e.opened) }),
		e.on("message", func(event js.Value) { e.take(event.Get("data")) }),
		e.on("error", e.failed),
		e.on("close", e.closed),
	}
	socket.Set("binaryType", "arraybuffer")
}

func (e *engine) on(event string, f func(js.Value)) handler {
	h := handler{event, js.FuncOf(func(_ js.Value, args []js.Value) any {
		f(args[0])
		return nil
	})}
	e.socket.Call("addEventListener", event, h.f)
	return h
}

// failed takes an error event. A close event follows, which tells the end.
func (e *engine) failed(event js.Value) {
	said := text(event.Get("message")) // only by Node.js
	e.mu.Lock()
	defer e.mu.Unlock()
	e.trouble = said
}

// closed takes the close event, the last one of a socket.
func (e *engine) closed(event js.Value) {
	for _, h := range e.handlers {
		e.socket.Call("removeEventListener", h.event, h.f)
		h.f.Release()
	}
	clean := event.Get("wasClean").Truthy()
	code := event.Get("code")
	if code.Type() != js.TypeNumber {
		code = js.ValueOf(0)
	}
	end := e.decide(e.reported(code.Int(), text(event.Get("reason")), clean))
	if end.local() && !clean {
		e.finish(errors.New("the connection was lost before the peer's close frame came"))
	} else {
		e.finish(nil)
	}
}

// reported is the end that a close event tells. Platforms do not agree about
// it: Firefox reports codes as clean that must not be in a frame, and Deno 0 for
// none.
func (e *engine) reported(code int, reason string, clean bool) *CloseError {
	switch valid := code > 0 && code < 1<<16 && status.Code(code).Valid(); {
	case valid:
		return &CloseError{Code: status.Code(code), Reason: reason, Remote: true}
	case !clean:
		return &CloseError{Code: status.AbnormalClosure, Cause: e.lost()}
	case reason == "" && (code == 0 || code == int(status.NoStatusReceived)):
		return &CloseError{Code: status.NoStatusReceived, Remote: true}
	}
	broken := "close code " + strconv.Itoa(code) + " must not be sent"
	return &CloseError{Code: status.ProtocolError, Reason: broken, Cause: &ProtocolError{Section: "7.4", Text: broken}}
}

// lost is why a connection was lost, or never came about.
func (e *engine) lost() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.trouble != "" {
		return errors.New(e.trouble)
	}
	return errUntold
}

var errUntold = errors.New("the browser does not say why")

// decide makes end the outcome if there is none yet. It returns the outcome.
func (e *engine) decide(end *CloseError) *CloseError {
	e.mu.Lock()
	defer e.mu.Unlock()
	if first := e.end.Load(); first != nil {
		return first
	}
	e.end.Store(end)
	close(e.ended)
	return end
}

// finish makes the channel over. unclean is why a local close was not completed
// in good order, if so.
func (e *engine) finish(unclean error) {
	e.mu.Lock()
	if e.finished {
		e.mu.Unlock()
		return
	}
	e.finished = true
	e.unclean = unclean
	e.tally.finish(e.end.Load())
	if e.closeTimer != nil {
		e.closeTimer.Stop()
	}
	close(e.done)
	e.mu.Unlock()
	if q := e.queue.Load(); q != nil {
		q.leaveGroups()
		q.drop()
	}
}

// deafen drops what was not received.
func (e *engine) deafen() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !isClosed(e.deaf) {
		close(e.deaf)
	}
	e.inbox = inbox{}
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
	e.shakeHands(code, reason)
	return nil
}

// fail closes the channel because it cannot go on.
func (e *engine) fail(code status.Code, reason string, cause error) {
	end := &CloseError{Code: code, Reason: reason, Cause: cause}
	if e.decide(end) == end {
		e.shakeHands(code, reason)
	}
}

// closeDecided does the closing handshake for an end that this side has decided
// because it cannot go on.
func (e *engine) closeDecided() {
	e.deafen()
	end := e.end.Load()
	e.shakeHands(end.Code, end.Reason)
}

// private is what is added to a code that scripts must not send.
const private = 3000

// shakeHands has the platform do the closing handshake, behind all that was
// sent. There is no way to cut it short, so the channel does not wait for it
// longer than CloseTimeout.
func (e *engine) shakeHands(code status.Code, reason string) {
	timeout := e.set.closeTimeout
	if timeout == 0 && e.end.Load().slow() {
		timeout = closeAtLast
	}
	if timeout > 0 {
		e.mu.Lock()
		if !e.finished {
			e.closeTimer = time.AfterFunc(timeout, func() { e.finish(late(timeout)) })
		}
		e.mu.Unlock()
	}
	q := e.queue.Load()
	if q == nil {
		e.closeSocket(code, reason)
		return
	}
	flushAndClose := func() {
		if e.flushQueue(q) == nil {
			e.closeSocket(code, reason)
		}
	}
	if rested := q.seal(); rested != nil {
		go func() { // nothing here may wait for others
			select {
			case <-rested:
			case <-e.done:
			}
			flushAndClose()
		}()
		return
	}
	flushAndClose()
}

// closeAtLast is how long the peer is waited for where CloseTimeout is none, and
// that cannot be meant.
const closeAtLast = 5 * time.Second

// closeSocket begins the platform's closing handshake.
func (e *engine) closeSocket(code status.Code, reason string) {
	err := try(func() {
		switch {
		case code == status.NoStatusReceived:
			e.socket.Call("close")
		case code == status.NormalClosure || code >= status.RegisteredMin:
			e.socket.Call("close", int(code), stringToJS(reason))
		default:
			e.socket.Call("close", int(code)+private, stringToJS(reason))
		}
	})
	if err != nil {
		e.finish(err)
		e.hangUp() // not every platform takes every code
	}
}

// hangUp closes the socket with no code. It fails only where that is closed
// already.
func (e *engine) hangUp() { try(func() { e.socket.Call("close") }) }

func (e *engine) closeNow() {
	e.decide(&CloseError{Code: status.AbnormalClosure})
	e.deafen()
	e.finish(errHungUp)
	e.hangUp()
}

var errHungUp = errors.New("hung up")

// settled returns why a local close was not completed in good order.
func (e *engine) settled() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.unclean == nil || !e.end.Load().local() {
		return nil
	}
	return &annotated{"wschannel: close not completed: ", e.unclean}
}

func (e *engine) agreed() string        { return e.protocol }
func (e *engine) over() <-chan struct{} { return e.done }
func (e *engine) isOver() bool          { return isClosed(e.done) }
func (e *engine) outcome() *CloseError  { return e.end.Load() }
