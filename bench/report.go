//go:build linux

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// A figure is a median with its spread.
type figure struct{ median, low, high float64 }

func figureOf(values []float64) figure {
	if len(values) == 0 {
		return figure{}
	}
	v := slices.Sorted(slices.Values(values))
	return figure{v[len(v)/2], v[0], v[len(v)-1]}
}

// ratios returns what CPU time the one takes for a message, divided by what the
// other takes in the same round.
func (b *bench) ratios(mine, base key) figure {
	var ratios []float64
	for _, one := range b.samples[mine] {
		for _, other := range b.samples[base] {
			if one.round == other.round && other.cpu > 0 {
				ratios = append(ratios, float64(one.cpu)/float64(other.cpu))
			}
		}
	}
	return figureOf(ratios)
}

// base names what the others are compared with: raw TCP, or where that cannot do it
// the first that can.
func (b *bench) base(c cell) string {
	for _, e := range b.of(c) {
		if len(b.samples[key{c.name, e.name}]) > 0 {
			return e.name
		}
	}
	return ""
}

func (b *bench) figure(k key, f func(sample) float64) figure {
	var values []float64
	for _, one := range b.samples[k] {
		values = append(values, f(one))
	}
	return figureOf(values)
}

// table returns the rows of a cell.
func (b *bench) table(c cell) (head []string, rows [][]string) {
	if c.idle {
		return b.idleTable(c)
	}
	head = []string{"server", "CPU ratio", "spread", "CPU per message", "messages/s", "p50", "p99", "writes", "allocations"}
	if c.clients {
		head = []string{"client", "CPU ratio", "spread", "CPU per message", "messages/s", "writes", "allocations"}
	}
	for _, e := range b.of(c) {
		k := key{c.name, e.name}
		if len(b.samples[k]) == 0 {
			continue
		}
		ratio := b.ratios(k, key{c.name, b.base(c)})
		median := func(format string, f func(sample) float64) string {
			return fmt.Sprintf(format, b.figure(k, f).median)
		}
		micro := func(f func(sample) time.Duration) string {
			return median("%.2f µs", func(one sample) float64 { return float64(f(one)) / float64(time.Microsecond) })
		}
		row := []string{
			e.name,
			fmt.Sprintf("%.2f", ratio.median),
			fmt.Sprintf("%.2f–%.2f", ratio.low, ratio.high),
			micro(func(one sample) time.Duration { return one.cpu }),
			median("%.0f", func(one sample) float64 { return one.rate }),
		}
		if !c.clients {
			row = append(row, micro(func(one sample) time.Duration { return one.p50 }), micro(func(one sample) time.Duration { return one.p99 }))
		}
		writes, allocations := "–", "–"
		if e.goes {
			allocations = median("%.2f", func(one sample) float64 { return one.mallocs })
			if e.dir != wasmDir {
				writes = median("%.2f", func(one sample) float64 { return one.writes })
			}
		}
		rows = append(rows, append(row, writes, allocations))
	}
	return head, rows
}

// idleTable returns the memory at each number of connections, how it grows, and what
// that means for a million.
func (b *bench) idleTable(c cell) (head []string, rows [][]string) {
	head = []string{"server"}
	for _, e := range b.of(c) {
		k := key{c.name, e.name}
		if len(b.samples[k]) == 0 {
			continue
		}
		row := []string{e.name}
		steps := b.samples[k][0].resident
		for i, step := range steps {
			row = append(row, fmt.Sprintf("%.1f", b.figure(k, func(one sample) float64 { return float64(one.resident[i].bytes) }).median/(1<<20)))
			if len(rows) == 0 {
				head = append(head, fmt.Sprintf("MiB with %d", step.connections))
			}
		}
		kib := b.figure(k, func(one sample) float64 { return slope(one.resident) / 1024 })
		rows = append(rows, append(row,
			fmt.Sprintf("%.2f", kib.median),
			fmt.Sprintf("%.2f–%.2f", kib.low, kib.high),
			fmt.Sprintf("%.2f", kib.median*1e6/(1<<20)),
		))
	}
	return append(head, "KiB per connection", "spread", "GiB for a million"), rows
}

// print writes the tables for a terminal.
func (b *bench) print(w io.Writer) {
	for _, c := range b.cells {
		head, rows := b.table(c)
		if len(rows) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%s: %s\n", c.name, c.about)
		width := make([]int, len(head))
		for _, row := range append([][]string{head}, rows...) {
			for i, text := range row {
				width[i] = max(width[i], len([]rune(text)))
			}
		}
		for _, row := range append([][]string{head}, rows...) {
			for i, text := range row {
				pad := strings.Repeat(" ", width[i]-len([]rune(text)))
				if i == 0 {
					fmt.Fprint(w, text, pad)
				} else {
					fmt.Fprint(w, "  ", pad, text)
				}
			}
			fmt.Fprintln(w)
		}
	}
	if b.rounds > 1 {
		fmt.Fprintf(w, "\ntargets:\n")
		for _, v := range b.verdicts() {
			fmt.Fprintf(w, "%-7s %s, %s: %s, measured %s\n", v.word(), v.cell, v.who, v.target, v.measured)
		}
	}
	for dir, why := range b.unavailable {
		fmt.Fprintf(w, "\nleft out: %s: %s\n", dir, why)
	}
}
