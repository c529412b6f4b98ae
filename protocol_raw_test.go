//go:build !js

package wschannel

import (
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel/internal/wire"
)

// inBothRoles runs f in a bubble for a channel in each role.
func inBothRoles(t *testing.T, f func(t *testing.T, role Role)) {
	for _, role := range []Role{RoleClient, RoleServer} {
		t.Run(roleName(role), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, role) })
		})
	}
}

func roleName(r Role) string {
	if r == RoleServer {
		return "server"
	}
	return "client"
}

// pass lets the time of a bubble go by, and everything happen that is due then.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// A rawEnd is the other end of a channel's connection, without the protocol: it
// sends any bytes and takes down the frames that come.
type rawEnd struct {
	conn  net.Conn
	masks bool   // what it sends is masked: the channel is a server
	key   uint32 // of the frame that was sent last

	mu     sync.Mutex
	frames []rawFrame
	tail   []byte        // what came behind the last whole frame
	over   chan struct{} // closed when nothing comes any more
	err    error         // why not
}

// A rawFrame is a frame that a rawEnd has received, unmasked.
type rawFrame struct {
	head    wire.Header
	payload string
}

// rawChannel returns a channel in a bubble and the raw end of its connection.
// The end is hung up when the test is over.
func rawChannel(t testing.TB, role Role, o *Options) (*Channel, *rawEnd) {
	near, far := net.Pipe()
	r := newRawEnd(t, far, role)
	return newOn(t, near, role, o), r
}

func newRawEnd(t testing.TB, conn net.Conn, role Role) *rawEnd {
	r := &rawEnd{conn: conn, masks: role == RoleServer, over: make(chan struct{})}
	go r.read()
	t.Cleanup(r.hangUp)
	return r
}

// hangUp closes the connection and waits for the last bytes.
func (r *rawEnd) hangUp() {
	r.conn.Close()
	<-r.over
}

func (r *rawEnd) read() {
	defer close(r.over)
	buf := make([]byte, 64<<10)
	for {
		n, err := r.conn.Read(buf)
		r.mu.Lock()
		r.tail = append(r.tail, buf[:n]...)
		r.parse()
		r.err = err
		r.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (r *rawEnd) parse() {
	for {
		h, n, err := wire.ParseHeader(r.tail)
		if err != nil || h.Length > uint64(len(r.tail)-n) {
			return
		}
		payload := slices.Clone(r.tail[n : n+int(h.Length)])
		if h.Masked {
			wire.Mask(payload, h.Key, 0)
		}
		r.tail = r.tail[n+int(h.Length):]
		r.frames = append(r.frames, rawFrame{h, string(payload)})
	}
}

// taken returns the frames that came since the last call, when everything has
// come that is on its way.
func (r *rawEnd) taken() []rawFrame {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.frames
	r.frames = nil
	return f
}

// takenTold returns them as text.
func (r *rawEnd) takenTold() []string {
	told := []string{}
	for _, f := range r.taken() {
		told = append(told, f.String())
	}
	return told
}

// send writes frames, each with its own mask if they have to be masked. It
// gives up when nobody takes them.
func (r *rawEnd) send(frames ...piece) error {
	var b []byte
	for _, f := range frames {
		b = f.append(b, r.nextKey())
	}
	return r.write(b)
}

// write writes bytes as they are.
func (r *rawEnd) write(b []byte) error {
	r.conn.SetWriteDeadline(time.Now().Add(time.Minute))
	_, err := r.conn.Write(b)
	return err
}

// nextKey returns the mask for the next frame, 0 for none.
func (r *rawEnd) nextKey() uint32 {
	if !r.masks {
		return 0
	}
	r.key += 0x9E3779B9
	return r.key
}

// String tells a frame: `text "a"`, `binary+ "a"` for the first one of several,
// `next+ "b"`, `next "c"` for the last, `ping "p"`, `close 1000 "reason"`.
func (f rawFrame) String() string {
	name, ok := map[wire.Opcode]string{
		wire.Continuation: "next", wire.Text: "text", wire.Binary: "binary",
		wire.Ping: "ping", wire.Pong: "pong", wire.Close: "close",
	}[f.head.Opcode]
	if !ok || f.head.Rsv != 0 {
		name = fmt.Sprintf("illegal rsv %d opcode %d", f.head.Rsv, f.head.Opcode)
	}
	if !f.head.Fin {
		name += "+"
	}
	if f.head.Opcode == wire.Close && len(f.payload) >= 2 {
		return fmt.Sprintf("%s %d %q", name, binary.BigEndian.Uint16([]byte(f.payload)), f.payload[2:])
	}
	return fmt.Sprintf("%s %q", name, f.payload)
}

// A piece is something that a rawEnd sends: a frame by its first byte and its
// payload, or bytes as they are.
type piece struct {
	first   byte
	payload string
	bytes   string // instead, if it is not ""
}

// fr is a frame that begins with the byte first.
func fr(first byte, payload string) piece { return piece{first: first, payload: payload} }

// raw are bytes that are sent as they are.
func raw(bytes string) piece { return piece{bytes: bytes} }

// closeOf is a close frame.
func closeOf(code uint16, reason string) piece {
	return fr(0x88, string(binary.BigEndian.AppendUint16(nil, code))+reason)
}

// append encodes the piece behind b. It is written out, so that a mistake in
// package wire cannot hide itself.
func (p piece) append(b []byte, key uint32) []byte {
	if p.bytes != "" {
		return append(b, p.bytes...)
	}
	var mask byte
	if key != 0 {
		mask = 0x80
	}
	b = append(b, p.first)
	switch n := len(p.payload); {
	case n < 126:
		b = append(b, mask|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, mask|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, mask|127), uint64(n))
	}
	var k [4]byte
	if key != 0 {
		binary.BigEndian.PutUint32(k[:], key)
		b = append(b, k[:]...)
	}
	b = append(b, p.payload...)
	xor(b[len(b)-len(p.payload):], k)
	return b
}
