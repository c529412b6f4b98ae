//go:build linux

package load

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net"
	"net/textproto"

	"golang.org/x/sys/unix"
)

// Respond is the echo server for clients under measurement: one thread on epoll that
// answers each message with a frame which was built beforehand, all that have come
// together in one write. One message in 16 is unmasked and compared with payload. It
// calls listening with its address and returns only with an error.
func Respond(payload []byte, listening func(addr string)) error {
	l, err := listen()
	if err != nil {
		return err
	}
	name, err := unix.Getsockname(l)
	if err != nil {
		return err
	}
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	watch := func(fd int) error {
		return unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
	}
	if err := watch(l); err != nil {
		return err
	}
	listening((&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: name.(*unix.SockaddrInet4).Port}).String())
	frame := appendFrameHeader(nil, 0x82, 0, len(payload))
	frame = append(frame, payload...)
	r := &responder{payload: payload, frame: len(frame), frames: bytes.Repeat(frame, 64)}
	clients := map[int32]*client{}
	buf := make([]byte, 256<<10)
	events := make([]unix.EpollEvent, 512)
	for {
		n, err := unix.EpollWait(ep, events, -1)
		if err != nil && err != unix.EINTR {
			return err
		}
		for _, ev := range events[:max(n, 0)] {
			if int(ev.Fd) == l {
				fd, _, err := unix.Accept4(l, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
				if err != nil {
					continue
				}
				unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
				clients[int32(fd)] = &client{fd: fd}
				if err := watch(fd); err != nil {
					return err
				}
				continue
			}
			c := clients[ev.Fd]
			n, err := unix.Read(c.fd, buf)
			switch {
			case err == unix.EAGAIN:
			case err != nil || n == 0:
				unix.Close(c.fd)
				delete(clients, ev.Fd)
			default:
				if err := r.serve(c, buf[:n]); err != nil {
					return err
				}
			}
		}
	}
}

func listen() (fd int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, err
	}
	return fd, unix.Listen(fd, 1024)
}

type responder struct {
	payload []byte
	frames  []byte // some, one behind the other
	frame   int    // length of one
	begun   int    // messages
}

// A client is a connection of a client.
type client struct {
	fd     int
	shaken bool
	head   []byte // a request or a frame's header, in part
	key    [4]byte
	need   int // bytes of the frame's payload still to come
	final  bool
	inBody bool
	more   bool // further frames of the message are to come
	check  bool
	body   []byte
}

// serve takes bytes from a client and answers what has become whole.
func (r *responder) serve(c *client, p []byte) error {
	if !c.shaken {
		c.head = append(c.head, p...)
		if !bytes.HasSuffix(c.head, []byte("\r\n\r\n")) {
			return nil
		}
		c.shaken = true
		answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
			"Sec-WebSocket-Accept: " + accept(c.head) + "\r\n\r\n"
		c.head = c.head[:0]
		return write(c.fd, []byte(answer))
	}
	done := 0
	for len(p) > 0 || c.inBody && c.need == 0 {
		if !c.inBody {
			used, err := r.begin(c, p)
			if err != nil {
				return err
			}
			p = p[used:]
			continue
		}
		n := min(c.need, len(p))
		if c.check {
			for i, b := range p[:n] {
				c.body = append(c.body, b^c.key[i&3])
			}
			c.key = [4]byte{c.key[n&3], c.key[(n+1)&3], c.key[(n+2)&3], c.key[(n+3)&3]}
		}
		c.need -= n
		p = p[n:]
		if c.need > 0 {
			continue
		}
		c.inBody, c.more = false, !c.final
		if c.final {
			if c.check && !bytes.Equal(c.body, r.payload) {
				return fmt.Errorf("a message of %d bytes differs from what was to be sent", len(c.body))
			}
			done++
		}
	}
	for done > 0 {
		n := min(done, len(r.frames)/r.frame)
		if err := write(c.fd, r.frames[:n*r.frame]); err != nil {
			return nil // it has gone, which its own report tells
		}
		done -= n
	}
	return nil
}

// begin takes bytes of a frame's header.
func (r *responder) begin(c *client, p []byte) (used int, err error) {
	want := 2
	for {
		if len(c.head) >= 2 {
			switch c.head[1] & 0x7F {
			case 126:
				want = 8
			case 127:
				want = 14
			default:
				want = 6
			}
		}
		if len(c.head) == want {
			break
		}
		if used == len(p) {
			return used, nil
		}
		c.head = append(c.head, p[used])
		used++
	}
	if op := c.head[0] & 0x0F; op != 2 && op != 0 || c.head[1]&0x80 == 0 {
		return used, fmt.Errorf("a client sent a frame that begins with %x", c.head)
	}
	c.need = int(c.head[1] & 0x7F)
	switch want {
	case 8:
		c.need = int(binary.BigEndian.Uint16(c.head[2:]))
	case 14:
		c.need = int(binary.BigEndian.Uint64(c.head[2:]))
	}
	if !c.more {
		c.check = r.begun%checkEvery == 0
		r.begun++
		c.body = c.body[:0]
	}
	c.final, c.inBody = c.head[0]&0x80 != 0, true
	c.key = [4]byte(c.head[want-4:])
	c.head = c.head[:0]
	return used, nil
}

// accept answers the key of a request (RFC 6455 §4.2.2).
func accept(request []byte) string {
	for line := range bytes.Lines(request) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		if textproto.CanonicalMIMEHeaderKey(string(name)) == "Sec-Websocket-Key" {
			sum := sha1.Sum(append(bytes.TrimSpace(value), "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"...))
			return base64.StdEncoding.EncodeToString(sum[:])
		}
	}
	return ""
}

// write waits in place if the system does not take all.
func write(fd int, p []byte) error {
	for len(p) > 0 {
		n, err := unix.Write(fd, p)
		switch {
		case err == unix.EAGAIN:
			unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, -1)
		case err == unix.EINTR:
		case err != nil:
			return err
		default:
			p = p[n:]
		}
	}
	return nil
}
