// Run runs a test program that is compiled for js/wasm: in a browser, in which
// it needs no help but a page, or in Node.js. It is for go test -exec, see
// package wasmtest. WASM_HOST in the environment says where:
//
//	chromium, chromium-worker, firefox, firefox-worker, node
//
// It runs the servers that the tests connect to, and it ends after a time: in a
// browser nothing else would end a test that waits for ever. What it has started
// ends with it, whatever it is that ends it.
//
//	run -missing HOST
//
// prints what the host needs and is not there.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// limit is how long the tests may take all in all, with the start of the
// browser.
const limit = 2 * time.Minute

func main() {
	switch args := os.Args[1:]; {
	case len(args) == 2 && args[0] == "-missing":
		fmt.Print(missing(args[1]))
	case len(args) >= 2 && args[0] == "-keep":
		os.Exit(keep(args[1], args[2:]...))
	case len(args) == 0:
		fmt.Fprintln(os.Stderr, "usage: run TEST.WASM [ARGUMENT...]")
		os.Exit(2)
	default:
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		late := fmt.Errorf("not done within %v", limit)
		ctx, cancel := context.WithTimeoutCause(ctx, limit, late)
		code, err := run(ctx, os.Getenv("WASM_HOST"), args)
		cancel()
		stop()
		if err != nil {
			fmt.Fprintln(os.Stderr, "run:", err)
			code = max(code, 1)
		}
		os.Exit(code)
	}
}

// missing says what a host needs and is not there, "" if all is.
func missing(name string) string {
	h, err := hostNamed(name)
	if err == nil {
		_, err = h.find()
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// run runs a program with arguments and returns its exit code.
func run(ctx context.Context, name string, args []string) (code int, err error) {
	h, err := hostNamed(name)
	if err != nil {
		return 0, err
	}
	program, err := h.find()
	if err != nil {
		return 0, err
	}
	s, err := serve(args)
	if err != nil {
		return 0, err
	}
	defer s.close()
	dir, err := os.MkdirTemp("", "wasmtest")
	if err != nil {
		return 0, err
	}
	defer removeAll(dir)
	p, err := h.start(program, dir, s, args)
	if err != nil {
		return 0, err
	}
	defer p.kill()
	select {
	case code := <-s.exit:
		return code, nil
	case err := <-s.failed:
		return 1, err
	case <-p.over:
		if h.isNode() {
			return p.exitCode(), nil
		}
		return 1, fmt.Errorf("%s has ended (exit code %d) before the tests:\n%s", program, p.exitCode(), p.output())
	case <-ctx.Done():
		return 1, fmt.Errorf("%w; %s said:\n%s", context.Cause(ctx), program, p.output())
	}
}

// removeAll removes the folder of a browser that was killed, of which the last
// processes may still be about to end.
func removeAll(dir string) {
	for range 50 {
		if os.RemoveAll(dir) == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}
