package main

import (
	"flag"
	"fmt"
	"io"
	"strings"
)

// helpCommand is a function since it talks about all commands, itself among
// them.
func helpCommand() command {
	return command{
		name:    "help",
		summary: "explain a command",
		operand: "[COMMAND]",
		about: `Help explains a command, with examples. Without one it lists them.
`,
		prepare: func(p *program, _ *flag.FlagSet) func(string) int { return p.explain },
	}
}

// explain implements the command help.
func (p *program) explain(name string) int {
	if name == "" {
		io.WriteString(p.stdout, overview())
		return exitOK
	}
	c, ok := find(name)
	if !ok {
		return p.unknown(name)
	}
	io.WriteString(p.stdout, c.help())
	return exitOK
}

func overview() string {
	var b strings.Builder
	b.WriteString(`Wschannel talks over WebSocket channels (RFC 6455).

usage: wschannel COMMAND [ARGUMENTS]

The commands are:

`)
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-11s %s\n", c.name, c.summary)
	}
	b.WriteString(`
"wschannel help COMMAND" tells more about one, with examples.
"wschannel demo" is the place to begin.
`)
	return b.String()
}

// help returns what there is to know about a command.
func (c command) help() string {
	var b strings.Builder
	fmt.Fprintf(&b, "usage: %s\n\n%s", c.usage(), c.about)
	title := "\nThe flags are:\n\n"
	c.flags().VisitAll(func(f *flag.Flag) {
		b.WriteString(title)
		title = ""
		value, usage := flag.UnquoteUsage(f)
		fmt.Fprintf(&b, "  %s\n", strings.TrimSpace("-"+f.Name+" "+value))
		for line := range strings.Lines(usage) {
			b.WriteString("        " + line)
		}
		b.WriteString("\n")
	})
	b.WriteString(c.more)
	return b.String()
}
