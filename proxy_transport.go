//go:build !js

package wschannel

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
)

// An ownTransport does the requests of a Dialer whose client has no Transport.
// It makes one of net/http for each, as the proxy decides how that dials, and
// no connection is used twice.
type ownTransport struct{ d *Dialer }

func (t ownTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	proxy, err := t.proxyFor(r)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		DialContext:            t.d.DialContext,
		TLSClientConfig:        t.d.TLSConfig,
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: maxResponseHeader,
	}
	switch {
	case proxy == nil:
	case proxy.Scheme == "http" || proxy.Scheme == "https":
		// net/http would not dial through it for ws, and for wss does not tell
		// how it refused.
		transport.DialContext = (&tunnel{d: t.d, proxy: proxy}).dial
	default:
		transport.Proxy = http.ProxyURL(proxy)
	}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		// When a request is cancelled, net/http goes on dialing for a later one.
		// Here there is none.
		transport.CloseIdleConnections()
		if transport.Proxy != nil {
			err = proxyFailed(proxy, err)
		}
		return nil, err
	}
	return resp, nil
}

// proxyFor returns the proxy for a request, nil for none.
func (t ownTransport) proxyFor(r *http.Request) (*url.URL, error) {
	proxyOf := t.d.Proxy
	if proxyOf == nil {
		if t.d.DialContext != nil {
			return nil, nil // else a unix socket would be taken for the proxy
		}
		proxyOf = http.ProxyFromEnvironment
	}
	proxy, err := proxyOf(r)
	if err != nil || proxy == nil {
		return nil, err
	}
	switch {
	case proxyPorts[proxy.Scheme] == "":
		err = fmt.Errorf("the proxy has the scheme %q; expected http, https, socks5 or socks5h", proxy.Scheme)
	case proxy.Hostname() == "":
		err = errors.New("the proxy has no host; expected one like http://host:port")
	}
	if err != nil {
		return nil, &ProxyError{URL: proxy.Redacted(), Err: err}
	}
	return proxy, nil
}

// proxyPorts are the default ports of the schemes that a proxy can have.
var proxyPorts = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}

// proxyFailed makes a ProxyError of an error of net/http that comes from the
// proxy, for which it has two names.
func proxyFailed(proxy *url.URL, err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok && (op.Op == "proxyconnect" || op.Op == "socks connect") {
		return &ProxyError{URL: proxy.Redacted(), Err: op.Err}
	}
	return err
}
