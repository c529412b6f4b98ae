package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wschannel/wschannel"
)

// A conversation is a session with a person at a terminal. Until the editor is
// closed, nothing else may write to the terminal.
type conversation struct {
	*session
	editor *editor
	screen *messageScreen
}

// converse lets a person talk to the server until the channel has to be closed,
// and returns why. took is how long connecting has taken.
func (s *session) converse(ctx context.Context, e *editor, took time.Duration) error {
	c := &conversation{s, e, &messageScreen{out: e, palette: e.palette}}
	c.screen.format.Store(int32(s.options.format))
	c.screen.timestamps.Store(s.options.timestamps)
	s.display = c.screen

	protocol := ""
	if name := s.channel.Protocol(); name != "" {
		protocol = ", subprotocol " + name
	}
	c.note("connected in %v%s; /help lists commands, Ctrl-D ends", rounded(took), protocol)
	read := make(chan struct{})
	go func() {
		defer close(read)
		c.read(ctx)
	}()
	err := s.receive(ctx)
	e.close()
	// The terminal is as it was when the last line has been given up; whoever
	// is busy with something else has none.
	select {
	case <-read:
	case <-time.After(time.Second):
	}
	return err
}

// note tells the person something.
func (c *conversation) note(format string, args ...any) {
	text := harmless(fmt.Sprintf(format, args...))
	fmt.Fprintln(c.editor, c.editor.palette.show(yellow, "* "+text))
}

// read sends what is typed, to the end of the input.
func (c *conversation) read(ctx context.Context) {
	for {
		line, err := c.editor.readLine()
		switch {
		case errors.Is(err, errInterrupt):
			c.cancel(errInterrupted)
			return
		case err != nil:
			c.silence.arm()
			return
		}
		command, isCommand := strings.CutPrefix(line, "/")
		if isCommand && !strings.HasPrefix(command, "/") {
			c.command(ctx, command)
			continue
		}
		if isCommand {
			line = command
		}
		m, why := format(c.screen.format.Load()).message([]byte(line))
		if why != "" {
			c.note("not sent: the line %s", why)
			continue
		}
		// Cancelling it could cut a message in two.
		switch err := c.channel.Send(context.Background(), m); {
		case err == nil:
		case errors.Is(err, wschannel.ErrClosed):
			return
		default:
			c.note("not sent: %s", strings.TrimPrefix(err.Error(), "wschannel: "))
		}
	}
}
