//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/wschannel/wschannel"
)

// Latency is what the healthy channels have seen.
type Latency struct {
	Messages int
	Median   time.Duration
	P99      time.Duration
	Failed   string // why a channel is not healthy any more
}

// healthy are channels that send little and measure how soon it comes back, and
// members of a group that must get all.
type healthy struct {
	mu     sync.Mutex
	times  []time.Duration
	turn   int // which measurement it is
	failed error
}

// every is the time between the messages of a healthy channel.
const every = 5 * time.Millisecond

// run is one of them.
func (h *healthy) run(url string) {
	if err := h.echo(url); err != nil {
		h.mu.Lock()
		h.failed = fmt.Errorf("%s: %w", url, err)
		h.mu.Unlock()
	}
}

func (h *healthy) echo(url string) error {
	ctx := context.Background()
	d := wschannel.Dialer{
		TLSConfig:   &tls.Config{InsecureSkipVerify: true}, // a certificate of the moment, on this machine
		Compression: wschannel.Compression{Mode: wschannel.CompressionContext},
	}
	c, _, err := d.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer c.CloseNow()
	if path.Base(url) == "broadcast" {
		return follow(c)
	}
	for n := 0; ; n++ {
		time.Sleep(every)
		turn := h.now()
		began := time.Now()
		sent := strings.Repeat("healthy ", n%20) + strconv.Itoa(n)
		if err := c.SendText(ctx, sent); err != nil {
			return err
		}
		m, err := c.Receive(ctx)
		if err != nil {
			return err
		}
		if string(m.Data) != sent {
			return fmt.Errorf("sent %q and received %q", sent, m.Data)
		}
		h.mu.Lock()
		if h.turn == turn {
			h.times = append(h.times, time.Since(began))
		}
		h.mu.Unlock()
	}
}

func (h *healthy) now() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.turn
}

// measure returns what was measured since the last call.
func (h *healthy) measure() (l Latency) {
	h.mu.Lock()
	times := h.times
	h.times = nil
	h.turn++
	if h.failed != nil {
		l.Failed = h.failed.Error()
	}
	h.mu.Unlock()
	slices.Sort(times)
	if n := len(times); n > 0 {
		l.Messages, l.Median, l.P99 = n, times[n/2], times[n*99/100]
	}
	return l
}

// client is the process of clients: healthy ones of the server, and ones that
// hostile servers attack.
func client() error {
	g := newGauge()
	h := &healthy{}
	var victims sync.WaitGroup
	obey(g, map[string]func(string) any{
		"healthy": func(urls string) any {
			for url := range strings.FieldsSeq(urls) {
				go h.run(url)
			}
			return true
		},
		"measure": func(string) any { return h.measure() },
		"dial": func(args string) any { // how many, and to where
			number, url, _ := strings.Cut(args, " ")
			n, err := strconv.Atoi(number)
			for range n {
				victims.Go(func() { g.ended(visit(url)) })
			}
			return err == nil
		},
		"await": func(string) any {
			victims.Wait()
			return true
		},
	})
	return nil
}

// visit connects, echoes, and returns how that ended.
func visit(url string) string {
	d := wschannel.Dialer{
		Options:     options(path.Base(url)),
		Compression: wschannel.Compression{Mode: wschannel.CompressionContext},
	}
	if strings.HasSuffix(url, "/bare/"+hastily) {
		d.HandshakeTimeout = hasty
	}
	ctx := context.Background()
	c, _, err := d.Connect(ctx, url)
	if err != nil {
		return "no channel"
	}
	receive(ctx, c)
	<-c.Done()
	return howEnded(c.Err())
}
