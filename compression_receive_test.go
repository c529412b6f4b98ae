//go:build !js

package wschannel

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel/internal/deflate"
	"github.com/wschannel/wschannel/status"
)

const rsv1 = 0x40 // of a frame's first byte

// A deflater is a peer's compressor.
type deflater struct {
	window *deflate.Window
	how    deflate.How
}

func newDeflater(mode CompressionMode) *deflater {
	d := &deflater{how: deflate.How{Level: 5, Bits: 12}}
	if mode == CompressionContext {
		d.window = deflate.NewWindow(12)
	}
	return d
}

func (d *deflater) deflate(s string) string {
	out := deflate.Compress(nil, []byte(s), d.how, d.window)
	d.window.Add([]byte(s))
	return string(out)
}

// compressedPeer returns a channel that compresses, and its peer.
func compressedPeer(t testing.TB, connect connector, role Role, o Options, c Compression) (*Channel, *peer) {
	t.Helper()
	near, far := connect(t)
	ch := New(near, role, &StreamOptions{Options: o, Compression: c})
	t.Cleanup(func() { ch.CloseNow() })
	return ch, newPeer(t, far, RoleClient+RoleServer-role)
}

var contextMode = Compression{Mode: CompressionContext, Threshold: -1}

func unhex(t *testing.T, s string) string {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The examples of RFC 7692 §7.2.3, received in frames of every kind.
func TestReceiveCompressed(t *testing.T) {
	const hello = "f248cdc9c90700"
	eachRole(t, func(t *testing.T, role Role) {
		c, p := compressedPeer(t, tcpPair, role, Options{}, contextMode)
		for _, test := range []struct {
			name   string
			frames []string // the first byte, then the payload
			want   string
		}{
			{"7.2.3.1 one frame", []string{"c1" + hello}, "Hello"},
			{"7.2.3.1 two frames", []string{"41 f248cd", "80 c9c90700"}, "Hello"},
			{"7.2.3.1 a ping in between", []string{"41 f248cd", "89", "80 c9c90700"}, "Hello"},
			{"7.2.3.1 empty frames around", []string{"41", "00" + hello, "80"}, "Hello"},
			{"7.2.3.1 a byte a frame", []string{"41 f2", "00 48", "00 cd", "00 c9", "00 c9", "00 07", "80 00"}, "Hello"},
			{"7.2.3.2 from the window", []string{"c1 f200110000"}, "Hello"},
			{"7.2.3.3 a stored block", []string{"c1 000500faff48656c6c6f00"}, "Hello"},
			{"7.2.3.4 BFINAL", []string{"c1 f348cdc9c9070000"}, "Hello"},
			{"7.2.3.4 BFINAL, then a reference to it", []string{"c1 f348cdc9c90700 f200110000"}, "HelloHello"},
			{"7.2.3.5 two blocks", []string{"c1 f248050000 00ffff cac9c90700"}, "Hello"},
			{"7.2.3.6 empty", []string{"c1 00"}, ""},
			{"7.2.3.6 empty, in two frames", []string{"41 00", "80"}, ""},
			{"6.1 not compressed", []string{"81 48656c6c6f"}, "Hello"},
			{"7.2.3.2 past what was not compressed", []string{"c1 f200110000"}, "Hello"},
		} {
			for _, how := range []string{"Receive", "NextReader"} {
				t.Run(test.name+", "+how, func(t *testing.T) {
					for _, f := range test.frames {
						b := unhex(t, f)
						p.send(b[0], b[1:])
					}
					if how == "Receive" {
						wantNext(t, c, test.want)
						return
					}
					got, err := io.ReadAll(wantReader(t, c, Text))
					if err != nil || string(got) != test.want {
						t.Errorf("got %q, %v; want %q", got, err, test.want)
					}
				})
			}
		}
	})
}

// What a peer may not do. The channel ends with the code for it, and tells.
func TestCompressedViolations(t *testing.T) {
	const hello = "f248cdc9c90700"
	tooLong := hex.EncodeToString(deflate.Compress(nil, make([]byte, 1001), deflate.How{Level: 5, Bits: 15}, nil))
	long := hex.EncodeToString(deflate.Compress(nil, make([]byte, 1<<24), deflate.How{Level: 5, Bits: 15}, nil))
	stateless := Compression{Mode: CompressionStateless}
	for _, test := range []struct {
		name   string
		c      Compression
		frames []string
		code   status.Code
		text   string
		stream bool // NextReader finds it too
	}{
		{"6455 5.2 RSV1 without the extension, X13", Compression{}, []string{"c1" + hello}, 1002, "RSV1", true},
		{"7692 6 RSV1 on a ping", contextMode, []string{"c9"}, 1002, "RSV1", true},
		{"7692 6 RSV1 on a continuation", contextMode, []string{"41 f248", "c0 cdc9c90700"}, 1002, "RSV1", true},
		{"6455 5.2 RSV2", contextMode, []string{"a1" + hello}, 1002, "RSV2", true},
		{"a reserved block type", contextMode, []string{"c1 06"}, 1007, notDeflate, true},
		{"an empty payload", contextMode, []string{"c1"}, 1007, notDeflate, true},
		{"cut short", contextMode, []string{"c1 f248cd"}, 1007, notDeflate, true},
		{"a reference to what is not there", contextMode, []string{"c1 f200110000"}, 1007, notDeflate, true},
		{"a reference to an earlier message", stateless, []string{"c1 f200110000"}, 1007, notDeflate, true},
		{"6455 8.1 not UTF-8", contextMode, []string{"c1 0001 00feffff00"}, 1007, notText, true},
		{"6455 8.1 ends inside a character", contextMode, []string{"c1 0001 00feffc300"}, 1007, notText, true},
		{"too long, when inflated", contextMode, []string{"c2" + tooLong}, 1009, "more than 1000 bytes", false},
		{"much too long", contextMode, []string{"c2" + long}, 1009, "2149", false},
		{"too long in fragments", contextMode, []string{"42" + tooLong, "80"}, 1009, "more than 1000 bytes", false},
	} {
		for _, how := range []string{"Receive", "NextReader", "inbox"} {
			if how == "NextReader" && !test.stream {
				continue
			}
			t.Run(test.name+", "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o := Options{MessageLimit: 1000, PingInterval: -1}
					c, p := compressedPeer(t, netPipe, RoleClient, o, test.c)
					written := make(chan struct{})
					go func() {
						defer close(written)
						for _, f := range test.frames {
							b := unhex(t, f)
							p.conn.Write(p.frame(b[0], b[1:]))
						}
					}()
					if how == "inbox" {
						time.Sleep(time.Second)
					}
					told := make(chan error)
					go func() {
						var err error
						if how == "NextReader" {
							var r io.Reader
							if _, r, err = c.NextReader(t.Context()); err == nil {
								_, err = io.ReadAll(r)
							}
						} else {
							_, err = c.Receive(t.Context())
						}
						told <- err
					}()
					first, body, err := p.read()
					if err != nil || first != closeFrame || body[:2] != closeBody(uint16(test.code), "") {
						t.Errorf("peer: got frame %#x %q, %v", first, body, err)
					}
					p.conn.Close()
					<-written
					err = <-told
					var end *CloseError
					var broken *ProtocolError
					if !errors.As(err, &end) || end.Code != test.code || !errors.As(err, &broken) || !strings.Contains(broken.Text, test.text) {
						t.Errorf("got %v; want %v …%s…", err, test.code, test.text)
					}
					if _, err := c.Receive(t.Context()); !errors.As(err, &end) || end.Code != test.code {
						t.Errorf("then %v", err)
					}
				})
			})
		}
	}
}

// zeros returns what inflates to n MiB of zeros.
func zeros(n int) []byte {
	one := deflate.Compress(nil, make([]byte, 1<<20), deflate.How{Level: 5, Bits: 15}, nil)
	return append(bytes.Repeat(append(one, "\x00\x00\xff\xff"...), n), 0)
}

// A message that would inflate to a GiB costs neither time nor memory.
func TestCompressedBomb(t *testing.T) {
	bomb := zeros(1 << 10)
	for _, o := range []Options{{}, {MessageLimit: 4 << 20}} {
		c, p := compressedPeer(t, tcpPair, RoleServer, o, contextMode)
		go func() {
			p.conn.Write(p.frame(rsv1|binaryFrame, string(bomb)))
			io.Copy(io.Discard, p.conn)
		}()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := c.Receive(t.Context())
		runtime.ReadMemStats(&after)
		if end, ok := errors.AsType[*CloseError](err); !ok || end.Code != status.MessageTooBig {
			t.Errorf("got %v", err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 32<<20 {
			t.Errorf("a bomb of %d bytes took %d bytes of memory", len(bomb), took)
		}
	}
}

// What waits while nobody receives waits compressed, and counts as such.
func TestCompressedInbox(t *testing.T) {
	for _, mode := range []CompressionMode{CompressionStateless, CompressionContext} {
		synctest.Test(t, func(t *testing.T) {
			o := Options{ReceiveBuffer: 10_000, PingInterval: -1}
			c, p := compressedPeer(t, netPipe, RoleClient, o, Compression{Mode: mode})
			d := newDeflater(mode)
			long := strings.Repeat("long ", 50_000)
			go func() {
				p.send(rsv1|textFrame, d.deflate(long))
				p.send(textFrame, "plain")
				p.send(rsv1|textFrame, d.deflate(long+"!"))
				p.send(rsv1|textFrame, d.deflate(""))
				p.sendClose(1000, "")
				io.Copy(io.Discard, p.conn)
			}()
			<-c.Done()
			if held := c.engine.inbox.size(); held > 5000 {
				t.Errorf("%d bytes wait", held)
			}
			wantNext(t, c, long)
			wantNext(t, c, "plain")
			got, err := io.ReadAll(wantReader(t, c, Text))
			if err != nil || string(got) != long+"!" {
				t.Errorf("got %d bytes, %v", len(got), err)
			}
			wantNext(t, c, "")
			if _, err := c.Receive(t.Context()); !errors.Is(err, ErrClosed) {
				t.Error(err)
			}
		})
	}
}

// A receive that is cancelled anywhere in a compressed message is resumed by
// the next one, of whatever form.
func TestCompressedReceiveResumes(t *testing.T) {
	text := strings.Repeat("Hällo, «wörld» ", 30)
	for _, mode := range []CompressionMode{CompressionStateless, CompressionContext} {
		for _, pause := range []time.Duration{0, time.Second} {
			synctest.Test(t, func(t *testing.T) {
				c, p := compressedPeer(t, netPipe, RoleServer, Options{PingInterval: -1}, Compression{Mode: mode})
				d := newDeflater(mode)
				next := func() []byte {
					z := d.deflate(text)
					f := p.frame(rsv1|textBegin, z[:len(z)/2])
					return append(f, p.frame(lastFragment, z[len(z)/2:])...)
				}
				for cut := range len(next()) {
					f := next()
					if mode == CompressionContext && cut == 0 {
						// The message for the length is not lost.
						d = newDeflater(mode)
						f = next()
					}
					cut = min(cut, len(f)-1)
					ctx, cancel := context.WithCancel(t.Context())
					go p.conn.Write(f[:cut])
					go func() { synctest.Wait(); time.Sleep(time.Millisecond); cancel() }()
					if m, err := c.Receive(ctx); err != context.Canceled {
						t.Fatalf("cut at %d: got %q, %v", cut, m.Data, err)
					}
					time.Sleep(pause)
					go p.conn.Write(f[cut:])
					if cut%2 == 0 {
						wantNext(t, c, text)
						continue
					}
					got, err := io.ReadAll(wantReader(t, c, Text))
					if err != nil || string(got) != text {
						t.Fatalf("cut at %d: got %d bytes, %v", cut, len(got), err)
					}
				}
			})
		}
	}
}

// However much of a message was read when it is dropped, later ones may refer
// to all of it. Dropping it can be cancelled, too.
func TestCompressedReaderDropped(t *testing.T) {
	var b bytes.Buffer
	for i := range 3000 {
		b.WriteString(strings.Repeat(string(rune('a'+i*i%26)), i%7) + "é")
	}
	text := b.String()
	for _, mode := range []CompressionMode{CompressionStateless, CompressionContext} {
		for _, pause := range []time.Duration{0, time.Second} {
			synctest.Test(t, func(t *testing.T) {
				c, p := compressedPeer(t, netPipe, RoleServer, Options{PingInterval: -1}, Compression{Mode: mode})
				d := newDeflater(mode)
				for _, read := range []int{0, 1, 100, len(text) / 2, len(text) - 1, len(text)} {
					z := d.deflate(text)
					halfWay, rest := make(chan struct{}), make(chan struct{})
					go func() {
						p.send(rsv1|textBegin, z[:len(z)/2])
						close(halfWay)
						<-rest
						p.send(lastFragment, z[len(z)/2:])
						p.send(rsv1|textFrame, d.deflate(text[:5000]))
					}()
					body := wantReader(t, c, Text)
					if read <= len(text)/4 {
						wantRead(t, body, text[:read])
						<-halfWay
						time.Sleep(pause)
						// There is not enough to drop it all.
						ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
						if _, err := c.Receive(ctx); err != context.DeadlineExceeded {
							t.Fatalf("dropping half of it: %v", err)
						}
						cancel()
						close(rest)
					} else {
						close(rest)
						wantRead(t, body, text[:read])
					}
					time.Sleep(pause)
					wantNext(t, c, text[:5000])
					if _, err := body.Read(make([]byte, 1)); err != ErrReaderStale {
						t.Errorf("a dropped reader: %v", err)
					}
				}
			})
		}
	}
}

// NextReader is not bound by the message limit, and holds no more than a
// buffer, whatever the message inflates to.
func TestCompressedReaderHoldsLittle(t *testing.T) {
	const size = 12 << 20
	o := Options{MessageLimit: 100, ReceiveBuffer: 1000}
	c, p := compressedPeer(t, tcpPair, RoleServer, o, contextMode)
	go func() {
		first := byte(rsv1 | binaryBegin)
		for piece := range slices.Chunk(zeros(size>>20), 500) {
			p.conn.Write(p.frame(first, string(piece)))
			first = 0
		}
		p.conn.Write(p.frame(lastFragment, ""))
		io.Copy(io.Discard, p.conn)
	}()
	body := wantReader(t, c, Binary)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n, err := io.Copy(io.Discard, struct{ io.Reader }{body})
	runtime.ReadMemStats(&after)
	if n != size || err != nil {
		t.Errorf("got %d bytes, %v", n, err)
	}
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
}
