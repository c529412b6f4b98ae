//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A child is a process that is talked to in lines. It ends when its standard
// input does, at the latest when this process ends.
type child struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	line chan string
}

// start starts a process, on one processor if pinned.
func start(cmd *exec.Cmd, pinned bool) (*child, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = os.Stderr
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	if pinned {
		cmd.Env = append(cmd.Env, "GOMAXPROCS=1")
	}
	if err := startOn(cmd, pinned); err != nil {
		return nil, err
	}
	c := &child{cmd: cmd, in: in, out: bufio.NewReader(out), line: make(chan string)}
	go func() {
		defer close(c.line)
		for {
			line, err := c.out.ReadString('\n')
			if err != nil {
				return
			}
			c.line <- strings.TrimSuffix(line, "\n")
		}
	}()
	return c, nil
}

// startOn starts a process that inherits this thread's processors.
func startOn(cmd *exec.Cmd, pinned bool) error {
	if !pinned {
		return cmd.Start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	for i := range 1024 {
		if before.IsSet(i) {
			one.Set(i)
			break
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return err
	}
	err := cmd.Start()
	return errors.Join(err, unix.SchedSetaffinity(0, &before))
}

// patience is how long a child may take for a line.
const patience = 2 * time.Minute

// read returns the next line.
func (c *child) read() (string, error) {
	select {
	case line, ok := <-c.line:
		if !ok {
			return "", io.ErrUnexpectedEOF
		}
		return line, nil
	case <-time.After(patience):
		return "", errors.New("no answer")
	}
}

// ask sends a line and returns the answer.
func (c *child) ask(line string) (string, error) {
	if _, err := fmt.Fprintln(c.in, line); err != nil {
		return "", err
	}
	return c.read()
}

// end ends the process.
func (c *child) end() {
	c.in.Close()
	kill := time.AfterFunc(5*time.Second, func() { c.cmd.Process.Kill() })
	for range c.line {
	}
	c.cmd.Wait()
	kill.Stop()
}

// usage is what a process has used so far.
type usage struct {
	cpu    time.Duration
	writes int // system calls that write; of some kinds only
}

func (c *child) usage() (u usage, err error) {
	pid := strconv.Itoa(c.cmd.Process.Pid)
	threads, err := filepath.Glob("/proc/" + pid + "/task/*/schedstat")
	if err != nil {
		return u, err
	}
	for _, name := range threads {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // the thread has ended
		}
		ns, err := strconv.ParseInt(strings.Fields(string(b))[0], 10, 64)
		if err != nil {
			return u, err
		}
		u.cpu += time.Duration(ns)
	}
	io, err := os.ReadFile("/proc/" + pid + "/io")
	if err != nil {
		return u, nil // a matter of permissions; it is only one column
	}
	_, rest, _ := strings.Cut(string(io), "syscw: ")
	u.writes, _ = strconv.Atoi(strings.Fields(rest)[0])
	return u, nil
}

// resident returns the resident memory in bytes.
func (c *child) resident() (int, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(c.cmd.Process.Pid) + "/statm")
	if err != nil {
		return 0, err
	}
	pages, err := strconv.Atoi(strings.Fields(string(b))[1])
	return pages * os.Getpagesize(), err
}
