//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/wschannel/wschannel/bench/internal/drive"
	"github.com/wschannel/wschannel/bench/internal/load"
	"github.com/wschannel/wschannel/bench/internal/process"
)

// A bench is one run of everything.
type bench struct {
	dir         string // of the binaries
	profiles    string // where CPU profiles go, if they are to be made
	before      string // another checkout of this repository to compare with
	only        string // words of which one has to be in a contestant's name
	rounds      int
	scale       float64
	cells       []cell
	unavailable map[string]string // why, by folder of the contestant
	samples     map[key][]sample  // by round
	failures    int
}

type key struct{ cell, contestant string }

// A sample is what one run of a cell on a contestant has found.
type sample struct {
	round    int
	cpu      time.Duration // for each message
	writes   float64       // system calls for each message
	mallocs  float64       // for each message
	rate     float64       // messages a second
	p50, p99 time.Duration // unknown of clients
	resident []resident    // of idle cells
}

// of returns who takes part in a cell.
func (b *bench) of(c cell) []contestant {
	var some []contestant
	for _, e := range selected(withBefore(c.of(), b.before), b.only, func(e contestant) string { return e.name }) {
		if e.suits(c) && b.unavailable[e.dir] == "" {
			some = append(some, e)
		}
	}
	return some
}

// contestants returns all who take part in any cell.
func (b *bench) contestants() (all []contestant) {
	for _, c := range b.cells {
		all = append(all, b.of(c)...)
	}
	return all
}

// run takes the cells one after the other, and in each the contestants in turn, so
// that what changes on the machine meets all of them alike.
func (b *bench) run() {
	b.samples = map[key][]sample{}
	for i := 0; i < len(b.cells); {
		group := b.cells[i : i+1]
		for i++; i < len(b.cells) && b.cells[i].with == group[0].name; i++ {
			group = group[:len(group)+1]
		}
		rounds := b.rounds
		if group[0].idle {
			rounds = min(rounds, 2) // memory hardly varies, and so many connections take long
		}
		for round := range rounds {
			for _, c := range group {
				fmt.Fprintf(os.Stderr, "%s, round %d of %d\n", c.name, round+1, rounds)
				for _, e := range b.of(c) {
					one, err := b.measure(c, e)
					if err != nil {
						fmt.Fprintf(os.Stderr, "%s, %s: %v\n", c.name, e.name, err)
						b.failures++
						continue
					}
					one.round = round
					k := key{c.name, e.name}
					b.samples[k] = append(b.samples[k], one)
				}
			}
		}
	}
}

// measure runs a cell on a contestant once, with both sides started for it.
func (b *bench) measure(c cell, e contestant) (one sample, err error) {
	cfg := c.config(e, b.scale)
	cmd, err := b.command(c, e)
	if err != nil {
		return one, err
	}
	self, err := os.Executable()
	if err != nil {
		return one, err
	}
	var measured, other, active *child // active is the side that is told to run
	var opening any
	if c.clients {
		other, err = start(exec.Command(self, "respond"), !c.unpinned)
	} else {
		measured, err = start(cmd, !c.unpinned)
	}
	if err != nil {
		return one, err
	}
	if c.clients {
		defer other.end()
		if cfg.Addr, err = other.ask(string(mustJSON(cfg.Payload))); err != nil {
			return one, fmt.Errorf("starting the server: %w", err)
		}
		measured, err = start(cmd, !c.unpinned)
		active, opening = measured, drive.Config{Addr: cfg.Addr, Connections: cfg.Connections, Depth: cfg.Depth, Payload: cfg.Payload}
	} else {
		defer measured.end()
		if cfg.Addr, err = measured.read(); err != nil {
			return one, fmt.Errorf("starting the server: %w", err)
		}
		other, err = start(exec.Command(self, "load"), !c.unpinned)
		active, opening = other, cfg
	}
	if err != nil {
		return one, err
	}
	defer active.end()
	if _, err := active.ask("open " + string(mustJSON(opening))); err != nil {
		return one, fmt.Errorf("connecting: %w", err)
	}
	if c.idle {
		one.resident, err = b.idle(measured, active, cfg.Connections)
		return one, err
	}
	if cfg.Broadcast {
		time.Sleep(300 * time.Millisecond) // until the last of them has been joined to the others
	}
	return b.exchange(cfg, e, measured, active)
}

// longest is for how long messages are exchanged, about, after the warm-up.
const longest = 500 * time.Millisecond

// exchange has the messages of a cell echoed and says what that has cost.
func (b *bench) exchange(cfg load.Config, e contestant, measured, active *child) (one sample, err error) {
	warm, err := ask[load.Result](active, fmt.Sprint("run ", cfg.WarmUp))
	if err != nil {
		return one, fmt.Errorf("warming up: %w", err)
	}
	messages := cfg.Messages
	if !cfg.Broadcast {
		rate := float64(warm.Messages) / warm.Elapsed.Seconds()
		messages = max(min(messages, int(rate*longest.Seconds())), cfg.Connections*cfg.Depth, messages/8)
	}
	asking, err := ask[process.Stats](measured, "stats")
	if err != nil {
		return one, err
	}
	beforeStats, err := ask[process.Stats](measured, "stats")
	if err != nil {
		return one, err
	}
	before, err := measured.usage()
	if err != nil {
		return one, err
	}
	r, err := ask[load.Result](active, fmt.Sprint("run ", messages))
	if err != nil {
		return one, fmt.Errorf("running: %w", err)
	}
	after, err := measured.usage()
	if err != nil {
		return one, err
	}
	afterStats, err := ask[process.Stats](measured, "stats")
	if err != nil {
		return one, err
	}
	if measured != active && r.Checked == 0 && !e.raw {
		return one, fmt.Errorf("no reply was checked")
	}
	n := float64(r.Messages)
	// To ask costs something, too.
	mallocs := float64(afterStats.Mallocs-beforeStats.Mallocs) - float64(beforeStats.Mallocs-asking.Mallocs)
	return sample{
		cpu:     time.Duration(float64(after.cpu-before.cpu) / n),
		writes:  float64(after.writes-before.writes) / n,
		mallocs: max(mallocs, 0) / n,
		rate:    n / r.Elapsed.Seconds(),
		p50:     r.P50,
		p99:     r.P99,
	}, nil
}

// ask returns an answer that is JSON.
func ask[T any](c *child, line string) (v T, err error) {
	answer, err := c.ask(line)
	if err != nil {
		return v, err
	}
	return v, json.Unmarshal([]byte(answer), &v)
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
