//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// A server is one way to echo.
type server struct {
	name string
	dir  string // below servers
	mode string
	raw  bool
	ours bool
}

// allServers returns the servers in the order of the report. The first is what
// all are compared with.
func allServers() []server {
	return []server{
		{name: "raw TCP, goroutines", dir: "raw", mode: "goroutines", raw: true},
		{name: "raw TCP, epoll", dir: "raw", mode: "epoll", raw: true},
		{name: "wschannel Receive", dir: "wschannel", mode: "receive", ours: true},
		{name: "wschannel ListenView", dir: "wschannel", mode: "view", ours: true},
		{name: "gorilla", dir: "gorilla", mode: "default"},
		{name: "coder", dir: "coder", mode: "default"},
		{name: "gobwas", dir: "gobwas", mode: "default"},
		{name: "gws", dir: "gws", mode: "default"},
		{name: "nbio non-blocking", dir: "nbio", mode: "nonblocking"},
		{name: "nbio blocking", dir: "nbio", mode: "blocking"},
		{name: "uWebSockets on Node.js", dir: "uws", mode: "default"},
	}
}

// build compiles what is to be run. A server that cannot be had is left out,
// with the reason.
func (b *bench) build() error {
	built := map[string]bool{}
	for _, s := range b.servers {
		if built[s.dir] {
			continue
		}
		built[s.dir] = true
		if s.dir == "uws" {
			if err := b.buildUWS(); err != nil {
				b.unavailable[s.dir] = err.Error()
			}
			continue
		}
		cmd := exec.Command("go", "build", "-o", filepath.Join(b.dir, s.dir), "./servers/"+s.dir)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("building the server %s: %w", s.dir, err)
		}
	}
	return nil
}

const uwsDir = "servers/uws"

func (b *bench) buildUWS() error {
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is not installed", tool)
		}
	}
	if _, err := os.Stat(filepath.Join(uwsDir, "node_modules")); err == nil {
		return nil
	}
	cmd := exec.Command("npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error")
	cmd.Dir = uwsDir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm install: %w: %.200s", err, out)
	}
	return nil
}

// command returns what starts a server.
func (b *bench) command(s server, deflate bool) *exec.Cmd {
	args := []string{filepath.Join(b.dir, s.dir), "-mode", s.mode}
	if s.dir == "uws" {
		args = []string{"node", "--expose-gc", filepath.Join(uwsDir, "main.cjs")}
	}
	if deflate {
		args = append(args, "-deflate")
	}
	return exec.Command(args[0], args[1:]...)
}
