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

// ratio returns the figure of a server's CPU time to that of the first one,
// round by round.
func (b *bench) ratio(c cell, s server) (figure, bool) {
	mine, base := b.samples[key{c.name, s.name}], b.samples[key{c.name, b.base(c)}]
	n := min(len(mine), len(base))
	if n == 0 {
		return figure{}, false
	}
	var ratios []float64
	for i := range n {
		ratios = append(ratios, float64(mine[i].cpu)/float64(base[i].cpu))
	}
	return figureOf(ratios), true
}

// base names the server that the others are compared with: raw TCP, or where
// that cannot do it the first that can.
func (b *bench) base(c cell) string {
	for _, s := range b.servers {
		if len(b.samples[key{c.name, s.name}]) > 0 {
			return s.name
		}
	}
	return ""
}

func (b *bench) median(c cell, s server, f func(sample) float64) float64 {
	var values []float64
	for _, one := range b.samples[key{c.name, s.name}] {
		values = append(values, f(one))
	}
	return figureOf(values).median
}

// table returns the rows of a cell.
func (b *bench) table(c cell) (head []string, rows [][]string) {
	if c.idle {
		head = []string{"server", "KiB per idle connection"}
	} else {
		head = []string{"server", "CPU ratio", "spread", "CPU per message", "messages/s", "p50", "p99", "writes", "allocations"}
	}
	for _, s := range b.servers {
		if len(b.samples[key{c.name, s.name}]) == 0 {
			continue
		}
		if c.idle {
			rows = append(rows, []string{s.name, fmt.Sprintf("%.2f", b.median(c, s, func(one sample) float64 { return one.memory })/1024)})
			continue
		}
		ratio, _ := b.ratio(c, s)
		micro := func(d float64) string { return fmt.Sprintf("%.2f µs", d/float64(time.Microsecond)) }
		writes, allocations := fmt.Sprintf("%.2f", b.median(c, s, func(one sample) float64 { return one.writes })), fmt.Sprintf("%.2f", b.median(c, s, func(one sample) float64 { return one.mallocs }))
		if s.dir == "uws" {
			writes, allocations = "–", "–"
		}
		rows = append(rows, []string{
			s.name,
			fmt.Sprintf("%.2f", ratio.median),
			fmt.Sprintf("%.2f–%.2f", ratio.low, ratio.high),
			micro(b.median(c, s, func(one sample) float64 { return float64(one.cpu) })),
			fmt.Sprintf("%.0f", b.median(c, s, func(one sample) float64 { return one.rate })),
			micro(b.median(c, s, func(one sample) float64 { return float64(one.p50) })),
			micro(b.median(c, s, func(one sample) float64 { return float64(one.p99) })),
			writes, allocations,
		})
	}
	return head, rows
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
	for dir, why := range b.unavailable {
		fmt.Fprintf(w, "\nleft out: %s: %s\n", dir, why)
	}
}
