//go:build !js

package wschannel_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/wschannel/wschannel"
)

// listenUnix serves on a unix socket and returns its path.
func listenUnix(t *testing.T, serve func(net.Listener) error) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "socket")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go serve(l)
	return path
}

// unixDial returns a DialContext for a unix socket.
func unixDial(path string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
}

// A channel over a unix socket, with TLS and without.
func TestUnixSocket(t *testing.T) {
	hosts := make(chan string, 1)
	s := &wschannel.Server{
		Upgrade: func(r *http.Request) (context.Context, error) {
			hosts <- r.Host
			return r.Context(), nil
		},
		Handler: echo,
	}
	serving, trusting := certificate(t)
	for _, target := range bothSchemes {
		server := &http.Server{Handler: s, TLSConfig: serving}
		path := listenUnix(t, func(l net.Listener) error {
			if target == "wss" {
				return server.ServeTLS(l, "", "")
			}
			return server.Serve(l)
		})
		leakless(t, func() {
			d := wschannel.Dialer{DialContext: unixDial(path), TLSConfig: trusting}
			c, _, err := d.Connect(t.Context(), target+"://example.com/path")
			if err != nil {
				t.Fatal(err)
			}
			if host := wait(t, "the request", hosts); host != "example.com" {
				t.Errorf("Host is %s", host)
			}
			if network := c.Underlying().RemoteAddr().Network(); network != "unix" {
				t.Errorf("the channel runs over %s", network)
			}
			checkEcho(t, c)
			if err := c.CloseWith(4000, "enough"); err != nil {
				t.Error(err)
			}
		})
	}
}

// A unix socket where nobody listens, and one where nobody answers.
func TestUnixSocketUnanswered(t *testing.T) {
	leakless(t, func() {
		d := wschannel.Dialer{DialContext: unixDial(filepath.Join(t.TempDir(), "none"))}
		_, _, err := d.Connect(t.Context(), "ws://localhost/")
		var connect *wschannel.ConnectError
		if !errors.As(err, &connect) || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("no socket: %v", err)
		}
	})

	reached := make(chan error, 1)
	left := make(chan string, 1)
	path := listenUnix(t, func(l net.Listener) error {
		conn, err := l.Accept()
		reached <- err
		if err == nil {
			left <- untilClosed(conn)
			conn.Close()
		}
		return err
	})
	leakless(t, func() {
		checkCancelled(t, wschannel.Dialer{DialContext: unixDial(path)}, "ws://localhost/", reached)
		wait(t, "the client's socket to be closed", left)
	})
}

// Proxies can be on unix sockets, too.
func TestUnixSocketOfProxy(t *testing.T) {
	servers := serveBoth(t, &wschannel.Server{Handler: echo})
	for _, scheme := range proxySchemes {
		for _, target := range bothSchemes {
			p := newProxy(scheme, servers[target], "user:pass")
			u := p.start(t)
			path := listenUnix(t, func(l net.Listener) error {
				conn, err := l.Accept()
				if err == nil {
					p.serve(conn)
					conn.Close()
				}
				return err
			})
			u.Host = "example.com"
			d := through(t, u)
			d.DialContext = unixDial(path)
			leakless(t, func() {
				c, _, err := d.Connect(t.Context(), target+"://example.com:99/")
				if err != nil {
					t.Fatal(err)
				}
				if address := wait(t, "the proxy to be asked", p.asked); address != "example.com:99" {
					t.Errorf("the proxy was asked for %s", address)
				}
				checkEcho(t, c)
				if err := c.Close(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}
