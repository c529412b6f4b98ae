//go:build linux

package load

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// buildFrames returns Depth masked frames and the length of one.
func (d *Driver) buildFrames() (frames []byte, length int) {
	first := byte(0x82)
	if d.cfg.Text {
		first = 0x81
	}
	payload := d.cfg.Payload
	if d.cfg.Deflate {
		payload, first = deflate(payload), first|0x40
	}
	b := appendFrameHeader(nil, first, 0x80, len(payload))
	key := [4]byte{0x37, 0xFA, 0x21, 0x3D}
	b = append(b, key[:]...)
	for i := range payload {
		b = append(b, payload[i]^key[i%4])
	}
	return bytes.Repeat(b, max(d.cfg.Depth, 1)), len(b)
}

// appendFrameHeader appends the header of a frame of n bytes, without a key
// (RFC 6455 §5.2).
func appendFrameHeader(b []byte, first, mask byte, n int) []byte {
	switch {
	case n <= 125:
		return append(b, first, mask|byte(n))
	case n <= 0xFFFF:
		return binary.BigEndian.AppendUint16(append(b, first, mask|126), uint16(n))
	}
	return binary.BigEndian.AppendUint64(append(b, first, mask|127), uint64(n))
}

// deflate compresses a message as RFC 7692 §7.2.1 asks for.
func deflate(payload []byte) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err == nil {
		_, err = w.Write(payload)
	}
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		panic(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xFF, 0xFF})
}

// An inflater undoes deflate.
type inflater struct{ out bytes.Buffer }

func (i *inflater) message(body []byte) ([]byte, error) {
	i.out.Reset()
	in := io.MultiReader(bytes.NewReader(body), strings.NewReader("\x00\x00\xFF\xFF\x01\x00\x00\xFF\xFF"))
	_, err := i.out.ReadFrom(flate.NewReader(in))
	return i.out.Bytes(), err
}

// dial connects from 127.0.0.last and shakes hands.
func dial(cfg Config, last byte) (fd int, err error) {
	addr, err := net.ResolveTCPAddr("tcp", cfg.Addr)
	if err != nil {
		return 0, err
	}
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
		}
	}()
	if last != 1 {
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, last}}); err != nil {
			return 0, err
		}
	}
	to := &unix.SockaddrInet4{Port: addr.Port}
	copy(to.Addr[:], addr.IP.To4())
	if err := unix.Connect(fd, to); err != nil {
		return 0, err
	}
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	timeout := unix.NsecToTimeval(int64(silence / time.Nanosecond))
	unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout)
	request := "GET " + cfg.Path + " HTTP/1.1\r\nHost: " + cfg.Addr + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\nSec-WebSocket-Version: 13\r\n"
	if cfg.Deflate {
		request += "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_no_context_takeover\r\n"
	}
	if _, err := unix.Write(fd, []byte(request+"\r\n")); err != nil {
		return 0, err
	}
	answer, err := readAnswer(fd)
	if err != nil {
		return 0, err
	}
	if !bytes.HasPrefix(answer, []byte("HTTP/1.1 101 ")) {
		return 0, fmt.Errorf("answer to the handshake: %q", answer)
	}
	if cfg.Deflate && !bytes.Contains(bytes.ToLower(answer), []byte("permessage-deflate")) {
		return 0, fmt.Errorf("no compression was agreed upon: %q", answer)
	}
	return fd, unix.SetNonblock(fd, true)
}

// readAnswer reads an answer to a handshake, and not a byte of what follows.
func readAnswer(fd int) ([]byte, error) {
	buf := make([]byte, 4096)
	for {
		n, _, err := unix.Recvfrom(fd, buf, unix.MSG_PEEK)
		if err != nil {
			return nil, err
		}
		if head, _, ok := bytes.Cut(buf[:n], []byte("\r\n\r\n")); ok {
			n, err := unix.Read(fd, buf[:len(head)+4])
			return buf[:n], err
		}
		if n == 0 || n == len(buf) {
			return nil, fmt.Errorf("answer to the handshake: %q", buf[:n])
		}
		if _, err := unix.Poll(nil, 1); err != nil && err != unix.EINTR { // what is peeked at stays, so that a read would not wait
			return nil, err
		}
	}
}
