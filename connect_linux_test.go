package wschannel_test

import (
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wschannel/wschannel"
)

// Cancelling ends the connecting of a TCP socket (X06, X07), as it is to a host
// that does not answer: here a listener whose queue is full.
func TestConnectCancelledInTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if e := raw.Control(func(fd uintptr) { err = syscall.Listen(int(fd), 0) }); e != nil || err != nil {
		t.Fatal(e, err)
	}
	filler, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer filler.Close()

	port := l.Addr().(*net.TCPAddr).Port
	leakless(t, func() {
		reached := make(chan error, 1)
		go func() {
			for tick := time.Tick(time.Millisecond); !connecting(t, port); {
				select {
				case <-tick:
				case <-t.Context().Done():
					return
				}
			}
			reached <- nil
		}()
		checkCancelled(t, wschannel.Dialer{}, "ws://"+l.Addr().String(), reached)
		eventually(t, "the socket is closed", func() bool { return !connecting(t, port) })
	})
}

// connecting reports whether there is a socket that has sent a SYN to a port of
// 127.0.0.1 and waits for the answer.
func connecting(t *testing.T, port int) bool {
	t.Helper()
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Error(err)
	}
	const synSent = " 02 "
	return strings.Contains(string(table), fmt.Sprintf(" 0100007F:%04X%s", port, synSent))
}
