//go:build linux

package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"
)

// An attack is what a number of hostile peers do at once, and what that may
// cost and must lead to.
type attack struct {
	name string

	// What is attacked: the server, clients by a hostile server, or both.
	server, client bool

	services []string // of the server, in turn
	set      string   // of options of the victim; patient if it is empty
	bare     bool     // run begins before the handshake
	unread   bool     // the peers do not read
	deflate  bool     // all channels are compressed; otherwise every other one
	plain    bool     // not over TLS; otherwise every eighth connection is
	toTLS    bool     // to where TLS is expected, all the same

	peers  int // in the short form; four times as many in the long one
	memory int // the most KiB that each may take, beside the slack; of a client, clientMore

	goroutines int // the most that each may keep busy at once. 0 is goroutinesEach

	// How many connections of a peer the victim may see at once, of which it has
	// not noticed that all but one have gone. 0 is 1.
	connections int

	// How it must end, for the peers and for their channels: with one of these.
	// Of channels that are closed by peers at will nothing is asked.
	peerSees []string
	ends     []string
	atLeast  string // what one peer at least must see
	room     bool   // after it, peers that are not hostile must get in

	run func(p *peer) string // returns how it ended
}

// slack is what a process may take beside what its hostile peers do: what the
// collector has not collected, buffers and compressors that all channels share.
const slack = 6 << 20

// clientMore is how many KiB a client takes more than a channel of a server: an
// http.Transport of its own while it connects.
const clientMore = 24

// A bout is one attack on one process.
type bout struct {
	*attack
	soak      *soak
	victim    *child
	onClients bool
	peers     int
}

func (b *bout) name() string {
	if b.onClients {
		return b.attack.name + " → client"
	}
	return b.attack.name
}

func (b *bout) setting() string {
	if b.set == "" {
		return patient
	}
	return b.set
}

// bound returns how many KiB each peer may take beside the slack.
func (b *bout) bound() int {
	if b.onClients {
		return b.memory + clientMore
	}
	return b.memory
}

// fight lets the peers loose and returns how it ended for each.
func (b *bout) fight(seed uint64) (seen map[string]int, err error) {
	ends := make(chan string, b.peers)
	run := func(p *peer, n int) {
		defer p.conn.Close()
		p.hold = b.soak.hold
		p.random = rand.New(rand.NewPCG(seed, uint64(n)))
		if !b.bare {
			if err := p.open(); err != nil {
				ends <- err.Error()
				return
			}
		}
		ends <- b.run(p)
	}
	var all sync.WaitGroup
	if b.onClients {
		err = b.lure(func(p *peer, n int) { all.Go(func() { run(p, n) }) })
	} else {
		for n := range b.peers {
			all.Go(func() {
				p, err := b.connect(n)
				if err != nil {
					ends <- err.Error()
					return
				}
				run(p, n)
			})
		}
	}
	all.Wait()
	close(ends)
	seen = map[string]int{}
	for end := range ends {
		seen[end]++
	}
	return seen, err
}

// connect is the n-th hostile client.
func (b *bout) connect(n int) (*peer, error) {
	at := b.soak.at
	secure := !b.plain && n%8 == 7
	addr := at.Plain
	switch {
	case b.bare && b.set == hastily && b.toTLS:
		addr = at.TLSHasty
	case b.bare && (b.set == hastily || b.set == busy):
		addr = at.PlainHasty
	case secure:
		addr = at.TLS
	}
	p, err := dial(addr, secure, !b.unread)
	if err != nil {
		return nil, err
	}
	p.path = b.path(n)
	return p, nil
}

// path returns where the n-th hostile client goes.
func (b *bout) path(n int) string {
	if len(b.services) == 0 {
		return ""
	}
	path := "/" + b.setting() + "/" + b.services[n%len(b.services)]
	if b.deflate || n/len(b.services)%2 == 1 {
		path = "/z" + path
	}
	return path
}

// lure has clients connect to hostile servers.
func (b *bout) lure(serve func(p *peer, n int)) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	var ok bool
	url := fmt.Sprintf("ws://%s/%s", l.Addr(), b.setting())
	if b.bare {
		url = fmt.Sprintf("ws://%s/bare/%s", l.Addr(), b.setting())
	}
	if err := b.victim.ask(fmt.Sprint("dial ", b.peers, " ", url), &ok); err != nil {
		return err
	}
	for n := range b.peers {
		l.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		serve(accepted(conn, !b.unread), n)
	}
	return b.victim.ask("await", &ok)
}

// A result is what an attack came to.
type result struct {
	name        string
	peers       int
	seen, ends  map[string]int // how it ended for the peers, and for the channels
	memory      float64        // KiB each at the peak
	bound       int            // KiB each
	goroutines  float64        // each at the peak
	descriptors float64        // each at the peak
	left        int64          // bytes in use after it, more than before the first attack
	median, p99 float64        // latency of healthy channels, as a ratio to that without
	during      Latency
	wrong       []string
}

// compare puts the latency during an attack beside that without.
func (r *result) compare(calm, during Latency) {
	r.during = during
	if during.Messages > 0 && calm.Messages > 0 {
		r.median = float64(during.Median) / float64(calm.Median)
		r.p99 = float64(during.P99) / float64(calm.P99)
	}
	if during.Failed != "" {
		r.wrong = append(r.wrong, "a healthy channel has failed: "+during.Failed)
	}
}

// What may be left after an attack: the healthy channels have compressors of a MiB
// in use, and the runtime keeps some hundred bytes for each goroutine that there
// has ever been at once.
const (
	leftOver         = 4 << 20
	leftOverEach     = 2 << 10
	leftOverRoutines = 4
)

// settle waits for the victim to come to rest. It returns what it told before and
// after that.
func (b *bout) settle(first Stats) (peak, after Stats, err error) {
	var settled Stats
	if err := b.victim.ask("stats", &peak); err != nil {
		return peak, after, err
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if err := b.victim.ask("stats", &settled); err != nil {
			return peak, after, err
		}
		if settled.Goroutines <= first.Goroutines+leftOverRoutines && settled.Descriptors <= first.Descriptors || time.Now().After(deadline) {
			break
		}
	}
	// Pools keep what they have for two collections, and the healthy channels use
	// them all the time.
	for range 5 {
		if err := b.victim.ask("rest", &after); err != nil {
			return peak, after, err
		}
		// The healthy channels start some, for a moment.
		after.Goroutines, after.Descriptors = settled.Goroutines, settled.Descriptors
		if b.left(first, after) <= 0 {
			break
		}
	}
	return peak, after, nil
}

// left returns by how many bytes more than what is allowed is left.
func (b *bout) left(first, after Stats) int64 {
	return after.Live - first.Live - int64(leftOver+leftOverEach*b.peers)
}

// judge finds what is wrong.
func (b *bout) judge(r *result, first, before, peak, after Stats) {
	n := float64(b.peers)
	r.memory = float64(peak.PeakResident-before.Resident) / 1024 / n
	r.goroutines = float64(peak.PeakGoroutines-before.Goroutines) / n
	r.descriptors = float64(peak.PeakDescriptors-before.Descriptors) / n
	r.left = after.Live - first.Live
	r.ends = after.Ends

	complain := func(format string, args ...any) { r.wrong = append(r.wrong, fmt.Sprintf(format, args...)) }
	if most := int64(b.peers*b.bound())<<10 + slack; peak.PeakResident-before.Resident > most {
		complain("%d KiB of memory at the peak; at most %d are allowed", (peak.PeakResident-before.Resident)>>10, most>>10)
	}
	if most := before.Goroutines + b.peers*cmp.Or(b.goroutines, goroutinesEach)*max(1, b.connections) + 64; peak.PeakGoroutines > most {
		complain("%d goroutines at the peak; at most %d are allowed", peak.PeakGoroutines, most)
	}
	if most := before.Descriptors + b.peers*max(1, b.connections)*descriptorsEach + 16; peak.PeakDescriptors > most {
		complain("%d descriptors at the peak; at most %d are allowed", peak.PeakDescriptors, most)
	}
	if after.Goroutines > first.Goroutines+leftOverRoutines {
		complain("%d goroutines after it, %d before", after.Goroutines, first.Goroutines)
	}
	if after.Descriptors > first.Descriptors {
		complain("%d descriptors after it, %d before", after.Descriptors, first.Descriptors)
	}
	if more := b.left(first, after); more > 0 {
		complain("%d KiB in use after it, %d more than are allowed", r.left>>10, more>>10)
	}
	if b.atLeast != "" && r.seen[b.atLeast] == 0 {
		complain("it ended for no peer with %q", b.atLeast)
	}
	total := 0
	for end, times := range r.seen {
		total += times
		if !slices.Contains(b.peerSees, end) {
			complain("for %d peers it ended with %q; expected %q", times, end, b.peerSees)
		}
	}
	if total != b.peers {
		complain("it ended for %d peers of %d", total, b.peers)
	}
	for end, times := range r.ends {
		if b.ends != nil && !slices.Contains(b.ends, end) {
			complain("%d channels ended with %q; expected %q", times, end, b.ends)
		}
	}
}

// goroutinesEach is how many goroutines a hostile peer may keep busy at once: the
// handler, one that writes what it has left, one that answers a ping, two for a
// closing handshake.
const goroutinesEach = 4

// descriptorsEach is how many descriptors a connection may have at once: as a
// listener moves to a loop it has a second one for a moment.
const descriptorsEach = 2
