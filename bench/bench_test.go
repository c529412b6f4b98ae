//go:build linux

package main

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFigureOf(t *testing.T) {
	if got, want := figureOf([]float64{3, 1, 2}), (figure{2, 1, 3}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestSelected(t *testing.T) {
	names := func(words string) string {
		var all []string
		for _, s := range selected(allServers(), words, func(s contestant) string { return s.name }) {
			all = append(all, s.name)
		}
		return strings.Join(all, ", ")
	}
	for words, want := range map[string]string{
		"nbio":        "nbio non-blocking, nbio blocking",
		"gws,gorilla": "gorilla, gws",
		"nothing":     "",
	} {
		if got := names(words); got != want {
			t.Errorf("%q selects %q, want %q", words, got, want)
		}
	}
}

// The payloads have the sizes that the names of their cells promise.
func TestPayloads(t *testing.T) {
	for _, c := range allCells() {
		want, ok := map[string]int{"1 KiB": 1 << 10, "deflate": 1 << 10, "text": 4095, "16 KiB": 16 << 10}[c.name]
		if ok && len(c.load.Payload) != want {
			t.Errorf("%s: %d bytes, want %d", c.name, len(c.load.Payload), want)
		}
	}
}

// The reasons are for what exists: a heading with a slip would never be quoted.
func TestReasons(t *testing.T) {
	text, err := os.ReadFile(reasonsFile)
	if err != nil {
		t.Fatal(err)
	}
	var known []string
	for _, c := range allCells() {
		for _, e := range c.of() {
			known = append(known, verdict{cell: c.name, who: e.name}.names()...)
		}
	}
	for name, reason := range parseReasons(string(text)) {
		if !slices.Contains(known, name) {
			t.Errorf("reasons for %q: there is no such cell or contestant", name)
		}
		if reason == "" {
			t.Errorf("%q: no reason", name)
		}
	}
}

// faked is a bench that has measured these: CPU time and allocations in each round.
func faked(cells string, cpu map[key][]time.Duration, mallocs float64) *bench {
	b := &bench{rounds: 3, samples: map[key][]sample{}, unavailable: map[string]string{}}
	b.cells = selected(allCells(), cells, func(c cell) string { return c.name })
	for k, rounds := range cpu {
		for i, d := range rounds {
			b.samples[k] = append(b.samples[k], sample{round: i, cpu: d, mallocs: mallocs})
		}
	}
	return b
}

func TestVerdicts(t *testing.T) {
	for _, test := range []struct {
		name    string
		cpu     map[key][]time.Duration
		mallocs float64
		want    string
	}{
		{"ahead of the best peer, which is not the first one", map[key][]time.Duration{
			{small, oursReceive}: {90, 90, 90}, {small, "gorilla"}: {200, 200, 200}, {small, "gws"}: {100, 100, 100},
		}, 1, "0.90 (0.90–0.90) × gws met, 1.00 (1.00–1.00) met"},
		{"behind it, but for the spread", map[key][]time.Duration{
			{small, oursReceive}: {110, 99, 120}, {small, "gws"}: {100, 100, 100},
		}, 1, "1.10 (0.99–1.20) × gws met, 1.00 (1.00–1.00) met"},
		{"behind it in every round", map[key][]time.Duration{
			{small, oursReceive}: {110, 101, 120}, {small, "gws"}: {100, 100, 100},
		}, 1, "1.10 (1.01–1.20) × gws MISSED, 1.00 (1.00–1.00) met"},
		{"rounds are paired", map[key][]time.Duration{
			{small, oursReceive}: {1000, 100, 10}, {small, rawTCP}: {1000, 100, 10},
		}, 1, "1.00 (1.00–1.00) met, 1.00 (1.00–1.00) met"},
		{"above the limit, and one allocation too many", map[key][]time.Duration{
			{small, oursReceive}: {120, 120, 120}, {small, rawTCP}: {100, 100, 100},
		}, 2, "1.20 (1.20–1.20) MISSED, 2.00 (2.00–2.00) MISSED"},
		{"no other library was measured", map[key][]time.Duration{{small, oursReceive}: {1, 1, 1}}, 0, "0.00 (0.00–0.00) met"},
		{"text and the same as binary", map[key][]time.Duration{
			{text, oursView}: {120, 130, 140}, {textAsBinary, oursView}: {100, 100, 100},
		}, 0, "1.30 (1.20–1.40) MISSED, 0.00 (0.00–0.00) met, 0.00 (0.00–0.00) met"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, v := range faked("small,text", test.cpu, test.mallocs).verdicts() {
				got = append(got, v.measured+" "+v.word())
			}
			if got := strings.Join(got, ", "); got != test.want {
				t.Errorf(" got %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestVerdictsOfIdle(t *testing.T) {
	b := faked(idle, nil, 0)
	for who, perConnection := range map[string]int{oursReceive: 5 << 10, oursView: 2 << 10} {
		b.samples[key{idle, who}] = []sample{{resident: []resident{{1000, 10 << 20}, {2000, 99 << 20}, {3000, 10<<20 + 2000*perConnection}}}}
	}
	var got []string
	for _, v := range b.verdicts() {
		got = append(got, v.who+" "+v.measured+" "+v.word())
	}
	if want := []string{oursReceive + " 5.00 (5.00–5.00) met", oursView + " 2.00 (2.00–2.00) MISSED"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What is missed is written with the reason, once for cells that share it.
func TestWriteTargets(t *testing.T) {
	var out strings.Builder
	reasons := parseReasons("# Reasons\n\nIntroduction.\n\n## small, ours in text\n\nIt is slow.\n\n## theirs\n\nIt is old.\n\n## idle\n\nIt is large.\n")
	writeTargets(&out, []verdict{
		{small, "ours", "fast", "2.00", false}, {text, "ours", "fast", "2.00", false},
		{broadcast, "ours", "fast", "2.00", false}, {small, "theirs", "fast", "2.00", false}, {idle, "ours", "small", "2.00", true},
	}, reasons)
	for _, want := range []string{
		"1 of 5 are met",
		"| small | ours | fast | 2.00 | MISSED |\n| text | ours | fast | 2.00 | MISSED |\n| broadcast |",
		"\n**ours in small, ours in text.** It is slow.\n\n**ours in broadcast.** No reason is known yet.\n\n**theirs in small.** It is old.\n",
		"| idle | ours | small | 2.00 | met |",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "It is large") {
		t.Error("the reason of what was met is there")
	}
}
