//go:build !js

package wschannel_test

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/wschannel/wschannel"
)

// A proxyPeer is a proxy: it serves connections, and leads from them to the
// addresses that it is asked for.
type proxyPeer struct {
	scheme string
	// credentials are "user:password", "" if none are wanted.
	credentials string
	// serving is for the scheme https.
	serving *tls.Config
	// dial connects to an address that was asked for.
	dial func(address string) (net.Conn, error)
	// asked gets each address that was asked for with the right credentials,
	// and refused what was wrong with those that were not.
	asked, refused chan string
}

// newProxy returns a proxy that leads to hostport, whatever it is asked for.
func newProxy(scheme, hostport, credentials string) *proxyPeer {
	return &proxyPeer{
		scheme:      scheme,
		credentials: credentials,
		dial:        func(string) (net.Conn, error) { return net.Dial("tcp", hostport) },
		asked:       make(chan string, 10),
		refused:     make(chan string, 10),
	}
}

// start serves on this machine until the test is over, and returns the proxy's
// URL, credentials included.
func (p *proxyPeer) start(t *testing.T) *url.URL {
	t.Helper()
	if p.scheme == "https" {
		p.serving, _ = certificate(t)
	}
	u, err := url.Parse(p.scheme + "://" + listen(t, p.serve))
	if err != nil {
		t.Fatal(err)
	}
	if user, password, ok := strings.Cut(p.credentials, ":"); ok {
		u.User = url.UserPassword(user, password)
	}
	return u
}

// serve serves one connection, and leaves it to the caller to close it.
func (p *proxyPeer) serve(conn net.Conn) {
	switch p.scheme {
	case "https":
		conn = tls.Server(conn, p.serving)
		fallthrough
	case "http":
		p.serveHTTP(conn)
	default:
		p.serveSOCKS(conn)
	}
}

func (p *proxyPeer) serveHTTP(conn net.Conn) {
	r := bufio.NewReader(conn)
	head, err := readHead(r)
	if err != nil {
		return
	}
	line, _, _ := strings.Cut(head, "\r\n")
	address, ok := strings.CutSuffix(line, " HTTP/1.1")
	address, isConnect := strings.CutPrefix(address, "CONNECT ")
	if host := strings.Join(field(head, "Host"), ", "); !ok || !isConnect || host != address {
		p.refused <- line
		io.WriteString(conn, "HTTP/1.1 501 Not Implemented\r\n\r\n")
		return
	}
	want := ""
	if p.credentials != "" {
		want = "Basic " + base64.StdEncoding.EncodeToString([]byte(p.credentials))
	}
	if got := strings.Join(field(head, "Proxy-Authorization"), ", "); got != want {
		p.refused <- got
		io.WriteString(conn, "HTTP/1.1 407 Proxy Authentication Required\r\n"+
			"Proxy-Authenticate: Basic realm=\"test\"\r\nContent-Length: 27\r\n\r\nwho are you?\nsecond line...")
		return
	}
	p.asked <- address
	far, err := p.dial(address)
	if err != nil {
		fmt.Fprintf(conn, "HTTP/1.1 502 Bad Gateway\r\n\r\n%v\n", err)
		return
	}
	io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n")
	relay(conn, far)
}

// The parts of SOCKS5: RFC 1928 and RFC 1929.
const (
	socksNoAuth, socksPassword, socksNone = 0, 2, 255
	socksIPv4, socksName, socksIPv6       = 1, 3, 4
	socksRefused, socksNoHost             = 2, 4
)

func (p *proxyPeer) serveSOCKS(conn net.Conn) {
	methods, err := readCounted(conn, "\x05")
	if err != nil {
		return
	}
	want := byte(socksNoAuth)
	if p.credentials != "" {
		want = socksPassword
	}
	if !strings.Contains(methods, string(rune(want))) {
		p.refused <- fmt.Sprintf("methods %q", methods)
		conn.Write([]byte{5, socksNone})
		return
	}
	conn.Write([]byte{5, want})
	if want == socksPassword {
		user, _ := readCounted(conn, "\x01")
		password, err := readCounted(conn, "")
		if err != nil {
			return
		}
		if got := user + ":" + password; got != p.credentials {
			p.refused <- got
			conn.Write([]byte{1, 1})
			return
		}
		conn.Write([]byte{1, 0})
	}
	address, err := readSOCKSAddress(conn)
	if err != nil {
		return
	}
	p.asked <- address
	far, err := p.dial(address)
	if err != nil {
		conn.Write([]byte{5, socksNoHost, 0, socksIPv4, 0, 0, 0, 0, 0, 0})
		return
	}
	conn.Write([]byte{5, 0, 0, socksIPv4, 127, 0, 0, 1, 0, 80})
	relay(conn, far)
}

// readCounted reads a prefix, a length in a byte, and so many bytes.
func readCounted(r io.Reader, prefix string) (string, error) {
	head := make([]byte, len(prefix)+1)
	if _, err := io.ReadFull(r, head); err != nil {
		return "", err
	}
	if string(head[:len(prefix)]) != prefix {
		return "", fmt.Errorf("got %q", head)
	}
	data := make([]byte, head[len(prefix)])
	_, err := io.ReadFull(r, data)
	return string(data), err
}

// readSOCKSAddress reads a request to connect.
func readSOCKSAddress(r io.Reader) (string, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return "", err
	}
	var host string
	switch head[3] {
	case socksName:
		name, err := readCounted(r, "")
		if err != nil {
			return "", err
		}
		host = name
	case socksIPv4, socksIPv6:
		ip := make(net.IP, int(head[3])*4) // 4 or 16
		if _, err := io.ReadFull(r, ip); err != nil {
			return "", err
		}
		host = ip.String()
	default:
		return "", fmt.Errorf("address type %d", head[3])
	}
	var port [2]byte
	_, err := io.ReadFull(r, port[:])
	return net.JoinHostPort(host, strconv.Itoa(int(binary.BigEndian.Uint16(port[:])))), err
}

// relay passes on what comes from either side until both have ended.
func relay(near, far net.Conn) {
	defer far.Close()
	var both sync.WaitGroup
	both.Go(func() { pass(near, far) })
	pass(far, near)
	both.Wait()
}

// pass writes to one connection what comes from another, and then its end.
func pass(to, from net.Conn) {
	io.Copy(to, from)
	if half, ok := to.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
		to.Close()
	}
}

// through returns a Dialer that uses a proxy, nil for none, and trusts every server here.
func through(t *testing.T, proxy *url.URL) wschannel.Dialer {
	t.Helper()
	_, trusting := certificate(t)
	return wschannel.Dialer{Proxy: http.ProxyURL(proxy), TLSConfig: trusting}
}
