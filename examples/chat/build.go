//go:build !js

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

const self = "github.com/wschannel/wschannel/examples/chat"

// buildClient compiles this package for the browser, with the go command, and
// returns it with the script that the same Go distribution runs it with.
func buildClient() (client, wasmExec []byte, err error) {
	// A file of its own Go has in the module, which the go command must be in.
	dir := "."
	if _, file, _, ok := runtime.Caller(0); ok {
		if _, err := os.Stat(file); err == nil {
			dir = filepath.Dir(file)
		}
	}
	tmp, err := os.MkdirTemp("", "chat")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(tmp)
	program := filepath.Join(tmp, "chat.wasm")
	goCommand := func(args ...string) (string, error) {
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "GOFLAGS=")
		out, err := cmd.CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(string(out)), nil
	}
	if _, err := goCommand("build", "-trimpath", "-ldflags=-s -w", "-o", program, self); err != nil {
		return nil, nil, fmt.Errorf("the client needs the go command and this module's source: %w", err)
	}
	root, err := goCommand("env", "GOROOT")
	if err != nil {
		return nil, nil, err
	}
	if client, err = os.ReadFile(program); err != nil {
		return nil, nil, err
	}
	wasmExec, err = os.ReadFile(filepath.Join(root, "lib", "wasm", "wasm_exec.js"))
	return client, wasmExec, err
}
