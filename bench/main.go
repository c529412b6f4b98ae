//go:build linux

// Command bench measures echo servers on WebSocket libraries side by side, in
// interleaved rounds against one load generator, and writes what it finds to
// RESULTS.md. Every figure is the median of paired ratios or of rounds; see
// README.md.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	if len(os.Args) > 1 {
		side := map[string]func() error{"load": loadMain, "respond": respondMain}[os.Args[1]]
		if side != nil {
			if err := side(); err != nil {
				log.Fatal(err)
			}
			return
		}
	}
	var (
		rounds  = flag.Int("rounds", 7, "rounds of each cell")
		short   = flag.Bool("short", false, "a smoke test: one round of few messages, nothing is written")
		cells   = flag.String("cells", "", "only cells whose name contains one of these, separated by commas")
		only    = flag.String("only", "", "only servers and clients whose name contains one of these, separated by commas")
		scale   = flag.Float64("scale", 1, "multiply the number of messages by this")
		before  = flag.String("before", "", "another checkout of this repository: what is ours is measured as it is there, too")
		profile = flag.String("profile", "", "a folder for CPU profiles of what is written in Go, of the last round")
		out     = flag.String("out", "", "the folder for RESULTS.md and its pictures; none are written without")
	)
	flag.Parse()
	if flag.NArg() > 0 {
		log.Fatalf("unexpected argument %q; see bench -help", flag.Arg(0))
	}
	// An interrupt ends the children: their standard input closes with us.
	signal.Ignore(unix.SIGPIPE)

	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if *profile != "" {
		if err := os.MkdirAll(*profile, 0o755); err != nil {
			log.Fatal(err)
		}
	}
	b := &bench{dir: dir, profiles: *profile, before: *before, only: *only, rounds: *rounds, scale: *scale, unavailable: map[string]string{}}
	if *short {
		b.rounds, b.scale = 1, 0.02
	}
	b.cells = selected(allCells(), *cells, func(c cell) string { return c.name })
	if len(b.contestants()) == 0 {
		log.Fatal("nothing is selected")
	}
	if err := b.build(); err != nil {
		log.Fatal(err)
	}
	b.run()
	b.print(os.Stdout)
	if *out != "" {
		if err := b.write(*out); err != nil {
			log.Fatal(err)
		}
		fmt.Println("written:", filepath.Join(*out, "RESULTS.md"))
	}
	if b.failures > 0 {
		log.Fatalf("%d runs failed", b.failures)
	}
}

// selected returns the elements whose name contains one of the words.
func selected[T any](all []T, words string, name func(T) string) []T {
	if words == "" {
		return all
	}
	var some []T
	for _, v := range all {
		for word := range strings.SplitSeq(words, ",") {
			if strings.Contains(name(v), word) {
				some = append(some, v)
				break
			}
		}
	}
	return some
}
