package interop

import (
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// keeping is set in the environment of a keeper.
const keeping = "WSCHANNEL_INTEROP_KEEPER"

// A keeper is this test program once more. It runs the program of its arguments
// and terminates it when its standard input ends: so what a test has started does
// not outlive the test, however that ends.
func TestMain(m *testing.M) {
	if os.Getenv(keeping) == "" {
		os.Exit(m.Run())
	}
	os.Unsetenv(keeping)
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	for fd := range inherited {
		cmd.ExtraFiles = append(cmd.ExtraFiles, os.NewFile(firstInherited+uintptr(fd), "listener"))
	}
	if err := cmd.Start(); err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		cmd.Process.Signal(syscall.SIGTERM) // so that nginx takes its worker along
	}()
	if err := cmd.Wait(); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// A program under a keeper inherits two listeners.
const (
	firstInherited = 3
	inherited      = 2
)

// keep returns a command for a program under a keeper.
func keep(name string, args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, append([]string{name}, args...)...)
	cmd.Env = append(os.Environ(), keeping+"=1")
	return cmd, nil
}
