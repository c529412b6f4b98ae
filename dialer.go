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
	// the one from the URL.
	Header http.Header

	// HTTPClient does the request; its Transport decides on proxies, TLS and
	// addresses, and has to hand out the connection of a 101 as net/http does.
	// Its Timeout bounds the handshake, too. Redirects are followed only if
	// CheckRedirect is set. What it dials when ctx ends may be kept for its
	// later requests, as usual. Default: a client of the Dialer's own, which takes
	// the proxy for wss from the environment and at most 64 KiB of header.
	HTTPClient *http.Client

	// TLSConfig is for wss. It must not be set together with HTTPClient, which
	// brings its own. Default: that of crypto/tls.
	TLSConfig *tls.Config
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
	if err != nil && !errors.As(err, &refused) {
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
		if d.HTTPClient == nil {
			// When a request is cancelled, net/http goes on dialing for a later
			// one. Here there is none.
			client.CloseIdleConnections()
		}
		if ctx.Err() != nil {
			return nil, nil, whyDone(ctx)
		}
		return nil, nil, unwrapURL(err)
	}
	protocol, refusal := handshake.CheckResponse(resp.StatusCode, resp.Header, key, d.Protocols)
	if refusal != nil {
		return nil, resp, refused(resp, refusal.Text)
	}
	conn, prefix, err := dialed.take(resp.Body)
	resp.Body = http.NoBody
	if err != nil {
		return nil, resp, err
	}
	c := newChannel(conn, false, protocol, set, prefix, nil)
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

// client returns a copy of the client to be used.
func (d *Dialer) client() (*http.Client, error) {
	c := http.Client{}
	switch {
	case d.HTTPClient == nil:
		c.Transport = &http.Transport{
			Proxy:                  proxyForTLS,
			TLSClientConfig:        d.TLSConfig,
			DisableKeepAlives:      true,
			MaxResponseHeaderBytes: maxResponseHeader,
		}
	case d.TLSConfig != nil:
		return nil, errors.New("Dialer has both TLSConfig and HTTPClient: configure TLS in the client's Transport")
	default:
		c = *d.HTTPClient
	}
	if c.CheckRedirect == nil {
		c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return &c, nil
}

// proxyForTLS takes the proxy for wss from the environment. For ws net/http
// would ask the proxy to forward the request, where RFC 6455 §4.1 wants a
// tunnel.
func proxyForTLS(r *http.Request) (proxy *url.URL, err error) {
	if r.URL.Scheme != "https" {
		return nil, nil
	}
	return http.ProxyFromEnvironment(r)
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
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	key := handshake.NewKey()
	return req, key, handshake.SetRequest(req.Header, key, d.Protocols)
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
func (t *tracedConn) take(body io.ReadCloser) (io.ReadWriteCloser, []byte, error) {
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
	// on to the connection.
	var prefix []byte
	for {
		buf := make([]byte, readBuffer)
		n, err := body.Read(buf)
		prefix = append(prefix, buf[:n]...)
		if err != nil {
			break
		}
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		body.Close()
		return nil, nil, err
	}
	return conn, prefix, nil
}
