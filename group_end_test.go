//go:build unix

package wschannel

import (
	"net"
	"syscall"
	"testing"
	"time"
)

// failingWrites fails writes to a socket, after calling before.
type failingWrites struct {
	syscall.RawConn
	before func()
}

func (f failingWrites) Write(func(uintptr) bool) error {
	f.before()
	return syscall.EPIPE
}

// What is told of a member's end may publish to the same group, also if the member
// has ended because of a publication.
func TestPublishAtTheEndOfAMember(t *testing.T) {
	var g Group
	near, far := tcpPair(t)
	c, other := newOn(t, near, RoleServer, nil), newOn(t, far, RoleClient, nil)
	e := &c.engine
	if g.Join(other) != nil || g.Join(c) != nil {
		t.Fatal("Join fails")
	}
	e.raw = failingWrites{e.raw, func() { e.decide(&CloseError{Code: 1006}) }} // as if it were lost just now
	ended := make(chan error, 1)
	e.onEnd = func(step lastStep, _ traffic) {
		if step == stepOver {
			ended <- g.Publish(Message{Text, []byte("one has left")}) // as a handler of a Server's Logger may
		}
	}
	published := async(func() error { return g.Publish(Message{Text, []byte("hello")}) })
	if err := within(t, "Publish", published); err != nil {
		t.Error(err)
	}
	if err := within(t, "Publish at the end", ended); err != nil {
		t.Error(err)
	}
	within(t, "the end", c.Done())
}

// wokenConn calls woken when a reader is to look up.
type wokenConn struct {
	net.Conn
	woken func()
}

func (c wokenConn) SetReadDeadline(t time.Time) error {
	if t.Equal(past) {
		c.woken()
	}
	return c.Conn.SetReadDeadline(t)
}

// So may the transport of a member that is closed because of a publication.
func TestPublishByATransport(t *testing.T) {
	var g Group
	near, _ := net.Pipe()
	again := make(chan error, 1)
	c := newOn(t, wokenConn{near, func() { again <- g.Publish(Message{Text, []byte("one is too slow")}) }}, RoleServer, &Options{SendQueue: 1})
	if err := g.Join(c); err != nil {
		t.Fatal(err)
	}
	published := async(func() (err error) {
		for err == nil && c.engine.outcome() == nil {
			err = g.Publish(Message{Text, []byte(noRoom)})
		}
		return err
	})
	if err := within(t, "all publications", published); err != nil {
		t.Error(err)
	}
	if err := within(t, "Publish by the transport", again); err != nil {
		t.Error(err)
	}
	c.CloseNow()
}
