//go:build !js

package wschannel_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/wschannel/wschannel"
)

// Cancelling ends connecting in each of its phases, and frees the socket: the
// server sees the connection close, and no goroutine is left (X06, X07).
func TestConnectCancelled(t *testing.T) {
	own := wschannel.Dialer{HTTPClient: &http.Client{Transport: &http.Transport{}, Timeout: patience}}
	for _, test := range []struct {
		phase  string
		d      wschannel.Dialer
		scheme string
		reach  func(conn net.Conn, r *bufio.Reader) error // serves up to this phase
	}{
		{"TLS", wschannel.Dialer{}, "wss", func(_ net.Conn, r *bufio.Reader) error {
			_, err := r.Peek(100) // of the ClientHello
			return err
		}},
		{"request", wschannel.Dialer{}, "ws", func(_ net.Conn, r *bufio.Reader) error {
			_, err := readHead(r)
			return err
		}},
		{"request of a client of one's own", own, "ws", func(_ net.Conn, r *bufio.Reader) error {
			_, err := readHead(r)
			return err
		}},
		{"response", wschannel.Dialer{}, "ws", func(conn net.Conn, r *bufio.Reader) error {
			request, err := readHead(r)
			response := switching(request)
			io.WriteString(conn, response[:len(response)-2])
			return err
		}},
	} {
		t.Run(test.phase, func(t *testing.T) {
			reached := make(chan error, 1)
			left := make(chan struct{})
			hostport := listen(t, func(conn net.Conn) {
				r := bufio.NewReader(conn)
				reached <- test.reach(conn, r)
				untilClosed(r)
				close(left)
			})
			leakless(t, func() {
				checkCancelled(t, test.d, test.scheme+"://"+hostport, reached)
				wait(t, "the client's socket to be closed", left)
			})
		})
	}

	t.Run("look-up", func(t *testing.T) {
		reached := make(chan error, 10)
		over := make(chan struct{})
		resolveWith(t, func(query []byte) []byte {
			reached <- nil
			<-over
			return unknownName(query)
		})
		leakless(t, func() {
			checkCancelled(t, wschannel.Dialer{}, "ws://slow.invalid", reached)
			// Package net waits for an answer up to 5 s, in the background.
			close(over)
		})
	})

	t.Run("before", func(t *testing.T) {
		hostport := listen(t, func(conn net.Conn) {
			if request := untilClosed(conn); request != "" {
				t.Errorf("the server was asked %q", request)
			}
		})
		leakless(t, func() {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := wschannel.Connect(ctx, "ws://"+hostport, nil); !errors.Is(err, context.Canceled) {
				t.Errorf("the error is %v", err)
			}
		})
	})
}

// checkCancelled cancels a Connect when a phase is reached.
func checkCancelled(t *testing.T, d wschannel.Dialer, url string, reached <-chan error) {
	t.Helper()
	why := errors.New("changed my mind")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	connecting := make(chan error, 1)
	go func() {
		c, resp, err := d.Connect(ctx, url)
		if c != nil || resp != nil {
			t.Errorf("there are a channel %p or a response %v", c, resp)
		}
		connecting <- err
	}()
	if err := wait(t, "the phase", reached); err != nil {
		t.Fatal(err)
	}
	cancel(why)
	err := wait(t, "Connect", connecting)
	var connect *wschannel.ConnectError
	if !errors.As(err, &connect) || !errors.Is(err, context.Canceled) || !errors.Is(err, why) {
		t.Errorf("the error is %v; want a ConnectError with the error of ctx and its cause", err)
	}
}

// A server that takes too long, whoever says how long (T061). That it accepts
// afterwards does no harm.
func TestConnectTimeout(t *testing.T) {
	const short = 20 * time.Millisecond
	var accepting sync.WaitGroup
	t.Cleanup(accepting.Wait) // after the server has been closed
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		accepting.Add(1)
		defer accepting.Done()
		<-r.Context().Done()
		if c, err := wschannel.Accept(w, r, nil); err == nil {
			if _, err := c.Receive(context.Background()); !errors.Is(err, wschannel.ErrClosed) {
				t.Errorf("the channel that came too late: %v", err)
			}
		}
	}))
	client := &http.Client{
		Timeout: short,
		// Else a connection that is dialed too late is kept for later requests.
		Transport: &http.Transport{DisableKeepAlives: true},
	}
	for _, test := range []struct {
		name string
		d    wschannel.Dialer
		ctx  time.Duration
		want string
	}{
		{"HandshakeTimeout", wschannel.Dialer{Options: wschannel.Options{HandshakeTimeout: short}}, patience, `: not done within 20ms: context deadline exceeded$`},
		{"HTTPClient.Timeout", wschannel.Dialer{HTTPClient: client}, patience, `: not done within 20ms: context deadline exceeded$`},
		{"the shorter one", wschannel.Dialer{Options: wschannel.Options{HandshakeTimeout: patience}, HTTPClient: client},
			patience, `: not done within 20ms: context deadline exceeded$`},
		{"ctx", wschannel.Dialer{Options: wschannel.Options{HandshakeTimeout: -1}}, short, `: context deadline exceeded$`},
	} {
		t.Run(test.name, func(t *testing.T) {
			leakless(t, func() {
				ctx, cancel := context.WithTimeout(t.Context(), test.ctx)
				defer cancel()
				c, resp, err := test.d.Connect(ctx, url)
				var connect *wschannel.ConnectError
				if c != nil || resp != nil || !errors.As(err, &connect) || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %p, %v, %v; want a ConnectError that satisfies context.DeadlineExceeded", c, resp, err)
				}
				checkMatch(t, "the error", err.Error(), test.want)
			})
		})
	}
}

// The body of a refusal that does not come does not hold Connect up beyond its
// ctx; the refusal is told all the same.
func TestConnectCancelledInBody(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	d := wschannel.Dialer{HTTPClient: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		resp := &http.Response{StatusCode: 404, Body: &stallingBody{start: "no", stalled: cancel, ctx: r.Context()}}
		return resp, nil
	})}}
	c, resp, err := d.Connect(ctx, "ws://host")
	var refused *wschannel.HandshakeError
	if c != nil || resp == nil || !errors.As(err, &refused) || string(refused.Body) != "no" {
		t.Errorf("got %p, %v, %v; want the refusal with what came of its body", c, resp, err)
	}
}

// A stallingBody is the body of a response that does not go on.
type stallingBody struct {
	start   string
	stalled func()
	ctx     context.Context
}

func (b *stallingBody) Read(p []byte) (int, error) {
	if n := copy(p, b.start); n > 0 {
		b.start = b.start[n:]
		return n, nil
	}
	b.stalled()
	<-b.ctx.Done()
	return 0, b.ctx.Err()
}

func (b *stallingBody) Close() error { return nil }

// A tireless connection takes deadlines and does not keep them.
type tireless struct {
	net.Conn
	taken func()
}

func (c *tireless) SetDeadline(time.Time) error { return nil }

func (c *tireless) SetReadDeadline(time.Time) error {
	c.taken()
	return nil
}

// The take-over from net/http reads under a deadline. Where that does nothing
// ctx still bounds it, and frees the socket.
func TestConnectCancelledInTheTakeOver(t *testing.T) {
	left := make(chan struct{})
	hostport := listen(t, func(conn net.Conn) {
		r := bufio.NewReader(conn)
		request, _ := readHead(r)
		io.WriteString(conn, switching(request))
		untilClosed(r)
		close(left)
	})
	leakless(t, func() {
		ctx, cancel := context.WithCancel(patiently(t))
		d := wschannel.Dialer{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			return &tireless{conn, cancel}, err
		}}
		c, _, err := d.Connect(ctx, "ws://"+hostport)
		if c != nil || !errors.Is(err, context.Canceled) {
			t.Errorf("Connect: %v, want that it was cancelled", err)
		}
		wait(t, "the client's socket to be closed", left)
	})
}
