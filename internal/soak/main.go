//go:build linux

// Command soak attacks servers and clients of this library, each in a process of
// its own, while healthy channels use them, and reports what that has cost and
// how it ended. It fails if an attack has cost more than is stated with it, left
// something behind, ended otherwise than it must, or disturbed a healthy channel;
// how fast anything was it only reports.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"time"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("soak: ")
	roles := map[string]func() error{"serve": serve, "client": client}
	if len(os.Args) > 1 && roles[os.Args[1]] != nil {
		signal.Ignore(os.Interrupt) // the soaking process ends this one
		if err := roles[os.Args[1]](); err != nil {
			log.Fatal(err)
		}
		return
	}
	var (
		short = flag.Bool("short", false, "each attack once, with few peers for a moment")
		long  = flag.Duration("time", 5*time.Minute, "how long to go on; all attacks are made at least once")
		only  = flag.String("attacks", "", "only attacks whose name contains one of these, separated by commas")
	)
	flag.Parse()
	if flag.NArg() > 0 {
		log.Fatalf("unexpected argument %q; see soak -help", flag.Arg(0))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	s := &soak{scale: 4, until: time.Now().Add(*long)}
	if *short {
		s.scale, s.hold, s.together, s.until = 1, 200*time.Millisecond, true, time.Time{}
	}
	err := s.start()
	if err == nil {
		err = s.run(ctx, *only)
	}
	s.end()
	s.print(os.Stdout)
	switch {
	case err != nil:
		log.Fatal(err)
	case s.failures() > 0:
		log.Fatalf("%d attacks had consequences", s.failures())
	}
}

// A soak is one run of everything.
type soak struct {
	scale    int           // multiplies the number of peers
	hold     time.Duration // how long a flood lasts
	window   time.Duration // how long latency is measured before an attack
	together bool          // servers and clients are attacked at once
	until    time.Time

	server, clients *child
	at              Addresses
	first           map[*child]Stats // before all attacks
	calm            Latency          // the last latency without an attack
	rounds          int
	results         []*result
}

func (s *soak) start() error {
	var err error
	if s.server, err = start("serve"); err != nil {
		return err
	}
	if s.clients, err = start("client"); err != nil {
		return err
	}
	if err := s.server.ask("where", &s.at); err != nil {
		return err
	}
	urls := fmt.Sprintf("ws://%[1]s/z/well/receive wss://%[2]s/z/well/receive", s.at.Plain, s.at.TLS)
	for _, service := range append([]string{"broadcast"}, echoes...) {
		urls += fmt.Sprintf(" ws://%s/well/%s wss://%s/well/%s", s.at.Plain, service, s.at.TLS, service)
	}
	var ok bool
	return s.clients.ask("healthy "+urls, &ok)
}

func (s *soak) end() {
	for _, c := range []*child{s.server, s.clients} {
		if c != nil {
			c.end()
		}
	}
}

// groups returns the attacks to be made in each round, in groups that are made at
// once: in the short form those on a server and on clients.
func (s *soak) groups(only string) (all [][]bout) {
	for _, a := range slices.Concat(slow, many, fast) {
		var group []bout
		for _, b := range []bout{
			{attack: &a, victim: s.server},
			{attack: &a, victim: s.clients, onClients: true},
		} {
			b.peers, b.soak = a.peers*s.scale, s
			if (b.onClients && !a.client || !b.onClients && !a.server) || !matches(b.name(), only) {
				continue
			}
			if group = append(group, b); !s.together {
				all = append(all, group)
				group = nil
			}
		}
		if group != nil {
			all = append(all, group)
		}
	}
	return all
}

// matches reports whether a name contains one of the words, if there are any.
func matches(name, words string) bool {
	for word := range strings.SplitSeq(words, ",") {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

func (s *soak) run(ctx context.Context, only string) error {
	groups := s.groups(only)
	if len(groups) == 0 {
		return errors.New("no attack is selected")
	}
	if !s.together {
		each := time.Until(s.until) / time.Duration(len(groups))
		s.window = min(max(each*3/10, time.Second), 5*time.Second)
		s.hold = min(max(each*4/10, time.Second), 10*time.Second)
	}
	time.Sleep(max(s.window, 500*time.Millisecond)) // until the healthy channels are all there
	s.first = map[*child]Stats{}
	for _, c := range []*child{s.server, s.clients} {
		var base Stats
		if err := c.ask("base", &base); err != nil {
			return err
		}
		s.first[c] = base
	}
	if err := s.clients.ask("measure", &s.calm); err != nil {
		return err
	}
	for ; s.rounds == 0 || time.Now().Before(s.until); s.rounds++ {
		for i, group := range groups {
			if ctx.Err() != nil || s.rounds > 0 && !time.Now().Before(s.until) {
				return nil
			}
			began := time.Now()
			results, err := s.attack(group)
			if err != nil {
				return fmt.Errorf("%s: %w", group[0].name(), err)
			}
			for _, r := range results {
				fmt.Fprintf(os.Stderr, "round %d, %2d of %d, %4.1f s  %-48s p50 %v → %v, p99 %v → %v  %s\n",
					s.rounds+1, i+1, len(groups), time.Since(began).Seconds(), r.name,
					rounded(s.calm.Median), rounded(r.during.Median), rounded(s.calm.P99), rounded(r.during.P99), r.verdict())
			}
			s.results = append(s.results, results...)
		}
	}
	return nil
}

// attack makes the attacks of a group and judges them.
func (s *soak) attack(group []bout) ([]*result, error) {
	if s.window > 0 {
		if err := s.clients.ask("measure", &s.calm); err != nil {
			return nil, err
		}
		time.Sleep(s.window)
		if err := s.clients.ask("measure", &s.calm); err != nil {
			return nil, err
		}
	}
	before := make([]Stats, len(group))
	for i, b := range group {
		if err := b.victim.ask("base", &before[i]); err != nil {
			return nil, err
		}
	}
	var during Latency
	if err := s.clients.ask("measure", &during); err != nil {
		return nil, err
	}
	results := make([]*result, len(group))
	errs := make([]error, len(group))
	var all sync.WaitGroup
	for i, b := range group {
		all.Go(func() {
			results[i] = &result{name: b.name(), peers: b.peers, bound: b.bound()}
			results[i].seen, errs[i] = b.fight(uint64(s.rounds))
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if err := s.clients.ask("measure", &during); err != nil {
		return nil, err
	}
	for i, b := range group {
		peak, after, err := b.settle(s.first[b.victim])
		if err != nil {
			return nil, err
		}
		b.judge(results[i], s.first[b.victim], before[i], peak, after)
		results[i].compare(s.calm, during)
		if b.room {
			results[i].wrong = append(results[i].wrong, b.getIn()...)
		}
	}
	return results, nil
}

func rounded(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }

func (s *soak) failures() (n int) {
	for _, r := range s.results {
		if len(r.wrong) > 0 {
			n++
		}
	}
	return n
}
