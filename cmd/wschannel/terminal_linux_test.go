package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/wschannel/wschannel"
)

// terminal returns the two ends of a new terminal: what its user sees and
// types, and what a program has as its standard streams.
func terminal(t *testing.T) (user, streams *os.File) {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("needs pseudo-terminals: %v", err)
	}
	t.Cleanup(func() { user.Close() })
	var locked, number uint32
	for request, arg := range map[uintptr]*uint32{syscall.TIOCSPTLCK: &locked, syscall.TIOCGPTN: &number} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, user.Fd(), request, uintptr(unsafe.Pointer(arg))); errno != 0 {
			t.Fatal(errno)
		}
	}
	streams, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { streams.Close() })
	return user, streams
}

func TestConnectOnTerminal(t *testing.T) {
	user, streams := terminal(t)
	if !isTerminal(streams) {
		t.Fatal("a terminal is not recognised")
	}
	url := serveChannels(t, func(ctx context.Context, c *wschannel.Channel) {
		c.SendText(ctx, "\x1b[31mred\r\x07")
		w, err := c.NextWriter(ctx, wschannel.Text)
		if err != nil {
			return
		}
		// A message that does not come to its end.
		io.WriteString(w, strings.Repeat("x", 5000))
		c.Receive(ctx)
		c.Close()
	})
	seen := newOutput()
	go io.Copy(seen, user)
	r := &running{t: t, stderr: newOutput(), exit: make(chan int, 1)}
	r.run(streams, streams, []string{"connect", url})
	r.stderr.await(t, "^connected: .*\n$")
	seen.await(t, `^\\x1b\[31mred\\r\\a`+"\r\n")
	user.WriteString("typed\n")
	r.wantExit(exitOK)
	r.stderr.await(t, "closed by the peer: 1000 normal closure\n$")
	seen.await(t, "[^x]x{1000}x*\r\n$") // the line is ended all the same
}
