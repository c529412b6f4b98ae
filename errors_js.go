package wschannel

import (
	"errors"
	"os"
	"syscall/js"
	"time"
)

// ErrInboundQueueFull is the Cause of the [CloseError] of a channel that was
// closed because InboundQueue of [Options] was full. It exists in browsers
// only; elsewhere a channel stops reading instead.
var ErrInboundQueueFull = errors.New("wschannel: inbound queue is full")

// isPlatformClosed is about package net, which is not linked here.
func isPlatformClosed(error) bool { return false }

// An annotated error is what fmt.Errorf would make; package fmt, and what it
// brings along, is a sixth of a browser program.
type annotated struct {
	text string // ends with ": "
	err  error
}

func (e *annotated) Error() string { return e.text + e.err.Error() }
func (e *annotated) Unwrap() error { return e.err }

// late is the error of something that took too long.
func late(timeout time.Duration) error {
	return &annotated{"not done within " + timeout.String() + ": ", os.ErrDeadlineExceeded}
}

// try calls f and returns the exception that JavaScript threw in it, if any.
func try(f func()) (err error) {
	defer func() {
		if v := recover(); v != nil {
			thrown, ok := v.(js.Error)
			if !ok {
				panic(v)
			}
			err = thrown
		}
	}()
	f()
	return nil
}
