//go:build unix

package main

import (
	"os"
	"os/exec"
	"syscall"
)

// group puts a program into a group with all that it starts.
func group(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup ends a program and all that it has started.
func killGroup(p *os.Process) { syscall.Kill(-p.Pid, syscall.SIGKILL) }

// killOwnGroup ends this program, and all that it has started.
func killOwnGroup() { syscall.Kill(0, syscall.SIGKILL) }
