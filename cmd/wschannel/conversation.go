package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wschannel/wschannel"
)

// A conversation is a session with a person at a terminal.
type conversation struct {
	*session
	editor *editor
	screen *messageScreen
}

// converse lets a person talk to the server until the channel has to be closed,
// and returns why.
func (s *session) converse(ctx context.Context, took time.Duration) error {
	colours := newPalette()
	e, err := newEditor(s.program, colours.show(strong, "> "))
	if err != nil {
		return err
	}
	// What is written has to go through the editor while there is one.
	direct := s.program
	p := *direct
	p.stdout = e
	if isTerminal(p.stderr) {
		p.stderr = e
	}
	s.program = &p
	c := &conversation{s, e, &messageScreen{out: e, palette: colours}}
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
	err = s.receive(ctx)
	e.close()
	s.program = direct
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
	fmt.Fprintln(c.editor, c.screen.palette.show(yellow, "* "+text))
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
		switch err := c.channel.Send(ctx, m); {
		case err == nil:
		case errors.Is(err, wschannel.ErrClosed), ctx.Err() != nil:
			return
		default:
			c.note("not sent: %s", strings.TrimPrefix(err.Error(), "wschannel: "))
		}
	}
}
