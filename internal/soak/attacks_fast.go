//go:build linux

package main

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"net/http"
	"sync"
	"time"
)

// Peers that send more, or other things, than they should.
var fast = []attack{
	{
		name: "claimed lengths", server: true, client: true,
		services: echoes, peers: 400, memory: 32,
		peerSees: []string{"1009"}, ends: []string{"1009"},
		run: func(p *peer) string {
			p.send(append(appendHeader(nil, fin|binaryData, 1<<62, p.client), make([]byte, 1<<10)...))
			return p.end()
		},
	},
	{
		name: "claimed lengths while nobody receives", server: true,
		services: []string{"deaf"}, peers: 400, memory: 64,
		peerSees: []string{"cut"}, ends: []string{"1006 lost"},
		run: func(p *peer) string {
			p.send(append(appendHeader(nil, fin|binaryData, 1<<62, p.client), make([]byte, 64<<10)...))
			time.Sleep(p.hold)
			p.vanish()
			return "cut"
		},
	},
	{
		name: "wrong frames, then never a FIN", server: true, client: true,
		services: echoes, set: closely, unread: true, peers: 400, memory: 32,
		peerSees: []string{"cut"}, ends: []string{"1002"},
		run: func(p *peer) string {
			p.send(appendFrame(nil, fin|text, []byte("hello"), !p.client)) // masked the wrong way
			return p.unread()
		},
	},
	{
		name: "random bytes", server: true, client: true,
		services: append([]string{"stream", "deaf"}, echoes...), peers: 100, memory: 96,
		peerSees: []string{"1002", "1007", "1009", "cut"},
		run: func(p *peer) string {
			for range 64 {
				if p.send(p.noise(16<<10)) != nil {
					break
				}
			}
			return p.end()
		},
	},
	{
		name: "connects and resets", server: true, client: true,
		services: append([]string{"stream", "deaf", "push"}, echoes...), bare: true, plain: true,
		peers: 300, connections: 4, memory: 128,
		peerSees: []string{"cut"},
		run: func(p *peer) string {
			p.abuse()
			for range 9 {
				if !p.client {
					break // its clients connect once
				}
				again, err := dial(p.host, false, true)
				if err != nil {
					return err.Error()
				}
				again.path, again.random = p.path, p.random
				again.abuse()
			}
			return "cut"
		},
	},
	{
		name: "flood of pings", server: true, client: true,
		services: append([]string{"deaf"}, echoes...), peers: 48, memory: 192,
		peerSees: []string{"1000"}, ends: []string{"1000"},
		run: func(p *peer) string {
			return p.flood(p.frame(fin|ping, nil))
		},
	},
	{
		name: "flood of empty fragments", server: true, client: true,
		services: echoes, peers: 48, memory: 192,
		peerSees: []string{"1009"}, ends: []string{"1009"},
		run: func(p *peer) string {
			p.send(p.frame(text, nil))
			return p.flood(p.frame(continuation, nil))
		},
	},
	{
		name: "flood of empty fragments, streamed", server: true,
		services: []string{"stream"}, peers: 48, memory: 192,
		peerSees: []string{"1000"}, ends: []string{"1000"},
		run: func(p *peer) string {
			p.send(p.frame(text, nil))
			return p.flood(p.frame(continuation, nil))
		},
	},
	{
		name: "flood of tiny messages", server: true, client: true,
		services: append([]string{"stream"}, echoes...), peers: 32, memory: 256,
		peerSees: []string{"1000"}, ends: []string{"1000"},
		run: func(p *peer) string {
			return p.flood(p.frame(fin|text, []byte("x")))
		},
	},
	{
		name: "flood of tiny messages, compressed", server: true, client: true,
		services: append([]string{"stream"}, echoes...), deflate: true, peers: 16, memory: 1536,
		peerSees: []string{"1000"}, ends: []string{"1000"},
		run: func(p *peer) string {
			return p.flood(p.frame(fin|compressed|text, []byte{0}))
		},
	},
	{
		name: "flood while nobody receives", server: true,
		services: []string{"deaf"}, peers: 100, memory: 320,
		peerSees: []string{"cut"}, ends: []string{"1006 lost"},
		run: func(p *peer) string {
			chunk := bytes.Repeat(p.frame(fin|text, nil), 2000)
			p.conn.SetWriteDeadline(time.Now().Add(p.hold))
			p.until(func() error { return p.send(chunk) })
			p.vanish()
			return "cut"
		},
	},
	{
		name: "bombs of 8 MiB", server: true, client: true,
		services: echoes, deflate: true, peers: 100, memory: 512,
		peerSees: []string{"1009"}, ends: []string{"1009"},
		run: func(p *peer) string {
			p.send(p.frame(fin|compressed|binaryData, bomb()))
			return p.end()
		},
	},
	{
		name: "bombs of 8 MiB, streamed and not received", server: true,
		services: []string{"stream", "deaf"}, deflate: true, peers: 100, memory: 128,
		peerSees: []string{"cut"}, ends: []string{"1006 lost"},
		run: func(p *peer) string {
			p.conn.SetWriteDeadline(time.Now().Add(p.hold))
			p.send(p.frame(fin|compressed|binaryData, bomb()))
			time.Sleep(p.hold)
			p.vanish()
			return "cut"
		},
	},
	{
		name: "bombs below the limit", server: true, client: true,
		services: echoes, deflate: true, peers: 32, memory: 5 * messageLimit >> 10,
		peerSees: []string{"1000"}, ends: []string{"1000"},
		run: func(p *peer) string {
			return p.floodOf(p.frame(fin|compressed|binaryData, squib()), 1)
		},
	},
	{
		name: "half a million final blocks", server: true, client: true,
		services: append([]string{"stream"}, echoes...), deflate: true, peers: 16, memory: 5 * messageLimit >> 10,
		peerSees: []string{"1000"}, ends: []string{"1000"},
		run: func(p *peer) string {
			blocks := bytes.Repeat([]byte{3, 0}, messageLimit/2) // empty, BFINAL
			return p.floodOf(p.frame(fin|compressed|binaryData, blocks), 1)
		},
	},
}

// abuse resets a connection at one of several moments.
func (p *peer) abuse() {
	defer p.vanish()
	switch p.random.IntN(4) {
	case 0: // at once
	case 1: // in the handshake
		if p.client {
			p.send([]byte("GET /patient/receive HT"))
		} else if _, err := http.ReadRequest(p.in); err == nil {
			p.send([]byte("HTTP/1.1 101 Swi"))
		}
	case 2: // after it
		p.open()
	case 3: // with messages that are not read
		if p.open() == nil {
			p.send(bytes.Repeat(p.frame(fin|text, []byte("hello")), 1000))
		}
	}
}

// flood sends a frame again and again, in runs of some 64 KiB.
func (p *peer) flood(frame []byte) string { return p.floodOf(frame, (64<<10)/len(frame)) }

// floodOf sends runs of so many frames for as long as the attack goes on, then
// closes, and returns how it ended. Behind each run is a ping, and no more than
// four runs are under way: so it is known when all is dealt with, and what the
// system holds does not have to be waited for.
func (p *peer) floodOf(frame []byte, times int) string {
	run := bytes.Repeat(frame, times)
	answered := make(chan uint64, 1)
	ended := make(chan string, 1)
	go func() {
		defer close(answered)
		for {
			first, payload, err := readFrame(p.in)
			switch {
			case err != nil:
				ended <- cutOr(err)
				return
			case first&0x0F == closing:
				ended <- closeCode(payload)
				return
			case first&0x0F == pong && len(payload) == 8:
				select { // the latest is enough
				case <-answered:
				default:
				}
				answered <- binary.BigEndian.Uint64(payload)
			}
		}
	}()
	var sent, back uint64
	p.until(func() error {
		sent++
		if err := p.send(append(run, p.frame(fin|ping, binary.BigEndian.AppendUint64(nil, sent))...)); err != nil {
			return err
		}
		for back+4 <= sent {
			n, ok := <-answered
			if !ok {
				return errEnded
			}
			back = max(back, n)
		}
		return nil
	})
	p.send(p.frame(fin|closing, []byte{1000 >> 8, 1000 & 0xFF}))
	return <-ended
}

var errEnded = errors.New("the connection has ended")

// A bomb inflates to many times the limit, a squib to just the limit.
var (
	bomb  = sync.OnceValue(func() []byte { return zeros(32 * messageLimit) })
	squib = sync.OnceValue(func() []byte { return zeros(messageLimit) })
)

// zeros returns a compressed message of n zeros.
func zeros(n int) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		panic(err)
	}
	w.Write(make([]byte, n))
	w.Flush()
	return b.Bytes()[:b.Len()-4] // without the end that every message has (RFC 7692 §7.2.1)
}
