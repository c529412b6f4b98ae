//go:build linux

package main

import (
	"bytes"
	"strings"

	"github.com/wschannel/wschannel/bench/internal/load"
	"github.com/wschannel/wschannel/bench/internal/serve"
)

// A cell is one kind of load.
type cell struct {
	name     string
	about    string
	of       func() []contestant // who takes part
	load     load.Config
	with     string // the cell whose rounds it shares, to be compared with it
	unpinned bool   // on all processors, instead of one for both sides
	idle     bool   // memory for each idle connection
	clients  bool   // those who take part are clients, not servers
}

// Names of cells that the targets refer to.
const (
	pingPong     = "ping-pong"
	small        = "small"
	pipelined    = "pipelined"
	oneKiB       = "1 KiB"
	sixteenKiB   = "16 KiB"
	text         = "text"
	textAsBinary = "text as binary"
	broadcast    = "broadcast"
	idle         = "idle"
	hosted       = "js/wasm small"
)

// allCells returns the cells in the order of the report.
func allCells() []cell {
	binary := func(n int) []byte { return bytes.Repeat([]byte{'b'}, n) }
	chinese := []byte(strings.Repeat("天地玄黄宇宙洪荒日月盈昃辰宿列张", 86)[:4095])
	json := []byte(jsonText)
	cells := []cell{
		{name: pingPong, about: "1 connection, 32 B, 1 in flight",
			load: load.Config{Connections: 1, Payload: binary(32), Depth: 1, Messages: 30_000}},
		{name: small, about: "100 connections, 32 B, 1 in flight",
			load: load.Config{Connections: 100, Payload: binary(32), Depth: 1, Messages: 60_000}},
		{name: pipelined, about: "100 connections, 125 B, 16 in flight",
			load: load.Config{Connections: 100, Payload: binary(125), Depth: 16, Messages: 200_000}},
		{name: oneKiB, about: "100 connections, 1 KiB, 1 in flight",
			load: load.Config{Connections: 100, Payload: binary(1 << 10), Depth: 1, Messages: 60_000}},
		{name: sixteenKiB, about: "100 connections, 16 KiB, 1 in flight",
			load: load.Config{Connections: 100, Payload: binary(16 << 10), Depth: 1, Messages: 20_000}},
		{name: "1 MiB", about: "16 connections, 1 MiB, 1 in flight",
			load: load.Config{Connections: 16, Payload: binary(1 << 20), Depth: 1, Messages: 500}},
		{name: text, about: "100 connections, 4 KiB of Chinese text, 1 in flight",
			load: load.Config{Connections: 100, Payload: chinese, Text: true, Depth: 1, Messages: 40_000}},
		{name: textAsBinary, about: "the same bytes as a binary message, measured in the same rounds", with: text,
			load: load.Config{Connections: 100, Payload: chinese, Depth: 1, Messages: 40_000}},
		{name: "deflate", about: "100 connections, 1 KiB of JSON, compressed both ways without context takeover, 1 in flight",
			load: load.Config{Connections: 100, Payload: json, Text: true, Deflate: true, Depth: 1, Messages: 20_000}},
		{name: broadcast, about: "each message of 125 B goes to 500 connections; figures are for one delivery",
			load: load.Config{Connections: 500, Payload: binary(125), Broadcast: true, Messages: 200}},
		{name: "unpinned", about: "small, with server and load on all processors", unpinned: true,
			load: load.Config{Connections: 100, Payload: binary(32), Depth: 1, Messages: 60_000}},
		{name: idle, about: "resident memory with ever more connections on which nothing happens", idle: true,
			load: load.Config{Connections: 1000, Payload: binary(1), Idle: true}},
		{name: "client small", about: "a client with 100 connections, 32 B, 1 in flight", of: allClients,
			load: load.Config{Connections: 100, Payload: binary(32), Depth: 1, Messages: 60_000}},
		{name: "client pipelined", about: "a client with 100 connections, 125 B, 16 in flight", of: allClients,
			load: load.Config{Connections: 100, Payload: binary(125), Depth: 16, Messages: 200_000}},
		{name: "client 1 KiB", about: "a client with 100 connections, 1 KiB, 1 in flight", of: allClients,
			load: load.Config{Connections: 100, Payload: binary(1 << 10), Depth: 1, Messages: 60_000}},
		{name: "client 16 KiB", about: "a client with 100 connections, 16 KiB, 1 in flight", of: allClients,
			load: load.Config{Connections: 100, Payload: binary(16 << 10), Depth: 1, Messages: 20_000}},
		{name: hosted, about: "a client in Node.js with 16 connections, 32 B, 1 in flight", of: allHosted,
			load: load.Config{Connections: 16, Payload: binary(32), Depth: 1, Messages: 30_000}},
		{name: "js/wasm 16 KiB", about: "a client in Node.js with 16 connections, 16 KiB, 1 in flight", of: allHosted,
			load: load.Config{Connections: 16, Payload: binary(16 << 10), Depth: 1, Messages: 20_000}},
	}
	for i := range cells {
		if cells[i].clients = cells[i].of != nil; !cells[i].clients {
			cells[i].of = allServers
		}
	}
	return cells
}

// config returns the load of a cell on a contestant.
func (c cell) config(e contestant, scale float64) load.Config {
	l := c.load
	l.Path = serve.Echo
	if l.Broadcast {
		l.Path = serve.Broadcast
	}
	l.Raw = e.raw
	l.Messages = max(int(float64(l.Messages)*scale), l.Connections*l.Depth, 10)
	l.WarmUp = max(l.Messages/5, l.Connections*l.Depth)
	if l.Broadcast {
		l.WarmUp = max(l.Messages/5, 3)
	}
	return l
}

// jsonText is a message as an application would send it, of 1 KiB.
var jsonText = func() string {
	var b strings.Builder
	b.WriteString(`{"type":"snapshot","channel":"trades.btc-eur","sequence":8123441,"items":[`)
	for i, price := range []string{"50211.5", "50212.0", "50212.5", "50210.0", "50209.5", "50213.0", "50214.5", "50208.0", "50215.0"} {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"id":"t-77120` + string(rune('0'+i)) + `","side":"buy","price":` + price + `,"amount":0.0` + string(rune('1'+i)) + `25,"time":"2026-11-25T12:00:0` + string(rune('0'+i)) + `.125Z"}`)
	}
	b.WriteString(`],"note":"`)
	b.WriteString(strings.Repeat("best bid and offer ", 60)[:1024-b.Len()-2])
	b.WriteString(`"}`)
	return b.String()
}()
