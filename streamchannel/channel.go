package streamchannel

import (
	"context"
	"errors"
)

// A Stream is the incoming side of a channel: messages of type R.
type Stream[R any] interface {
	// Receive returns the next message, and waits for it until ctx is done.
	// The message belongs to the caller.
	//
	// One goroutine receives at a time: beside it, Receive returns
	// [ErrConcurrentReceive]. An error that satisfies errors.Is(err,
	// [ErrClosed]) is the end, and what every later call returns. After any
	// other error, such as that of a ctx that is done, the next call goes on
	// where this one stopped.
	Receive(ctx context.Context) (R, error)
}

// A Sink is the outgoing side of a channel: messages of type S. All methods
// may be called by any number of goroutines at the same time.
type Sink[S any] interface {
	// Send sends m, and waits until it is accepted or ctx is done. A nil error
	// means accepted in order, not delivered. The caller may change what m
	// refers to as soon as Send has returned.
	//
	// An error that satisfies errors.Is(err, [ErrClosed]) is the end, and what
	// every later call returns. Any other error means that m was not sent and
	// the channel is as before: ctx was done, or the channel does not take
	// such a message.
	Send(ctx context.Context, m S) error

	// Close ends the channel, after what it had accepted, and drops what was
	// not received. It does not wait until the peer has received anything. If
	// the channel is over or being closed already, Close returns nil. An error
	// says that the close could not be completed in good order; the channel is
	// closed all the same.
	Close() error
}

// A Channel sends messages of type S and receives messages of type R. The
// package documentation states the rules that it keeps.
type Channel[R, S any] interface {
	Stream[R]
	Sink[S]

	// Done returns a channel that is closed when this one is over. It is the
	// same one at each call.
	Done() <-chan struct{}

	// Err returns nil until Done is closed, and then says why: always the same
	// error, which satisfies errors.Is(err, [ErrClosed]).
	Err() error
}

var (
	// ErrClosed is what the error of every end satisfies, whoever ended the
	// channel and for whatever reason. By itself it is a clean end.
	ErrClosed = errors.New("streamchannel: closed")

	// ErrConcurrentReceive is returned by Receive while another receiver of the
	// same channel is waiting, or is called with what comes. It is a mistake in the program. No message was
	// taken and the channel goes on.
	ErrConcurrentReceive = errors.New("streamchannel: another receiver is active")
)

// clean reports whether err, the error of an end, says that all went well.
func clean(err error) bool {
	if err == ErrClosed {
		return true
	}
	end, ok := errors.AsType[interface {
		error
		Clean() bool
	}](err)
	return ok && end.Clean()
}
