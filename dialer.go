//go:build !js

package wschannel

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/wschannel/wschannel/internal/handshake"
)

// A Dialer connects with what only native platforms have. The zero Dialer is
// what [Connect] uses. It may be used by any number of goroutines at the same
// time and is not changed.
type Dialer struct {
	Options

	// Header is sent with the request, as authorization or cookies. The
	// header fields of the handshake itself are refused in it; Host replaces
	// the one from the URL. Without an Authorization in it, a user and a
	// password in the URL are sent as basic authentication.
	Header http.Header

	// HTTPClient does the request. Its Jar gives cookies and takes those of the
	// answer, accepting or refusing; for the Jar as for CheckRedirect, ws is
	// http and wss is https. Its Timeout bounds the handshake, too. Redirects
	// are followed only if CheckRedirect is set: as http.Client does it, but
	// also to ws and wss, at most 10, and without a Referer.
	//
	// Its Transport, if it is set, takes over from Proxy, DialContext and
	// TLSConfig, which must not be set then. It has to hand out the connection
	// of a 101 as net/http does, and what it dials when ctx ends may be kept
	// for its later requests, as usual. One of net/http asks an HTTP proxy to
	// forward ws instead of opening a tunnel, which few proxies do.
	//
	// Without a Transport, that of the Dialer is used (not the default one of
	// net/http), which takes at most 64 KiB of header. Default: an http.Client
	// with none of these.
	HTTPClient *http.Client

	// Proxy returns the URL of the proxy for a request, nil for none. It is
	// asked with the scheme http for ws and https for wss. The proxy's scheme
	// is http, https, socks5 or socks5h, and its user and password are sent to
	// it. Through all of these the channel runs in a tunnel (RFC 6455 §4.1),
	// and it is the proxy that looks up the server's name. What goes wrong
	// there is a *[ProxyError].
	//
	// Default: http.ProxyFromEnvironment, which reads HTTP_PROXY, HTTPS_PROXY
	// and NO_PROXY once, and goes to this machine directly; no proxy if
	// DialContext is set.
	Proxy func(*http.Request) (*url.URL, error)

	// DialContext connects to the server, or to its proxy: through a unix
	// socket, from a certain address. network is "tcp" and address a host, not
	// looked up yet, and a port. Default: that of a net.Dialer.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)

	// TLSConfig is for wss, and for proxies with the scheme https, but for its
	// ServerName, which is the server's. Default: that of crypto/tls.
	TLSConfig *tls.Config

	// Compression is offered to the server. Default: none.
	Compression Compression
}

const (
	// maxResponseHeader is the largest response header in bytes.
	maxResponseHeader = 64 << 10
	// maxErrorBody is how many bytes of a refusal's body are kept.
	maxErrorBody = 1 << 10
)

func connect(ctx context.Context, rawURL string, o *Options) (*Channel, error) {
	var d Dialer
	if o != nil {
		d.Options = *o
	}
	c, _, err := d.Connect(ctx, rawURL)
	return c, err
}

// Connect is [Connect] with the Dialer's settings. The response is that of the
// server, whether it accepted or refused, and nil if there was none; its body
// need not be closed, and holds the first KiB of a refusal's.
func (d Dialer) Connect(ctx context.Context, rawURL string) (*Channel, *http.Response, error) {
	c, resp, err := d.connect(ctx, rawURL)
	var refused *HandshakeError
	switch {
	case err == nil:
	case errors.As(err, &refused):
		d.Counters.failed(refused.StatusCode)
	default:
		d.Counters.failed(0)
		err = &ConnectError{URL: redacted(rawURL), Err: err}
	}
	return c, resp, err
}

func (d *Dialer) connect(ctx context.Context, rawURL string) (*Channel, *http.Response, error) {
	client, err := d.client()
	if err != nil {
		return nil, nil, err
	}
	set := d.settings()
	for _, timeout := range [...]time.Duration{set.handshakeTimeout, client.Timeout} {
		if timeout > 0 {
			late := fmt.Errorf("not done within %v: %w", timeout, context.DeadlineExceeded)
			bounded, cancel := context.WithTimeoutCause(ctx, timeout, late)
			defer cancel()
			ctx = bounded
		}
	}
	// With a Timeout of its own, the client would wrap the body of the 101 so
	// that it is no writer any more.
	client.Timeout = 0

	var dialed tracedConn
	req, key, err := d.request(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: dialed.got}), rawURL)
	if err != nil {
		return nil, nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, nil, whyDone(ctx)
		}
		return nil, nil, unwrapURL(err)
	}
	protocol, agreed, refusal := handshake.CheckResponse(resp.StatusCode, resp.Header, key, d.Protocols, d.Compression.wanted())
	if refusal != nil {
		return nil, resp, refused(resp, either(d.notFollowed(resp), refusal.Text))
	}
	// Only HTTP/1.1 has a status 101 (RFC 9110 §15.2.2). A transport of one's own
	// may leave the version out.
	if resp.Proto != "" && (resp.ProtoMajor != 1 || resp.ProtoMinor < 1) {
		return nil, resp, refused(resp, "the response must be HTTP/1.1; got "+resp.Proto)
	}
	conn, prefix, err := dialed.take(ctx, resp.Body)
	resp.Body = http.NoBody
	if err != nil {
		return nil, resp, err
	}
	c := newChannel(conn, false, protocol, set, prefix, nil)
	c.limitSending(&d.Options)
	c.engine.compress(d.Compression, agreed)
	c.engine.start()
	return c, resp, nil
}

// whyDone returns the error of a ctx that is done, with its cause if that says
// more.
func whyDone(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// request returns the client's handshake and its key.
func (d *Dialer) request(ctx context.Context, rawURL string) (*http.Request, string, error) {
	u, err := handshake.ParseURL(rawURL)
	if err != nil {
		return nil, "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, "", unwrapURL(err)
	}
	if d.Header != nil {
		req.Header = d.Header.Clone()
	}
	for name, values := range req.Header {
		switch {
		case strings.EqualFold(name, "Host") && len(values) > 0:
			req.Host = values[0]
			delete(req.Header, name)
		case strings.EqualFold(name, "Authorization"):
			req.URL.User = nil // net/http would send a second one for it
		}
	}
	if err := d.Compression.check(); err != nil {
		return nil, "", err
	}
	if err := d.WhenFull.check(); err != nil {
		return nil, "", err
	}
	extensions := ""
	if wanted := d.Compression.wanted(); wanted != nil {
		extensions = wanted.Offer()
	}
	key := handshake.NewKey()
	return req, key, handshake.SetRequest(req.Header, key, d.Protocols, extensions)
}

// refused makes an error of a response that is no acceptance, and leaves the
// beginning of its body in it.
func refused(resp *http.Response, text string) *HandshakeError {
	body := resp.Body
	defer body.Close()
	var start []byte
	if resp.StatusCode != http.StatusSwitchingProtocols {
		// An error in the middle leaves what has come, which is all that is
		// wanted.
		start, _ = io.ReadAll(io.LimitReader(body, maxErrorBody))
	}
	resp.Body = io.NopCloser(bytes.NewReader(start))
	if said := said(start); said != "" {
		text += "; it said " + said
	}
	return &HandshakeError{StatusCode: resp.StatusCode, Header: resp.Header, Body: start, Text: text}
}

// A tracedConn is the connection that an HTTP client has used last.
type tracedConn struct {
	mu   sync.Mutex
	conn net.Conn
}

func (t *tracedConn) got(info httptrace.GotConnInfo) {
	t.mu.Lock()
	t.conn = info.Conn
	t.mu.Unlock()
}

// take returns the connection of a 101 with this body, and what was read from
// it too early: the frames that came together with the response. Without a
// connection that has deadlines, as from a transport that does not tell, the
// body has to do.
func (t *tracedConn) take(ctx context.Context, body io.ReadCloser) (io.ReadWriteCloser, []byte, error) {
	t.mu.Lock()
	conn := t.conn
	t.mu.Unlock()
	if conn == nil || conn.SetReadDeadline(past) != nil {
		rwc, ok := body.(io.ReadWriteCloser)
		if !ok {
			body.Close()
			return nil, nil, fmt.Errorf("the HTTP client's transport gives no access to the connection: the body of its 101 is a %T", body)
		}
		return rwc, nil, nil
	}
	// The body reads from its buffer first; the deadline keeps it from going
	// on to the connection. ctx is there for deadlines that do nothing.
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	var prefix []byte
	for fruitless := 0; fruitless < maxFruitless; fruitless++ {
		buf := make([]byte, smallBuffer)
		n, err := body.Read(buf)
		prefix = append(prefix, buf[:n]...)
		if err != nil {
			break
		}
		if n > 0 {
			fruitless = 0
		}
	}
	if !stop() {
		body.Close()
		return nil, nil, whyDone(ctx)
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		body.Close()
		return nil, nil, err
	}
	return conn, prefix, nil
}
