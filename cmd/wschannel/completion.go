package main

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

// completionCommand is a function since its scripts are about all commands.
func completionCommand() command {
	return command{
		name:    "completion",
		summary: "print a script that lets a shell complete command lines",
		operand: "SHELL",
		about: `Completion prints a script for a SHELL: bash, zsh or fish. When the shell has
read it, the Tab key completes the commands and flags of wschannel.

For bash, in ~/.bashrc:

  source <(wschannel completion bash)

For zsh, in ~/.zshrc, after compinit:

  source <(wschannel completion zsh)

For fish, once:

  wschannel completion fish >~/.config/fish/completions/wschannel.fish
`,
		prepare: func(p *program, _ *flag.FlagSet) func(string) int {
			return func(shell string) int {
				write, ok := completions()[shell]
				if !ok {
					return p.misused("completion", fmt.Sprintf("unknown shell %q: expected bash, zsh or fish", shell))
				}
				io.WriteString(p.stdout, write())
				return exitOK
			}
		},
	}
}

var shells = []string{"bash", "zsh", "fish"}

func completions() map[string]func() string {
	return map[string]func() string{"bash": completeBash, "zsh": completeZsh, "fish": completeFish}
}

// A completedFlag is what a shell has to know of a flag.
type completedFlag struct {
	name  string
	about string // a few words
	value string // the name of its argument, "" if it has none
	file  bool   // is that a file?
	again bool   // may it be repeated?
}

func (c command) completedFlags() []completedFlag {
	var list []completedFlag
	c.flags().VisitAll(func(f *flag.Flag) {
		value, usage := flag.UnquoteUsage(f)
		if i := strings.IndexAny(usage, ".,;:(\n"); i >= 0 {
			usage = usage[:i]
		}
		_, again := f.Value.(interface{ repeats() })
		list = append(list, completedFlag{
			name:  f.Name,
			about: strings.ReplaceAll(usage, "'", ""),
			value: value,
			file:  value == "FILE",
			again: again,
		})
	})
	return list
}

// operands returns what can stand for the operand of a command.
func (c command) operands() []string {
	switch c.name {
	case "help":
		var names []string
		for _, c := range commands() {
			names = append(names, c.name)
		}
		return names
	case "completion":
		return shells
	case "connect":
		return []string{"ws://", "wss://"}
	}
	return nil
}

func completeBash() string {
	var names []string
	var cases strings.Builder
	for _, c := range commands() {
		names = append(names, c.name)
		var words, files, values []string
		for _, f := range c.completedFlags() {
			words = append(words, "-"+f.name)
			switch {
			case f.file:
				files = append(files, "-"+f.name)
			case f.value != "":
				values = append(values, "-"+f.name)
			}
		}
		fmt.Fprintf(&cases, "\t%s)\n", c.name)
		fmt.Fprintf(&cases, "\t\tflags='%s' files='%s' values='%s' operands='%s'\n\t\t;;\n",
			strings.Join(words, " "), strings.Join(files, " "), strings.Join(values, " "), strings.Join(c.operands(), " "))
	}
	return fmt.Sprintf(`# Completes the command lines of wschannel in bash.
_wschannel() {
	local flags='' files='' values='' operands=''
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		COMPREPLY=($(compgen -W '%s -help -version' -- "$current"))
		return
	fi
	case ${COMP_WORDS[1]} in
%s	*)
		return
		;;
	esac
	if [[ " $files " == *" $previous "* ]]; then
		compopt -o filenames 2>/dev/null
		local IFS=$'\n'
		COMPREPLY=($(compgen -f -- "$current"))
	elif [[ " $values " == *" $previous "* ]]; then
		return
	elif [[ $current == -* ]]; then
		COMPREPLY=($(compgen -W "$flags -help" -- "$current"))
	else
		if [[ $operands == *:* ]]; then
			compopt -o nospace 2>/dev/null
		fi
		COMPREPLY=($(compgen -W "$operands" -- "$current"))
	fi
}
complete -F _wschannel wschannel
`, strings.Join(names, " "), cases.String())
}

func completeZsh() string {
	var names, cases strings.Builder
	escape := strings.NewReplacer("[", `\[`, "]", `\]`, ":", `\:`).Replace
	for _, c := range commands() {
		fmt.Fprintf(&names, "\t\t'%s:%s'\n", c.name, escape(c.summary))
		fmt.Fprintf(&cases, "\t%s)\n\t\t_arguments \\\n", c.name)
		for _, f := range c.completedFlags() {
			spec := fmt.Sprintf("-%s[%s]", f.name, escape(f.about))
			if f.again {
				spec = "*" + spec
			}
			switch {
			case f.file:
				spec += ":" + f.value + ":_files"
			case f.value != "":
				spec += ":" + escape(f.value) + ": "
			}
			fmt.Fprintf(&cases, "\t\t\t'%s' \\\n", spec)
		}
		words := slices.Clone(c.operands())
		for i := range words {
			words[i] = escape(words[i])
		}
		fmt.Fprintf(&cases, "\t\t\t'-help[explain the command]' \\\n\t\t\t'1:%s:(%s)'\n\t\t;;\n",
			strings.ToLower(strings.Trim(c.operand, "[]")), strings.Join(words, " "))
	}
	return fmt.Sprintf(`#compdef wschannel
# Completes the command lines of wschannel in zsh.
_wschannel() {
	local -a commands=(
%s	)
	if ((CURRENT == 2)); then
		_describe command commands
		return
	fi
	local command=${words[2]}
	shift words
	((CURRENT--))
	case $command in
%s	esac
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
	_wschannel "$@"
else
	compdef _wschannel wschannel
fi
`, names.String(), cases.String())
}

func completeFish() string {
	var b strings.Builder
	b.WriteString("# Completes the command lines of wschannel in fish.\ncomplete -c wschannel -f\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "complete -c wschannel -n __fish_use_subcommand -a %s -d '%s'\n", c.name, c.summary)
		seen := fmt.Sprintf("-n '__fish_seen_subcommand_from %s'", c.name)
		for _, f := range c.completedFlags() {
			line := fmt.Sprintf("complete -c wschannel %s -o %s -d '%s'", seen, f.name, f.about)
			switch {
			case f.file:
				line += " -r -F"
			case f.value != "":
				line += " -x"
			}
			b.WriteString(line + "\n")
		}
		if words := c.operands(); words != nil {
			fmt.Fprintf(&b, "complete -c wschannel %s -a '%s'\n", seen, strings.Join(words, " "))
		}
	}
	return b.String()
}
