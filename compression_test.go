//go:build !js

package wschannel

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel/internal/deflate"
)

// compressedPair returns a client and a server that compress, one as it says
// and the other so that it fits.
func compressedPair(t testing.TB, connect connector, c Compression) (client, server *Channel) {
	t.Helper()
	near, far := connect(t)
	o := StreamOptions{Compression: c}
	client = New(near, RoleClient, &o)
	o.Compression.SendWindow, o.Compression.ReceiveWindow = c.ReceiveWindow, c.SendWindow
	if c.SendWindow > 0 {
		o.Compression.ReceiveWindow = max(c.SendWindow, minReceiveWindow)
	}
	server = New(far, RoleServer, &o)
	t.Cleanup(func() { client.CloseNow(); server.CloseNow() })
	return client, server
}

// randomMessages are of all lengths, and resemble each other.
func randomMessages(r *rand.Rand, n int) []Message {
	words := strings.Fields(strings.Repeat("alpha beta gamma delta é 你好 👋 0123456789 ", 3) + strings.Repeat("x", 300))
	messages := make([]Message, n)
	for i := range messages {
		var b bytes.Buffer
		for size := r.IntN(1 << r.IntN(17)); b.Len() < size; {
			b.WriteString(words[r.IntN(len(words))])
		}
		messages[i] = Message{Text, b.Bytes()}
		if r.IntN(3) == 0 {
			messages[i].Type = Binary
			for range r.IntN(1 << r.IntN(15)) {
				messages[i].Data = append(messages[i].Data, byte(r.Uint32()))
			}
		}
	}
	return messages
}

// sendOneWay sends a message in one of the ways there are.
func sendOneWay(ctx context.Context, c *Channel, m Message, r *rand.Rand) error {
	switch r.IntN(4) {
	case 0:
		return c.SendPlain(ctx, m)
	case 1:
		p, err := Prepare(m)
		if err != nil {
			return err
		}
		return c.SendPrepared(ctx, p)
	case 2:
		w, err := c.NextWriter(ctx, m.Type)
		if err != nil {
			return err
		}
		for rest := m.Data; len(rest) > 0; {
			n := min(len(rest), 1+r.IntN(20_000))
			if m.Type == Text {
				n = len(rest) // not inside a character
			}
			if _, err := w.Write(rest[:n]); err != nil {
				return err
			}
			rest = rest[n:]
		}
		return w.Close()
	}
	return c.Send(ctx, m)
}

// receiveOneWay receives a message in one of the ways there are, or a part of it.
func receiveOneWay(ctx context.Context, c *Channel, r *rand.Rand) (m Message, part bool, err error) {
	switch r.IntN(4) {
	case 0:
		typ, body, err := c.NextReader(ctx)
		if err != nil {
			return m, false, err
		}
		data, err := io.ReadAll(body)
		return Message{typ, data}, false, err
	case 1:
		typ, body, err := c.NextReader(ctx)
		if err != nil {
			return m, false, err
		}
		data, err := io.ReadAll(io.LimitReader(body, int64(r.IntN(2000))))
		return Message{typ, data}, true, err
	case 2:
		typ, data, err := c.ReceiveAppend(ctx, make([]byte, 3, 3+r.IntN(5000)))
		return Message{typ, data[3:]}, false, err
	}
	m, err = c.Receive(ctx)
	return m, false, err
}

// Whatever is sent, in whatever way, arrives, on every kind of stream and with
// every setting, in both directions at once.
func TestCompressedConversation(t *testing.T) {
	var settings []Compression
	for _, mode := range []CompressionMode{CompressionStateless, CompressionContext} {
		settings = append(settings, Compression{Mode: mode}, Compression{Mode: mode, Threshold: -1, Level: 1},
			Compression{Mode: mode, Threshold: 5000, Level: 9, SendWindow: 15, ReceiveWindow: 15},
			Compression{Mode: mode, SendWindow: 8, ReceiveWindow: 11})
	}
	seed := rand.Uint64()
	t.Logf("seed %#x", seed)
	for i, on := range connectors {
		for j, c := range settings {
			t.Run(fmt.Sprintf("%s, %+v", on.name, c), func(t *testing.T) {
				t.Parallel()
				client, server := compressedPair(t, on.connect, c)
				var all sync.WaitGroup
				for k, ends := range [][2]*Channel{{client, server}, {server, client}} {
					r := rand.New(rand.NewPCG(seed, uint64(i*100+j*10+k)))
					messages := randomMessages(r, 20)
					all.Go(func() {
						for _, m := range messages {
							if err := sendOneWay(t.Context(), ends[0], m, r); err != nil {
								t.Error(err)
								return
							}
						}
					})
					all.Go(func() {
						r := rand.New(rand.NewPCG(seed, uint64(k)))
						for n, m := range messages {
							got, part, err := receiveOneWay(t.Context(), ends[1], r)
							same := bytes.Equal(got.Data, m.Data) || part && bytes.HasPrefix(m.Data, got.Data)
							if err != nil || got.Type != m.Type || !same {
								t.Errorf("message %d: got %v of %d bytes, %v; want %v of %d", n, got.Type, len(got.Data), err, m.Type, len(m.Data))
								ends[0].CloseNow()
								return
							}
						}
					})
				}
				all.Wait()
			})
		}
	}
}

// An inflater is a peer's decoder.
type inflater struct {
	t      *testing.T
	window *deflate.Window
}

// expect reads one message of one frame.
func (f *inflater) expect(p *peer, compressed bool, want string) {
	f.t.Helper()
	first, payload, err := p.read()
	if err != nil || (first&rsv1 != 0) != compressed || first&lastFragment == 0 {
		f.t.Fatalf("peer: got frame %#x %.60q, %v; compressed should be %v", first, payload, err, compressed)
	}
	got := []byte(payload)
	if compressed {
		if len(payload) >= len(want) {
			f.t.Errorf("%d bytes are sent as %d", len(want), len(payload))
		}
		if got, err = deflate.Inflate(nil, []byte(payload), 1<<20, f.window); err != nil {
			f.t.Fatalf("peer: %v", err)
		}
	}
	if string(got) != want {
		f.t.Fatalf("peer: got %.60q, want %.60q", got, want)
	}
}

// Messages are compressed from the threshold on, if that makes them shorter,
// and unless they are sent plain; the peer's window is right after each.
func TestSendCompressed(t *testing.T) {
	hello := strings.Repeat("Hello World! ", 20)
	random := strings.Map(func(rune) rune { return rune(' ' + rand.IntN(95)) }, strings.Repeat("x", 50))
	eachRole(t, func(t *testing.T, role Role) {
		for _, mode := range []CompressionMode{CompressionStateless, CompressionContext} {
			t.Run(mode.String(), func(t *testing.T) {
				o := Compression{Mode: mode, Threshold: 40}
				c, p := compressedPeer(t, tcpPair, role, Options{}, o)
				f := &inflater{t: t}
				if mode == CompressionContext {
					f.window = deflate.NewWindow(12)
				}
				prepared, err := Prepare(Message{Text, []byte(hello)})
				if err != nil {
					t.Fatal(err)
				}
				for range 2 {
					for _, send := range []func() error{
						func() error { return c.SendText(t.Context(), hello) },
						func() error { return c.SendPlain(t.Context(), Message{Text, []byte(hello)}) },
						func() error { return c.SendText(t.Context(), hello[:39]) },
						func() error { return c.SendPrepared(t.Context(), prepared) },
						func() error { return c.SendText(t.Context(), hello[:40]) },
						func() error { return write(t.Context(), c, hello) },
					} {
						if err := send(); err != nil {
							t.Fatal(err)
						}
					}
					f.expect(p, true, hello)
					f.expect(p, false, hello)
					f.expect(p, false, hello[:39])
					f.expect(p, true, hello)
					f.expect(p, true, hello[:40])
					f.expect(p, true, hello)
				}
				if err := c.SendText(t.Context(), random); err != nil {
					t.Fatal(err)
				}
				f.expect(p, false, random)
			})
		}
	})
}

func write(ctx context.Context, c *Channel, s string) error {
	w, err := c.NextWriter(ctx, Text)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, s); err != nil {
		return err
	}
	return w.Close()
}

// A long message of NextWriter leaves in fragments, of which the first has
// RSV1, long before it is complete.
func TestWriterCompresses(t *testing.T) {
	eachRole(t, func(t *testing.T, role Role) {
		c, p := compressedPeer(t, tcpPair, role, Options{}, contextMode)
		r := rand.New(rand.NewPCG(1, 2))
		var text strings.Builder
		for text.Len() < 1<<20 {
			fmt.Fprintf(&text, "line %d;", r.IntN(1e6))
		}
		sent := make(chan error)
		go func() { sent <- write(t.Context(), c, text.String()) }()
		s := deflate.NewStream(nil)
		defer s.Release()
		var got []byte
		buf := make([]byte, 4096)
		for i := 0; ; i++ {
			first, payload, err := p.read()
			if err != nil {
				t.Fatal(err)
			}
			want := byte(0)
			if i == 0 {
				want = rsv1 | textBegin
			}
			last := first&lastFragment != 0
			if first&^lastFragment != want || i == 0 && last {
				t.Fatalf("frame %d begins with %#x", i, first)
			}
			s.Feed([]byte(payload))
			if last {
				s.End()
			}
			for err == nil {
				var n int
				n, err = s.Read(buf)
				got = append(got, buf[:n]...)
			}
			if err == io.EOF {
				break
			}
			if err != deflate.ErrMore {
				t.Fatal(err)
			}
		}
		if err := <-sent; err != nil || string(got) != text.String() {
			t.Errorf("got %d bytes of %d, sending: %v", len(got), text.Len(), err)
		}
	})
}

// A message that was withdrawn is not in the window that later ones refer to.
func TestWithdrawnIsNotReferredTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := compressedPeer(t, netPipe, RoleServer, Options{PingInterval: -1}, contextMode)
		f := &inflater{t: t, window: deflate.NewWindow(12)}
		secret := strings.Repeat("withdrawn ", 1000)
		for name, send := range map[string]func(context.Context) error{
			"Send":       func(ctx context.Context) error { return c.SendText(ctx, secret) },
			"NextWriter": func(ctx context.Context) error { return write(ctx, c, secret) },
			"prepared": func(ctx context.Context) error {
				m, err := Prepare(Message{Text, []byte(secret)})
				if err != nil {
					return err
				}
				return c.SendPrepared(ctx, m)
			},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if err := send(ctx); err != context.DeadlineExceeded {
				t.Fatalf("%s: %v", name, err)
			}
			cancel()
			go c.SendText(t.Context(), secret[:300])
			f.expect(p, true, secret[:300])
		}
	})
}

// A Prepared is compressed once for each kind of channel, and every channel gets
// what it can read.
func TestPrepared(t *testing.T) {
	text := strings.Repeat("for all of you ", 100)
	m, err := Prepare(Message{Text, []byte(text)})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i, c := range []Compression{
		{}, {}, {Mode: CompressionStateless}, {Mode: CompressionContext}, {Mode: CompressionContext},
		{Mode: CompressionContext, SendWindow: 9, ReceiveWindow: 9}, {Mode: CompressionStateless, Threshold: 5000},
	} {
		client, server := compressedPair(t, connectors[i%len(connectors)].connect, c)
		for _, ends := range [][2]*Channel{{client, server}, {server, client}} {
			all.Go(func() {
				for range 3 {
					if err := ends[0].SendPrepared(t.Context(), m); err != nil {
						t.Error(err)
					}
					if err := ends[0].SendText(t.Context(), text); err != nil {
						t.Error(err)
					}
				}
			})
			all.Go(func() {
				for range 6 {
					m, err := ends[1].Receive(t.Context())
					if err != nil || m.Type != Text || string(m.Data) != text {
						t.Errorf("%+v: got %v %.20q, %v", c, m.Type, m.Data, err)
					}
				}
			})
		}
	}
	all.Wait()
	if n := len(m.forms.compressed); n != 3 {
		t.Errorf("compressed %d times, for windows of 9, 12 and 15 bits", n)
	}
	for _, test := range []struct {
		m    Message
		want error
	}{{Message{}, ErrInvalidType}, {Message{Text, []byte{0xFF}}, ErrInvalidUTF8}} {
		if p, err := Prepare(test.m); p != nil || err != test.want {
			t.Errorf("%+v: got %v, %v", test.m, p, err)
		}
	}
}

// What Prepare was given is the caller's again.
func TestPreparedIsACopy(t *testing.T) {
	data := []byte("before")
	m, err := Prepare(Message{Binary, data})
	if err != nil {
		t.Fatal(err)
	}
	copy(data, "after!")
	c, p := withPeer(t, tcpPair, RoleServer, nil)
	if err := c.SendPrepared(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	p.expect(binaryFrame, "before")
}

// FuzzCompressedRoundTrip is FuzzRoundTrip with compression.
func FuzzCompressedRoundTrip(f *testing.F) {
	for i := range uint64(20) {
		f.Add(i, uint8(10), []byte("Hello, «wörld» 😀"), uint8(i))
	}
	f.Add(uint64(100), uint8(30), []byte(letters(5000)), uint8(1))
	f.Add(uint64(101), uint8(3), bytes.Repeat([]byte{0xff, 0}, 30_000), uint8(0x72))
	f.Fuzz(func(t *testing.T, seed uint64, n uint8, material []byte, how uint8) {
		material = material[:min(len(material), 100_000)]
		window := 8 + int(how>>4&7)
		z := Compression{
			Mode:          CompressionStateless + CompressionMode(how&1),
			Threshold:     int(how>>1&1) - 1,
			SendWindow:    window,
			ReceiveWindow: max(window, minReceiveWindow),
		}
		synctest.Test(t, func(t *testing.T) { roundTrip(t, seed, int(n%50), material, z) })
	})
}

// TestFaultsOnAPipe with compression.
func TestCompressedFaults(t *testing.T) {
	for _, on := range faultWrappers {
		for i, kind := range faultKinds {
			if !on.prompt && kind.err == os.ErrDeadlineExceeded {
				continue // it has none
			}
			t.Run(on.name+"/"+kind.name, func(t *testing.T) {
				t.Parallel()
				for j, p := range plays {
					if !slices.Contains([]string{"send", "receive", "ask", "write a stream", "read a stream", "cancel and resume"}, p.name) {
						continue // it is not about messages
					}
					again := true
					for n := 0; again && !t.Failed(); n++ {
						synctest.Test(t, func(t *testing.T) {
							role := Role(1 + (i+j+n)%2)
							plan := &faultPlan{kind: kind, at: n}
							f := &faultTest{t: t, what: roleName(role) + " in " + p.name, exact: on.exact, prompt: on.prompt, plan: plan, long: 10_000}
							near, far := net.Pipe()
							z := Compression{Mode: CompressionStateless + CompressionMode(j%2), Threshold: -1}
							a, b := newCompressedFaultPair(t, near, far, on.wrap, role, plan, z)
							ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
							defer cancel()
							again = f.perform(ctx, p, a, b)
							if ctx.Err() != nil {
								f.errorf("it hangs")
							}
						})
					}
				}
			})
		}
	}
}

// Messages that are sent at once refer to each other in the order in which they
// leave.
func TestCompressedConcurrentSends(t *testing.T) {
	for _, on := range connectors {
		t.Run(on.name, func(t *testing.T) {
			client, server := compressedPair(t, on.connect, contextMode)
			const senders, each = 8, 50
			var sending sync.WaitGroup
			for i := range senders {
				sending.Go(func() {
					for n := range each {
						m := Message{Text, fmt.Appendf(nil, "sender %d says %d %s", i, n, letters(n*n))}
						if err := sendOneWay(t.Context(), client, m, rand.New(rand.NewPCG(uint64(i), uint64(n)))); err != nil {
							t.Error(err)
						}
					}
				})
			}
			var next [senders]int
			for range senders * each {
				m, err := server.Receive(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				var i, n int
				if _, err := fmt.Sscanf(string(m.Data), "sender %d says %d", &i, &n); err != nil || n != next[i] ||
					string(m.Data) != fmt.Sprintf("sender %d says %d %s", i, n, letters(n*n)) {
					t.Fatalf("got %.40q, %v; want %d", m.Data, err, next[i])
				}
				next[i]++
			}
			sending.Wait()
		})
	}
}
