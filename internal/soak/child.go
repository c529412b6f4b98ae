//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// A child is a process that is talked to in lines of JSON: so its memory,
// goroutines and descriptors are its own. It ends when its standard input does,
// at the latest with this process.
type child struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	answers chan json.RawMessage
}

// start starts this program in another role.
func start(role string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, role)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &child{cmd: cmd, in: in, answers: make(chan json.RawMessage)}
	go func() {
		defer close(c.answers)
		for from := json.NewDecoder(out); ; {
			var answer json.RawMessage
			if from.Decode(&answer) != nil {
				return
			}
			c.answers <- answer
		}
	}()
	return c, nil
}

// patience is how long anything may take before it counts as hanging.
const patience = time.Minute

func (c *child) read(answer any) error {
	select {
	case line, ok := <-c.answers:
		if !ok {
			return errors.New("the process has ended")
		}
		return json.Unmarshal(line, answer)
	case <-time.After(patience):
		return errors.New("the process does not answer")
	}
}

// ask sends a line; the answer goes into answer.
func (c *child) ask(line string, answer any) error {
	if _, err := fmt.Fprintln(c.in, line); err != nil {
		return err
	}
	if err := c.read(answer); err != nil {
		return fmt.Errorf("%s: %w", line, err)
	}
	return nil
}

// end ends the process.
func (c *child) end() {
	c.in.Close()
	kill := time.AfterFunc(10*time.Second, func() { c.cmd.Process.Kill() })
	defer kill.Stop()
	for range c.answers {
	}
	c.cmd.Wait()
}
