//go:build !js

package wschannel

import (
	"bytes"
	"context"
	"errors"
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
	"unicode/utf8"

	"github.com/wschannel/wschannel/internal/proto"
	"github.com/wschannel/wschannel/internal/wire"
	"github.com/wschannel/wschannel/status"
)

// FuzzChannel: whatever a peer sends, and in whatever pieces, the channel ends
// with a typed error and all that the peer gets is legal. In the mode that only
// collects it receives exactly what internal/proto makes of the same bytes.
func FuzzChannel(f *testing.F) {
	join := func(masks bool, pieces ...piece) []byte {
		r := rawEnd{masks: masks}
		var b []byte
		for _, p := range pieces {
			b = p.append(b, r.nextKey())
		}
		return b
	}
	long := strings.Repeat("long ", 100)
	for i, pieces := range [][]piece{
		nil,
		{fr(0x81, "Hello"), closeOf(1000, "bye")},
		{fr(0x01, "Hel"), fr(0x89, "ping"), fr(0x80, "lo"), fr(0x82, long), fr(0x88, "")},
		{fr(0x02, long), fr(0x00, ""), fr(0x89, ""), fr(0x80, long), fr(0x81, "next"), closeOf(4000, "bye")},
		{fr(0x81, "\xe2\x82"), fr(0x81, "late")},
		{fr(0x01, "\xe2\x82"), fr(0x80, "\xac"), fr(0x8A, "12345678"), fr(0xC1, "RSV")},
		{fr(0x89, "1"), fr(0x89, "2"), fr(0x8A, "3"), raw("\x88\x01")},
		{fr(0x01, long), closeOf(1000, ""), fr(0x80, "late")},
		{fr(0x82, strings.Repeat(long, 3)), fr(0x81, "not read")},
		{raw("HTTP/1.1 400 Bad Request\r\n\r\n")},
		{fr(0x81, "a"), raw("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xffabc")},
	} {
		for _, server := range []bool{false, true} {
			f.Add(join(server, pieces...), server, uint8(1<<(i%8)), uint8(i))
			f.Add(join(server, pieces...), server, uint8(255), uint8(4*i))
		}
	}
	f.Fuzz(func(t *testing.T, sent []byte, server bool, size, mode uint8) {
		synctest.Test(t, func(t *testing.T) { fuzzChannel(t, sent, server, int(size)+1, mode) })
	})
}

var fuzzOptions = Options{MessageLimit: 1000, FragmentLimit: 5, ReceiveBuffer: 300}

// fuzzChannel sends to a channel, size bytes at a time. The bits of mode say
// how the channel is used: 1 and 2 how it is received from, 4 whether there
// are pauses, 8 whether it sends too, 16 whether it closes.
func fuzzChannel(t *testing.T, sent []byte, server bool, size int, mode uint8) {
	role := RoleClient
	if server {
		role = RoleServer
	}
	start := time.Now()
	c, r := rawChannel(t, role, &fuzzOptions)
	var uses sync.WaitGroup
	var received []string
	uses.Go(func() { received = fuzzReceive(t, c, mode&3) })
	if mode&8 != 0 {
		uses.Go(func() { fuzzSend(t, c) })
	}
	for b := range slices.Chunk(sent, size) {
		if r.write(b) != nil {
			break
		}
		if mode&4 != 0 {
			pass(150 * time.Millisecond)
		}
	}
	if mode&16 != 0 {
		pass(time.Second)
		c.CloseWith(4999, "closed")
	}
	pass(time.Second)
	r.hangUp()
	<-c.Done()
	uses.Wait()
	if d := time.Since(start); d > time.Hour {
		t.Errorf("it took %v", d)
	}
	end, ok := errors.AsType[*CloseError](c.Err())
	if !ok || !errors.Is(end, ErrClosed) {
		t.Fatalf("ended with %v", c.Err())
	}
	checkFrames(t, r, server)
	if mode&3 != 0 {
		return
	}
	messages, code := understood(sent, server)
	if mode&16 == 0 && end.Code != code {
		t.Errorf("ended with %v, want %d", end, code)
	}
	if !slices.Equal(received, messages) {
		t.Errorf("received %.200q, want %.200q", received, messages)
	}
}

// understood returns what is to be made of what a peer has sent.
func understood(sent []byte, server bool) (messages []string, code status.Code) {
	s := fuzzOptions.settings()
	in := proto.NewReader(s.reader(server), make([]byte, 1000))
	for {
		switch ev := in.Next(); ev.Kind {
		case proto.Message:
			messages = append(messages, told(Type(ev.Opcode), string(ev.Data)))
		case proto.Close:
			return messages, ev.Code
		case proto.Violation:
			return messages, ev.Violation.Code
		case proto.More:
			n := copy(in.Space(), sent)
			if n == 0 {
				return messages, status.AbnormalClosure
			}
			in.Filled(n)
			sent = sent[n:]
		}
	}
}

// fuzzReceive receives to the end: in one form, in another one, or in turn in
// all of them, with many a receive cancelled.
func fuzzReceive(t *testing.T, c *Channel, mode uint8) (received []string) {
	for i := 0; ; i++ {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+i%300)*time.Millisecond)
		var m Message
		var err error
		if mode == 1 || mode == 3 && i%3 == 0 {
			var body io.Reader
			if m.Type, body, err = c.NextReader(ctx); err == nil {
				m.Data, err = io.ReadAll(body)
			}
		} else {
			m.Type, m.Data, err = c.ReceiveAppend(ctx, make([]byte, 0, i%50*20))
		}
		cancel()
		switch {
		case err == nil:
			received = append(received, told(m.Type, string(m.Data)))
			if m.Type == Text && !utf8.Valid(m.Data) {
				t.Errorf("received text that is not: %q", m.Data)
			}
		case errors.Is(err, context.DeadlineExceeded) && c.Err() == nil:
			if mode >= 2 {
				<-time.After(150 * time.Millisecond) // let the channel be attended to
			}
		default:
			if errors.Is(err, context.DeadlineExceeded) && c.Err() != nil && !errors.Is(c.Err(), os.ErrDeadlineExceeded) {
				continue // it was over a moment later
			}
			<-c.Done()
			if err != c.Err() {
				t.Errorf("receiving: %v, Err is %v", err, c.Err())
			}
			return received
		}
	}
}

// fuzzSend sends all kinds of frames until the channel ends.
func fuzzSend(t *testing.T, c *Channel) {
	ctx := t.Context()
	for i := 0; ; i++ {
		var err error
		switch i % 4 {
		case 0:
			err = c.SendText(ctx, strings.Repeat("é", i))
		case 1:
			short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
			_, err = c.Ping(short)
			cancel()
			if err == context.DeadlineExceeded {
				err = nil
			}
		case 2:
			var w io.WriteCloser
			if w, err = c.NextWriter(ctx, Binary); err == nil {
				w.Write(make([]byte, i*i*100%9000))
				w.Write([]byte("more"))
				err = w.Close()
			}
		case 3:
			err = c.SendBinary(ctx, make([]byte, i*1000%70_000))
		}
		if err != nil {
			if !errors.Is(err, ErrClosed) {
				t.Errorf("sending: %v", err)
			}
			return
		}
		<-time.After(100 * time.Millisecond)
	}
}

// checkFrames sees to it that all that a rawEnd has got is legal.
func checkFrames(t *testing.T, r *rawEnd, server bool) {
	state := wire.State{Server: !server}
	var text []byte
	closed := false
	for i, f := range r.taken() {
		if v := wire.Check(f.head, state); v != nil {
			t.Errorf("frame %d, %.60v: %v", i, f, v)
		}
		if closed {
			t.Errorf("frame %d, %.60v, behind the close frame", i, f)
		}
		switch op := f.head.Opcode; {
		case op == wire.Close:
			closed = true
			if _, _, v := wire.ParseClose([]byte(f.payload)); v != nil {
				t.Errorf("frame %d, %.60v: %v", i, f, v)
			}
		case !op.Control():
			if op == wire.Text || op == wire.Continuation && text != nil {
				text = append(append([]byte{}, text...), f.payload...)
				if f.head.Fin && !utf8.Valid(text) {
					t.Errorf("frame %d: text that is not: %q", i, text)
				}
			}
			if state.Fragmented = !f.head.Fin; f.head.Fin {
				text = nil
			}
		}
	}
	if closed && len(r.tail) > 0 {
		t.Errorf("behind the close frame: % x", r.tail)
	}
}

// FuzzRoundTrip: what is sent arrives, whatever the messages, the ways of
// sending and receiving and the pieces they come in, and although many a
// receive is cancelled.
func FuzzRoundTrip(f *testing.F) {
	for i := range uint64(20) {
		f.Add(i, uint8(10), []byte("Hello, «wörld» 😀"))
	}
	f.Add(uint64(100), uint8(30), []byte(letters(5000)))
	f.Add(uint64(101), uint8(3), bytes.Repeat([]byte{0xff, 0}, 30_000))
	f.Fuzz(func(t *testing.T, seed uint64, n uint8, material []byte) {
		material = material[:min(len(material), 100_000)]
		synctest.Test(t, func(t *testing.T) { roundTrip(t, seed, int(n%50), material, Compression{}) })
	})
}

func roundTrip(t *testing.T, seed uint64, n int, material []byte, z Compression) {
	options := Options{WriteTimeout: -1, PingInterval: -1, CloseTimeout: -1, ReceiveBuffer: 200 + int(seed%5000)}
	one, two := net.Pipe()
	o := &StreamOptions{Options: options, Compression: z}
	client := New(&slowConn{Conn: one, rnd: rand.New(rand.NewPCG(seed, 1))}, RoleClient, o)
	server := New(&slowConn{Conn: two, rnd: rand.New(rand.NewPCG(seed, 2))}, RoleServer, o)
	defer client.CloseNow()
	defer server.CloseNow()
	var parts, ends sync.WaitGroup
	for i, c := range []*Channel{client, server} {
		rnd := rand.New(rand.NewPCG(seed, uint64(3+i)))
		messages := make([]Message, n)
		for i := range messages {
			from := rnd.IntN(len(material) + 1)
			m := Message{Binary, material[from : from+rnd.IntN(len(material)-from+1)]}
			if utf8.Valid(m.Data) {
				m.Type = Text
			}
			messages[i] = m
		}
		to := client
		if c == client {
			to = server
		}
		parts.Go(func() { sendAnyhow(t, rand.New(rand.NewPCG(seed, uint64(5+i))), c, messages) })
		parts.Go(func() {
			receiveAnyhow(t, rand.New(rand.NewPCG(seed, uint64(7+i))), to, messages)
			ends.Go(func() {
				// What is left of a message that was given up has to be dropped.
				if m, err := to.Receive(t.Context()); !errors.Is(err, ErrClosed) {
					t.Errorf("behind the last message: %s, %v", brief(m), err)
				}
			})
		})
	}
	parts.Wait()
	if err := client.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	<-server.Done()
	ends.Wait()
	if server.CloseCode() != status.NormalClosure {
		t.Errorf("the server has ended with %v", server.Err())
	}
}

func sendAnyhow(t *testing.T, rnd *rand.Rand, c *Channel, messages []Message) {
	for i, m := range messages {
		var err error
		if rnd.IntN(2) == 0 {
			err = c.Send(t.Context(), m)
		} else {
			var w io.WriteCloser
			w, err = c.NextWriter(t.Context(), m.Type)
			for rest := m.Data; err == nil && len(rest) > 0; {
				n := 1 + rnd.IntN(len(rest))
				if rnd.IntN(2) == 0 {
					n = min(n, 1+rnd.IntN(100))
				}
				_, err = w.Write(rest[:n])
				rest = rest[n:]
			}
			if err == nil {
				err = w.Close()
			}
		}
		if err != nil {
			t.Errorf("sending message %d: %v", i, err)
			c.CloseNow()
			return
		}
		if rnd.IntN(4) == 0 {
			<-time.After(time.Duration(rnd.IntN(300)) * time.Millisecond)
		}
	}
}

func receiveAnyhow(t *testing.T, rnd *rand.Rand, c *Channel, messages []Message) {
	for i := 0; i < len(messages); {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rnd.IntN(200))*time.Millisecond)
		m, whole, err := receiveOnce(ctx, rnd, c)
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("receiving message %d: %v", i, err)
			c.CloseNow()
			return
		}
		if err == nil || m.Type != 0 { // one that was streamed in part is gone
			if m.Type != messages[i].Type || !bytes.HasPrefix(messages[i].Data, m.Data) || whole && len(m.Data) != len(messages[i].Data) {
				t.Errorf("message %d is %s, want %s", i, brief(m), brief(messages[i]))
				c.CloseNow()
				return
			}
			i++
		}
		if rnd.IntN(4) == 0 {
			<-time.After(time.Duration(rnd.IntN(300)) * time.Millisecond)
		}
	}
}

// receiveOnce receives in some form. If it fails with a message begun, that
// has its type.
func receiveOnce(ctx context.Context, rnd *rand.Rand, c *Channel) (m Message, whole bool, err error) {
	switch rnd.IntN(4) {
	case 0:
		m, err = c.Receive(ctx)
	case 1:
		m.Type, m.Data, err = c.ReceiveAppend(ctx, make([]byte, 0, rnd.IntN(20_000)))
	default:
		typ, body, err := c.NextReader(ctx)
		m.Type = typ
		stop := -1
		if rnd.IntN(3) == 0 {
			stop = rnd.IntN(10_000)
		}
		p := make([]byte, 1+rnd.IntN(10_000))
		for err == nil && (stop < 0 || len(m.Data) < stop) {
			var n int
			n, err = body.Read(p[:1+rnd.IntN(len(p))])
			m.Data = append(m.Data, p[:n]...)
			if rnd.IntN(20) == 0 {
				<-time.After(time.Duration(rnd.IntN(200)) * time.Millisecond)
			}
		}
		if err == io.EOF {
			return m, true, nil
		}
		return m, false, err
	}
	return m, err == nil, err
}

func brief(m Message) string {
	return fmt.Sprintf("%v of %d bytes %.40q", m.Type, len(m.Data), m.Data)
}

// A slowConn takes its time, and moves what it moves in pieces.
type slowConn struct {
	net.Conn
	rnd *rand.Rand // of who writes
}

func (c *slowConn) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		size := 1 + c.rnd.IntN(len(p)-n)
		if len(p)-n < 100 && c.rnd.IntN(2) == 0 {
			size = 1
		}
		if c.rnd.IntN(3) == 0 {
			<-time.After(time.Duration(c.rnd.IntN(100)) * time.Millisecond)
		}
		var k int
		k, err = c.Conn.Write(p[n : n+size])
		n += k
	}
	return n, err
}
