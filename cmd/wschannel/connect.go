package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/wschannel/wschannel"
)

const connectHelp = `usage: wschannel connect URL

Connect opens a channel to the server at URL, which has the scheme ws or wss.

Each line of standard input is sent as a text message: all of its bytes but the
line feed. A line that is not UTF-8, or is longer than 16 MiB, is not sent; a
message on standard error tells which one it was.

Each text message that comes in is written to standard output, and a line feed
after it. On a terminal its control characters are shown as escapes like \x1b.
Binary messages are only mentioned, on standard error.

At the end of the input it goes on receiving until nothing has come for a
second, and then closes the channel with 1000. It does so at once after an
interrupt (Ctrl-C, SIGINT or SIGTERM), and when nobody reads the output any
more; a second interrupt does not wait for the server's answer. If the server
closes the channel, that is the end too. How the channel was closed is told in
one line on standard error:

  closed: 1000 normal closure
  closed by the peer: 4001: "session expired"

The exit status is 0 if the channel was closed cleanly (by this side, or by the
server with 1000, 1001 or no code), 1 if not, or if a line could not be sent, 2
for a wrong command line.

Examples:

  wschannel connect ws://127.0.0.1:8080/
  echo hello | wschannel connect ws://127.0.0.1:8080/
  wschannel connect wss://example.com/feed >messages.txt </dev/null
`

const (
	// maxLine is the longest line in bytes that is sent.
	maxLine = 16 << 20
	// quietTime is how long nothing has to come after the end of the input.
	quietTime = time.Second
)

var (
	errInterrupted = errors.New("interrupted")
	errQuiet       = errors.New("nothing has come for a while")
)

// connect implements the command connect.
func (p *program) connect(args []string) int {
	flags := flag.NewFlagSet("connect", flag.ContinueOnError)
	if exit, ok := p.parse(flags, args, "URL"); !ok {
		return exit
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	hungUp := make(chan struct{})
	done := make(chan struct{})
	defer close(done)
	interrupts := p.signals()
	go func() {
		select {
		case <-interrupts:
			cancel(errInterrupted)
		case <-ctx.Done(): // the channel is being closed already
		}
		select {
		case <-interrupts:
			close(hungUp)
		case <-done:
		}
	}()

	c, err := wschannel.Connect(ctx, flags.Arg(0), nil)
	if err != nil {
		if context.Cause(ctx) == errInterrupted {
			err = errInterrupted
		}
		p.tellRefusal(err)
		return exitFailed
	}
	if isTerminal(p.stdin) {
		fmt.Fprintln(p.stderr, "connected: each line is sent as a message, Ctrl-D ends")
	}
	s := &session{
		program: p,
		channel: c,
		printer: newPrinter(p.stdout, p.stderr),
		silence: newSilence(quietTime, func() { cancel(errQuiet) }),
	}
	go s.send()
	err = s.receive(ctx)
	cancel(nil)
	return s.end(err, hungUp)
}

// tellRefusal says why there is no channel, and what the server has said.
func (p *program) tellRefusal(err error) {
	refused, ok := errors.AsType[*wschannel.HandshakeError](err)
	if !ok || refused.StatusCode == http.StatusSwitchingProtocols {
		fmt.Fprintf(p.stderr, "wschannel: %s\n", harmless(strings.TrimPrefix(err.Error(), "wschannel: ")))
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "wschannel: the server refused with status %d %s", refused.StatusCode, http.StatusText(refused.StatusCode))
	if location := http.Header(refused.Header).Get("Location"); location != "" {
		fmt.Fprintf(&b, ", and points to %s", harmless(location))
	}
	b.WriteString("\n")
	body := bytes.TrimSpace(bytes.ReplaceAll(refused.Body, []byte("\r\n"), []byte("\n")))
	if len(body) > 0 {
		for line := range strings.Lines(harmlessLines(string(body)) + "\n") {
			b.WriteString("  " + line)
		}
	}
	io.WriteString(p.stderr, b.String())
}

// A session is an open channel between the standard streams and a server.
type session struct {
	*program
	channel *wschannel.Channel
	printer *printer
	silence *silence
	failed  atomic.Bool // a line could not be sent
}

// send sends the lines of standard input.
func (s *session) send() {
	defer s.silence.arm()
	lines := newLineReader(s.stdin, maxLine)
	for {
		line, err := lines.next()
		if err == nil {
			err = s.channel.Send(context.Background(), wschannel.Message{Type: wschannel.Text, Data: line})
		}
		switch {
		case err == nil:
		case err == io.EOF, errors.Is(err, wschannel.ErrClosed):
			return
		case err == errTooLong:
			s.complain("line %d is longer than %d MiB and was not sent", lines.n, maxLine>>20)
		case errors.Is(err, wschannel.ErrInvalidUTF8):
			s.complain("line %d is not UTF-8 and was not sent", lines.n)
		default:
			s.complain("standard input, line %d: %v", lines.n, err)
			return
		}
	}
}

// complain tells about input that could not be sent.
func (s *session) complain(format string, args ...any) {
	s.failed.Store(true)
	fmt.Fprintf(s.stderr, "wschannel: "+format+"\n", args...)
}

// receive prints messages until it has to end, and returns why.
func (s *session) receive(ctx context.Context) error {
	for {
		s.silence.wait()
		t, message, err := s.channel.NextReader(ctx)
		s.silence.stop()
		if err != nil {
			return err
		}
		if err := s.printer.print(t, s.silence.reader(message)); err != nil {
			return err
		}
	}
}

// end closes the channel, says how it was closed, and returns the exit status.
// why is what receive has returned.
func (s *session) end(why error, hungUp <-chan struct{}) int {
	closed := make(chan error, 1)
	go func() { closed <- s.channel.Close() }()
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
