//go:build linux

package main

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// echoes are the services that send everything back.
var echoes = []string{"receive", "listen", "view"}

// Peers that take their time.
var slow = []attack{
	{
		name: "nothing hostile, idle channels", server: true,
		services: echoes, peers: 400, memory: 32,
		peerSees: []string{"1000"}, ends: []string{"1000"},
		run: func(p *peer) string {
			time.Sleep(p.hold)
			return p.leave()
		},
	},
	{
		name: "connect, send nothing", server: true, client: true,
		set: hastily, bare: true, plain: true, peers: 400, memory: 32,
		peerSees: []string{"cut"}, ends: []string{"no channel"},
		run: func(p *peer) string {
			if !p.client {
				http.ReadRequest(p.in)
				return p.end()
			}
			return p.response()
		},
	},
	{
		name: "connect, send half a TLS handshake", server: true,
		set: hastily, bare: true, plain: true, toTLS: true, peers: 400, memory: 32,
		peerSees: []string{"cut"},
		run: func(p *peer) string {
			p.send([]byte{22, 3, 1, 2, 0, 1}) // a record of 512 bytes (RFC 8446 §5.1)
			return p.response()
		},
	},
	{
		name: "handshake, byte by byte", server: true, client: true,
		services: echoes, set: hastily, bare: true, plain: true, peers: 400, memory: 32,
		peerSees: []string{"cut"}, ends: []string{"no channel"},
		run: func(p *peer) string {
			line := p.request("")
			if !p.client {
				http.ReadRequest(p.in)
				line = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
			}
			for _, b := range []byte(line) {
				if err := p.send([]byte{b}); err != nil {
					return cutOr(err)
				}
				time.Sleep(50 * time.Millisecond)
			}
			return "open"
		},
	},
	{
		name: "a refused request, then nothing", server: true,
		set: hastily, bare: true, plain: true, services: echoes, peers: 400, memory: 32,
		peerSees: []string{"cut"},
		run: func(p *peer) string {
			p.send([]byte("GET " + p.path + " HTTP/1.1\r\nHost: x\r\n\r\n"))
			if status := p.response(); status != "426" {
				return status
			}
			return p.response()
		},
	},
	{
		name: "header of a megabyte", server: true, client: true,
		bare: true, services: echoes, peers: 64, memory: 128,
		peerSees: []string{"431", "cut"}, ends: []string{"no channel"},
		run: func(p *peer) string {
			line := p.request("")
			if !p.client {
				http.ReadRequest(p.in)
				line = "HTTP/1.1 101 Switching Protocols\r\n"
			}
			p.send([]byte(line[:len(line)-2]))
			for n := range 1 << 10 {
				if p.send(fmt.Appendf(nil, "X-%d: %s\r\n", n, strings.Repeat("x", 1000))) != nil {
					break
				}
			}
			return p.response()
		},
	},
	{
		name: "ten thousand fields and subprotocols", server: true,
		bare: true, services: echoes, peers: 100, memory: 512,
		peerSees: []string{"1000"}, ends: []string{"1000"},
		run: func(p *peer) string {
			var fields, protocols strings.Builder
			for n := range 5000 {
				fmt.Fprintf(&fields, "%x:\r\n", n)
				fmt.Fprintf(&protocols, "%x,", n)
			}
			fields.WriteString("Sec-WebSocket-Protocol: " + protocols.String() + "z\r\n")
			p.send([]byte(p.request(fields.String())))
			if status := p.response(); status != "101" {
				return status
			}
			return p.leave()
		},
	},
	{
		name: "stalls in a frame header", server: true, client: true,
		services: echoes, set: hastily, peers: 400, memory: 32,
		peerSees: []string{"cut"}, ends: []string{"1006 timeout"},
		run: func(p *peer) string {
			p.send([]byte{fin | binaryData})
			return p.end()
		},
	},
	{
		name: "stalls in a payload", server: true, client: true,
		services: append([]string{"stream"}, echoes...), set: hastily, peers: 400, memory: 32,
		peerSees: []string{"cut"}, ends: []string{"1006 timeout"},
		run: func(p *peer) string {
			p.send(append(appendHeader(nil, fin|binaryData, messageLimit, p.client), 0))
			return p.end()
		},
	},
	{
		name: "payload, byte by byte", server: true, client: true,
		services: append([]string{"stream"}, echoes...), peers: 400, memory: 32,
		peerSees: []string{"cut"}, ends: []string{"1006 lost"},
		run: func(p *peer) string {
			p.send(appendHeader(nil, fin|binaryData, messageLimit, p.client))
			p.until(func() error {
				time.Sleep(50 * time.Millisecond)
				return p.send([]byte{0})
			})
			p.vanish()
			return "cut"
		},
	},
	{
		name: "half-open: silence after the handshake", server: true, client: true,
		services: echoes, set: hastily, peers: 400, memory: 32,
		peerSees: []string{"cut"}, ends: []string{"1006 timeout"},
		run: (*peer).end,
	},
	{
		name: "half-open: nobody receives", server: true,
		services: []string{"deaf"}, set: hastily, peers: 400, memory: 32,
		peerSees: []string{"cut"}, ends: []string{"1006 timeout"},
		run: (*peer).end,
	},
	{
		name: "close, then never a FIN", server: true, client: true,
		services: echoes, set: closely, unread: true, peers: 400, memory: 32,
		peerSees: []string{"cut"}, ends: []string{"4000"},
		run: func(p *peer) string {
			p.send(p.frame(fin|closing, []byte{4000 >> 8, 4000 & 0xFF}))
			return p.unread()
		},
	},
	{
		name: "never reads, is echoed to", server: true, client: true,
		services: echoes, set: hastily, unread: true, peers: 48, memory: 768,
		peerSees: []string{"cut"}, ends: []string{"1006 timeout"},
		run: func(p *peer) string {
			p.conn.SetWriteDeadline(time.Now().Add(patience))
			message := p.frame(fin|binaryData, p.noise(30<<10))
			for {
				if err := p.send(message); err != nil {
					return cutOr(err)
				}
			}
		},
	},
	{
		name: "never reads, is pushed to", server: true,
		services: []string{"push"}, set: hastily, unread: true, peers: 100, memory: 128,
		peerSees: []string{"cut"}, ends: []string{"1006 timeout"},
		run: (*peer).unread,
	},
	{
		name: "never reads, floods with pings", server: true, client: true,
		services: append([]string{"deaf"}, echoes...), set: hastily, unread: true, peers: 48, memory: 192,
		peerSees: []string{"cut"}, ends: []string{"1006 timeout", "1006 lost"},
		run: func(p *peer) string {
			pings := bytes.Repeat(p.frame(fin|ping, bytes.Repeat([]byte("p"), 125)), 100)
			p.conn.SetWriteDeadline(time.Now().Add(p.hold))
			p.until(func() error { return p.send(pings) })
			p.vanish()
			return "cut"
		},
	},
}
