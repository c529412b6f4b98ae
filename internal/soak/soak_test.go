//go:build linux

package main

import (
	"bufio"
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/wschannel/wschannel/internal/wire"
)

// Frames are headed as RFC 6455 §5.2 asks for, so that what is hostile about them
// is what is meant to be.
func TestFrames(t *testing.T) {
	for _, length := range []int{0, 125, 126, 1<<16 - 1, 1 << 16} {
		for _, masked := range []bool{false, true} {
			frame := appendFrame(nil, fin|ping, bytes.Repeat([]byte("x"), length), masked)
			h, n, err := wire.ParseHeader(frame)
			if err != nil || h.Opcode != wire.Ping || !h.Fin || h.Masked != masked || h.Length != uint64(length) || len(frame) != n+length {
				t.Errorf("%d bytes, masked %t: %+v, %v", length, masked, h, err)
			}
			first, payload, err := readFrame(bufio.NewReader(bytes.NewReader(frame)))
			if err != nil || first != fin|ping || len(payload) != length {
				t.Errorf("%d bytes, masked %t: read %x with %d bytes, %v", length, masked, first, len(payload), err)
			}
		}
	}
}

// What a bout is judged by: each figure that is one too many has consequences.
func TestJudge(t *testing.T) {
	const peers = 100
	a := &attack{name: "test", memory: 10, peerSees: []string{"1009"}, ends: []string{"1009", "1006 lost"}}
	before := Stats{Live: 1 << 20, Resident: 20 << 20, Goroutines: 10, Descriptors: 8}
	peakMost := Stats{
		PeakResident:    before.Resident + slack + peers*10<<10,
		PeakGoroutines:  before.Goroutines + peers*goroutinesEach + 64,
		PeakDescriptors: before.Descriptors + peers*descriptorsEach + 16,
	}
	afterMost := Stats{
		Live:        before.Live + leftOver + peers*leftOverEach,
		Goroutines:  before.Goroutines + leftOverRoutines,
		Descriptors: before.Descriptors,
		Ends:        map[string]int{"1009": 60, "1006 lost": 40},
	}
	for _, tt := range []struct {
		name   string
		change func(r *result, peak, after *Stats, b *bout)
		want   string // in what is wrong, "" for nothing
	}{
		{"as bad as is allowed", func(*result, *Stats, *Stats, *bout) {}, ""},
		{"memory", func(_ *result, peak, _ *Stats, _ *bout) { peak.PeakResident++ }, "of memory at the peak"},
		{"memory of a client", func(_ *result, peak, _ *Stats, b *bout) {
			b.onClients = true
			peak.PeakResident += peers * clientMore << 10
		}, ""},
		{"goroutines", func(_ *result, peak, _ *Stats, _ *bout) { peak.PeakGoroutines++ }, "goroutines at the peak"},
		{"goroutines, of which more are allowed", func(_ *result, peak, _ *Stats, b *bout) {
			peak.PeakGoroutines += peers
			b.attack = &attack{name: "test", memory: 10, goroutines: goroutinesEach + 1, peerSees: []string{"1009"}}
		}, ""},
		{"descriptors", func(_ *result, peak, _ *Stats, _ *bout) { peak.PeakDescriptors++ }, "descriptors at the peak"},
		{"goroutines left", func(_ *result, _, after *Stats, _ *bout) { after.Goroutines++ }, "goroutines after it"},
		{"descriptors left", func(_ *result, _, after *Stats, _ *bout) { after.Descriptors++ }, "descriptors after it"},
		{"memory left", func(_ *result, _, after *Stats, _ *bout) { after.Live++ }, "in use after it"},
		{"another end for peers", func(r *result, _, _ *Stats, _ *bout) { r.seen = map[string]int{"1009": 99, "open": 1} }, `for 1 peers it ended with "open"`},
		{"an end that none has seen", func(_ *result, _, _ *Stats, b *bout) {
			b.attack = &attack{name: "test", memory: 10, peerSees: []string{"1009"}, atLeast: "503"}
		}, `for no peer with "503"`},
		{"no end for peers", func(r *result, _, _ *Stats, _ *bout) { r.seen = map[string]int{"1009": 99} }, "for 99 peers of 100"},
		{"another end for channels", func(_ *result, _, after *Stats, _ *bout) { after.Ends["1000"] = 1 }, `1 channels ended with "1000"`},
		{"any end for channels", func(_ *result, _, after *Stats, b *bout) {
			after.Ends["1000"] = 1
			b.attack = &attack{name: "test", memory: 10, peerSees: []string{"1009"}}
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := &bout{attack: a, peers: peers}
			r := &result{seen: map[string]int{"1009": peers}}
			peak, after := peakMost, afterMost
			after.Ends = maps.Clone(after.Ends)
			tt.change(r, &peak, &after, b)
			b.judge(r, before, before, peak, after)
			if wrong := strings.Join(r.wrong, "; "); tt.want == "" && wrong != "" || !strings.Contains(wrong, tt.want) {
				t.Errorf("%q, want %q", wrong, tt.want)
			}
		})
	}
}

// A healthy channel that has failed is a consequence, too; how fast it was is none.
func TestCompare(t *testing.T) {
	r := &result{}
	r.compare(Latency{Messages: 10, Median: 2, P99: 10}, Latency{Messages: 1, Median: 2000, P99: 1000})
	if r.median != 1000 || r.p99 != 100 || r.wrong != nil {
		t.Errorf("%+v", r)
	}
	r.compare(Latency{}, Latency{Failed: "it"})
	if len(r.wrong) != 1 {
		t.Errorf("%+v", r)
	}
}

// Of the same attack in several rounds the worst is reported.
func TestMerge(t *testing.T) {
	r := &result{seen: map[string]int{"cut": 1}, ends: map[string]int{}, memory: 3, left: 5, p99: 1, wrong: []string{"a"}}
	r.merge(&result{seen: map[string]int{"cut": 1, "open": 1}, ends: map[string]int{"1000": 2}, memory: 4, left: 1, p99: 2, wrong: []string{"b"}})
	if tally(r.seen) != "cut (2), open (1)" || tally(r.ends) != "1000" || r.memory != 4 || r.left != 5 || r.p99 != 2 || !slices.Equal(r.wrong, []string{"a", "b"}) {
		t.Errorf("%+v", r)
	}
}

// Every attack says what it may cost and what it must lead to.
func TestAttacks(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range slices.Concat(slow, many, fast) {
		switch {
		case seen[a.name]:
			t.Errorf("%s: the name is there twice", a.name)
		case !a.server && !a.client, a.peers == 0, a.memory == 0, len(a.peerSees) == 0:
			t.Errorf("%s: incomplete", a.name)
		case a.server && len(a.services) == 0 && !a.bare:
			t.Errorf("%s: no service", a.name)
		}
		for _, service := range a.services {
			if services(nil)[service] == nil {
				t.Errorf("%s: there is no service %s", a.name, service)
			}
		}
		seen[a.name] = true
	}
}
