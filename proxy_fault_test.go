//go:build !js

package wschannel_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel"
)

var errBroken = errors.New("broken")

// A breakingConn is a connection of which the at-th call of some kind goes
// wrong, and with it all later ones.
type breakingConn struct {
	net.Conn
	kind breakage

	mu    sync.Mutex
	at    int // counts down
	armed bool
	broke bool
}

// A breakage is a way to go wrong.
type breakage struct {
	name        string
	read, write bool // the calls that it harms
	part        bool // a part of what was asked for is done before
	err         error
}

var breakages = []breakage{
	{"reading fails", true, false, false, errBroken},
	{"reading fails after a part", true, false, true, errBroken},
	{"EOF", true, false, false, io.EOF},
	{"EOF after a part", true, false, true, io.EOF},
	{"writing fails", false, true, false, errBroken},
	{"writing fails after a part", false, true, true, errBroken},
	{"closed", true, true, false, net.ErrClosed},
}

func (c *breakingConn) breaks(harmed bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !harmed || !c.armed {
		return false
	}
	c.at--
	c.broke = c.broke || c.at < 0
	return c.broke
}

// disarm ends the counting, and reports whether something went wrong.
func (c *breakingConn) disarm() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed = false
	return c.broke
}

func (c *breakingConn) Read(p []byte) (n int, err error) {
	if !c.breaks(c.kind.read) {
		return c.Conn.Read(p)
	}
	if c.kind.part {
		n, err = c.Conn.Read(p[:(len(p)+1)/2])
	}
	if err == nil {
		err = c.kind.err
	}
	return n, err
}

func (c *breakingConn) Write(p []byte) (n int, err error) {
	if !c.breaks(c.kind.write) {
		return c.Conn.Write(p)
	}
	if c.kind.part {
		n, err = c.Conn.Write(p[:len(p)/2])
	}
	if err == nil {
		err = c.kind.err
	}
	return n, err
}

// dialWrapped is a DialContext whose connections are wrapped.
func dialWrapped(wrap func(net.Conn) net.Conn) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return wrap(conn), nil
	}
}

// eachWay calls f for connecting straight and through every kind of proxy.
func eachWay(t *testing.T, f func(t *testing.T, d wschannel.Dialer, url string)) {
	servers := serveBoth(t, &wschannel.Server{Handler: echo})
	for _, scheme := range append([]string{"straight"}, proxySchemes[:3]...) {
		for _, target := range bothSchemes {
			t.Run(scheme+"/"+target, func(t *testing.T) {
				d := through(t, nil)
				url := target + "://" + servers[target]
				if scheme != "straight" {
					p := newProxy(scheme, servers[target], "user:pass")
					p.asked = make(chan string, 1000)
					d = through(t, p.start(t))
					url = target + "://example.com/"
				}
				d.HandshakeTimeout = -1
				f(t, d, url)
			})
		}
	}
}

// Connecting, straight or through a proxy, on a connection of which the n-th
// call goes wrong, n = 0, 1, 2 … until it does not matter. There is an error
// that says so, or a channel that works, and nothing is left.
func TestConnectFaults(t *testing.T) {
	eachWay(t, func(t *testing.T, d wschannel.Dialer, url string) {
		for _, kind := range breakages {
			leakless(t, func() {
				n := 0
				for broke := true; broke && !t.Failed(); n++ {
					broke = connectOnce(t, d, url, kind, n)
				}
				if n < 2 && !t.Failed() {
					t.Errorf("%s: never happened", kind.name)
				}
			})
		}
	})
}

func connectOnce(t *testing.T, d wschannel.Dialer, url string, kind breakage, n int) (broke bool) {
	what := fmt.Sprintf("%s, call %d", kind.name, n)
	var conn *breakingConn
	d.DialContext = dialWrapped(func(near net.Conn) net.Conn {
		conn = &breakingConn{Conn: near, kind: kind, at: n, armed: true}
		return conn
	})
	c, _, err := d.Connect(patiently(t), url)
	broke = conn.disarm()
	if err == nil {
		// It may have been a read ahead, behind the response.
		if !broke {
			checkEcho(t, c)
		}
		if err := c.Close(); err != nil && !broke {
			t.Errorf("%s: %v", what, err)
		}
		return broke
	}
	var connect *wschannel.ConnectError
	want := errors.Is(err, kind.err)
	switch { // Of what goes on at the same time, net/http tells what comes first.
	case kind.err == io.EOF:
		want = want || errors.Is(err, io.ErrUnexpectedEOF) || strings.HasSuffix(err.Error(), "server closed idle connection")
	case kind.write:
		want = want || errors.Is(err, net.ErrClosed)
	}
	if c != nil || !broke || !errors.As(err, &connect) || !want || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%s: got %p, %v; want a ConnectError with %v alone", what, c, err, kind.err)
	}
	return broke
}

// The same, a byte at a time: nothing goes wrong.
func TestConnectInCrumbs(t *testing.T) {
	eachWay(t, func(t *testing.T, d wschannel.Dialer, url string) {
		d.DialContext = dialWrapped(func(conn net.Conn) net.Conn { return byteConn{conn} })
		c, _, err := d.Connect(patiently(t), url)
		if err != nil {
			t.Fatal(err)
		}
		checkEcho(t, c)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A byteConn reads one byte at a time.
type byteConn struct{ net.Conn }

func (c byteConn) Read(p []byte) (int, error) { return c.Conn.Read(p[:min(1, len(p))]) }

// A proxy that refuses and then keeps its reasons to itself is not waited for
// until the time is up.
func TestProxyRefusalStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		go func() {
			readHead(bufio.NewReader(far))
			io.WriteString(far, "HTTP/1.1 407 Proxy Authentication Required\r\n\r\nwho are")
			untilClosed(far)
			far.Close()
		}()
		d := wschannel.Dialer{
			Proxy:       http.ProxyURL(&url.URL{Scheme: "http", Host: "proxy.example"}),
			DialContext: func(context.Context, string, string) (net.Conn, error) { return near, nil },
		}
		start := time.Now()
		_, _, err := d.Connect(t.Context(), "ws://example.com/")
		checkProxyError(t, err, 407, `it said "who are"$`)
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// A proxy that does not answer at all is, until the time is up.
func TestProxyTimeout(t *testing.T) {
	for _, scheme := range proxySchemes {
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe()
			go func() {
				untilClosed(far)
				far.Close()
			}()
			d := wschannel.Dialer{
				Proxy:       http.ProxyURL(&url.URL{Scheme: scheme, Host: "proxy.example"}),
				DialContext: func(context.Context, string, string) (net.Conn, error) { return near, nil },
			}
			start := time.Now()
			_, _, err := d.Connect(t.Context(), "ws://example.com/")
			if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != 10*time.Second {
				t.Errorf("%s: %v after %v, want a time-out after HandshakeTimeout", scheme, err, took)
			}
		})
	}
}

// A DialContext that returns nothing at all.
func TestDialContextReturnsNothing(t *testing.T) {
	for _, proxy := range []*url.URL{nil, {Scheme: "http", Host: "proxy.example"}, {Scheme: "socks5", Host: "proxy.example"}} {
		leakless(t, func() {
			d := wschannel.Dialer{
				Proxy:       http.ProxyURL(proxy),
				DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, nil },
			}
			_, err := func() (*wschannel.Channel, error) {
				c, _, err := d.Connect(t.Context(), "ws://example.com/")
				return c, err
			}()
			var connect *wschannel.ConnectError
			if !errors.As(err, &connect) {
				t.Errorf("through %v: %v", proxy, err)
			}
		})
	}
}
