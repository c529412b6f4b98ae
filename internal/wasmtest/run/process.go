package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// A process is a program that was started, with all that it starts. Between it
// and this program stands a keeper, which ends it when this program is gone,
// whatever it was that has ended it.
type process struct {
	keeper *exec.Cmd
	alive  io.Closer     // what the keeper watches
	over   chan struct{} // closed when it has ended
	said   *tail         // what it has printed, unless that was to be seen
}

// start starts a program with this environment. Its output goes to this
// program's if it is shown.
func start(env []string, shown bool, program string, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{over: make(chan struct{}), said: &tail{}}
	p.keeper = exec.Command(self, append([]string{"-keep", program}, args...)...)
	p.keeper.Env = env
	p.keeper.Stdout, p.keeper.Stderr = p.said, p.said
	if shown {
		p.keeper.Stdout, p.keeper.Stderr = os.Stdout, os.Stderr
	}
	group(p.keeper)
	// What it has started may hold its output open when it has ended.
	p.keeper.WaitDelay = time.Second
	p.alive, err = p.keeper.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := p.keeper.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.keeper.Wait()
		close(p.over)
	}()
	return p, nil
}

// kill ends it, and waits for that.
func (p *process) kill() {
	killGroup(p.keeper.Process)
	<-p.over
	p.alive.Close()
}

// exitCode is valid when it is over.
func (p *process) exitCode() int { return p.keeper.ProcessState.ExitCode() }

// output returns the last of what it has printed.
func (p *process) output() string { return p.said.String() }

// keep is the keeper: it runs a program for as long as its standard input is
// open, and returns its exit code.
func keep(program string, args ...string) int {
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "run:", err)
		return 1
	}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		killOwnGroup()
	}()
	cmd.Wait()
	return cmd.ProcessState.ExitCode()
}

// A tail keeps the last of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// tailSize is how many bytes a tail keeps.
const tailSize = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if extra := len(t.text) - tailSize; extra > 0 {
		t.text = t.text[extra:]
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.text))
}
