//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
)

// A verdict is what became of a target in one cell.
type verdict struct {
	cell, who string
	target    string
	measured  string
	met       bool
}

func (v verdict) word() string {
	if v.met {
		return "met"
	}
	return "MISSED"
}

// names are what a reason can be for: the closest first.
func (v verdict) names() []string { return []string{v.who + " in " + v.cell, v.who, v.cell} }

// stray is how many allocations for each message do not count: the runtime itself
// allocates now and then.
const stray = 0.1

// verdicts holds what was measured against the targets. A target is left out if what
// it needs was not measured.
func (b *bench) verdicts() []verdict {
	var all []verdict
	for _, c := range b.cells {
		all = append(all, b.ofCell(c)...)
	}
	return all
}

func (b *bench) ofCell(c cell) (all []verdict) {
	// most judges a figure that must not be above a limit.
	most := func(who, target string, f figure, limit float64, known bool) {
		if known {
			all = append(all, verdict{c.name, who, target, fmt.Sprintf("%.2f (%.2f–%.2f)", f.median, f.low, f.high), f.median <= limit})
		}
	}
	ratio := func(who, base, of string, limit float64) {
		mine, other := key{c.name, who}, key{c.name, base}
		target := fmt.Sprintf("at most %.2f × the CPU of %s", limit, of)
		most(who, target, b.ratios(mine, other), limit, b.has(mine) && b.has(other))
	}
	if c.idle {
		memory := func(who string, limit float64) {
			k := key{c.name, who}
			target := fmt.Sprintf("at most %.0f KiB per connection", limit)
			most(who, target, b.figure(k, func(one sample) float64 { return slope(one.resident) / 1024 }), limit, b.has(k))
		}
		memory(oursReceive, 6)
		memory(oursView, 1)
		return all
	}
	for _, e := range b.of(c) {
		if e.ours && e.from == "" && e.name != oursView && e.name != oursWasm {
			all = append(all, b.besidePeers(c, e)...)
		}
	}
	if slices.Contains([]string{pingPong, small}, c.name) {
		ratio(oursReceive, rawTCP, "raw TCP", 1.15)
		ratio(oursAppend, rawTCP, "raw TCP", 1.15)
	}
	if c.name == pipelined {
		ratio(oursReceive, rawTCP, "raw TCP", 2)
		ratio(oursAppend, rawTCP, "raw TCP", 2)
	}
	if slices.Contains([]string{small, oneKiB}, c.name) {
		ratio(oursView, rawTCP, "raw TCP", 0.8)
	}
	if slices.Contains([]string{small, pipelined, oneKiB, sixteenKiB, text}, c.name) {
		ratio(oursView, uws, uws, 1.25)
	}
	if c.name == text {
		for _, who := range []string{oursReceive, oursAppend, oursView} {
			mine, plain := key{c.name, who}, key{textAsBinary, who}
			most(who, "at most 1.15 × its CPU for the same as binary", b.ratios(mine, plain), 1.15, b.has(mine) && b.has(plain))
		}
	}
	allocations := func(who string, limit int) {
		k := key{c.name, who}
		target := fmt.Sprintf("%d allocations per message", limit)
		f := b.figure(k, func(one sample) float64 { return one.mallocs })
		most(who, target, f, float64(limit)+stray, b.has(k))
	}
	if c.name == broadcast {
		allocations(oursReceive, 0) // for each who receives it
	} else {
		allocations(oursReceive, 1)
	}
	allocations(oursAppend, 0)
	allocations(oursView, 0)
	return all
}

func (b *bench) has(k key) bool { return len(b.samples[k]) > 0 }

// besidePeers compares ours with the best other library in Go: it must not take more
// CPU by more than the spread, which is so if it does not in every round.
func (b *bench) besidePeers(c cell, e contestant) []verdict {
	mine := key{c.name, e.name}
	best, least := contestant{}, 0.0
	for _, peer := range b.of(c) {
		k := key{c.name, peer.name}
		if !peer.isPeer() || !b.has(k) {
			continue
		}
		if f := b.ratios(k, mine); best.name == "" || f.median < least {
			best, least = peer, f.median
		}
	}
	if best.name == "" || !b.has(mine) {
		return nil
	}
	f := b.ratios(mine, key{c.name, best.name})
	return []verdict{{c.name, e.name, "no more CPU than the best other library in Go, but for the spread",
		fmt.Sprintf("%.2f (%.2f–%.2f) × %s", f.median, f.low, f.high, best.name), f.low <= 1}}
}

// reasonsFile has the reasons for what is missed, in words: they are not erased when
// all is measured again.
const reasonsFile = "reasons.md"

// parseReasons returns the text below each heading, which names verdicts by
// [verdict.names], separated by commas.
func parseReasons(text string) map[string]string {
	reasons := map[string]string{}
	for _, section := range strings.Split("\n"+text, "\n## ")[1:] {
		heading, body, _ := strings.Cut(section, "\n")
		for name := range strings.SplitSeq(heading, ",") {
			reasons[strings.TrimSpace(name)] = strings.TrimSpace(body)
		}
	}
	return reasons
}

// writeTargets writes what became of the targets, what was missed first, with the
// reasons.
func writeTargets(out *strings.Builder, verdicts []verdict, reasons map[string]string) {
	if len(verdicts) == 0 {
		return
	}
	missed := slices.DeleteFunc(slices.Clone(verdicts), func(v verdict) bool { return v.met })
	met := slices.DeleteFunc(slices.Clone(verdicts), func(v verdict) bool { return !v.met })
	fmt.Fprintf(out, "\n## Targets\n\n%d of %d are met. Medians, with lowest and highest.\n", len(met), len(verdicts))
	table := func(verdicts []verdict) {
		fmt.Fprintf(out, "\n| cell | who | target | measured | |\n| --- | --- | --- | ---: | --- |\n")
		for _, v := range verdicts {
			fmt.Fprintf(out, "| %s | %s | %s | %s | %s |\n", v.cell, v.who, v.target, v.measured, v.word())
		}
	}
	if len(missed) > 0 {
		fmt.Fprintf(out, "\n### Missed\n")
		table(missed)
		fmt.Fprintf(out, "\n### Why\n")
		var order []string
		where := map[string][]string{}
		for _, v := range missed {
			reason := "No reason is known yet."
			for _, name := range v.names() {
				if known := reasons[name]; known != "" {
					reason = known
					break
				}
			}
			if !slices.Contains(order, reason) {
				order = append(order, reason)
			}
			if name := v.names()[0]; !slices.Contains(where[reason], name) {
				where[reason] = append(where[reason], name)
			}
		}
		for _, reason := range order {
			fmt.Fprintf(out, "\n**%s.** %s\n", strings.Join(where[reason], ", "), reason)
		}
	}
	if len(met) > 0 {
		fmt.Fprintf(out, "\n### Met\n")
		table(met)
	}
}
