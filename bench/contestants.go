//go:build linux

package main

// A contestant is a program that is measured: a server that echoes, or a client that
// has messages echoed.
type contestant struct {
	name string
	dir  string // of its source, and of its binary below that of the bench
	mode string
	raw  bool // no protocol: the least that it can cost
	ours bool
	goes bool // is written in Go, so that it tells what it allocates
	from string
	when func(cell) bool // it suits only cells for which this is true; nil: all
}

// Names that the targets refer to.
const (
	rawTCP        = "raw TCP, goroutines"
	oursReceive   = "wschannel Receive"
	oursAppend    = "wschannel ReceiveAppend"
	oursView      = "wschannel ListenView"
	oursAccept    = "wschannel Accept in a handler"
	uws           = "uWebSockets on Node.js"
	nodeWebSocket = "JavaScript, package ws"
	oursWasm      = "wschannel, js/wasm"
)

// allServers returns the servers in the order of the report. The first is what
// all are compared with.
func allServers() []contestant {
	echoes := func(c cell) bool { return !c.idle && !c.load.Broadcast }
	idles := func(c cell) bool { return c.idle }
	plain := func(c cell) bool { return !c.load.Deflate && !c.load.Broadcast }
	return []contestant{
		{name: rawTCP, dir: "servers/raw", mode: "goroutines", raw: true, goes: true, when: plain},
		{name: "raw TCP, epoll", dir: "servers/raw", mode: "epoll", raw: true, goes: true, when: plain},
		{name: oursReceive, dir: "servers/wschannel", mode: "receive", ours: true, goes: true},
		{name: oursAppend, dir: "servers/wschannel", mode: "append", ours: true, goes: true, when: echoes},
		{name: oursView, dir: "servers/wschannel", mode: "view", ours: true, goes: true},
		{name: oursAccept, dir: "servers/wschannel", mode: "accept", ours: true, goes: true, when: idles},
		{name: "gorilla", dir: "servers/gorilla", mode: "default", goes: true},
		{name: "coder", dir: "servers/coder", mode: "default", goes: true},
		{name: "gobwas", dir: "servers/gobwas", mode: "default", goes: true},
		{name: "gws", dir: "servers/gws", mode: "default", goes: true},
		{name: "nbio non-blocking", dir: "servers/nbio", mode: "nonblocking", goes: true},
		{name: "nbio blocking", dir: "servers/nbio", mode: "blocking", goes: true},
		{name: uws, dir: uwsDir, mode: "default"},
	}
}

// allClients is the same for clients.
func allClients() []contestant {
	return []contestant{
		{name: rawTCP, dir: "clients/raw", mode: "goroutines", raw: true, goes: true},
		{name: oursReceive, dir: "clients/wschannel", mode: "receive", ours: true, goes: true},
		{name: oursAppend, dir: "clients/wschannel", mode: "append", ours: true, goes: true},
		{name: oursView, dir: "clients/wschannel", mode: "view", ours: true, goes: true},
		{name: "gorilla", dir: "clients/gorilla", mode: "default", goes: true},
		{name: "coder", dir: "clients/coder", mode: "default", goes: true},
		{name: "gobwas", dir: "clients/gobwas", mode: "default", goes: true},
		{name: "gws", dir: "clients/gws", mode: "default", goes: true},
		{name: "nbio non-blocking", dir: "clients/nbio", mode: "nonblocking", goes: true},
	}
}

// allHosted is the same for clients that run in Node.js.
func allHosted() []contestant {
	return []contestant{
		{name: nodeWebSocket, dir: nodeDir, mode: "default"},
		{name: oursWasm, dir: wasmDir, mode: "append", ours: true, goes: true},
	}
}

// withBefore adds to ours what they are in another checkout.
func withBefore(all []contestant, checkout string) []contestant {
	var some []contestant
	for _, e := range all {
		some = append(some, e)
		if e.ours && checkout != "" {
			e.name, e.from = e.name+", before", checkout
			some = append(some, e)
		}
	}
	return some
}

// isPeer reports whether it is a library in Go that ours is held against.
func (e contestant) isPeer() bool { return e.goes && !e.raw && !e.ours }

// suits reports whether it can do what a cell asks for.
func (e contestant) suits(c cell) bool { return e.when == nil || e.when(c) }
