package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/wschannel/wschannel"
)

var demoCommand = command{
	name:    "demo",
	summary: "watch two programs talk over a channel",
	about: `Demo starts a server on a free port of this machine, connects two channels to it
and lets them talk: messages of both types in both directions, a large one that
is streamed, a receive that gives up in the middle of a message and goes on, a
ping, compression, a close with a code and a reason, a shutdown. With -chaos it
shows a client that goes on while its connection is cut time and again.

It prints a transcript to standard output. Every line of it has happened and was
checked; something that is not as it should be is told on standard error, and
the exit status is 1.
`,
	more: `
Examples:

  wschannel demo
  wschannel demo -chaos
`,
	prepare: func(p *program, flags *flag.FlagSet) func(string) int {
		chaos := flags.Bool("chaos", false, "show a client that survives 20 cuts of its connection. At the end all\n"+
			"messages are held against what the server has really got.")
		return func(string) int {
			if *chaos {
				return p.demo(playChaos)
			}
			return p.demo(play)
		}
	},
}

// demoTime bounds the demo.
const demoTime = 30 * time.Second

// demo implements the command demo.
func (p *program) demo(play func(ctx context.Context, out, complaints io.Writer) error) int {
	ctx, cancel := context.WithTimeout(context.Background(), demoTime)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- play(ctx, p.stdout, p.stderr) }()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		err = fmt.Errorf("not done within %v", demoTime)
	}
	if err != nil {
		fmt.Fprintf(p.stderr, "wschannel: the demo went wrong: %v\n", err)
		return exitFailed
	}
	return exitOK
}

// A stage is where the demo happens.
type stage struct {
	out        io.Writer
	url        string
	relay      *relay
	server     *wschannel.Server
	alice, bob *wschannel.Channel
}

// play plays the demo and writes its transcript to out.
func play(ctx context.Context, out, complaints io.Writer) error {
	s := &stage{
		out:   out,
		relay: &relay{lobby: make(chan guest), ended: make(chan *wschannel.CloseError, 2)},
	}
	complaining := slog.NewTextHandler(complaints, nil)
	s.server = &wschannel.Server{
		Handler:       s.relay.handle,
		AcceptOptions: wschannel.AcceptOptions{Options: wschannel.Options{Protocols: []string{"talk.v2", "talk.v1"}}},
		Logger:        slog.New(complaining),
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: s.server, ReadHeaderTimeout: requestTime, ErrorLog: slog.NewLogLogger(complaining, slog.LevelError)}
	go server.Serve(listener)
	defer server.Close()
	s.url = addressURL("ws", listener.Addr(), "/")

	s.line("Two programs, alice and bob, talk over WebSocket channels. A server on 127.0.0.1")
	s.line("passes on to each of them what the other one sends.")
	for _, scene := range []struct {
		title string
		play  func(context.Context) error
	}{
		{"Connecting, with a subprotocol that both sides speak", s.connecting},
		{"Messages: text and binary, both ways", s.messages},
		{"A large message, streamed", s.streaming},
		{"A receive that gives up in the middle of a message, and goes on", s.givingUp},
		{"A ping", s.pinging},
		{"Compression, and what it saves", s.compressing},
		{"Closing, with a code and a reason", s.closing},
		{"Shutting the server down", s.shutdown},
	} {
		s.line("")
		s.line("%s", scene.title)
		if err := scene.play(ctx); err != nil {
			return fmt.Errorf("%s: %w", scene.title, err)
		}
	}
	s.line("")
	s.line("All of it went as it should. Now with two terminals of your own:")
	s.line("")
	s.line("  wschannel serve                          an echo server")
	s.line("  wschannel connect ws://127.0.0.1:8080/   each line you type is a message")
	s.line("")
	s.line(`In a clone of the repository "go run ./cmd/wschannel" stands for "wschannel".`)
	return nil
}

func (s *stage) line(format string, args ...any) {
	fmt.Fprintf(s.out, format+"\n", args...)
}

// goes says what went from one to another.
func (s *stage) goes(from, to, format string, args ...any) {
	s.line("  %-6s → %-7s %s", from, to, fmt.Sprintf(format, args...))
}

// sees says what happened to one of them.
func (s *stage) sees(who, format string, args ...any) {
	s.line("  %-16s %s", who, fmt.Sprintf(format, args...))
}
