//go:build !js

package wschannel

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"math/big"
	"net"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// First bytes of frames (RFC 6455 §5.2).
const (
	textFrame    = 0x81
	binaryFrame  = 0x82
	closeFrame   = 0x88
	pingFrame    = 0x89
	pongFrame    = 0x8A
	textBegin    = 0x01 // without FIN
	binaryBegin  = 0x02
	continuation = 0x00
	lastFragment = 0x80
)

// A peer is the other end of a channel, played by a test: it does what it is
// told, right or wrong, and nothing by itself. What it reads and did not expect
// ends the test, so it is used on the test's goroutine; what the channel does
// meanwhile runs on others.
type peer struct {
	t      testing.TB
	conn   io.ReadWriteCloser
	masked bool // it plays a client
	in     *bufio.Reader
}

// newPeer returns a peer that plays the given role on conn.
func newPeer(t testing.TB, conn io.ReadWriteCloser, role Role) *peer {
	t.Cleanup(func() { conn.Close() })
	if c, ok := conn.(interface {
		syscall.Conn
		SetDeadline(time.Time) error
	}); ok {
		c.SetDeadline(time.Now().Add(patience)) // better than a test that hangs
	}
	return &peer{t: t, conn: conn, masked: role == RoleClient, in: bufio.NewReader(conn)}
}

// withPeer returns a channel of that role and its peer, on a connection that
// connect makes.
func withPeer(t testing.TB, connect connector, role Role, o *Options) (*Channel, *peer) {
	t.Helper()
	near, far := connect(t)
	c := newOn(t, near, role, o)
	return c, newPeer(t, far, RoleClient+RoleServer-role)
}

// newOn is New with Options, and hangs up at the end of the test.
func newOn(t testing.TB, conn io.ReadWriteCloser, role Role, o *Options) *Channel {
	if o == nil {
		o = &Options{}
	}
	c := New(conn, role, &StreamOptions{Options: *o})
	t.Cleanup(func() { c.CloseNow() })
	return c
}

// frameBytes encodes a frame; the masking key is always the same.
func frameBytes(first byte, masked bool, payload string) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n <= 125:
		b = append(b, byte(n))
	case n <= 0xFFFF:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	if !masked {
		return append(b, payload...)
	}
	key := [4]byte{0x37, 0xFA, 0x21, 0x3D}
	b[1] |= 0x80
	b = append(append(b, key[:]...), payload...)
	xor(b[len(b)-len(payload):], key)
	return b
}

// xor masks or unmasks b, by other means than package wire. It takes little time
// under the race detector, where a loop takes much.
func xor(b []byte, key [4]byte) {
	subtle.XORBytes(b, b, bytes.Repeat(key[:], len(b)/4+1))
}

// frame encodes a frame as the peer's role demands.
func (p *peer) frame(first byte, payload string) []byte {
	return frameBytes(first, p.masked, payload)
}

// write writes raw bytes.
func (p *peer) write(b []byte) {
	p.t.Helper()
	if _, err := p.conn.Write(b); err != nil {
		p.t.Fatalf("peer: write: %v", err)
	}
}

// send writes one frame.
func (p *peer) send(first byte, payload string) {
	p.t.Helper()
	p.write(p.frame(first, payload))
}

// sendClose writes a close frame.
func (p *peer) sendClose(code uint16, reason string) {
	p.t.Helper()
	p.send(closeFrame, closeBody(code, reason))
}

func closeBody(code uint16, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, code)) + reason
}

// read reads one frame; it holds its mask against the role of the channel.
func (p *peer) read() (first byte, payload string, err error) {
	var head [2]byte
	if _, err := io.ReadFull(p.in, head[:]); err != nil {
		return 0, "", err
	}
	n := uint64(head[1] & 0x7F)
	var extended [8]byte
	switch n {
	case 126:
		_, err = io.ReadFull(p.in, extended[6:])
		n = binary.BigEndian.Uint64(extended[:])
	case 127:
		_, err = io.ReadFull(p.in, extended[:])
		n = binary.BigEndian.Uint64(extended[:])
	}
	var key [4]byte
	masked := head[1]&0x80 != 0
	if masked && err == nil {
		_, err = io.ReadFull(p.in, key[:])
	}
	if err == nil && masked == p.masked {
		err = errors.New("a frame whose masking is not that of its sender's role")
	}
	if err != nil {
		return 0, "", err
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(p.in, body); err != nil {
		return 0, "", err
	}
	xor(body, key)
	return head[0], string(body), nil
}

// expect reads a frame and fails if it is another one.
func (p *peer) expect(first byte, payload string) {
	p.t.Helper()
	gotFirst, got, err := p.read()
	if err != nil {
		p.t.Fatalf("peer: read: %v, want frame %#x %.60q", err, first, payload)
	}
	if gotFirst != first || got != payload {
		p.t.Fatalf("peer: got frame %#x %.60q (%d bytes), want %#x %.60q (%d bytes)",
			gotFirst, got, len(got), first, payload, len(payload))
	}
}

// expectClose reads a close frame and fails if it is another one.
func (p *peer) expectClose(code uint16, reason string) {
	p.t.Helper()
	p.expect(closeFrame, closeBody(code, reason))
}

// expectEnd fails if anything but the end of the stream comes.
func (p *peer) expectEnd() {
	p.t.Helper()
	if first, payload, err := p.read(); err == nil {
		p.t.Fatalf("peer: got frame %#x %.60q, want the end of the stream", first, payload)
	}
}

// A connector makes two ends of a byte stream that are connected to each other.
type connector func(t testing.TB) (near, far io.ReadWriteCloser)

// connectors are all the kinds of streams that tests run on.
var connectors = []struct {
	name    string
	connect connector
}{
	{"net.Pipe", netPipe},
	{"TCP", tcpPair},
	{"unix", unixPair},
	{"TLS", tlsPair},
	{"no deadlines", streamPair},
}

// netPipe is the one for synctest.
func netPipe(testing.TB) (near, far io.ReadWriteCloser) { return net.Pipe() }

func tcpPair(t testing.TB) (near, far io.ReadWriteCloser) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	return socketPair(t, l, err)
}

func unixPair(t testing.TB) (near, far io.ReadWriteCloser) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	return socketPair(t, l, err)
}

func socketPair(t testing.TB, l net.Listener, err error) (near, far net.Conn) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err = net.Dial(l.Addr().Network(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

func tlsPair(t testing.TB) (near, far io.ReadWriteCloser) {
	t.Helper()
	a, b := tcpPair(t)
	client := tls.Client(a.(net.Conn), &tls.Config{InsecureSkipVerify: true})
	server := tls.Server(b.(net.Conn), &tls.Config{Certificates: []tls.Certificate{testCertificate()}})
	shaken := make(chan error)
	go func() { shaken <- server.Handshake() }()
	err := client.Handshake()
	if err := errors.Join(err, <-shaken); err != nil {
		t.Fatal(err)
	}
	return client, server
}

var testCertificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

// streamPair has no deadlines, so that New has to give it some.
func streamPair(testing.TB) (near, far io.ReadWriteCloser) {
	fromFar, toNear := io.Pipe()
	fromNear, toFar := io.Pipe()
	return &pipeStream{fromFar, toFar}, &pipeStream{fromNear, toNear}
}

type pipeStream struct {
	r *io.PipeReader
	w *io.PipeWriter
}

func (s *pipeStream) Read(p []byte) (int, error)  { return s.r.Read(p) }
func (s *pipeStream) Write(p []byte) (int, error) { return s.w.Write(p) }

func (s *pipeStream) Close() error {
	s.r.Close()
	return s.w.Close()
}

// channelPair returns a client and a server that are connected to each other.
func channelPair(t testing.TB, connect connector, o *Options) (client, server *Channel) {
	t.Helper()
	near, far := connect(t)
	return newOn(t, near, RoleClient, o), newOn(t, far, RoleServer, o)
}

// eachRole runs f with both ends of a pair in turn as the one that is tested.
func eachRole(t *testing.T, f func(t *testing.T, role Role)) {
	t.Run("client", func(t *testing.T) { f(t, RoleClient) })
	t.Run("server", func(t *testing.T) { f(t, RoleServer) })
}
