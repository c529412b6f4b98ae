//go:build !js

package wschannel

import (
	"bufio"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/wschannel/wschannel/internal/wire"
)

// The conformance suite, conformance_*_test.go, drives a channel of either role
// through a raw peer, over what RFC 6455 asks of an endpoint. The table in
// docs/conformance.md says which sentence is proved by which test, here or
// elsewhere.

// reusing returns a connector for many connections: they all come from one
// listener, which is closed at the end of the test.
func reusing(t testing.TB, network string) connector {
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return func(t testing.TB) (near, far io.ReadWriteCloser) {
		t.Helper()
		near, err := net.Dial(network, l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		far, err = l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return near, far
	}
}

// A cut divides what a peer writes into pieces, one for each Write.
type cut func(b []byte) [][]byte

func oneWrite(b []byte) [][]byte { return [][]byte{b} }

func everyByte(b []byte) [][]byte { return inPieces(1)(b) }

// inPieces cuts after every n bytes.
func inPieces(n int) cut {
	return func(b []byte) (pieces [][]byte) {
		for len(b) > n {
			pieces, b = append(pieces, b[:n]), b[n:]
		}
		return append(pieces, b)
	}
}

// converse is run over any connection and without fake time: the peer says it
// all, cut into pieces, and listens at the same time. It goes on listening
// behind the channel's close frame, where the connection can be closed on one
// side, for nothing may come there.
func (x *exchange) converse(t testing.TB, connect connector, role Role, cut cut) {
	t.Helper()
	x.converseBy(t, ways[0], connect, role, cut)
}

// converseBy is converse with another way to receive.
func (x *exchange) converseBy(t testing.TB, way way, connect connector, role Role, cut cut) {
	t.Helper()
	near, far := connect(t)
	c := New(near, role, &StreamOptions{Options: x.options})
	defer c.CloseNow()
	defer far.Close()
	p := &peer{t: t, conn: far, masked: role == RoleServer, in: bufio.NewReader(far)}
	if d, ok := far.(net.Conn); ok {
		d.SetDeadline(time.Now().Add(patience))
	}

	var key uint32
	var b []byte
	for _, piece := range x.send {
		if p.masked {
			key += 0x9E3779B9
		}
		b = piece.append(b, key)
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		for _, piece := range cut(b) {
			if _, err := far.Write(piece); err != nil {
				return // the channel may hang up on what is wrong
			}
		}
	}()
	answered := async(func() []string { return p.hear(written) })
	var last error
	next := way.begin(t, c)
	received := async(func() (all []string) {
		for {
			typ, data, err := next()
			if err != nil {
				last = err
				return all
			}
			all = append(all, told(typ, string(data)))
		}
	})
	got := within(t, "the receiver", received)
	x.judge(t, c, within(t, "the peer", answered), got, last)
}

// hear returns the frames that come until nothing does. After a close frame it
// waits until all is written and hangs up.
func (p *peer) hear(written <-chan struct{}) (heard []string) {
	closed := false
	for {
		first, payload, err := p.read()
		switch {
		case err == nil:
			heard = append(heard, tell(first, payload))
		case closed || err == io.EOF:
			return heard
		default:
			return append(heard, err.Error())
		}
		if !closed && first == closeFrame {
			closed = true
			<-written
			half, ok := p.conn.(interface{ CloseWrite() error })
			if !ok {
				p.conn.Close()
				return heard
			}
			half.CloseWrite()
		}
	}
}

// tell describes a frame as rawFrame does.
func tell(first byte, payload string) string {
	head := wire.Header{Fin: first&0x80 != 0, Rsv: first >> 4 & 7, Opcode: wire.Opcode(first & 0xF)}
	return rawFrame{head, payload}.String()
}

// A delivery is a way for a peer's bytes to reach the channel.
type delivery struct {
	name    string
	connect connector
	cut     cut
}

// deliveries are the ways that short exchanges are tried: together, as TCP likes
// it, and each byte alone, which only a pipe promises to keep.
func deliveries(t testing.TB) []delivery {
	return []delivery{
		{"TCP, in one write", reusing(t, "tcp"), oneWrite},
		{"net.Pipe, byte by byte", netPipe, everyByte},
	}
}

// runAll runs exchanges by every delivery, in the roles that they are for.
func runAll(t *testing.T, all []exchange) {
	for _, d := range deliveries(t) {
		t.Run(d.name, func(t *testing.T) {
			for _, x := range all {
				t.Run(x.name, func(t *testing.T) {
					eachRole(t, func(t *testing.T, role Role) {
						if x.role == 0 || x.role == role {
							x.converse(t, d.connect, role, d.cut)
						}
					})
				})
			}
		})
	}
}

// The exchanges of TestProtocol between sockets, with every form of receiving.
func TestProtocolOverTCP(t *testing.T) {
	connect := reusing(t, "tcp")
	for _, x := range append(exchanges, closeCodes()...) {
		t.Run(x.name, func(t *testing.T) {
			for _, way := range ways {
				if x.limited() && way.unlimited {
					continue
				}
				eachRole(t, func(t *testing.T, role Role) {
					if x.role == 0 || x.role == role {
						x.converseBy(t, way, connect, role, oneWrite)
						x.converseBy(t, way, connect, role, inPieces(3))
					}
				})
			}
		})
	}
}

// limited reports whether a limit ends the channel, which binds neither those
// that stream nor what waits for them.
func (x *exchange) limited() bool { return x.section == "7.4.1" }

// The same while nobody receives: the rules are kept, pings are answered, and
// what came before the end is received after it.
func TestProtocolWhileNobodyReceives(t *testing.T) {
	for _, x := range append(exchanges, closeCodes()...) {
		size := 0
		for _, piece := range x.send {
			size += len(piece.bytes) + len(piece.payload)
		}
		if x.limited() || size > 60_000 { // more would wait in the socket
			continue
		}
		t.Run(x.name, func(t *testing.T) {
			inBothRoles(t, func(t *testing.T, role Role) {
				if x.role != 0 && x.role != role {
					return
				}
				c, r := rawChannel(t, role, &x.options)
				pass(attendAfter)
				x.byteByByte(r)
				answered := r.takenTold()
				if !isClosed(c.Done()) {
					t.Fatal("it is not over")
				}
				var got []string
				for {
					m, err := c.Receive(t.Context())
					if err != nil {
						x.judge(t, c, answered, got, err)
						return
					}
					got = append(got, told(m.Type, string(m.Data)))
				}
			})
		})
	}
}
