package main

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

// A slashCommand is what a person can type instead of a message.
type slashCommand struct {
	usage, summary string
	run            func(c *conversation, ctx context.Context, argument string)
}

func slashCommands() []slashCommand {
	return []slashCommand{
		{"ping", "measure the time to the server and back", (*conversation).ping},
		{"binary FILE", "send a file as a binary message", (*conversation).sendFile},
		{"close [CODE [REASON]]", "close the channel", (*conversation).close},
		{"json", "switch indentation of JSON on or off", (*conversation).toggleJSON},
		{"timestamps", "switch the time before each message on or off", (*conversation).toggleTimestamps},
		{"help", "list the commands", (*conversation).help},
	}
}

// command does what was typed after a slash.
func (c *conversation) command(ctx context.Context, line string) {
	name, argument, _ := strings.Cut(line, " ")
	for _, command := range slashCommands() {
		if known, _, _ := strings.Cut(command.usage, " "); known == name {
			command.run(c, ctx, strings.TrimSpace(argument))
			return
		}
	}
	c.note("unknown command /%s: /help lists them, and //%s sends it as a message", name, line)
}

func (c *conversation) help(context.Context, string) {
	for _, command := range slashCommands() {
		c.note("/%-22s %s", command.usage, command.summary)
	}
	c.note("%-23s %s", "//TEXT", "send the message /TEXT")
}

// pingTime is how long a pong may take.
const pingTime = 30 * time.Second

// ping sends a ping and does not wait for its pong.
func (c *conversation) ping(ctx context.Context, _ string) {
	go func() {
		ctx, cancel := context.WithTimeout(ctx, pingTime)
		defer cancel()
		took, err := c.channel.Ping(ctx)
		switch {
		case err == nil:
			c.note("pong after %v", rounded(took))
		case errors.Is(err, context.DeadlineExceeded):
			c.note("no pong within %v", pingTime)
		}
	}()
}

func (c *conversation) sendFile(ctx context.Context, name string) {
	if name == "" {
		c.note("expected /binary FILE")
		return
	}
	n, err := c.copyFile(ctx, name)
	if err != nil {
		c.note("not sent: %v", err)
		return
	}
	c.note("sent %s", size(int(n)))
}

// copyFile sends a file as a binary message, however large it is.
func (c *conversation) copyFile(ctx context.Context, name string) (n int64, err error) {
	file, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	switch info, err := file.Stat(); {
	case err != nil:
		return 0, err
	case info.IsDir():
		return 0, errors.New(name + " is a directory")
	}
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	w, err := c.channel.NextWriter(ctx, wschannel.Binary)
	if err != nil {
		return 0, err
	}
	if n, err = io.Copy(w, file); err != nil {
		giveUp() // half a file must not look like a whole one
		w.Close()
		return n, err
	}
	return n, w.Close()
}

func (c *conversation) close(_ context.Context, argument string) {
	how := closing{code: status.NormalClosure}
	code, reason, _ := strings.Cut(argument, " ")
	if code != "" {
		var err error
		if how.code, err = parseCode(code); err != nil {
			c.note("%q: %v", code, err)
			return
		}
	}
	how.reason = strings.TrimSpace(reason)
	if err := checkReason(how.reason); err != nil {
		c.note("%v", err)
		return
	}
	c.cancel(closeAsked{how})
}

func (c *conversation) toggleJSON(context.Context, string) {
	now := formatJSON
	if format(c.screen.format.Load()) == formatJSON {
		now = formatText
	}
	c.screen.format.Store(int32(now))
	c.note("JSON is shown %s", map[format]string{formatJSON: "with indentation", formatText: "as it is"}[now])
}

func (c *conversation) toggleTimestamps(context.Context, string) {
	now := !c.screen.timestamps.Load()
	c.screen.timestamps.Store(now)
	c.note("timestamps are %s", map[bool]string{true: "on", false: "off"}[now])
}
