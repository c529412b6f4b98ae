//go:build !js

package wschannel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel/internal/faultlink"
	"github.com/wschannel/wschannel/status"
)

// A visit is one client of one server: it connects, asks once, and is shut
// down by the server. The transport of one side goes wrong.
type visit struct {
	t        *testing.T
	what     string
	plan     *faultPlan
	link     *faultlink.Link // between them, if there is one that goes wrong
	options  Options
	client   bool // it is the client's transport
	exact    bool // it is
	late     bool // calls are counted from the shutdown on
	conns    [2]*watchedConn
	server   Server
	handled  atomic.Bool // the handler has returned
	received error       // by the handler
}

// A watchedConn knows whether it was closed.
type watchedConn struct {
	net.Conn
	closed atomic.Bool
}

func (c *watchedConn) Close() error {
	c.closed.Store(true)
	return c.Conn.Close()
}

func (v *visit) errorf(format string, args ...any) {
	v.t.Helper()
	if v.link != nil {
		f := &linkTest{t: v.t, what: v.what, link: v.link}
		f.errorf(format, args...)
		return
	}
	failed, _ := v.plan.outcome()
	v.t.Errorf("%s, %s number %d (%s): %s", v.what, v.plan.kind.name, v.plan.at, failed, fmt.Sprintf(format, args...))
}

// harmless is true if what went wrong must not be minded. A channel does not mind
// what it can try again; net/http may.
func (v *visit) harmless() bool {
	if v.link != nil {
		return !isClosed(v.link.Hit()) || v.link.Plan().Kind.Harmless()
	}
	failed, _ := v.plan.outcome()
	kind := v.plan.kind
	return failed == "" || failed == callClose || v.late && kind.harmless && (v.exact || !kind.inexact || failed == callRead)
}

func (v *visit) handle(ctx context.Context, c *Channel) {
	defer v.handled.Store(true)
	for {
		m, err := c.Receive(ctx)
		if err == nil {
			err = c.Send(ctx, m)
		}
		if err != nil {
			v.received = err
			return
		}
	}
}

// perform returns false if the fault was not reached. wrap is how transports go
// wrong; near and far are the client's end and the server's.
func (v *visit) perform(ctx context.Context, near, far net.Conn, wrap func(net.Conn, *faultPlan) net.Conn) (again bool) {
	v.t.Helper()
	v.conns = [2]*watchedConn{{Conn: near}, {Conn: far}}
	near, far = v.conns[0], v.conns[1]
	if v.client {
		near = wrap(near, v.plan)
	} else {
		far = wrap(far, v.plan)
	}
	if !v.late {
		v.plan.begin(nil)
	}

	quiet := log.New(io.Discard, "", 0)
	v.server.Handler = v.handle
	v.server.Logger = slog.New(slog.DiscardHandler)
	v.server.AcceptOptions.Options = v.options
	l := &oneConn{conn: make(chan net.Conn, 1), closed: make(chan struct{})}
	l.conn <- far
	h := &http.Server{Handler: &v.server, ErrorLog: quiet}
	serving := make(chan error, 1)
	go func() { serving <- h.Serve(l) }()

	c, err := v.connect(ctx, near)
	if err == nil {
		err = v.ask(ctx, c)
	}
	asked := err
	if v.late {
		v.plan.begin(nil)
	}
	ended := make(chan error, 1)
	go func() {
		if c != nil {
			var err error
			for err == nil { // what has come is handed out first
				_, err = c.Receive(ctx)
			}
			ended <- err
		}
		close(ended)
	}()
	if err := v.server.Shutdown(ctx); err != nil {
		v.errorf("Shutdown: %v", err)
	}
	// Shutdown has waited for what it started.
	if c != nil && asked == nil && !v.handled.Load() {
		v.errorf("Shutdown has not waited for the handler")
	}
	end := <-ended
	if c != nil {
		c.Close()
		<-c.Done()
		if v.handled.Load() && !errors.Is(v.received, ErrClosed) {
			v.errorf("the handler has got %v", v.received)
		}
	}
	h.Close()
	<-serving
	v.checkEnd(c, asked, end)
	failed, _ := v.plan.outcome()
	return failed != ""
}

func (v *visit) connect(ctx context.Context, conn net.Conn) (*Channel, error) {
	v.t.Helper()
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return conn, nil },
	}}
	c, _, err := Dialer{Options: v.options, HTTPClient: client}.Connect(ctx, "ws://server.test/")
	if err == nil {
		return c, nil
	}
	var dialed *ConnectError
	var refused *HandshakeError
	if c != nil || !errors.As(err, &dialed) && !errors.As(err, &refused) {
		v.errorf("Connect returned %v, %v", c, err)
	}
	// net/http may have another word for what went wrong, but it has to notice.
	failed, _ := v.plan.outcome()
	if v.client && (failed == callRead || failed == callWrite) && errors.Is(err, context.DeadlineExceeded) {
		v.errorf("Connect has waited in vain: %v", err)
	}
	return nil, err
}

func (v *visit) ask(ctx context.Context, c *Channel) error {
	v.t.Helper()
	if err := c.SendText(ctx, "Hello"); err != nil {
		return err
	}
	m, err := c.Receive(ctx)
	if err == nil && string(m.Data) != "Hello" {
		v.errorf("the answer is %q", m.Data)
	}
	return err
}

// checkEnd looks at what the client has got: of connecting and asking, and of
// receiving on to the end.
func (v *visit) checkEnd(c *Channel, asked, end error) {
	v.t.Helper()
	harmless := v.harmless()
	if asked != nil && (harmless || v.late) {
		v.errorf("%v", asked)
	}
	if c == nil {
		return
	}
	closed, ok := errors.AsType[*CloseError](end)
	if !ok || end != c.Err() {
		v.errorf("Receive: %v, Err: %v", end, c.Err())
		return
	}
	if harmless && (closed.Code != status.GoingAway || !closed.Remote) {
		v.errorf("the client has ended with %v", closed)
	}
	if errors.Is(closed, ErrLocalClose) || errors.Is(closed, net.ErrClosed) {
		v.errorf("a loss that looks like a local close: %v", closed)
	}
}

// checkClosed sees to it that no connection was left open. The channels see
// theirs off in the background.
func (v *visit) checkClosed() {
	v.t.Helper()
	for i, c := range v.conns {
		if !c.closed.Load() {
			v.errorf("connection %d was not closed", i)
		}
	}
}

// oneConn is a listener that has one connection to accept.
type oneConn struct {
	conn   chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *oneConn) Close() error {
	l.once.Do(func() {
		close(l.closed)
		select {
		case c := <-l.conn: // nobody has accepted it
			c.Close()
		default:
		}
	})
	return nil
}

func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// visits are the ways in which TestFaultsInHandshakes performs a visit.
var visits = []struct {
	name         string
	client, late bool
}{
	{"connect", true, false},
	{"accept", false, false},
	{"shutdown", false, true},
	{"be shut down", true, true},
}

var visitWrappers = []struct {
	name  string
	exact bool
	wrap  func(net.Conn, *faultPlan) net.Conn
}{
	{"inexact", false, func(c net.Conn, p *faultPlan) net.Conn { return &faultConn{Conn: c, plan: p} }},
	{"exact", true, func(c net.Conn, p *faultPlan) net.Conn { return &faultSocket{faultConn{Conn: c, plan: p}} }},
	{"in pieces", false, func(c net.Conn, p *faultPlan) net.Conn { return &faultConn{Conn: &choppyConn{c, 40, false}, plan: p} }},
}

// The n-th call goes wrong from the handshake to the shutdown.
func TestFaultsInHandshakes(t *testing.T) {
	for _, way := range visits {
		for _, on := range visitWrappers {
			for _, kind := range faultKinds {
				t.Run(way.name+"/"+on.name+"/"+kind.name, func(t *testing.T) {
					t.Parallel()
					again := true
					for n := 0; again && !t.Failed(); n++ {
						synctest.Test(t, func(t *testing.T) {
							v := &visit{t: t, what: way.name, client: way.client, options: playOptions, exact: on.exact, late: way.late, plan: &faultPlan{kind: kind, at: n}}
							ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
							defer cancel()
							near, far := net.Pipe()
							again = v.perform(ctx, near, far, on.wrap)
							if ctx.Err() != nil {
								v.errorf("it hangs")
							}
							<-time.After(playOptions.CloseTimeout)
							synctest.Wait()
							v.checkClosed()
						})
					}
				})
			}
		}
	}
}

// The same on sockets.
func TestFaultsInHandshakesOnASocket(t *testing.T) {
	before := footprint()
	var all sync.WaitGroup
	limit := make(chan struct{}, 32)
	var mu sync.Mutex
	var made []*visit
	for i, way := range visits {
		for j, kind := range faultKinds {
			on := visitWrappers[(i+j)%len(visitWrappers)]
			if way.name == "accept" && slices.Contains(kind.calls, callReadDeadline) {
				// net/http does not hand the connection over then before the
				// client has given up: that takes long where time is real.
				continue
			}
			all.Go(func() {
				limit <- struct{}{}
				defer func() { <-limit }()
				again := true
				for n := 0; again && !t.Failed(); n++ {
					v := &visit{t: t, what: way.name + " " + on.name, client: way.client, options: playOptions, exact: on.exact, late: way.late, plan: &faultPlan{kind: kind, at: n}}
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					near, far := tcpPair(t)
					again = v.perform(ctx, near.(net.Conn), far.(net.Conn), on.wrap)
					if ctx.Err() != nil {
						v.errorf("it hangs")
					}
					cancel()
					mu.Lock()
					made = append(made, v)
					mu.Unlock()
				}
			})
		}
	}
	all.Wait()
	for _, v := range made {
		for i, c := range v.conns {
			what := fmt.Sprintf("connection %d to be closed: %s, %s number %d", i, v.what, v.plan.kind.name, v.plan.at)
			eventually(t, what, c.closed.Load)
		}
	}
	eventually(t, "goroutines to go", func() bool { return footprint().goroutines <= before.goroutines })
}
