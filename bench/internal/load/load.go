//go:build linux

// Package load drives an echo server: one thread on epoll, frames built
// beforehand, replies counted and a sample of them compared. It costs little, and
// shares no code with any library that is measured.
package load

import (
	"encoding/json"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// A Config is one run against one server.
type Config struct {
	Addr        string
	Path        string
	Connections int
	Text        bool
	Deflate     bool   // offer compression and send compressed messages
	Payload     []byte // of each message, before compression
	Depth       int    // messages in flight on each connection
	Messages    int    // to be echoed, all in all
	WarmUp      int    // to be echoed before these
	Raw         bool   // the server sends back the bytes that it gets
	Broadcast   bool   // one connection sends, all receive
	Idle        bool   // connect only
}

// A Result is what was measured on this side.
type Result struct {
	Messages int           // echoed, or delivered by broadcasts
	Checked  int           // compared in full
	Elapsed  time.Duration // wall clock
	P50, P99 time.Duration // from sending a message to having its reply whole
}

// A Driver has its connections open.
type Driver struct {
	cfg     Config
	epoll   int
	conns   []*conn
	byFD    map[int32]*conn
	frames  []byte // Depth frames, one behind the other
	frame   int    // length of one
	buf     []byte
	events  []unix.EpollEvent
	inflate inflater

	target  int // replies until the phase is over
	replies int
	begun   int // replies that have begun, ever
	checked int
	left    int // messages that may still be sent
	waiting int // deliveries of the broadcast under way
	sent    time.Time
	timings histogram
}

// Open connects.
func Open(cfg Config) (*Driver, error) {
	d := &Driver{cfg: cfg, byFD: map[int32]*conn{}, buf: make([]byte, 256<<10), events: make([]unix.EpollEvent, 512)}
	d.frames, d.frame = d.buildFrames()
	var err error
	if d.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, err
	}
	return d, d.Connect(cfg.Connections)
}

// portsOfOne is how many connections come from one address: a machine has some
// 28,000 ports to connect from for each.
const portsOfOne = 20_000

// Connect opens more connections, from 127.0.0.1, 127.0.0.2, and so on.
func (d *Driver) Connect(n int) error {
	for range n {
		fd, err := dial(d.cfg, byte(1+len(d.conns)/portsOfOne))
		if err != nil {
			return fmt.Errorf("connection %d: %w", len(d.conns), err)
		}
		c := &conn{d: d, fd: fd}
		d.conns = append(d.conns, c)
		d.byFD[int32(fd)] = c
		if err := unix.EpollCtl(d.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
			return err
		}
	}
	return nil
}

// Close hangs up.
func (d *Driver) Close() {
	for _, c := range d.conns {
		unix.Close(c.fd)
	}
	unix.Close(d.epoll)
}

// Run has messages echoed.
func (d *Driver) Run(messages int) (Result, error) {
	d.begun = 0
	d.replies, d.checked, d.target, d.left = 0, 0, messages, messages
	d.timings = histogram{}
	began := time.Now()
	if d.cfg.Broadcast {
		d.target = messages * len(d.conns)
		d.conns[0].send(1)
		d.left--
		d.waiting, d.sent = len(d.conns), began
	} else {
		for range d.cfg.Depth {
			for _, c := range d.conns {
				if d.left > 0 {
					c.owed++
					d.left--
				}
			}
		}
		for _, c := range d.conns {
			owed := c.owed
			c.owed = 0
			c.send(owed)
		}
	}
	for d.replies < d.target {
		if err := d.turn(); err != nil {
			return Result{}, err
		}
	}
	return Result{
		Messages: d.replies,
		Checked:  d.checked,
		Elapsed:  time.Since(began),
		P50:      d.timings.quantile(0.50),
		P99:      d.timings.quantile(0.99),
	}, nil
}

// silence is how long nothing may come until the run is given up.
const silence = 20 * time.Second

// turn waits for events and deals with them.
func (d *Driver) turn() error {
	n, err := unix.EpollWait(d.epoll, d.events, int(silence/time.Millisecond))
	if err == unix.EINTR {
		return nil
	}
	if err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("nothing came for %v, after %d of %d replies", silence, d.replies, d.target)
	}
	for _, ev := range d.events[:n] {
		c := d.byFD[ev.Fd]
		if ev.Events&unix.EPOLLOUT != 0 {
			if err := c.flush(); err != nil {
				return err
			}
		}
		if ev.Events&^unix.EPOLLOUT != 0 {
			if err := c.receive(); err != nil {
				return err
			}
		}
	}
	return nil
}

// MarshalResult is how a Result crosses to the program that started this one.
func MarshalResult(r Result) string {
	b, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	return string(b)
}
