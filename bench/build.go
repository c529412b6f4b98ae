//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Folders of what is not simply built with go build.
const (
	uwsDir  = "servers/uws"
	nodeDir = "clients/node"
	wasmDir = "clients/wschannel.wasm"
)

// build compiles what is to be run. What cannot be had is left out, with the
// reason.
func (b *bench) build() error {
	built := map[string]bool{}
	for _, e := range b.contestants() {
		binary := b.binary(e)
		if built[binary] {
			continue
		}
		built[binary] = true
		switch e.dir {
		case uwsDir:
			b.leaveOut(e, installUWS())
			continue
		case nodeDir:
			b.leaveOut(e, findNode())
			continue
		}
		cmd := exec.Command("go", "build", "-o", binary, "./"+strings.TrimSuffix(e.dir, ".wasm"))
		if e.dir == wasmDir {
			b.leaveOut(e, findNode())
			cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
		}
		cmd.Stderr = os.Stderr
		if e.from != "" {
			cmd.Dir = filepath.Join(e.from, "bench")
		}
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("building %s: %w", e.dir, err)
		}
	}
	return nil
}

func (b *bench) leaveOut(e contestant, why error) {
	if why != nil {
		b.unavailable[e.dir] = why.Error()
	}
}

func (b *bench) binary(e contestant) string {
	if e.from != "" {
		return filepath.Join(b.dir, "before", e.dir)
	}
	return filepath.Join(b.dir, e.dir)
}

func installUWS() error {
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is not installed: make setup", tool)
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

// nodeWith has the WebSocket of Node.js, for the tests too.
const nodeWith = "../internal/wasmtest/run/testdata/node"

func findNode() error {
	_, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(filepath.Join(nodeWith, "node_modules", "ws"))
	}
	if err != nil {
		return errors.New("needs Node.js and its package ws: make setup")
	}
	return nil
}

// command returns what starts a contestant.
func (b *bench) command(c cell, e contestant) (*exec.Cmd, error) {
	socket, err := filepath.Abs(filepath.Join(nodeWith, "websocket.cjs"))
	if err != nil {
		return nil, err
	}
	switch e.dir {
	case uwsDir:
		args := []string{"--expose-gc", filepath.Join(uwsDir, "main.cjs")}
		if c.load.Deflate {
			args = append(args, "-deflate")
		}
		return exec.Command("node", args...), nil
	case nodeDir:
		return exec.Command("node", "--require", socket, filepath.Join(nodeDir, "main.cjs")), nil
	}
	args := []string{b.binary(e), "-mode", e.mode}
	if c.load.Deflate {
		args = append(args, "-deflate")
	}
	if b.profiles != "" {
		name := strings.NewReplacer(" ", "-", ",", "", "/", "-").Replace(c.name + "-" + e.name)
		args = append(args, "-cpuprofile", filepath.Join(b.profiles, name+".pprof"))
	}
	if e.dir != wasmDir {
		return exec.Command(args[0], args[1:]...), nil
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, err
	}
	host := filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "wasm_exec_node.js")
	cmd := exec.Command("node", append([]string{"--require", socket, host}, args[:3]...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")} // all that a program can be given has to fit into 8 KiB
	return cmd, nil
}
