package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

const helpHelp = `usage: wschannel help [COMMAND]

Help explains a command, with examples. Without one it lists them.
`

// help implements the command help.
func (p *program) help(args []string) int {
	switch len(args) {
	case 0:
		io.WriteString(p.stdout, overview())
		return exitOK
	case 1:
		switch args[0] {
		case "-h", "-help", "--help":
			args[0] = "help"
		}
		c, ok := find(args[0])
		if !ok {
			return p.unknown(args[0])
		}
		io.WriteString(p.stdout, c.help)
		return exitOK
	}
	return p.misused("help", "one command at a time")
}

func overview() string {
	var b strings.Builder
	b.WriteString(`Wschannel talks over WebSocket channels (RFC 6455).

usage: wschannel COMMAND [ARGUMENTS]

The commands are:

`)
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-9s %s\n", c.name, c.summary)
	}
	b.WriteString(`
wschannel help COMMAND tells more about one, with examples.
wschannel demo is the place to begin.
`)
	return b.String()
}

// unknown complains about the name of a command.
func (p *program) unknown(name string) int {
	fmt.Fprintf(p.stderr, "wschannel: unknown command %q: wschannel help lists them\n", name)
	return exitUsage
}

// misused complains about the arguments of a command.
func (p *program) misused(command, why string) int {
	fmt.Fprintf(p.stderr, "wschannel %s: %s: wschannel help %s explains it\n", command, why, command)
	return exitUsage
}

// parse takes the flags of a command, which is named like their set, and then
// exactly the arguments that are wanted. If it returns false, there is nothing
// more to do than to exit with the status.
func (p *program) parse(flags *flag.FlagSet, args []string, wanted ...string) (exit int, ok bool) {
	flags.SetOutput(io.Discard)
	err := flags.Parse(args)
	switch n := flags.NArg(); {
	case errors.Is(err, flag.ErrHelp):
		return p.help([]string{flags.Name()}), false
	case err != nil:
		return p.misused(flags.Name(), err.Error()), false
	case n < len(wanted):
		return p.misused(flags.Name(), wanted[n]+" is missing"), false
	case n > len(wanted):
		return p.misused(flags.Name(), fmt.Sprintf("unexpected argument %q", flags.Arg(len(wanted)))), false
	}
	return exitOK, true
}
