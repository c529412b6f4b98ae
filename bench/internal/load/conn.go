//go:build linux

package load

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"
)

// checkEvery is which part of the replies is compared in full.
const checkEvery = 16

// A conn is one connection.
type conn struct {
	d    *Driver
	fd   int
	owed int // frames that are to be written
	off  int // bytes of the first of them that are written

	// The reply under way.
	head       [10]byte
	headLen    int
	need       int  // bytes of its frame's payload still to come
	inBody     bool // the header is complete
	more       bool // further frames belong to it
	check      bool
	compressed bool
	body       []byte

	sent     []time.Time // when the messages in flight were sent
	wantsOut bool
}

// send writes n more frames.
func (c *conn) send(n int) error {
	now := time.Now()
	for range n {
		c.sent = append(c.sent, now)
	}
	c.owed += n
	return c.flush()
}

func (c *conn) flush() error {
	d := c.d
	for c.owed > 0 {
		end := min(len(d.frames), c.owed*d.frame)
		n, err := unix.Write(c.fd, d.frames[c.off:end])
		if err == unix.EAGAIN {
			return c.wantOut(true)
		}
		if err != nil {
			return fmt.Errorf("write: %w", err)
		}
		c.off += n
		c.owed -= c.off / d.frame
		c.off %= d.frame
	}
	return c.wantOut(false)
}

func (c *conn) wantOut(want bool) error {
	if want == c.wantsOut {
		return nil
	}
	c.wantsOut = want
	events := uint32(unix.EPOLLIN)
	if want {
		events |= unix.EPOLLOUT
	}
	return unix.EpollCtl(c.d.epoll, unix.EPOLL_CTL_MOD, c.fd, &unix.EpollEvent{Events: events, Fd: int32(c.fd)})
}

// receive reads once, counts replies, and sends as many messages again.
func (c *conn) receive() error {
	d := c.d
	n, err := unix.Read(c.fd, d.buf)
	switch {
	case err == unix.EAGAIN:
		return nil
	case err != nil:
		return fmt.Errorf("read: %w", err)
	case n == 0:
		return io.ErrUnexpectedEOF
	}
	done, err := c.parse(d.buf[:n])
	if err != nil || done == 0 {
		return err
	}
	now := time.Now()
	d.replies += done
	if d.cfg.Broadcast {
		d.waiting -= done
		if d.waiting > 0 || d.left == 0 {
			return nil
		}
		d.timings.add(now.Sub(d.sent))
		d.left--
		d.waiting, d.sent = len(d.conns), now
		return d.conns[0].send(1)
	}
	for _, at := range c.sent[:done] {
		d.timings.add(now.Sub(at))
	}
	c.sent = c.sent[:copy(c.sent, c.sent[done:])]
	again := min(done, d.left)
	d.left -= again
	return c.send(again)
}

// parse returns how many replies have become whole.
func (c *conn) parse(p []byte) (done int, err error) {
	for len(p) > 0 {
		if !c.inBody {
			if c.d.cfg.Raw {
				c.begin(c.d.frame, true, 0)
			} else {
				used, err := c.header(p)
				if err != nil {
					return done, err
				}
				p = p[used:]
			}
		}
		if c.inBody {
			n := min(c.need, len(p))
			if c.check {
				c.body = append(c.body, p[:n]...)
			}
			c.need -= n
			p = p[n:]
			if c.need == 0 {
				c.inBody, c.headLen = false, 0
				if c.more {
					continue
				}
				if err := c.end(); err != nil {
					return done, err
				}
				done++
			}
		}
	}
	return done, nil
}

// header takes bytes of a frame's header.
func (c *conn) header(p []byte) (used int, err error) {
	want := 2
	for {
		if c.headLen >= 2 {
			switch c.head[1] {
			case 126:
				want = 4
			case 127:
				want = 10
			}
		}
		if c.headLen == want {
			break
		}
		if used == len(p) {
			return used, nil
		}
		c.head[c.headLen] = p[used]
		c.headLen++
		used++
	}
	first := byte(2)
	switch {
	case c.more:
		first = 0
	case c.d.cfg.Text:
		first = 1
	}
	if c.head[0]&0x3F != first || c.head[1]&0x80 != 0 {
		return used, fmt.Errorf("a frame that begins with %x", c.head[:c.headLen])
	}
	length := int(c.head[1])
	switch want {
	case 4:
		length = int(binary.BigEndian.Uint16(c.head[2:]))
	case 10:
		length = int(binary.BigEndian.Uint64(c.head[2:]))
	}
	c.begin(length, c.head[0]&0x80 != 0, c.head[0]&0x40)
	return used, nil
}

// begin takes up a frame.
func (c *conn) begin(length int, fin bool, rsv1 byte) {
	if !c.more {
		c.check = c.d.begun%checkEvery == 0
		c.d.begun++
		c.compressed = rsv1 != 0
		c.body = c.body[:0]
	}
	c.inBody, c.need, c.more = true, length, !fin
}

// end compares a reply, if it is one of the sample.
func (c *conn) end() error {
	if !c.check || c.d.cfg.Raw {
		return nil
	}
	body := c.body
	if c.compressed {
		var err error
		if body, err = c.d.inflate.message(body); err != nil {
			return err
		}
	}
	if !bytes.Equal(body, c.d.cfg.Payload) {
		return fmt.Errorf("a reply of %d bytes differs from what was sent", len(body))
	}
	c.d.checked++
	return nil
}
