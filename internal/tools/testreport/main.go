// Testreport reads what `go test -json` prints and shows it as `go test` would:
// one closing line per package and the output of what failed. Skipped tests,
// which `go test` passes over in silence, are appended to a file.
//
//	go test -json ./... | testreport -skipped FILE
//
// It reports; whether the tests passed is for go test's exit code to say.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	path := flag.String("skipped", "", "`file` to which one line for each skipped test is appended")
	flag.Parse()
	if err := run(*path); err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(1)
	}
}

func run(path string) error {
	skipped := io.Discard
	if path != "" {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
		if err != nil {
			return err
		}
		defer f.Close()
		skipped = f
	}
	return report(os.Stdin, os.Stdout, skipped)
}

// event is one line of `go doc test2json`.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

// line is one piece of output and the test it belongs to.
type line struct {
	test, text string
}

// results is what is known of a package that is still running.
type results struct {
	lines []line
	ended map[string]string // the tests that have ended: pass, fail or skip
}

func report(in io.Reader, out, skipped io.Writer) error {
	running := map[string]*results{}
	r := bufio.NewReader(in)
	for {
		text, err := r.ReadString('\n')
		if text != "" {
			if err := handle(text, running, out, skipped); err != nil {
				return err
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	for _, p := range running { // go test was stopped
		p.print(out, true)
	}
	return nil
}

func handle(text string, running map[string]*results, out, skipped io.Writer) error {
	var e event
	if json.Unmarshal([]byte(text), &e) != nil || e.Package == "" {
		if e.Action == "build-output" {
			text = e.Output
		} else if e.Action != "" {
			return nil
		}
		_, err := io.WriteString(out, text) // what the compiler or the go command says
		return err
	}
	p := running[e.Package]
	if p == nil {
		p = &results{ended: map[string]string{}}
		running[e.Package] = p
	}
	switch e.Action {
	case "output":
		p.lines = append(p.lines, line{e.Test, e.Output})
	case "pass", "fail", "skip":
		if e.Test == "" {
			delete(running, e.Package)
			return p.print(out, e.Action == "fail")
		}
		p.ended[e.Test] = e.Action
		if e.Action == "skip" {
			_, err := fmt.Fprintf(skipped, "%s %s: %s\n", e.Package, e.Test, p.reason(e.Test))
			return err
		}
	}
	return nil
}

// reason returns what a test said when it skipped.
func (p *results) reason(test string) string {
	var said []string
	for _, l := range p.lines {
		if s := strings.TrimSpace(l.text); l.test == test && !progress(s) && !strings.HasPrefix(s, "--- ") {
			said = append(said, s)
		}
	}
	if len(said) == 0 {
		return "no reason given"
	}
	return strings.Join(said, " ")
}

// print writes the closing line of a package and, before it, everything that
// belongs to tests that failed or did not end.
func (p *results) print(out io.Writer, failed bool) error {
	var b strings.Builder
	for _, l := range p.lines {
		switch ended := p.ended[l.test]; {
		case progress(l.text), l.test == "" && l.text == "PASS\n":
		case l.test == "", failed && (ended == "fail" || ended == ""):
			b.WriteString(l.text)
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// progress says whether a line of output only tells what is running.
func progress(s string) bool {
	for _, word := range []string{"RUN", "PAUSE", "CONT", "NAME"} {
		if strings.HasPrefix(s, "=== "+word) {
			return true
		}
	}
	return false
}
