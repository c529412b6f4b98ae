// Wschannel talks over WebSocket channels from the command line.
//
//	wschannel demo
//	wschannel serve [FLAGS]
//	wschannel connect [FLAGS] URL
//	wschannel completion SHELL
//	wschannel version
//	wschannel help [COMMAND]
//
// What a command has to say about itself goes to standard error; standard
// output is for what was asked for. The exit status is 0 if all went well, 1
// if not, and 2 if the command line was wrong.
package main

import (
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	p := &program{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, signals: signals}
	os.Exit(p.run(os.Args[1:]))
}

// signals returns a channel of the signals that ask a program to end. From then
// on they do not end it by themselves, and neither does a pipe that nobody
// reads.
func signals() <-chan os.Signal {
	c := make(chan os.Signal, 2)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	// If it were ignored, the programs that are run would inherit that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return c
}

// The exit statuses.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// A program is one run of the command, and the world that it runs in.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer               // may be written to by several goroutines
	signals        func() <-chan os.Signal // called at most once, by a command that handles them
}

// run does what the arguments say and returns the exit status.
func (p *program) run(args []string) int {
	if len(args) == 0 {
		io.WriteString(p.stderr, overview())
		return exitUsage
	}
	name := args[0]
	switch name {
	case "-h", "-help", "--help":
		name = "help"
	case "-version", "--version":
		name = "version"
	}
	c, ok := find(name)
	if !ok {
		return p.unknown(name)
	}
	return p.runCommand(c, args[1:])
}
