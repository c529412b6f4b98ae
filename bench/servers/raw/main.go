// Two limits to compare with: TCP without any protocol, echoed by a goroutine
// for each connection, and by one epoll loop.
package main

import (
	"bytes"
	"log"
	"net"
	"runtime"

	"github.com/wschannel/wschannel/bench/internal/serve"
	"golang.org/x/sys/unix"
)

func main() {
	serve.Main([]string{"goroutines", "epoll"}, func(l net.Listener, o serve.Options) {
		if o.Mode == "epoll" {
			go epoll(l.(*net.TCPListener))
			return
		}
		go goroutines(l)
	})
}

const bufferSize = 64 << 10

// The load generator shakes hands as with everybody; an answer that is always
// the same is enough for it.
const response = "HTTP/1.1 101 Switching Protocols\r\n\r\n"

var endOfRequest = []byte("\r\n\r\n")

func goroutines(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			buf := make([]byte, bufferSize)
			n, err := c.Read(buf)
			if err != nil || !bytes.HasSuffix(buf[:n], endOfRequest) {
				return
			}
			c.Write([]byte(response))
			for {
				n, err := c.Read(buf)
				if err != nil {
					return
				}
				if _, err := c.Write(buf[:n]); err != nil {
					return
				}
			}
		}()
	}
}

// epoll answers on one thread. A write that would block waits in place: the
// load generator always reads.
func epoll(l *net.TCPListener) {
	runtime.LockOSThread()
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		for {
			c, err := l.AcceptTCP()
			if err != nil {
				return
			}
			f, err := c.File()
			if err != nil {
				log.Fatal(err)
			}
			c.Close()
			fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
			f.Close()
			if err != nil {
				log.Fatal(err)
			}
			unix.SetNonblock(fd, true)
			unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
			if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
				log.Fatal(err)
			}
		}
	}()
	shaken := map[int32]bool{}
	buf := make([]byte, bufferSize)
	events := make([]unix.EpollEvent, 256)
	for {
		n, err := unix.EpollWait(ep, events, -1)
		if err != nil && err != unix.EINTR {
			log.Fatal(err)
		}
		for _, ev := range events[:max(n, 0)] {
			n, err := unix.Read(int(ev.Fd), buf)
			switch {
			case err == unix.EAGAIN:
			case err != nil || n == 0:
				delete(shaken, ev.Fd)
				unix.Close(int(ev.Fd))
			case !shaken[ev.Fd]:
				shaken[ev.Fd] = true
				write(int(ev.Fd), []byte(response))
			default:
				write(int(ev.Fd), buf[:n])
			}
		}
	}
}

func write(fd int, p []byte) {
	for len(p) > 0 {
		n, err := unix.Write(fd, p)
		switch {
		case err == unix.EAGAIN:
			unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, -1)
		case err != nil:
			return
		default:
			p = p[n:]
		}
	}
}
