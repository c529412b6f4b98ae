package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/wschannel/wschannel"
)

// A session is an open channel between the standard streams and a server.
type session struct {
	*program
	channel *wschannel.Channel
	options *connectOptions
	silence *silence
	cancel  context.CancelCauseFunc // ends receiving
	display display
	failed  atomic.Bool // a message could not be sent
}

// A display shows messages.
type display interface {
	// show shows a message. The error is that of the reader, or an *outputError.
	show(t wschannel.Type, message io.Reader) error
}

func newSession(p *program, c *wschannel.Channel, o *connectOptions, cancel context.CancelCauseFunc) *session {
	return &session{
		program: p,
		channel: c,
		options: o,
		silence: newSilence(o.wait, func() { cancel(errQuiet) }),
		cancel:  cancel,
		display: newPrinter(p.stdout, p.stderr, o.format, o.timestamps),
	}
}

// send sends the messages of a source to its end.
func (s *session) send(from source) {
	defer s.silence.arm()
	for {
		m, err := from.next()
		if err == nil {
			err = s.channel.Send(context.Background(), m)
		}
		var bad *badInput
		switch {
		case err == nil:
		case err == io.EOF, errors.Is(err, wschannel.ErrClosed):
			return
		case errors.As(err, &bad):
			s.complain("%v and was not sent", bad)
		case errors.Is(err, wschannel.ErrInvalidUTF8):
			s.complain("%s is not UTF-8 and was not sent", from.place())
		default:
			s.complain("standard input, %s: %v", from.place(), err)
			return
		}
	}
}

// complain tells about input that could not be sent.
func (s *session) complain(format string, args ...any) {
	s.failed.Store(true)
	fmt.Fprintf(s.stderr, "wschannel: "+format+"\n", args...)
}

// receive shows messages until it has to end, and returns why.
func (s *session) receive(ctx context.Context) error {
	for {
		s.silence.wait()
		t, message, err := s.channel.NextReader(ctx)
		s.silence.stop()
		if err != nil {
			return err
		}
		if err := s.display.show(t, s.silence.reader(message)); err != nil {
			return err
		}
	}
}

// stuckTime is how long a write to standard output may go on when everything is
// to end.
const stuckTime = time.Second

var errStuck = errors.New("nobody reads it")

// print is receive, but ends soon after ctx also if standard output is a pipe
// that is full.
func (s *session) print(ctx context.Context) error {
	ended := make(chan error, 1)
	go func() { ended <- s.receive(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(stuckTime):
		return &outputError{errStuck}
	}
}

// A closeAsked is the cause of a ctx that ended since somebody wanted to close
// the channel in a certain way.
type closeAsked struct{ closing }

func (closeAsked) Error() string { return "asked to close" }

// end closes the channel, says how it was closed, and returns the exit status.
// why is what receive has returned for a ctx.
func (s *session) end(ctx context.Context, why error, hungUp <-chan struct{}) int {
	how := s.options.close
	if asked, ok := context.Cause(ctx).(closeAsked); ok {
		how = asked.closing
	}
	closed := make(chan error, 1)
	go func() {
		err := s.channel.CloseWith(how.code, how.reason)
		if errors.Is(err, wschannel.ErrClosed) {
			err = nil // the peer was faster
		}
		closed <- err
	}()
	var err error
	select {
	case err = <-closed:
	case <-hungUp:
		s.channel.CloseNow()
		err = <-closed
	}
	exit := exitOK
	if broken, ok := errors.AsType[*outputError](why); ok && !broken.unread() {
		fmt.Fprintf(s.stderr, "wschannel: standard output: %v\n", broken)
		exit = exitFailed
	}
	end, _ := errors.AsType[*wschannel.CloseError](s.channel.Err())
	fmt.Fprintln(s.stderr, harmless(outcome(end)))
	if err != nil {
		fmt.Fprintln(s.stderr, harmless(err.Error()))
	}
	if err != nil || !end.Clean() || s.failed.Load() {
		exit = exitFailed
	}
	return exit
}
