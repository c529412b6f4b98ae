//go:build !js

package wschannel

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/wschannel/wschannel/internal/proto"
	"github.com/wschannel/wschannel/status"
)

// The engine runs the protocol over a byte stream. Whoever receives does the
// reading, whoever sends does the writing; the goroutines that it starts are
// short-lived, but for one that attends to a channel which nobody receives
// from.
//
// Three rights, each held by one goroutine at a time, order the access:
//
//	reading  the transport's reads, in, inbox
//	message  a message of NextWriter, from its first frame to its last; one that
//	         is compressed and refers to earlier ones
//	frame    the transport's writes, out; taken after message
//
// Locks (mu of the engine and of its parts) are held for a few instructions,
// never while anything waits.
type engine struct {
	link     atomic.Pointer[link]
	raw      syscall.RawConn // of the link, if that is a plain socket; changes with it
	protocol *string         // nil for none
	set      *settings
	born     time.Duration // since epoch

	// The end of the channel: see engine_end_native.go.
	lifetime
	unclean *error                     // why a local close was not completed in good order, if so
	onEnd   func(lastStep, traffic)    // called once for each, nil for nobody
	end     atomic.Pointer[CloseError] // set when it is decided

	// Receiving.
	reading   reception
	in        proto.Reader
	prefix    *[]byte        // nil, or what was read before the channel existed
	inbox     *inbox         // nil if nothing was ever in it
	stream    *messageReader // the reader that was returned last
	violation *ProtocolError // what the peer did wrong, if it did
	readWatch watch
	reader    struct { // whoever reads
		ctx    context.Context
		limit  int32
		errand errand
	}
	wakes     atomic.Uint32 // calls of wakeReader
	begun     int32         // how many of the bytes in in were read for a receiver
	heard     atomic.Int64  // when the last byte came, in ns since born
	attention attention
	rider     atomic.Pointer[listener] // the listener that a loop calls
	seat      right                    // its own, until it has left

	// Sending.
	message    right
	frame      right
	outbox     outbox
	flushes    func()                   // flush, once that was needed
	blockage   atomic.Pointer[blockage] // nil before a write may have had to wait
	writeError atomic.Pointer[error]    // why writing failed, while salvaging

	control   control
	keepalive keepalive
	clock     alarmClock

	compression *compression              // nil if messages are not compressed
	queue       atomic.Pointer[sendQueue] // nil if all sends may wait
	tally       *tally                    // nil if nobody wants to know

	// What is small stands together, so that an idle channel is small.
	answering atomic.Bool // more messages lie in the read buffer
	inRead    atomic.Bool // somebody waits for bytes
	handled   int32       // what has come since the reader gave way: see giveWay
	plain     bool        // the link is a plain socket
	exact     bool        // a write that was cut short says how much has left, and can go on
	server    bool
	closing   proto.Closing // with mu
	out       proto.Writer  // with the right to write
	streaming bool          // in is inside the message of stream, or of one that is skimmed
	fresh     bool          // a receiver has read since anybody attended
	inPlace   bool          // the last message lies in the buffer of in
	tookAll   bool          // the last read took all that there was in the socket
	readsLeft int8          // how many more a listener on a loop may make in a row
}

// A link is what a channel runs on. It changes once at most: see ride_linux.go.
type link struct {
	transport
	loop *loopConn // the socket, if a loop looks after it
}

// newChannel makes a channel of a stream; start has to follow. prefix is what
// has been read from it already; it is kept.
func newChannel(rwc io.ReadWriteCloser, server bool, protocol string, set settings, prefix []byte, h host) *Channel {
	c := &Channel{host: h}
	e := &c.engine
	l := &link{transport: newTransport(rwc)}
	e.link.Store(l)
	e.exact = isExact(l.transport)
	e.server = server
	if protocol != "" {
		agreed := protocol // so that none is not on the heap
		e.protocol = &agreed
	}
	e.set = set.shared()
	e.born = time.Since(epoch)
	e.raw = rawSocket(l.transport)
	e.plain = e.raw != nil
	if !e.plain {
		e.in = proto.NewReader(set.reader(server), make([]byte, smallBuffer))
	} else {
		e.in = proto.NewReader(set.reader(server), takeReadBuffer())
		e.park()
	}
	e.out = proto.NewWriter(server)
	if len(prefix) > 0 {
		rest := prefix
		e.prefix = &rest
	}
	e.clock.due = [...]int64{attendAlarm: unset, aliveAlarm: unset}
	if set.counters != nil {
		e.tally = newTally(e, set.counters)
	}
	return c
}

// reader returns what a Reader has to know.
func (s *settings) reader(server bool) proto.Config {
	return proto.Config{Server: server, MessageLimit: s.messageLimit, FragmentLimit: s.fragmentLimit}
}

// latest are those that were shared last.
var latest atomic.Pointer[settings]

// shared returns a pointer to the settings, the same one for channels with the
// same settings that are made one after the other.
func (s settings) shared() *settings {
	l := latest.Load()
	if l == nil || *l != s {
		l = &settings{}
		*l = s
		latest.Store(l)
	}
	return l
}

// start sets the alarms of a new channel, when everything else is in place.
func (e *engine) start() {
	e.awaitReceiver()
	if e.set.pingInterval > 0 {
		e.remind(aliveAlarm, e.set.pingInterval)
	}
}

// newTimer returns a timer that is not set yet.
func newTimer(f func()) *time.Timer {
	t := time.AfterFunc(1<<63-1, f)
	t.Stop()
	return t
}

// netConn returns what the channel was made of, if it is a net.Conn.
func (e *engine) netConn() net.Conn {
	var made io.ReadWriteCloser = e.link.Load().transport
	if p, ok := made.(*pump); ok {
		made = p.rwc
	}
	c, _ := made.(net.Conn)
	return c
}

// isExact reports whether a write to conn that failed says truly how many
// bytes have left. That holds for sockets and pipes; TLS and wrappers may have
// sent a part of what they do not count.
func isExact(conn transport) bool {
	if _, ok := conn.(syscall.Conn); ok {
		return true
	}
	return fmt.Sprintf("%T", conn) == "*net.pipe"
}

// epoch is when time began, as far as channels are concerned.
var epoch = time.Now()

// now returns the time since the channel was made, in nanoseconds.
func (e *engine) now() int64 { return int64(time.Since(epoch) - e.born) }

func (e *engine) over() <-chan struct{} { return e.when(finished) }
func (e *engine) outcome() *CloseError  { return e.end.Load() }

func (e *engine) agreed() string {
	if e.protocol == nil {
		return ""
	}
	return *e.protocol
}

func (e *engine) buffered() int {
	n := e.outbox.waiting()
	if b := e.blockage.Load(); b != nil {
		n += int(b.unsent.Load())
	}
	return n
}

// obtain waits for a right. It returns false if ctx was done, or the channel had
// come to that phase, before.
func (e *engine) obtain(ctx context.Context, r *right, until phase) bool {
	return r.try() || r.take(e.when(until), e.awaited(ctx).Done())
}

// past is a deadline that has passed.
var past = time.Unix(1, 0)

// wakeReader makes the goroutine that is reading look up. The reader itself
// clears the deadline; nobody else may, or a wake-up is lost.
func (e *engine) wakeReader() {
	e.wakes.Add(1)
	l := e.link.Load()
	err := l.SetReadDeadline(past)
	if now := e.link.Load(); now != l {
		err = now.SetReadDeadline(past)
	}
	e.mustWake(err)
}

// wakeWriter does the same for who is writing, so that the link stays what it is.
func (e *engine) wakeWriter() { e.mustWake(e.link.Load().SetWriteDeadline(past)) }

// mustWake hangs up if setting a deadline has failed, for that wakes too.
func (e *engine) mustWake(err error) {
	if err != nil && !e.is(finished) {
		go func() { // the caller may hold a lock
			e.lose(err)
			e.hangUp(err)
		}()
	}
}

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// cut closes the transport at once.
func (e *engine) cut() {
	l := e.link.Load()
	if t, ok := e.netConn().(*tls.Conn); ok {
		// tls.Conn.Close would first wait to write an alert.
		t.NetConn().Close()
	} else if !e.exact {
		// In a wrapped one a read may be writing, and Close wait for that.
		l.SetWriteDeadline(past)
	}
	l.Close()
}

// lostBy is the end of a channel whose transport failed.
func lostBy(cause error) *CloseError {
	if errors.Is(cause, net.ErrClosed) {
		// Programs mute net.ErrClosed, and a loss must not be muted.
		cause = errors.New(cause.Error())
	}
	return &CloseError{Code: status.AbnormalClosure, Cause: cause}
}
