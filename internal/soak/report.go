//go:build linux

package main

import (
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
)

func (r *result) verdict() string {
	if len(r.wrong) > 0 {
		return "FAILED: " + strings.Join(r.wrong, "; ")
	}
	return "ok"
}

// merge makes one result of those of one attack: the highest of everything.
func (r *result) merge(next *result) {
	for end, n := range next.seen {
		r.seen[end] += n
	}
	for end, n := range next.ends {
		r.ends[end] += n
	}
	r.memory = max(r.memory, next.memory)
	r.goroutines = max(r.goroutines, next.goroutines)
	r.descriptors = max(r.descriptors, next.descriptors)
	r.left = max(r.left, next.left)
	r.median = max(r.median, next.median)
	r.p99 = max(r.p99, next.p99)
	r.wrong = append(r.wrong, next.wrong...)
}

// print prints the table of all attacks.
func (s *soak) print(w io.Writer) {
	var rows []*result
	byName := map[string]*result{}
	for _, r := range s.results {
		if row := byName[r.name]; row != nil {
			row.merge(r)
			continue
		}
		row := *r
		row.seen, row.ends = maps.Clone(r.seen), maps.Clone(r.ends)
		byName[r.name] = &row
		rows = append(rows, &row)
	}
	if len(rows) == 0 {
		return
	}
	table := [][]string{{"attack", "peers", "they see", "channels end with", "KiB each", "bound", "goroutines", "descriptors", "KiB left", "p50", "p99", "verdict"}}
	for _, r := range rows {
		verdict := "ok"
		if len(r.wrong) > 0 {
			verdict = "FAILED"
		}
		table = append(table, []string{
			r.name, fmt.Sprint(r.peers), tally(r.seen), tally(r.ends),
			fmt.Sprintf("%.0f", r.memory), fmt.Sprint(r.bound),
			fmt.Sprintf("%.1f", r.goroutines), fmt.Sprintf("%.1f", r.descriptors), fmt.Sprint(r.left >> 10),
			ratio(r.median), ratio(r.p99), verdict,
		})
	}
	fmt.Fprintln(w)
	writeTable(w, table)
	fmt.Fprintf(w, "\nKiB, goroutines and descriptors at the peak, for each hostile peer. The bound is beside %d MiB for all.\n"+
		"KiB left: bytes in use after the attack, beyond those before the first one. p50, p99: latency of healthy\n"+
		"channels, as a ratio to the time before (last %v and %v); attackers, victims and healthy share %s.\n",
		slack>>20, rounded(s.calm.Median), rounded(s.calm.P99), processors())
	for _, r := range rows {
		for _, why := range r.wrong {
			fmt.Fprintf(w, "%s: %s\n", r.name, why)
		}
	}
}

func ratio(f float64) string {
	if f == 0 {
		return "–"
	}
	return fmt.Sprintf("×%.1f", f)
}

// tally tells how often there was what.
func tally(counts map[string]int) string {
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		if len(counts) == 1 {
			return what
		}
		parts = append(parts, fmt.Sprintf("%s (%d)", what, counts[what]))
	}
	return strings.Join(parts, ", ")
}

// writeTable writes the rows as a table of Markdown.
func writeTable(w io.Writer, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	for n, row := range rows {
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-len([]rune(cell)))
			if i > 3 && n > 0 || i == 1 {
				cell, pad = pad+cell, ""
			}
			fmt.Fprintf(w, "| %s%s ", cell, pad)
		}
		fmt.Fprintln(w, "|")
		if n == 0 {
			for _, width := range widths {
				fmt.Fprintf(w, "| %s ", strings.Repeat("-", width))
			}
			fmt.Fprintln(w, "|")
		}
	}
}

func processors() string {
	if n := runtime.NumCPU(); n > 1 {
		return fmt.Sprintf("%d processors", n)
	}
	return "one processor"
}
