//go:build linux

package main

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// refused is what a peer sees when a limit is in the way.
const refused = "503"

// closedAtOnce is how many goroutines a peer may keep busy if it is closed at the
// same time as the others: one more, which hangs up.
const closedAtOnce = goroutinesEach + 1

// Peers that are more than a server lets in, and bad members of a group.
var many = []attack{
	{
		name: "more channels than MaxChannels", server: true,
		services: echoes, set: full, bare: true, peers: 120, memory: 64,
		peerSees: []string{"1000", refused}, ends: []string{"1000"},
		atLeast: refused, room: true,
		run: func(p *peer) string {
			p.send([]byte(p.request("")))
			if status := p.response(); status != "101" {
				return status
			}
			time.Sleep(max(p.hold, time.Second)) // until all the others have come
			return p.leave()
		},
	},
	{
		name: "close and stay, beyond MaxChannels", server: true,
		services: echoes, set: full, bare: true, plain: true, unread: true, peers: 100, memory: 64,
		peerSees: []string{"cut", refused}, ends: []string{"4000"},
		atLeast: refused, room: true,
		run: stay,
	},
	{
		name: "stall in each part of a handshake, beyond MaxHandshakes", server: true,
		services: echoes, set: busy, bare: true, plain: true, peers: 120, memory: 64,
		peerSees: []string{"cut", "400", "1000", refused}, ends: []string{"1000", "1006 lost"},
		atLeast: refused, room: true,
		run: stall,
	},
	{
		name: "members that never read", server: true,
		services: []string{"broadcast"}, set: hastily, unread: true, peers: 50, memory: 256, goroutines: closedAtOnce,
		peerSees: []string{"cut"}, ends: []string{"1013"},
		run: (*peer).unread,
	},
	{
		name: "members that read byte by byte", server: true,
		services: []string{"broadcast"}, set: hastily, unread: true, peers: 50, memory: 256, goroutines: closedAtOnce,
		peerSees: []string{"cut"}, ends: []string{"1013"},
		run: func(p *peer) string {
			p.conn.SetReadDeadline(time.Now().Add(patience))
			for one := make([]byte, 1); ; time.Sleep(5 * time.Millisecond) {
				if _, err := p.conn.Read(one); err != nil {
					return cutOr(err)
				}
				if err := p.send(p.frame(fin|pong, nil)); err != nil {
					return cutOr(err)
				}
			}
		},
	},
	{
		name: "members that vanish", server: true,
		services: []string{"broadcast"}, peers: 100, memory: 128,
		peerSees: []string{"cut"}, ends: []string{"1006 lost", "1013"},
		run: func(p *peer) string {
			end := time.Now().Add(time.Duration(p.random.Int64N(int64(p.hold))))
			for time.Now().Before(end) {
				if _, _, err := readFrame(p.in); err != nil {
					return err.Error()
				}
			}
			p.vanish()
			return "cut"
		},
	},
}

// stay opens one channel after the other, closes each and stays connected.
func stay(p *peer) string {
	var stayed []*peer
	for n := range 8 {
		again := p
		if n > 0 {
			var err error
			if again, err = dial(p.host, false, false); err != nil {
				return err.Error()
			}
			defer again.conn.Close()
			again.path = p.path
		}
		again.send([]byte(again.request("")))
		switch status := again.response(); status {
		case "101":
			again.send(again.frame(fin|closing, []byte{4000 >> 8, 4000 & 0xFF}))
			stayed = append(stayed, again)
		case refused:
			again.vanish()
		default:
			return status
		}
	}
	for _, p := range stayed {
		if end := p.unread(); end != "cut" {
			return end
		}
	}
	if len(stayed) == 0 {
		return refused
	}
	return "cut"
}

// stall comes to a stop somewhere in a handshake.
func stall(p *peer) string {
	whole := []byte(p.request(""))
	switch p.random.IntN(5) {
	case 0: // before it
		return p.response()
	case 1: // in the request
		p.send(whole[:p.random.IntN(len(whole))])
		return p.response()
	case 2: // the answer finds nobody
		p.send(whole)
		p.vanish()
		return "cut"
	case 3: // nobody reads the answer
		p.send(whole)
		time.Sleep(p.hold)
		p.vanish()
		return "cut"
	}
	p.send(whole)
	if status := p.response(); status != "101" {
		return status
	}
	return p.leave()
}

// getIn has good peers connect to where hostile ones were, and returns what was
// wrong.
func (b *bout) getIn() []string {
	wrong := make([]string, 2*len(b.services))
	var all sync.WaitGroup
	for n := range wrong {
		all.Go(func() {
			if err := b.greet(b.path(n)); err != nil {
				wrong[n] = fmt.Sprintf("after it nobody gets in at %s: %v", b.path(n), err)
			}
		})
	}
	all.Wait()
	return slices.DeleteFunc(wrong, func(s string) bool { return s == "" })
}

// greet connects, and has a message echoed.
func (b *bout) greet(path string) error {
	p, err := dial(b.soak.at.Plain, false, true)
	if err != nil {
		return err
	}
	defer p.conn.Close()
	p.path = path
	p.send([]byte(p.request(""))) // without compression
	if status := p.response(); status != "101" {
		return fmt.Errorf("the handshake was answered with %s", status)
	}
	p.send(p.frame(fin|text, []byte("hello")))
	if first, _, err := readFrame(p.in); err != nil || first != fin|text {
		return fmt.Errorf("the echo is %x, %v", first, err)
	}
	if end := p.leave(); end != "1000" {
		return fmt.Errorf("it ended with %s", end)
	}
	return nil
}
