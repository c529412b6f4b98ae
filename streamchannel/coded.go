package streamchannel

import (
	"io"

	"github.com/wschannel/wschannel/status"
)

// Coded is what a channel has besides the methods of [Channel] if it is closed
// with a code and a reason, as a WebSocket channel is. Channels that this
// package makes of others pass both on.
type Coded interface {
	// CloseWith is Close with a code and a reason. CloseWith(0, "") closes
	// without a code. A code or a reason that cannot be sent is refused with
	// an error and changes nothing.
	CloseWith(code status.Code, reason string) error

	// CloseCode returns the code with which the channel was closed, 0 if it is
	// not over or its end has no code.
	CloseCode() status.Code

	// CloseReason returns the reason that came with the code.
	CloseReason() string
}

// CloseWith closes a channel or a sink with a code and a reason if it is
// [Coded], and otherwise with its Close: then the two are not sent.
func CloseWith(ch io.Closer, code status.Code, reason string) error {
	if c, ok := ch.(Coded); ok {
		return c.CloseWith(code, reason)
	}
	return ch.Close()
}

// codeOf returns the code and the reason of a channel that is over, 0 if it has
// none.
func codeOf(ch any) (status.Code, string) {
	if c, ok := ch.(Coded); ok {
		return c.CloseCode(), c.CloseReason()
	}
	return 0, ""
}

// ender is how a channel ends, whatever its messages are.
type ender interface {
	io.Closer
	Done() <-chan struct{}
	Err() error
}

// sameEnd is embedded in a channel that ends as the one inside of it does.
type sameEnd struct{ inner ender }

func (c sameEnd) Done() <-chan struct{} { return c.inner.Done() }
func (c sameEnd) Err() error            { return c.inner.Err() }
func (c sameEnd) Close() error          { return c.inner.Close() }

func (c sameEnd) CloseWith(code status.Code, reason string) error {
	return CloseWith(c.inner, code, reason)
}

func (c sameEnd) CloseCode() status.Code {
	code, _ := codeOf(c.inner)
	return code
}

func (c sameEnd) CloseReason() string {
	_, reason := codeOf(c.inner)
	return reason
}

func isOver(ch ender) bool { return isClosed(ch.Done()) }

// isClosed reports whether c, on which nothing is ever sent, is closed.
func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
