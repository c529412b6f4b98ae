//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// write writes RESULTS.md and a picture for each cell into dir.
func (b *bench) write(dir string) error {
	var out strings.Builder
	fmt.Fprintf(&out, "# Results\n\nMeasured on %s by `make bench`. [README.md](README.md) says how to read it.\n\n", time.Now().Format(time.DateOnly))
	for _, fact := range facts() {
		fmt.Fprintf(&out, "- %s\n", fact)
	}
	for dir, why := range b.unavailable {
		fmt.Fprintf(&out, "- left out: %s: %s\n", dir, why)
	}
	if err := os.MkdirAll(filepath.Join(dir, "plots"), 0o755); err != nil {
		return err
	}
	reasons, err := os.ReadFile(filepath.Join(dir, reasonsFile))
	if err != nil {
		return err
	}
	writeTargets(&out, b.verdicts(), parseReasons(string(reasons)))
	for _, c := range b.cells {
		head, rows := b.table(c)
		if len(rows) == 0 {
			continue
		}
		picture := filepath.Join("plots", strings.NewReplacer(" ", "-", "/", "-").Replace(strings.ToLower(c.name))+".svg")
		if err := os.WriteFile(filepath.Join(dir, picture), []byte(b.plot(c)), 0o644); err != nil {
			return err
		}
		fmt.Fprintf(&out, "\n## %s\n\n%s.\n\n![%s](%s)\n\n", c.name, strings.ToUpper(c.about[:1])+c.about[1:], c.name, picture)
		fmt.Fprintf(&out, "| %s |\n|%s\n", strings.Join(head, " | "), " --- |"+strings.Repeat(" ---: |", len(head)-1))
		for _, row := range rows {
			fmt.Fprintf(&out, "| %s |\n", strings.Join(row, " | "))
		}
		if c.idle {
			fmt.Fprintf(&out, "\n%s\n", idleNote)
		}
	}
	return os.WriteFile(filepath.Join(dir, "RESULTS.md"), []byte(out.String()), 0o644)
}

// idleNote says what the table of idle connections does not.
const idleNote = `Each figure is the resident memory of the server's process, after it was asked three times to
collect garbage and to give back to the system what it does not need: every server in Go with
debug.FreeOSMemory, that under Node.js with its garbage collector. The connections are held by another
process. What the kernel keeps for a connection, some 4 KiB, comes to it.`

// facts are what a reader has to know about the machine.
func facts() []string {
	var u unix.Utsname
	unix.Uname(&u)
	kernel, _, _ := strings.Cut(unix.ByteSliceToString(u.Release[:]), "-")
	facts := []string{
		fmt.Sprintf("%s/%s, %d processors, Linux %s, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), kernel, runtime.Version()),
	}
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, ok := strings.Cut(string(info), "model name"); ok {
			model, _, _ := strings.Cut(rest, "\n")
			facts = append(facts, "processor: "+strings.Trim(model, " \t:"))
		}
	}
	return facts
}

// plot draws a bar for each server, with the spread as a line.
func (b *bench) plot(c cell) string {
	type bar struct {
		name  string
		value figure
		ours  bool
	}
	var bars []bar
	unit, highest := "× CPU of "+b.base(c), 0.0
	for _, e := range b.of(c) {
		k := key{c.name, e.name}
		if len(b.samples[k]) == 0 {
			continue
		}
		v := b.ratios(k, key{c.name, b.base(c)})
		if c.idle {
			unit, v = "KiB per idle connection", b.figure(k, func(one sample) float64 { return slope(one.resident) / 1024 })
		}
		highest = max(highest, v.high)
		bars = append(bars, bar{e.name, v, e.ours})
	}
	const left, width, row = 190, 420, 24
	scale := width / max(highest, 0.01)
	var out strings.Builder
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="system-ui, sans-serif" font-size="13">`+"\n", left+width+70, row*len(bars)+40)
	fmt.Fprintf(&out, `<style>text{fill:#333}.o{fill:#2a7de1}.p{fill:#9db4c8}.s{stroke:#333}@media(prefers-color-scheme:dark){text{fill:#ddd}.s{stroke:#ddd}.p{fill:#5b7083}}</style>`+"\n")
	fmt.Fprintf(&out, `<text x="%d" y="16">%s; shorter is better</text>`+"\n", left, unit)
	for i, bar := range bars {
		y := 28 + i*row
		class := "p"
		if bar.ours {
			class = "o"
		}
		fmt.Fprintf(&out, `<text x="%d" y="%d" text-anchor="end">%s</text>`, left-8, y+14, bar.name)
		fmt.Fprintf(&out, `<rect class="%s" x="%d" y="%d" width="%.1f" height="18" rx="2"/>`, class, left, y, max(bar.value.median*scale, 0))
		fmt.Fprintf(&out, `<line class="s" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>`, left+bar.value.low*scale, left+bar.value.high*scale, y+9, y+9)
		fmt.Fprintf(&out, `<text x="%.1f" y="%d">%.2f</text>`+"\n", left+bar.value.high*scale+6, y+14, bar.value.median)
	}
	out.WriteString("</svg>\n")
	return out.String()
}
