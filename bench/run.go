//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/wschannel/wschannel/bench/internal/load"
	"github.com/wschannel/wschannel/bench/internal/serve"
)

// A bench is one run of everything.
type bench struct {
	dir         string // of the binaries
	rounds      int
	scale       float64
	cells       []cell
	servers     []server
	unavailable map[string]string // why, by folder of the server
	samples     map[key][]sample  // by round; nil where a run has failed
	failures    int
}

type key struct{ cell, server string }

// A sample is what one run of a cell against a server has found.
type sample struct {
	cpu     time.Duration // of the server, for each message
	writes  float64       // system calls for each message
	mallocs float64       // for each message
	rate    float64       // messages a second
	p50     time.Duration
	p99     time.Duration
	memory  float64 // bytes for each idle connection
}

// run takes the cells one after the other, and in each the servers in turn, so
// that what changes on the machine meets all of them alike.
func (b *bench) run() error {
	b.samples = map[key][]sample{}
	for _, c := range b.cells {
		rounds := b.rounds
		if c.idle {
			rounds = min(rounds, 3)
		}
		for round := range rounds {
			fmt.Fprintf(os.Stderr, "%s, round %d of %d\n", c.name, round+1, rounds)
			for _, s := range b.servers {
				if !c.suits(s) || b.unavailable[s.dir] != "" {
					continue
				}
				one, err := b.measure(c, s)
				if err != nil {
					fmt.Fprintf(os.Stderr, "%s, %s: %v\n", c.name, s.name, err)
					b.failures++
					continue
				}
				k := key{c.name, s.name}
				b.samples[k] = append(b.samples[k], one)
			}
		}
	}
	return nil
}

// measure runs a cell against a server once, both started for it.
func (b *bench) measure(c cell, s server) (one sample, err error) {
	pinned := !c.unpinned
	serving, err := start(b.command(s, c.load.Deflate), pinned)
	if err != nil {
		return one, err
	}
	defer serving.end()
	cfg := c.config(s, b.scale)
	if cfg.Addr, err = serving.read(); err != nil {
		return one, fmt.Errorf("starting the server: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return one, err
	}
	loading, err := start(exec.Command(self, "load"), pinned)
	if err != nil {
		return one, err
	}
	defer loading.end()
	encoded, err := json.Marshal(cfg)
	if err != nil {
		return one, err
	}
	if _, err := loading.ask("open " + string(encoded)); err != nil {
		return one, fmt.Errorf("connecting: %w", err)
	}
	if c.idle {
		one.memory, err = b.slope(serving, loading)
		return one, err
	}
	if cfg.Broadcast {
		time.Sleep(300 * time.Millisecond) // until the last of them has been joined to the others
	}
	if _, err := loading.ask(fmt.Sprint("run ", cfg.WarmUp)); err != nil {
		return one, fmt.Errorf("warming up: %w", err)
	}
	before, err := serving.usage()
	if err != nil {
		return one, err
	}
	mallocsBefore, err := mallocs(serving)
	if err != nil {
		return one, err
	}
	answer, err := loading.ask(fmt.Sprint("run ", cfg.Messages))
	if err != nil {
		return one, fmt.Errorf("running: %w", err)
	}
	after, err := serving.usage()
	if err != nil {
		return one, err
	}
	mallocsAfter, err := mallocs(serving)
	if err != nil {
		return one, err
	}
	var r load.Result
	if err := json.Unmarshal([]byte(answer), &r); err != nil {
		return one, err
	}
	if r.Checked == 0 && !s.raw {
		return one, fmt.Errorf("no reply was checked")
	}
	n := float64(r.Messages)
	return sample{
		cpu:     time.Duration(float64(after.cpu-before.cpu) / n),
		writes:  float64(after.writes-before.writes) / n,
		mallocs: float64(mallocsAfter-mallocsBefore) / n,
		rate:    n / r.Elapsed.Seconds(),
		p50:     r.P50,
		p99:     r.P99,
	}, nil
}

// slope returns the resident memory that one more idle connection takes.
func (b *bench) slope(serving, loading *child) (float64, error) {
	more := max(int(4000*min(b.scale, 4)), 200)
	low, err := settled(serving)
	if err != nil {
		return 0, err
	}
	if _, err := loading.ask(fmt.Sprint("connect ", more)); err != nil {
		return 0, err
	}
	high, err := settled(serving)
	return float64(high-low) / float64(more), err
}

// settled returns the resident memory when the server has come to rest and given
// back what it does not need.
func settled(serving *child) (int, error) {
	for range 3 {
		time.Sleep(300 * time.Millisecond)
		if _, err := serving.ask("free"); err != nil {
			return 0, err
		}
	}
	return serving.resident()
}

func mallocs(serving *child) (uint64, error) {
	answer, err := serving.ask("stats")
	if err != nil {
		return 0, err
	}
	var s serve.Stats
	err = json.Unmarshal([]byte(answer), &s)
	return s.Mallocs, err
}
