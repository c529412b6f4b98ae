//go:build !unix

package main

import (
	"os"
	"os/exec"
)

// shell returns a command that the shell runs.
func shell(command string) *exec.Cmd { return exec.Command("cmd", "/C", command) }

// terminateGroup ends a process: here it cannot be asked to.
func terminateGroup(p *os.Process) { p.Kill() }

// killGroup ends a process.
func killGroup(p *os.Process) { p.Kill() }
