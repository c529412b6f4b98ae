package wschannel

import (
	"context"
	"sync"
	"sync/atomic"
)

// host is who answers for the callbacks of a channel: the [Server] that it
// came from. It keeps count of them, and takes their panics.
type host interface {
	enter()
	leave()
	panicked(c *Channel, value any)
}

// Listen is the event form of receiving: it returns at once, and onMessage is
// called for each message, one call at a time. The message is the callback's
// own. At the end of the channel onDone is called with [Channel.Err], once and
// last, also after a clean end. A nil function is not called.
//
// stop ends the listening without harm to the channel; it may be called
// anywhere, any number of times, and waits for nothing. No call begins after
// it, onDone is not called, and no message is lost: receiving by other means
// is legal again as soon as a call that is running has returned.
//
// While a callback is running, Close and CloseWith return once the close frame
// is accepted, whoever calls them. If another receiver is active, onDone is
// called with [ErrConcurrentReceive] and nothing else happens.
//
// On Linux a channel on a plain TCP or Unix socket is looked after by a loop that
// serves many of them, and its callbacks run there: it costs neither a goroutine
// nor a wake-up. A callback that waits, or takes longer than 10 ms, goes on by
// itself and holds up nobody. Elsewhere, and over TLS, a goroutine does the same.
// The socket is the loop's from then on: see [Channel.Underlying].
//
// A panic in a callback goes the way of all panics, except on a channel of a
// [Server]: that is closed with 1011.
func (c *Channel) Listen(onMessage func(Message), onDone func(error)) (stop func()) {
	return c.listen(false, func(t Type, data []byte) {
		if onMessage != nil {
			onMessage(Message{t, data})
		}
	}, onDone)
}

// ListenView is Listen without a copy of its own for each message: the data of
// a [View] is valid only during the call. It is the cheapest way to receive, for
// very many channels and for very many messages.
func (c *Channel) ListenView(onMessage func(View), onDone func(error)) (stop func()) {
	return c.listen(true, func(t Type, data []byte) {
		if onMessage != nil {
			onMessage(View{t, data})
		}
	}, onDone)
}

// maxViewBuffer is the largest buffer in bytes that ListenView keeps from one
// message to the next.
const maxViewBuffer = 64 << 10

// A listener is one Listen or ListenView.
type listener struct {
	c     *Channel
	views bool // what is delivered may be used again
	//lint:ignore U1000 only Linux has loops
	ride    ride // on a loop
	deliver func(Type, []byte)
	onDone  func(error)

	refused error         // why listening is not possible
	state   atomic.Uint32 // stopped, calling, or both

	mu     sync.Mutex
	cancel context.CancelFunc // nil on a loop
}

// The state of a listener.
const (
	listenerStopped = 1 << iota
	listenerCalling // a callback is running, or is about to
)

func (c *Channel) listen(views bool, deliver func(Type, []byte), onDone func(error)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	l := &listener{c: c, views: views, deliver: deliver, onDone: onDone, cancel: cancel}
	if c.host != nil {
		c.host.enter()
	}
	l.refused = c.engine.claim()
	if l.refused == nil {
		c.listening.Add(1)
	}
	go l.run(ctx)
	return l.stop
}

// run is the listener as a goroutine, until a loop can look after its channel.
func (l *listener) run(ctx context.Context) {
	riding := false
	defer func() {
		if !riding { // also if a callback has ended the goroutine
			l.leave()
		}
	}()
	if l.refused != nil {
		if l.begin() {
			l.finish(l.refused)
		}
		return
	}
	var buf []byte
	for {
		if riding = l.board(ctx); riding {
			return
		}
		t, data, err := l.c.engine.receive(ctx, buf, l.begin)
		if err != nil {
			break
		}
		if l.call(t, data) {
			return
		}
		if buf = nil; l.views && cap(data) <= maxViewBuffer {
			buf = data[:0]
		}
	}
	if l.isStopped() {
		return
	}
	// A local close is known to receivers before the channel is over.
	<-l.c.Done()
	if l.begin() {
		l.finish(l.c.Err())
	}
}

// call runs the callback for a message, which begin has announced.
// It reports whether listening has been stopped.
func (l *listener) call(t Type, data []byte) (stopped bool) {
	defer func() { stopped = l.returned() }()
	defer l.rescue()
	l.pass(t, data)
	return false
}

// pass passes a message to the callback.
func (l *listener) pass(t Type, data []byte) {
	if data == nil {
		data = []byte{}
	}
	l.deliver(t, data)
}

// finish runs the last callback, which begin has announced.
func (l *listener) finish(err error) {
	defer l.returned()
	defer l.rescue()
	if l.onDone != nil {
		l.onDone(err)
	}
}

// rescue is deferred: it hands a panic to the host, if there is one.
func (l *listener) rescue() {
	if l.c.host == nil {
		return
	}
	if v := recover(); v != nil {
		l.c.host.panicked(l.c, v)
	}
}

// begin announces a callback, or some in a row; it returns false if listening was
// stopped.
func (l *listener) begin() bool {
	if !l.state.CompareAndSwap(0, listenerCalling) {
		return false
	}
	l.c.callbacks.Add(1)
	return true
}

// returned says that the callback has returned. It reports whether listening has
// been stopped.
func (l *listener) returned() bool {
	l.c.callbacks.Add(-1)
	if l.state.CompareAndSwap(listenerCalling, 0) {
		return false
	}
	l.state.Store(listenerStopped)
	l.unclaim()
	return true
}

// stop gives up the right to receive, or has a running callback give it up.
func (l *listener) stop() {
	before := l.state.Or(listenerStopped)
	if before&listenerStopped != 0 {
		return
	}
	l.mu.Lock()
	if l.cancel != nil {
		l.cancel()
	}
	l.mu.Unlock()
	if l.refused == nil {
		l.c.listening.Add(-1)
	}
	if before&listenerCalling == 0 {
		l.unclaim()
	}
	l.c.engine.nudge()
}

// unclaim gives the right to receive up, if it was had.
func (l *listener) unclaim() {
	if l.refused == nil {
		l.c.engine.unclaim()
	}
}

func (l *listener) isStopped() bool { return l.state.Load()&listenerStopped != 0 }

// leave is deferred, for a callback may end its goroutine.
func (l *listener) leave() {
	l.stop()
	if l.c.host != nil {
		l.c.host.leave()
	}
}
