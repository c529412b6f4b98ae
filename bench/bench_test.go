//go:build linux

package main

import (
	"strings"
	"testing"
)

func TestFigureOf(t *testing.T) {
	if got, want := figureOf([]float64{3, 1, 2}), (figure{2, 1, 3}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestSelected(t *testing.T) {
	names := func(words string) string {
		var all []string
		for _, s := range selected(allServers(), words, func(s server) string { return s.name }) {
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
