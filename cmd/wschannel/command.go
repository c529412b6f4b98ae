package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// A command is one of the things that the program can do.
type command struct {
	name    string
	summary string // one line
	operand string // what has to follow the flags; "[X]" may be left out
	about   string // the help before the list of flags
	more    string // the help after it

	// prepare defines the flags and returns what runs the command after they
	// were parsed. operand is "" if it was left out.
	prepare func(p *program, flags *flag.FlagSet) (run func(operand string) int)
}

func commands() []command {
	return []command{demoCommand, serveCommand, connectCommand, completionCommand(), versionCommand, helpCommand()}
}

func find(name string) (command, bool) {
	for _, c := range commands() {
		if c.name == name {
			return c, true
		}
	}
	return command{}, false
}

// flags returns the flags that a command has.
func (c command) flags() *flag.FlagSet {
	flags := flag.NewFlagSet(c.name, flag.ContinueOnError)
	c.prepare(&program{}, flags)
	return flags
}

// usage returns one line.
func (c command) usage() string {
	s := "wschannel " + c.name
	c.flags().VisitAll(func(*flag.Flag) {
		if !strings.HasSuffix(s, " [FLAGS]") {
			s += " [FLAGS]"
		}
	})
	if c.operand != "" {
		s += " " + c.operand
	}
	return s
}

// runCommand parses the arguments of a command and runs it.
func (p *program) runCommand(c command, args []string) int {
	flags := flag.NewFlagSet(c.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	run := c.prepare(p, flags)
	err := flags.Parse(args)
	wanted := 0
	if c.operand != "" {
		wanted = 1
	}
	switch n := flags.NArg(); {
	case errors.Is(err, flag.ErrHelp):
		io.WriteString(p.stdout, c.help())
		return exitOK
	case err != nil:
		return p.misused(c.name, wrongFlag(flags, err))
	case n < wanted && !strings.HasPrefix(c.operand, "["):
		return p.misused(c.name, c.operand+" is missing")
	case n > wanted:
		return p.misused(c.name, fmt.Sprintf("unexpected argument %q%s", flags.Arg(wanted), misplaced(flags)))
	}
	return run(flags.Arg(0))
}

// misplaced explains flags that come too late to be flags.
func misplaced(flags *flag.FlagSet) string {
	for _, arg := range flags.Args() {
		name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if strings.HasPrefix(arg, "-") && flags.Lookup(name) != nil {
			return fmt.Sprintf("; flags such as -%s have to come first", name)
		}
	}
	return ""
}

// wrongFlag says what package flag has to say about an argument, and what was
// expected.
func wrongFlag(flags *flag.FlagSet, err error) string {
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag needs an argument: -"); ok {
		expected, _ := flag.UnquoteUsage(flags.Lookup(name))
		return fmt.Sprintf("flag -%s needs an argument: expected %s", name, expected)
	}
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: "); ok {
		return fmt.Sprintf("unknown flag %q", name)
	}
	if flagText, ok := strings.CutPrefix(text, "bad flag syntax: "); ok {
		return fmt.Sprintf("malformed flag %q: expected one like -name or -name=value", flagText)
	}
	if strings.HasPrefix(text, "invalid boolean value ") {
		text = strings.TrimSuffix(text, "parse error") + "expected true or false"
	}
	return text
}

// unknown complains about the name of a command.
func (p *program) unknown(name string) int {
	fmt.Fprintf(p.stderr, "wschannel: unknown command %q; see \"wschannel help\"\n", name)
	return exitUsage
}

// misused complains about the arguments of a command.
func (p *program) misused(command, why string) int {
	fmt.Fprintf(p.stderr, "wschannel %s: %s; see \"wschannel help %s\"\n", command, harmless(why), command)
	return exitUsage
}

// fail complains about what went wrong.
func (p *program) fail(err error) int {
	fmt.Fprintf(p.stderr, "wschannel: %s\n", harmless(strings.TrimPrefix(err.Error(), "wschannel: ")))
	return exitFailed
}
