//go:build !js

package wschannel

import (
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// Pings are answered until a close frame has come, also after one of ours has
// left (RFC 6455 §5.5.2).
func TestPongsAfterOurClose(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, nil)
		closed := async(c.Close)
		p.send(pingFrame, "before it is on the wire")
		synctest.Wait() // close frame and pong may come in any order
		first, _, err := p.read()
		second, _, err2 := p.read()
		if err := errors.Join(err, err2); err != nil || min(first, second) != closeFrame || max(first, second) != pongFrame {
			t.Fatalf("frames %#x and %#x, %v; want a close and a pong", first, second, err)
		}
		for _, payload := range []string{"", "a", "b"} {
			p.send(pingFrame, payload)
			p.expect(pongFrame, payload)
		}
		p.sendClose(1000, "")
		if err := <-closed; err != nil {
			t.Error(err)
		}
		wantOver(t, c, ownClose)
	})
}

// An untilDeaf connection fails to write when the peer does not listen any more.
type untilDeaf struct {
	net.Conn
	deaf atomic.Bool
}

func (c *untilDeaf) Write(p []byte) (int, error) {
	if c.deaf.Load() {
		return 0, syscall.EPIPE
	}
	return c.Conn.Write(p)
}

// A peer that has closed hangs up, and a pong that is on its way then has
// nowhere to go: that does not spoil a close which both sides have sent.
func TestPongFailsAfterOurClose(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		near, far := net.Pipe()
		conn := &untilDeaf{Conn: near}
		c := newOn(t, conn, role, nil)
		p := newPeer(t, far, RoleClient+RoleServer-role)
		closed := async(c.Close)
		p.expectClose(1000, "")
		conn.deaf.Store(true)
		p.send(pingFrame, "")
		synctest.Wait()
		p.sendClose(1000, "")
		if err := <-closed; err != nil {
			t.Error(err)
		}
		wantOver(t, c, ownClose)
	})
}

// A peer that breaks the protocol while we close still gets the whole of our
// close frame.
func TestViolationDuringOurClose(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, nil)
		closed := async(c.Close)
		p.send(textFrame|0x40, "RSV1")
		synctest.Wait()
		if len(closed) != 0 {
			t.Fatalf("Close returned before its frame had left: %v", <-closed)
		}
		p.expectClose(1000, "")
		p.expectEnd()
		err := <-closed
		if _, ok := errors.AsType[*ProtocolError](err); !ok {
			t.Errorf("Close: %v, want what the peer did wrong", err)
		}
		wantOver(t, c, ownClose)
	})
}

// A lateConn hands a frame to a Read that is woken.
type lateConn struct {
	net.Conn
	woken chan struct{}
	frame []byte
}

func (c *lateConn) Read(p []byte) (int, error) {
	if c.frame == nil {
		return c.Conn.Read(p)
	}
	<-c.woken
	n := copy(p, c.frame)
	c.frame = nil
	return n, nil
}

func (c *lateConn) SetReadDeadline(at time.Time) error {
	if at.Equal(past) {
		select {
		case c.woken <- struct{}{}:
		default:
		}
	}
	return c.Conn.SetReadDeadline(at)
}

// The same, seen by a receiver that was about to leave because of the close.
func TestViolationSeenByTheReceiver(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		near, far := net.Pipe()
		p := newPeer(t, far, RoleClient+RoleServer-role)
		conn := &lateConn{near, make(chan struct{}), p.frame(textFrame|0x40, "RSV1")}
		c := newOn(t, conn, role, nil)
		received := async(func() error { return receiveError(c) })
		synctest.Wait()
		closed := async(c.Close)
		wantCloseError(t, "Receive", <-received, ownClose)
		synctest.Wait()
		p.expectClose(1000, "")
		p.expectEnd()
		err := <-closed
		if _, ok := errors.AsType[*ProtocolError](err); !ok {
			t.Errorf("Close: %v, want what the peer did wrong", err)
		}
		wantOver(t, c, ownClose)
	})
}

// A client waits CloseTimeout for the server's FIN, however long the closing
// handshake took (RFC 6455 §7.1.1). X12
func TestLingersAfterALateClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := withPeer(t, netPipe, RoleClient, nil)
		began := time.Now()
		closed := async(c.Close)
		p.expectClose(1000, "")
		time.Sleep(5*time.Second - 1)
		p.sendClose(1000, "")
		if err := <-closed; err != nil {
			t.Error(err)
		}
		wantAfter(t, "closed", began, 5*time.Second-1)
		p.expectEnd()
		wantAfter(t, "hung up", began, 10*time.Second-1)
	})
}
