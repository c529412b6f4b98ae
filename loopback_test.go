//go:build !js

package wschannel_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wschannel/wschannel"
)

// What the tests over loopback connections share. They are written from the
// outside: raw bytes, net/http, and the exported API.

// patience is how long a test waits for what has to come. Nothing is measured
// with it.
const patience = 30 * time.Second

// wait returns what comes out of c, or its closing.
func wait[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

// patiently returns a context for what has to come.
func patiently(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits until a condition holds of which nothing tells.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for late := time.After(patience); !holds(); {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// leakless runs f, and then waits until all goroutines are gone that f has
// started, or one of these: they inherit its label.
func leakless(t *testing.T, f func()) {
	t.Helper()
	pprof.Do(t.Context(), pprof.Labels("leakless", t.Name()), func(context.Context) {
		if labelled("leakless", t.Name()) == "" {
			t.Fatal("labels are not found")
		}
		f()
	})
	var stacks string
	defer func() {
		if t.Failed() {
			t.Logf("left over:\n%s", stacks)
		}
	}()
	eventually(t, "no goroutine is left", func() bool {
		stacks = labelled("leakless", t.Name())
		return stacks == ""
	})
}

// labelled returns the stacks of the goroutines with a label.
func labelled(key, value string) string {
	var profile, found strings.Builder
	pprof.Lookup("goroutine").WriteTo(&profile, 1)
	for stack := range strings.SplitSeq(profile.String(), "\n\n") {
		if strings.Contains(stack, strconv.Quote(key)+":"+strconv.Quote(value)) {
			found.WriteString(stack + "\n\n")
		}
	}
	return found.String()
}

// discard is a log that nobody reads.
var discard = log.New(io.Discard, "", 0)

// echo sends every message back.
func echo(ctx context.Context, c *wschannel.Channel) {
	for m, err := range c.Messages(ctx) {
		if err != nil || c.Send(ctx, m) != nil {
			return
		}
	}
}

// checkEcho checks that the peer sends a message back.
func checkEcho(t *testing.T, c *wschannel.Channel) {
	t.Helper()
	if c == nil {
		t.Fatal("no channel")
	}
	if err := c.SendText(patiently(t), "Hello World!"); err != nil {
		t.Fatal(err)
	}
	m, err := c.Receive(patiently(t))
	if err != nil || m.Type != wschannel.Text || string(m.Data) != "Hello World!" {
		t.Fatalf("got %v %q, %v; want the text that was sent", m.Type, m.Data, err)
	}
}

// hangUpAfter hangs up when the test is over.
func hangUpAfter(t *testing.T, c *wschannel.Channel) {
	t.Cleanup(func() {
		if c != nil {
			c.CloseNow()
		}
	})
}

// serve starts an HTTP server and returns its address as a URL for Connect.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http")
}

// serveTLS does so over TLS, and returns a configuration that trusts it. The
// server speaks HTTP/2, too.
func serveTLS(t *testing.T, h http.Handler) (url string, trusting *tls.Config) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.Config.ErrorLog = discard
	s.StartTLS()
	t.Cleanup(s.Close)
	trusting = s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	trusting.NextProtos = nil
	return "wss" + strings.TrimPrefix(s.URL, "https"), trusting
}

// certificate returns what a TLS server needs, and what its clients need.
func certificate(t *testing.T) (serving, trusting *tls.Config) {
	t.Helper()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	return &tls.Config{Certificates: s.TLS.Certificates}, s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
}

// No test looks up a name but those that call resolveWith: it has a name server
// of the test's answer until the test is over.
func resolveWith(t *testing.T, answer func(query []byte) []byte) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nameServer.Store(conn.LocalAddr().(*net.UDPAddr))
	t.Cleanup(func() {
		nameServer.Store(nil)
		conn.Close()
	})
	go func() {
		buf := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			conn.WriteTo(answer(buf[:n]), from)
		}
	}()
}

// unknownName answers that there is no such name.
func unknownName(query []byte) []byte {
	query[2] |= 0x80 // a response,
	query[3] = 3     // and NXDOMAIN
	return query
}

var nameServer atomic.Pointer[net.UDPAddr]

func init() {
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		if addr := nameServer.Load(); addr != nil {
			return net.DialUDP("udp", nil, addr)
		}
		return nil, errors.New("no test looks up a name, but for some")
	}}
}

// listen calls f for every connection to the address that it returns. The test
// is over when all of these calls are.
func listen(t *testing.T, f func(net.Conn)) (hostport string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(patience))
				f(conn)
			})
		}
	})
	return l.Addr().String()
}

// untilClosed reads until the peer has closed the connection. It returns what
// has come before.
func untilClosed(conn io.Reader) string {
	rest, _ := io.ReadAll(conn)
	return string(rest)
}

// readHead reads a request or a response up to the empty line.
func readHead(r *bufio.Reader) (string, error) {
	var head strings.Builder
	for !strings.HasSuffix(head.String(), "\r\n\r\n") {
		line, err := r.ReadString('\n')
		head.WriteString(line)
		if err != nil {
			return head.String(), err
		}
	}
	return head.String(), nil
}

// field returns the values of a header field spelled exactly so.
func field(head, name string) (values []string) {
	for line := range strings.SplitSeq(head, "\r\n") {
		if value, ok := strings.CutPrefix(line, name+": "); ok {
			values = append(values, value)
		}
	}
	return values
}

// switching returns the response that accepts a request, with more fields.
func switching(request string, fields ...string) string {
	key := strings.Join(field(request, "Sec-WebSocket-Key"), ", ")
	return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + wschannel.SignKey(key) + "\r\n" +
		strings.Join(append(fields, ""), "\r\n") + "\r\n"
}

// respond is a server for listen: it answers a request with what respond makes
// of it, and reads until the client closes.
func respond(respond func(request string) string) func(net.Conn) {
	return func(conn net.Conn) {
		r := bufio.NewReader(conn)
		request, err := readHead(r)
		if err != nil {
			return
		}
		io.WriteString(conn, respond(request))
		untilClosed(r)
	}
}

// frame returns a frame as a server sends it. first is the first byte: FIN and
// the opcode.
func frame(first byte, payload string) string {
	return string(appendLength([]byte{first}, 0, len(payload))) + payload
}

// masked returns a frame as a client sends it. Its masking key is zero, and
// leaves the payload as it is.
func masked(first byte, payload string) string {
	return string(appendLength([]byte{first}, 0x80, len(payload))) + "\x00\x00\x00\x00" + payload
}

func appendLength(b []byte, mask byte, n int) []byte {
	if n < 126 {
		return append(b, mask|byte(n))
	}
	return binary.BigEndian.AppendUint16(append(b, mask|126), uint16(n))
}

// A recorder keeps what a logger writes.
type recorder struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// checkMatch checks a text against a regular expression.
func checkMatch(t *testing.T, what, text, want string) {
	t.Helper()
	if !regexp.MustCompile(want).MatchString(text) {
		t.Errorf("%s is %q; want it to match %q", what, text, want)
	}
}
