//go:build linux

package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/wschannel/wschannel"
)

// A peer is one hostile connection. It speaks in bytes.
type peer struct {
	tcp    *net.TCPConn
	conn   net.Conn // tcp, or TLS over it
	in     *bufio.Reader
	client bool // it plays the client, and has to mask
	hold   time.Duration
	random *rand.Rand
	path   string
	host   string
}

// dial connects. A peer that is not to read gets little room for what it does
// not: otherwise its system takes a few MiB for it.
func dial(addr string, secure, reads bool) (*peer, error) {
	d := net.Dialer{}
	if !reads {
		d.Control = func(_, _ string, raw syscall.RawConn) error {
			return raw.Control(func(fd uintptr) {
				syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4<<10)
			})
		}
	}
	conn, err := d.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	p := &peer{tcp: conn.(*net.TCPConn), conn: conn, client: true, host: addr}
	if secure {
		p.conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) // a certificate of the moment, on this machine
	}
	p.in = bufio.NewReader(p.conn)
	p.conn.SetReadDeadline(time.Now().Add(patience))
	return p, nil
}

// accepted is a peer that plays the server.
func accepted(conn net.Conn, reads bool) *peer {
	p := &peer{tcp: conn.(*net.TCPConn), conn: conn, in: bufio.NewReader(conn)}
	if !reads {
		p.tcp.SetReadBuffer(4 << 10)
	}
	p.conn.SetReadDeadline(time.Now().Add(patience))
	return p
}

// request returns a valid handshake, with more lines of header.
func (p *peer) request(more string) string {
	return "GET " + p.path + " HTTP/1.1\r\nHost: " + p.host + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + more + "\r\n"
}

// offer is the header that asks for compression.
const offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"

// open does the handshake, in either role.
func (p *peer) open() error {
	if !p.client {
		return p.accept()
	}
	more := ""
	if strings.HasPrefix(p.path, "/z/") {
		more = offer
	}
	if err := p.send([]byte(p.request(more))); err != nil {
		return err
	}
	if status := p.response(); status != "101" {
		return fmt.Errorf("the handshake was answered with %s", status)
	}
	return nil
}

// response reads the response to a handshake and returns its status, or "cut".
func (p *peer) response() string {
	r, err := http.ReadResponse(p.in, nil)
	if err != nil {
		return cutOr(err)
	}
	return r.Status[:3]
}

// accept is a server's part of a handshake.
func (p *peer) accept() error {
	r, err := http.ReadRequest(p.in)
	if err != nil {
		return err
	}
	return p.send([]byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + wschannel.SignKey(r.Header.Get("Sec-WebSocket-Key")) + "\r\n" +
		"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=12; client_max_window_bits=12\r\n\r\n"))
}

func (p *peer) send(b []byte) error {
	_, err := p.conn.Write(b)
	return err
}

func (p *peer) frame(first byte, payload []byte) []byte {
	return appendFrame(nil, first, payload, p.client)
}

// end reads on and returns how the connection ended: with a code, or "cut"
// without one. It is "open" if it did not in good time.
func (p *peer) end() string {
	for {
		first, payload, err := readFrame(p.in)
		if err != nil {
			return cutOr(err)
		}
		if first&0x0F == closing {
			return closeCode(payload)
		}
	}
}

func cutOr(err error) string {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "open"
	}
	return "cut"
}

// unread waits until the other end hangs up without reading anything, and
// returns "cut".
func (p *peer) unread() string {
	p.conn.SetWriteDeadline(time.Now().Add(patience))
	chunk := p.frame(fin|pong, nil)
	for {
		if err := p.send(chunk); err != nil {
			return cutOr(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// noise returns n random bytes, 8 at least.
func (p *peer) noise(n int) []byte {
	b := make([]byte, 0, n)
	for len(b) < n {
		b = binary.LittleEndian.AppendUint64(b, p.random.Uint64())
	}
	return b
}

// leave closes in good order and returns the code of the answer.
func (p *peer) leave() string {
	p.send(p.frame(fin|closing, []byte{1000 >> 8, 1000 & 0xFF}))
	return p.end()
}

// vanish resets the connection.
func (p *peer) vanish() {
	p.tcp.SetLinger(0)
	p.tcp.Close()
}

// until calls f again and again for as long as the attack goes on, or until it
// fails.
func (p *peer) until(f func() error) {
	ctx, cancel := context.WithTimeout(context.Background(), p.hold)
	defer cancel()
	for ctx.Err() == nil {
		if f() != nil {
			return
		}
	}
}
