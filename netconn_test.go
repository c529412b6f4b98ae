//go:build !js

package wschannel

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// golang.org/x/net/nettest holds it against the conformance suite of net.Conn:
// internal/nettest. Here is what is particular about this one.

func TestNetConnReads(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, nil)
		conn := NetConn(c)
		go func() {
			p.conn.Write(append(p.frame(textFrame, "hello"), append(p.frame(binaryFrame, ""), p.frame(binaryFrame, ", world")...)...))
			p.conn.Write(p.frame(closeFrame, closeBody(1000, "")))
			p.read() // our reply
		}()
		got, err := io.ReadAll(conn)
		if string(got) != "hello, world" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
		if n, err := conn.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("behind the end: %d, %v", n, err)
		}
		if n, err := conn.Write([]byte("x")); n != 0 || !errors.Is(err, ErrClosed) {
			t.Errorf("Write: %d, %v", n, err)
		}
		if err := conn.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

// An end that is not clean is no io.EOF.
func TestNetConnLost(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		for name, end := range map[string]func(p *peer){
			"lost":    func(p *peer) { p.conn.Close() },
			"refused": func(p *peer) { p.sendClose(1008, "") },
		} {
			c, p := withPeer(t, netPipe, role, nil)
			go end(p)
			if name == "refused" {
				go io.Copy(io.Discard, p.conn)
			}
			_, err := NetConn(c).Read(make([]byte, 1))
			var closed *CloseError
			if !errors.As(err, &closed) || errors.Is(err, net.ErrClosed) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// What Write has taken goes out although the deadline has passed, and in order.
func TestNetConnWriteTimeout(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, p := withPeer(t, netPipe, role, &Options{WriteTimeout: -1, PingInterval: -1})
		conn := NetConn(c)
		data := bytes.Repeat([]byte("0123456789"), 100_000)
		conn.SetWriteDeadline(time.Now().Add(time.Second))
		began := time.Now()
		n, err := conn.Write(data)
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("Write: %v after %v", err, time.Since(began))
		}
		if n == 0 || n > 2*streamBuffer {
			t.Errorf("took %d bytes, want at most what it may hold", n)
		}
		conn.SetWriteDeadline(time.Time{})
		wrote := async(func() error {
			_, err := conn.Write(data[n:])
			return errors.Join(err, conn.Close())
		})
		var got []byte
		for len(got) < len(data) {
			first, payload, err := p.read()
			if err != nil || first != binaryFrame || len(payload) > streamBuffer {
				t.Fatalf("frame %#x of %d bytes, %v", first, len(payload), err)
			}
			got = append(got, payload...)
		}
		if !bytes.Equal(got, data) {
			t.Error("other bytes were sent")
		}
		p.expectClose(1000, "")
		p.sendClose(1000, "")
		if err := <-wrote; err != nil {
			t.Error(err)
		}
		if err := conn.Close(); err != net.ErrClosed {
			t.Errorf("second Close: %v", err)
		}
		if err := conn.SetDeadline(time.Now()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("SetDeadline: %v", err)
		}
	})
}

// Close waits for a peer that takes nothing, but not for ever.
func TestNetConnCloseTimeout(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, _ := withPeer(t, netPipe, role, &Options{WriteTimeout: -1, PingInterval: -1})
		conn := NetConn(c)
		if n, err := conn.Write([]byte("nobody reads this")); n != 17 || err != nil {
			t.Fatalf("Write: %d, %v", n, err)
		}
		synctest.Wait()
		began := time.Now()
		if err := conn.Close(); err == nil {
			t.Error("what was not sent is not told")
		}
		if took := time.Since(began); took > 15*time.Second {
			t.Errorf("Close took %v", took)
		}
	})
}

// A Read that waits ends when Close begins, and not when that is done.
func TestNetConnCloseEndsRead(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		c, _ := withPeer(t, netPipe, role, &Options{WriteTimeout: -1, PingInterval: -1})
		conn := NetConn(c)
		if _, err := conn.Write([]byte("nobody reads this")); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		read := async(func() error {
			_, err := conn.Read(make([]byte, 1))
			if took := time.Since(began); took > 0 {
				t.Errorf("Read went on for %v", took)
			}
			return err
		})
		synctest.Wait()
		closed := async(conn.Close)
		if err := <-read; err != net.ErrClosed {
			t.Errorf("Read: %v", err)
		}
		<-closed
	})
}

func TestNetConnAddresses(t *testing.T) {
	client, _ := channelPair(t, tcpPair, nil)
	conn := NetConn(client)
	if a, b := conn.LocalAddr(), client.Underlying().LocalAddr(); a != b {
		t.Errorf("LocalAddr %v, want %v", a, b)
	}
	if a, b := conn.RemoteAddr(), client.Underlying().RemoteAddr(); a != b {
		t.Errorf("RemoteAddr %v, want %v", a, b)
	}
	client, _ = channelPair(t, streamPair, nil)
	conn = NetConn(client)
	for _, a := range []net.Addr{conn.LocalAddr(), conn.RemoteAddr()} {
		if a.Network() != "websocket" || a.String() == "" {
			t.Errorf("address %v", a)
		}
	}
}

// The way back: a WebSocket over the bytes of a WebSocket.
func TestNewOverNetConn(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		outer, inner := channelPair(t, netPipe, nil)
		client := newOn(t, NetConn(outer), RoleClient, nil)
		server := newOn(t, NetConn(inner), RoleServer, nil)
		long := strings.Repeat("x", 300_000)
		sent := async(func() error { return client.SendText(t.Context(), long) })
		wantMessage(t, server, long)
		if err := <-sent; err != nil {
			t.Error(err)
		}
		if err := server.CloseWith(4000, "through both"); err != nil {
			t.Errorf("CloseWith: %v", err)
		}
		wantOver(t, client, CloseError{Code: 4000, Reason: "through both", Remote: true})
	})
}
