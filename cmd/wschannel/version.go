package main

import (
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

var versionCommand = command{
	name:    "version",
	summary: "print the version",
	about: `Version prints one line: the version of the program, the commit that it was
built from if that is known, and the Go release and platform that it was built
for.
`,
	more: `
Example:

  wschannel version
`,
	prepare: func(p *program, _ *flag.FlagSet) func(string) int {
		return func(string) int {
			info, ok := debug.ReadBuildInfo()
			if !ok {
				info = &debug.BuildInfo{}
			}
			fmt.Fprintln(p.stdout, version(info))
			return exitOK
		}
	},
}

// version returns what is known of a build, in one line.
func version(info *debug.BuildInfo) string {
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	name := info.Main.Version
	if name == "" {
		name = "(unknown version)"
	}
	words := []string{"wschannel", name}
	if commit := settings["vcs.revision"]; commit != "" {
		words = append(words, "commit", commit[:min(12, len(commit))])
		if day, _, ok := strings.Cut(settings["vcs.time"], "T"); ok {
			words = append(words, "of", day)
		}
		if settings["vcs.modified"] == "true" {
			words = append(words, "with changes")
		}
	}
	words = append(words, runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH)
	return strings.Join(words, " ")
}
