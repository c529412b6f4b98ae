package nettest

import (
	"net"
	"path/filepath"
	"testing"

	"golang.org/x/net/nettest"

	"github.com/wschannel/wschannel"
)

// wrap runs a WebSocket over two connected streams, and returns what NetConn
// makes of its two channels.
func wrap(near, far net.Conn) (c1, c2 net.Conn, stop func(), err error) {
	client := wschannel.New(near, wschannel.RoleClient, nil)
	server := wschannel.New(far, wschannel.RoleServer, nil)
	c1, c2 = wschannel.NetConn(client), wschannel.NetConn(server)
	return c1, c2, func() { // both at once: neither has to wait for the other
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			c2.Close()
		}()
		c1.Close()
		<-closed
		// A test may be closing one itself, which needs what is below until then.
		<-client.Done()
		<-server.Done()
	}, nil
}

func sockets(network, address string) (near, far net.Conn, err error) {
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	if near, err = net.Dial(network, l.Addr().String()); err != nil {
		return nil, nil, err
	}
	far, err = l.Accept()
	return near, far, err
}

func TestNetConn(t *testing.T) {
	t.Run("net.Pipe", func(t *testing.T) {
		nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
			return wrap(net.Pipe())
		})
	})
	t.Run("TCP", func(t *testing.T) {
		nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
			near, far, err := sockets("tcp", "127.0.0.1:0")
			if err != nil {
				return nil, nil, nil, err
			}
			return wrap(near, far)
		})
	})
	t.Run("unix", func(t *testing.T) {
		nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
			near, far, err := sockets("unix", filepath.Join(t.TempDir(), "s"))
			if err != nil {
				return nil, nil, nil, err
			}
			return wrap(near, far)
		})
	})
	// The way back: a WebSocket over the net.Conn of another one.
	t.Run("WebSocket", func(t *testing.T) {
		nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
			near, far, stopInner, err := wrap(net.Pipe())
			if err != nil {
				return nil, nil, nil, err
			}
			c1, c2, stopOuter, err := wrap(near, far)
			return c1, c2, func() { stopOuter(); stopInner() }, err
		})
	})
}
