package epoll

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// waitAtMost is after how long a test that waits has failed.
const waitAtMost = 20 * time.Second

// kinds are the sockets that can be adopted.
var kinds = []struct {
	name    string
	connect func(t testing.TB) (near, far net.Conn)
}{
	{"TCP", tcpPair},
	{"unix", unixPair},
}

// onEach runs f with an adopted socket of each kind and its peer.
func onEach(t *testing.T, f func(t *testing.T, c *Conn, far net.Conn)) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			near, far := kind.connect(t)
			f(t, adopt(t, near), far)
		})
	}
}

func tcpPair(t testing.TB) (near, far net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	return pair(t, l, err)
}

func unixPair(t testing.TB) (near, far net.Conn) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	return pair(t, l, err)
}

func pair(t testing.TB, l net.Listener, err error) (near, far net.Conn) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err = net.Dial(l.Addr().Network(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	far.SetDeadline(time.Now().Add(waitAtMost))
	return near, far
}

// adopt adopts a socket and closes the old one, until the test is over.
func adopt(t testing.TB, near net.Conn) *Conn {
	t.Helper()
	raw, err := near.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	c, err := Adopt(raw)
	if err != nil {
		t.Fatal(err)
	}
	near.Close()
	t.Cleanup(func() { c.Close() })
	return c
}

// adopted returns a TCP socket that is adopted, and its peer.
func adopted(t testing.TB) (c *Conn, far net.Conn) {
	near, far := tcpPair(t)
	return adopt(t, near), far
}

// A handlerFunc is a function that is a Handler.
type handlerFunc func() bool

func (f handlerFunc) Ready() bool { return f() }

func await[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(waitAtMost):
		t.Fatalf("still waiting for %s", what)
		panic("unreachable")
	}
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for began := time.Now(); !holds(); <-time.After(time.Millisecond) {
		if time.Since(began) > waitAtMost {
			t.Fatalf("still waiting for %s", what)
		}
	}
}

// async returns what f will.
func async[T any](f func() T) <-chan T {
	c := make(chan T, 1)
	go func() { c <- f() }()
	return c
}

// blocked waits until n goroutines wait for g.
func blocked(t testing.TB, g *gate, n int32) {
	t.Helper()
	eventually(t, "goroutines to block", func() bool { return g.waiting.Load() == n })
}

// wantRead reads as many bytes as want has.
func wantRead(t testing.TB, r io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(r, got); err != nil || string(got) != want {
		t.Fatalf("read %q, %v; want %q", got[:n], err, want)
	}
}

func write(t testing.TB, w io.Writer, s string) {
	t.Helper()
	if n, err := io.WriteString(w, s); n != len(s) || err != nil {
		t.Fatalf("wrote %d of %d bytes, %v", n, len(s), err)
	}
}

func wantError(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) || (err == nil) != (want == nil) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// fill writes until the socket takes no more, and returns how much that was.
func fill(t testing.TB, c *Conn) (n int) {
	t.Helper()
	raw, _ := c.SyscallConn()
	err := raw.Write(func(fd uintptr) bool {
		for p := make([]byte, 64<<10); ; {
			m, err := syscall.Write(int(fd), p)
			if err != nil {
				return true
			}
			n += m
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// leakless runs f in a test of its own, and waits for what it has left.
func leakless(t *testing.T, f func(t *testing.T)) {
	goroutines, descriptors := runtime.NumGoroutine(), openFiles(t)
	t.Run("", f)
	eventually(t, "goroutines and descriptors to go", func() bool {
		return runtime.NumGoroutine() <= goroutines && openFiles(t) <= descriptors
	})
	loops.Lock()
	defer loops.Unlock()
	if n := len(loops.all); n > 0 {
		t.Errorf("%d loops are left", n)
	}
}

func openFiles(t testing.TB) int {
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}
