package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

// A process is a program that a test has started. It does not outlive the test.
type process struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr *output
	exited         chan error
}

// execute runs a program with standard input from in, which should be a file if
// it has no end.
func execute(t *testing.T, in io.Reader, name string, args ...string) *process {
	t.Helper()
	p := newProcess(t, in, name, args...)
	p.start()
	return p
}

func newProcess(t *testing.T, in io.Reader, name string, args ...string) *process {
	p := &process{t: t, cmd: exec.CommandContext(t.Context(), name, args...), stdout: newOutput(), stderr: newOutput()}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = in, p.stdout, p.stderr
	return p
}

func (p *process) start() {
	p.t.Helper()
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.exited = make(chan error, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.exited <- p.cmd.Wait()
	}()
	p.t.Cleanup(func() { <-ended })
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// wantExit waits for the end of the program and checks its status.
func (p *process) wantExit(want int) {
	p.t.Helper()
	select {
	case err := <-p.exited:
		if got := p.cmd.ProcessState.ExitCode(); got != want {
			p.t.Errorf("%v: %v, want exit status %d; standard error: %s", p.cmd, err, want, p.stderr)
		}
	case <-time.After(patience):
		p.t.Fatalf("%v: still running after %v; standard error: %s", p.cmd, patience, p.stderr)
	}
}

// wantPeerClose checks that err is a close by the peer with a code.
func wantPeerClose(t *testing.T, err error, code status.Code) {
	t.Helper()
	if end, ok := errors.AsType[*wschannel.CloseError](err); !ok || !end.Remote || end.Code != code {
		t.Errorf("got %v, want a close by the peer with %v", err, code)
	}
}
