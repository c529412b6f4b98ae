//go:build !js

package wschannel

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// A tunnel dials through an HTTP proxy: "asking it to open a TCP connection to
// the host" (RFC 6455 §4.1), which is done with CONNECT (RFC 9110 §9.3.6).
type tunnel struct {
	d     *Dialer
	proxy *url.URL
}

// refusalTime is how long a proxy that has refused may take to say why.
const refusalTime = time.Second

// dial returns the connection to the proxy when it leads to address. Until
// then it is closed when ctx ends.
func (t *tunnel) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := t.reach(ctx, network)
	if err == nil {
		defer context.AfterFunc(ctx, func() { conn.Close() })()
		var opened net.Conn
		if opened, err = t.open(ctx, conn, address); err == nil {
			return opened, nil
		}
		conn.Close()
	}
	if _, ok := errors.AsType[*ProxyError](err); !ok {
		err = &ProxyError{URL: t.proxy.Redacted(), Err: err}
	}
	return nil, err
}

// reach connects to the proxy.
func (t *tunnel) reach(ctx context.Context, network string) (net.Conn, error) {
	dial := t.d.DialContext
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	address := net.JoinHostPort(t.proxy.Hostname(), either(t.proxy.Port(), proxyPorts[t.proxy.Scheme]))
	conn, err := dial(ctx, network, address)
	if conn == nil && err == nil {
		return nil, errors.New("Dialer.DialContext returned neither a connection nor an error")
	}
	return conn, err
}

// open makes a tunnel of a connection to the proxy.
func (t *tunnel) open(ctx context.Context, conn net.Conn, address string) (net.Conn, error) {
	if t.proxy.Scheme == "https" {
		config := t.d.TLSConfig.Clone()
		if config == nil {
			config = &tls.Config{}
		}
		config.ServerName = t.proxy.Hostname() // what is there is the server's
		config.NextProtos = nil
		secure := tls.Client(conn, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		conn = secure
	}
	request := &http.Request{
		Method: http.MethodConnect,
		URL:    &url.URL{Opaque: address},
		Host:   address,
		Header: http.Header{},
	}
	if user := t.proxy.User; user != nil {
		password, _ := user.Password()
		credentials := base64.StdEncoding.EncodeToString([]byte(user.Username() + ":" + password))
		request.Header.Set("Proxy-Authorization", "Basic "+credentials)
	}
	if err := request.Write(conn); err != nil {
		return nil, err
	}
	return conn, t.readAnswer(conn, request)
}

// readAnswer reads the proxy's answer and leaves the connection where the
// server's bytes begin.
func (t *tunnel) readAnswer(conn net.Conn, request *http.Request) error {
	limited := &io.LimitedReader{R: conn, N: maxResponseHeader}
	r := bufio.NewReader(limited)
	resp, err := http.ReadResponse(r, request)
	for err == nil && resp.StatusCode < 200 && resp.StatusCode != http.StatusSwitchingProtocols {
		resp, err = http.ReadResponse(r, request)
	}
	switch {
	case err != nil && limited.N == 0:
		return fmt.Errorf("the header of its answer exceeded %d bytes", maxResponseHeader)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the connection ended before its answer: %w", err)
	case err != nil:
		return err
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		conn.SetReadDeadline(time.Now().Add(refusalTime))
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
		return &ProxyError{URL: t.proxy.Redacted(), StatusCode: resp.StatusCode, Header: resp.Header, Body: body}
	case r.Buffered() > 0:
		// A server waits for a request, or for TLS. So these bytes are not its.
		return fmt.Errorf("it sent %d bytes before the tunnel was used; expected none", r.Buffered())
	}
	return nil
}
