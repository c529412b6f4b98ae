package epoll

import (
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"syscall"
)

// addresses are the two ends of a socket.
type addresses struct{ local, remote net.Addr }

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return c.addresses().local }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return c.addresses().remote }

// addresses asks the system, so that an open Conn has little to remember.
func (c *Conn) addresses() *addresses {
	if c.enter() == nil {
		defer c.leave()
		return c.ask()
	}
	for {
		if a := c.ends.Load(); a != nil {
			return a
		}
		runtime.Gosched() // it is being closed
	}
}

func (c *Conn) ask() *addresses {
	local, _ := syscall.Getsockname(int(c.fd))
	if c.peer.IsValid() {
		return &addresses{address(local), net.TCPAddrFromAddrPort(netip.AddrPortFrom(c.peer, c.port))}
	}
	remote, _ := syscall.Getpeername(int(c.fd))
	return &addresses{address(local), address(remote)}
}

// peerOf returns the other end of a TCP socket.
func peerOf(fd int) (peer netip.Addr, port uint16) {
	remote, _ := syscall.Getpeername(fd)
	if a, ok := address(remote).(*net.TCPAddr); ok {
		p := a.AddrPort()
		peer, port = p.Addr(), p.Port()
	}
	return peer, port
}

// address returns nil for what is no address of a stream.
func address(a syscall.Sockaddr) net.Addr {
	switch a := a.(type) {
	case *syscall.SockaddrInet4:
		return &net.TCPAddr{IP: a.Addr[:], Port: a.Port}
	case *syscall.SockaddrInet6:
		return &net.TCPAddr{IP: a.Addr[:], Port: a.Port, Zone: zone(a.ZoneId)}
	case *syscall.SockaddrUnix:
		return &net.UnixAddr{Name: a.Name, Net: "unix"}
	}
	return nil
}

func zone(id uint32) string {
	if id == 0 {
		return ""
	}
	if i, err := net.InterfaceByIndex(int(id)); err == nil {
		return i.Name
	}
	return strconv.Itoa(int(id))
}
