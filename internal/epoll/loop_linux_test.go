package epoll

import (
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"
)

// Loops end with their last socket, however many there are of both.
func TestLoopsEnd(t *testing.T) {
	for sockets := range 6 {
		leakless(t, func(t *testing.T) {
			var all []*Conn
			for range sockets {
				c, far := adopted(t)
				c.Watch(handlerFunc(func() bool { return false }))
				write(t, far, "something")
				all = append(all, c)
			}
			for i, c := range all {
				wantError(t, fmt.Sprintf("Close of %d", i), c.Close(), nil)
			}
		})
	}
}

// A socket that cannot be looked after leaves no loop behind.
func TestAdoptRefused(t *testing.T) {
	leakless(t, func(t *testing.T) {
		near, _ := tcpPair(t)
		near.Close()
		raw, _ := near.(*net.TCPConn).SyscallConn()
		if raw != nil {
			_, err := Adopt(raw)
			wantError(t, "Adopt of a closed socket", err, net.ErrClosed)
		}
		if err := enlist(&Conn{fd: -1}); err == nil {
			t.Error("a descriptor that is none was enlisted")
		}
	})
}

// An event of a socket that is closed before it is looked at is not taken for one
// of the socket that has come to its place.
func TestEventOfAnother(t *testing.T) {
	l, err := newLoop()
	if err != nil {
		t.Fatal(err)
	}
	defer l.file.Close()
	place := func() (*Conn, net.Conn) {
		near, far := tcpPair(t)
		raw, _ := near.(*net.TCPConn).SyscallConn()
		c := &Conn{}
		raw.Control(func(fd uintptr) { c.fd = int32(fd) })
		if err := l.enlist(c); err != nil {
			t.Fatal(err)
		}
		return c, far
	}
	before, far := place()
	far.Close()
	raw, _ := l.file.SyscallConn()
	raw.Read(func(uintptr) bool { return l.poll() && l.events[0].Events&syscall.EPOLLRDHUP != 0 })
	syscall.EpollCtl(l.fd, syscall.EPOLL_CTL_DEL, int(before.fd), nil)
	l.mu.Lock()
	l.remove(before)
	l.mu.Unlock()
	now, _ := place()
	if now.id != before.id {
		t.Fatalf("its place is %d, not %d", now.id, before.id)
	}
	l.fill()
	if len(l.batch) > 0 {
		t.Errorf("events %#x are said to be of the other", l.batch[0].events)
	}
}

// What was sent out of band divides what is to be read: a read that returns less
// than it was asked for has not taken all.
func TestOutOfBand(t *testing.T) {
	near, far := tcpPair(t)
	raw, _ := far.(*net.TCPConn).SyscallConn()
	write(t, far, "before")
	raw.Write(func(fd uintptr) bool {
		wantError(t, "sendto", syscall.Sendto(int(fd), []byte("!"), syscall.MSG_OOB, nil), nil)
		return true
	})
	write(t, far, "behind")
	c := adopt(t, near)
	var got []byte
	all := make(chan struct{})
	c.Watch(handlerFunc(func() bool {
		for {
			var p [100]byte
			n, err := readNow(c, p[:])
			if got = append(got, p[:max(n, 0)]...); n > 0 && string(got) == "beforebehind" {
				close(all)
			}
			if err != nil || n < len(p) && c.Streams() && !c.HungUp() {
				return false
			}
		}
	}))
	await(t, "what is behind", all)
}

// readNow reads without waiting.
func readNow(c *Conn, p []byte) (n int, err error) {
	raw, _ := c.SyscallConn()
	werr := raw.Read(func(fd uintptr) bool {
		n, err = syscall.Read(int(fd), p)
		return true
	})
	if werr != nil {
		return 0, werr
	}
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}
