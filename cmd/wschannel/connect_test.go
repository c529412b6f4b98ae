package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

// serveChannels runs a server whose handler is under the control of a test, and
// returns its URL.
func serveChannels(t *testing.T, handler func(context.Context, *wschannel.Channel)) string {
	t.Helper()
	channels := &wschannel.Server{
		Handler:       handler,
		AcceptOptions: wschannel.AcceptOptions{Options: wschannel.Options{MessageLimit: -1}},
	}
	return serveHTTP(t, channels)
}

func serveHTTP(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return "ws" + strings.TrimPrefix(server.URL, "http") + "/"
}

// endless returns a standard input that has no end during the test.
func endless(t *testing.T) io.Reader {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.Close()
		r.Close()
	})
	return r
}

const closedNormally = "closed: 1000 normal closure\n"

func TestConnectLines(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 3<<16) // 3 MiB: no limit applies
	for _, test := range []struct {
		name, in, out, complaint string
	}{
		{"a line", "hello\n", "hello\n", ""},
		{"the last line without an end", "one\ntwo", "one\ntwo\n", ""},
		{"empty lines", "\n\n", "\n\n", ""},
		{"bytes as they are", "carriage return\r\n\ttab \x1b[31m\x00\n", "carriage return\r\n\ttab \x1b[31m\x00\n", ""},
		{"not ASCII", "Grüße, 你好 👋\n", "Grüße, 你好 👋\n", ""},
		{"a long line", long + "\nshort\n", long + "\nshort\n", ""},
		{"not UTF-8", "one\n\xff\xfe\nf\xfcnf\nfour\n", "one\nfour\n",
			"wschannel: line 2 is not UTF-8 and was not sent\nwschannel: line 3 is not UTF-8 and was not sent\n"},
		{"too long", "one\n" + strings.Repeat("x", maxLine+1) + "\nthree\n", "one\nthree\n",
			"wschannel: line 2 is longer than 16 MiB and was not sent\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			url := serveChannels(t, func(ctx context.Context, c *wschannel.Channel) {
				for range strings.Count(test.out, "\n") {
					m, err := c.Receive(ctx)
					if err != nil || c.Send(ctx, m) != nil {
						return
					}
				}
			})
			in := io.Reader(strings.NewReader(test.in))
			if strings.HasSuffix(test.in, "\n") {
				// Leave it to the server to end it, however long it takes.
				in = io.MultiReader(in, endless(t))
			}
			r := start(t, in, "connect", url)
			exit := exitOK
			if test.complaint != "" {
				exit = exitFailed
			}
			r.wantExit(exit)
			if got := r.stdout.String(); got != test.out {
				t.Errorf("standard output has %d bytes, want %d: %.100q", len(got), len(test.out), got)
			}
			r.stderr.want(t, "standard error", test.complaint+"closed by the peer: 1000 normal closure\n")
		})
	}
}

// After the end of the input it waits for a second, and closes.
func TestConnectAtEndOfInput(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ in, out string }{
		{"", ""},
		{"hello\n", "hello\n"},
		{"one\ntwo", "one\ntwo\n"},
	} {
		began := time.Now()
		r := start(t, strings.NewReader(test.in), "connect", serveChannels(t, echo))
		r.wantExit(exitOK)
		if took := time.Since(began); took < time.Second {
			t.Errorf("%q: it has waited for %v only", test.in, took)
		}
		r.stdout.want(t, "standard output", test.out)
		r.stderr.want(t, "standard error", closedNormally)
	}
}

// A line is on its way as soon as it is complete.
func TestConnectInteractive(t *testing.T) {
	url := serveChannels(t, echo)
	in, typed := io.Pipe()
	r := start(t, in, "connect", url)
	for i := range 3 {
		fmt.Fprintf(typed, "line %d\n", i)
		r.stdout.await(t, fmt.Sprintf("line %d\n$", i))
	}
	typed.Close()
	r.wantExit(exitOK)
}

func TestConnectInputFails(t *testing.T) {
	t.Parallel()
	url := serveChannels(t, echo)
	in := io.MultiReader(strings.NewReader("one\ntw"), &failing{errors.New("cable cut")})
	r := start(t, in, "connect", url)
	r.wantExit(exitFailed)
	r.stdout.want(t, "standard output", "one\n")
	r.stderr.want(t, "standard error", "wschannel: standard input, line 2: cable cut\n"+closedNormally)
}

// failing fails to read and to write.
type failing struct{ err error }

func (f *failing) Read([]byte) (int, error)  { return 0, f.err }
func (f *failing) Write([]byte) (int, error) { return 0, f.err }

func TestConnectOutputFails(t *testing.T) {
	url := serveChannels(t, func(ctx context.Context, c *wschannel.Channel) {
		c.SendText(ctx, "message")
		c.Receive(ctx)
	})
	for _, test := range []struct {
		err        error
		exit       int
		complaints string
	}{
		{&net.OpError{Op: "write", Err: syscall.EPIPE}, exitOK, ""},
		{errors.New("disk full"), exitFailed, "wschannel: standard output: disk full\n"},
	} {
		r := &running{t: t, stderr: newOutput(), exit: make(chan int, 1)}
		r.run(endless(t), &failing{test.err}, []string{"connect", url})
		r.wantExit(test.exit)
		r.stderr.want(t, "standard error", test.complaints+closedNormally)
	}
}

func TestConnectPeerCloses(t *testing.T) {
	for _, test := range []struct {
		name   string
		close  func(ctx context.Context, c *wschannel.Channel)
		exit   int
		out    string
		stderr string // a pattern
	}{
		{"1000", func(ctx context.Context, c *wschannel.Channel) { c.Close() },
			exitOK, "", "closed by the peer: 1000 normal closure\n"},
		{"1001", func(ctx context.Context, c *wschannel.Channel) { c.CloseWith(status.GoingAway, "") },
			exitOK, "", "closed by the peer: 1001 going away\n"},
		{"no code", func(ctx context.Context, c *wschannel.Channel) { c.CloseWith(0, "") },
			exitOK, "", "closed by the peer: 1005 no status received\n"},
		{"1011", func(ctx context.Context, c *wschannel.Channel) { c.CloseWith(status.InternalError, "") },
			exitFailed, "", "closed by the peer: 1011 internal error\n"},
		{"a private code with a reason", func(ctx context.Context, c *wschannel.Channel) { c.CloseWith(4001, "raisin") },
			exitFailed, "", "closed by the peer: 4001: \"raisin\"\n"},
		{"a malicious reason", func(ctx context.Context, c *wschannel.Channel) { c.CloseWith(4001, "\x1b[2J\n\u202e\u009b") },
			exitFailed, "", `closed by the peer: 4001: "\\x1b\[2J\\n\\u202e\\u009b"` + "\n"},
		{"after messages", func(ctx context.Context, c *wschannel.Channel) {
			for _, s := range []string{"one", "", "two\nlines", "\x1b[31m"} {
				c.SendText(ctx, s)
			}
			c.Close()
		}, exitOK, "one\n\ntwo\nlines\n\x1b[31m\n", "closed by the peer: 1000 normal closure\n"},
		{"after binary messages", func(ctx context.Context, c *wschannel.Channel) {
			c.SendBinary(ctx, []byte{1})
			c.SendText(ctx, "text")
			c.SendBinary(ctx, make([]byte, 1<<20))
			c.Close()
		}, exitOK, "text\n", "binary message of 1 byte, not shown\nbinary message of 1 MiB, not shown\nclosed by the peer: 1000 normal closure\n"},
		{"hanging up", func(ctx context.Context, c *wschannel.Channel) { c.CloseNow() },
			exitFailed, "", "connection lost: unexpected EOF\n"},
		{"in the middle of a message", func(ctx context.Context, c *wschannel.Channel) {
			w, err := c.NextWriter(ctx, wschannel.Text)
			if err != nil {
				return
			}
			io.WriteString(w, strings.Repeat("x", 5000))
			c.CloseWith(4001, "")
		}, exitFailed, strings.Repeat("x", 5000), "closed by the peer: 4001\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := start(t, endless(t), "connect", serveChannels(t, test.close))
			r.wantExit(test.exit)
			r.stdout.want(t, "standard output", test.out)
			r.stderr.await(t, "^"+test.stderr+"$")
		})
	}
}

func TestConnectRefused(t *testing.T) {
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
		want    string
	}{
		{"unauthorized", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, "who are you?\r\n\r\nsay \x1b[31mplease\xff\n")
		}, "wschannel: the server refused with status 401 Unauthorized\n  who are you?\n  \n  say \\x1b[31mplease\\xff\n"},
		{"not found, without a body", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusNotFound)
		}, "wschannel: the server refused with status 404 Not Found\n"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "wss://example.com/")
			w.WriteHeader(http.StatusFound)
		}, "wschannel: the server refused with status 302 Found, and points to wss://example.com/\n"},
		{"an ordinary page", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "<html>")
		}, "wschannel: the server refused with status 200 OK\n  <html>\n"},
		{"a wrong acceptance", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Upgrade", "h2c")
			w.Header().Set("Connection", "Upgrade")
			w.WriteHeader(http.StatusSwitchingProtocols)
		}, "wschannel: handshake failed with status 101: the response's Upgrade header must be \"websocket\"; got \"h2c\"\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := start(t, endless(t), "connect", serveHTTP(t, test.handler))
			r.wantExit(exitFailed)
			r.stdout.want(t, "standard output", "")
			r.stderr.want(t, "standard error", test.want)
		})
	}
}

func TestConnectFails(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	r := start(t, endless(t), "connect", "ws://"+gone.Addr().String()+"/")
	r.wantExit(exitFailed)
	r.stderr.await(t, "^wschannel: connect to .*connection refused\n$")
}

func TestConnectInterrupted(t *testing.T) {
	ended := make(chan error, 1)
	url := serveChannels(t, func(ctx context.Context, c *wschannel.Channel) {
		c.SendText(ctx, "welcome")
		_, err := c.Receive(ctx)
		ended <- err
	})
	r := start(t, endless(t), "connect", url)
	r.stdout.await(t, "welcome\n")
	r.signals <- nil
	r.wantExit(exitOK)
	r.stderr.want(t, "standard error", closedNormally)
	wantPeerClose(t, <-ended, status.NormalClosure)
}

func TestConnectInterruptedWhileConnecting(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	r := start(t, endless(t), "connect", "ws://"+silent.Addr().String())
	conn, err := silent.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r.signals <- nil
	r.wantExit(exitFailed)
	r.stderr.want(t, "standard error", "wschannel: interrupted\n")
}

func TestConnectInterruptedTwice(t *testing.T) {
	accepted := make(chan net.Conn, 1)
	url := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Accept: %s\r\n\r\n", wschannel.SignKey(r.Header.Get("Sec-WebSocket-Key")))
		conn.Write([]byte("\x81\x02hi"))
		accepted <- conn
	}))
	r := start(t, endless(t), "connect", url)
	conn := <-accepted
	defer conn.Close()
	r.stdout.await(t, "^hi\n$")
	r.signals <- nil
	// The close frame has come and is never answered.
	frame := make([]byte, 2)
	if _, err := io.ReadFull(conn, frame); err != nil || !bytes.Equal(frame, []byte{0x88, 0x82}) {
		t.Fatalf("got % x and %v, want a close frame", frame, err)
	}
	r.signals <- nil
	r.wantExit(exitFailed)
	r.stderr.await(t, "^"+closedNormally+"wschannel: close not completed: .*\n$")
}

// A stuck is an output that takes nothing, until it is let go.
type stuck struct{ written, letGo chan struct{} }

func (s stuck) Write(p []byte) (int, error) {
	s.written <- struct{}{}
	<-s.letGo
	return len(p), nil
}

// An interrupt ends it also when nobody reads its output.
func TestConnectInterruptedWhileOutputIsStuck(t *testing.T) {
	url := serveChannels(t, func(ctx context.Context, c *wschannel.Channel) {
		c.SendText(ctx, "welcome")
		<-ctx.Done()
	})
	out := stuck{make(chan struct{}, 1), make(chan struct{})}
	defer close(out.letGo)
	r := &running{t: t, stderr: newOutput(), signals: make(chan os.Signal, 2), exit: make(chan int, 1)}
	r.run(endless(t), out, []string{"connect", url})
	<-out.written
	r.signals <- nil
	r.wantExit(exitFailed)
	r.stderr.want(t, "standard error", "wschannel: standard output: nobody reads it\n"+closedNormally)
}
