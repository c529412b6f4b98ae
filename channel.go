package wschannel

import (
	"context"
	"io"
	"strconv"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/wschannel/wschannel/internal/wire"
	"github.com/wschannel/wschannel/status"
	"github.com/wschannel/wschannel/streamchannel"
)

// A Channel is a WebSocket connection: a stream of incoming messages and a
// sink for outgoing ones. [Connect], [Accept], [Server] and [New] make them.
//
// All methods may be called by any number of goroutines at the same time,
// except that only one may receive: [Channel.Receive], [Channel.ReceiveAppend],
// [Channel.Messages], [Channel.NextReader] and the readers that it returns,
// [Channel.Listen] and [Channel.ListenView]. Beside a receiver that is waiting
// another one gets [ErrConcurrentReceive].
//
// A Channel keeps the contract that package streamchannel states. It should be
// closed when it is no longer needed: one that is forgotten stays open, and goes
// on answering pings.
type Channel struct {
	engine    engine
	host      host         // who answers for callbacks, nil for nobody
	listening atomic.Int32 // how many Listens are active: at most one
	callbacks atomic.Int32 // how many are running
}

var _ streamchannel.Channel[Message, Message] = (*Channel)(nil)

// platform is what an engine does for a Channel. Each platform has one engine,
// a concrete type: this interface is only checked by the compiler.
type platform interface {
	claim() error // the right to receive, or ErrConcurrentReceive
	unclaim()
	receive(ctx context.Context, dst []byte, commit func() bool) (Type, []byte, error)
	receiveOnce(ctx context.Context, dst []byte) (Type, []byte, error)
	nextReader(ctx context.Context) (Type, io.Reader, error)
	send(ctx context.Context, t Type, data []byte) error
	deliver(ctx context.Context, o outgoing) error // send of anything
	sendNow(o outgoing) (taken bool, err error)    // if nothing has to be waited for
	awaitTurn(ctx context.Context, turn <-chan struct{}) bool
	mayNotSend(ctx context.Context) error // the end, or the error of ctx
	nextWriter(ctx context.Context, t Type) (io.WriteCloser, error)
	ping(ctx context.Context) (time.Duration, error)
	buffered() int
	agreed() string // the subprotocol
	startClose(code status.Code, reason string) *CloseError
	decide(end *CloseError) *CloseError // the end that stands
	closeDecided()                      // does what was decided
	closeNow()
	settled() error // what went wrong with a local close
	over() <-chan struct{}
	isOver() bool
	outcome() *CloseError // nil until it is decided
}

var _ platform = (*engine)(nil)

// Protocol returns the subprotocol that was agreed upon in the handshake, ""
// if none (RFC 6455 §1.9).
func (c *Channel) Protocol() string { return c.engine.agreed() }

// Done returns a channel that is closed when this one is over: both sides have
// closed it, or it is lost. It is closed also while nobody receives, unless
// more than the receive buffer holds is waiting to be received.
func (c *Channel) Done() <-chan struct{} { return c.engine.over() }

// Err returns nil until Done is closed, then the *[CloseError] that says how
// the channel ended.
func (c *Channel) Err() error {
	if end := c.end(); end != nil {
		return end
	}
	return nil
}

// CloseCode returns 0 until Done is closed, then the code of [Channel.Err].
func (c *Channel) CloseCode() status.Code {
	if end := c.end(); end != nil {
		return end.Code
	}
	return 0
}

// CloseReason returns "" until Done is closed, then the reason of [Channel.Err].
func (c *Channel) CloseReason() string {
	if end := c.end(); end != nil {
		return end.Reason
	}
	return ""
}

// end returns nil until Done is closed.
func (c *Channel) end() *CloseError {
	if c.engine.isOver() {
		return c.engine.outcome()
	}
	return nil
}

// Close closes the channel with 1000: it flushes what was accepted, sends the
// close frame and waits for the peer's, at most CloseTimeout. Messages that
// were not received are dropped. While a callback of Listen is running it does
// not wait.
//
// If the channel is over or being closed already, Close waits for the end and
// returns nil; the first code stands. Any other error says why the closing
// handshake was not completed; the channel is closed all the same.
func (c *Channel) Close() error {
	first := c.engine.startClose(status.NormalClosure, "") == nil
	err := c.settle()
	if !first {
		return nil
	}
	return err
}

// CloseWith is Close with another code, and a reason of at most 123 bytes of
// UTF-8. A code that an endpoint must not send, or a wrong reason, is
// [ErrInvalidClose] and changes nothing. CloseWith(0, "") sends a close frame
// without a code: both sides see status.NoStatusReceived.
//
// Browsers let scripts send no code, 1000 and 3000-4999. There, in place of any
// other code the peer is told 3000 more, as 4001 for 1001, whether CloseWith was
// called or the channel itself has to close. This side tells the code as it was.
//
// If the channel is over or being closed already, CloseWith returns the error
// of that end.
func (c *Channel) CloseWith(code status.Code, reason string) error {
	if err := checkClose(code, reason); err != nil {
		return err
	}
	if code == 0 {
		code = status.NoStatusReceived
	}
	end := c.engine.startClose(code, reason)
	err := c.settle()
	if end != nil {
		return end
	}
	return err
}

// CloseNow hangs up: no close frame, no flushing, no waiting. The peer sees a
// lost connection, and the channel ends with 1006 unless it was being closed
// already. It always returns nil. A browser cannot hang up: there the peer sees
// a close frame without a code, after what it has accepted, and this side does
// not wait for it.
func (c *Channel) CloseNow() error {
	c.engine.closeNow()
	return nil
}

// settle waits until the channel is over. A callback must not wait for that,
// for it may itself be what the end waits for.
func (c *Channel) settle() error {
	if c.callbacks.Load() > 0 && !c.engine.isOver() {
		return nil
	}
	<-c.Done()
	return c.engine.settled()
}

// checkClose holds a close against RFC 6455 §5.5.1 and §7.4.
func checkClose(code status.Code, reason string) error {
	switch {
	case code == 0 && reason != "":
		return closeMisuse("a reason needs a code")
	case code != 0 && !code.Valid():
		return closeMisuse("code " + strconv.Itoa(int(code)) + " must not be sent: 1000-1003, 1007-1014 and 3000-4999 may")
	case len(reason) > wire.MaxReason:
		return closeMisuse("reason of " + strconv.Itoa(len(reason)) + " bytes, at most 123 fit")
	case !utf8.ValidString(reason):
		return closeMisuse("reason is not valid UTF-8")
	}
	return nil
}

// closeMisuse is ErrInvalidClose with a text.
func closeMisuse(text string) error { return &invalidClose{text} }

type invalidClose struct{ text string }

func (e *invalidClose) Error() string { return "wschannel: invalid close: " + e.text }
func (e *invalidClose) Unwrap() error { return ErrInvalidClose }

// isClosed reports whether c, on which nothing is ever sent, is closed.
func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
