//go:build unix

package main

import (
	"os"
	"os/exec"
	"syscall"
)

// shell returns a command that the shell runs in a process group of its own,
// so that all of it can be ended, and Ctrl-C does not reach it.
func shell(command string) *exec.Cmd {
	cmd := exec.Command("/bin/sh", "-c", command)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// terminateGroup asks the processes of a group to end. The group has the number
// of its first process.
func terminateGroup(p *os.Process) { syscall.Kill(-p.Pid, syscall.SIGTERM) }

// killGroup ends the processes of a group.
func killGroup(p *os.Process) { syscall.Kill(-p.Pid, syscall.SIGKILL) }
