//go:build !js

package wschannel_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"syscall"
	"testing"

	"github.com/wschannel/wschannel"
)

var (
	proxySchemes = []string{"http", "https", "socks5", "socks5h"}
	bothSchemes  = []string{"ws", "wss"}
)

// serveBoth starts a server for each scheme and returns their addresses.
func serveBoth(t *testing.T, h http.Handler) map[string]string {
	t.Helper()
	secure, _ := serveTLS(t, h)
	return map[string]string{
		"ws":  strings.TrimPrefix(serve(t, h), "ws://"),
		"wss": strings.TrimPrefix(secure, "wss://"),
	}
}

// Every kind of proxy leads to every kind of server, and looks up its name: the
// client does not know example.com.
func TestProxy(t *testing.T) {
	servers := serveBoth(t, &wschannel.Server{Handler: echo})
	for _, scheme := range proxySchemes {
		for _, target := range bothSchemes {
			for _, credentials := range []string{"", "user:p@ss: w\u00f6rd", "user:"} {
				t.Run(scheme+"/"+target+"/"+credentials, func(t *testing.T) {
					if strings.HasPrefix(scheme, "socks") && credentials == "user:" {
						credentials = "user:x" // RFC 1929: the length is 1 to 255
					}
					p := newProxy(scheme, servers[target], credentials)
					d := through(t, p.start(t))
					leakless(t, func() {
						c, _, err := d.Connect(t.Context(), target+"://example.com/")
						if err != nil {
							t.Fatal(err)
						}
						port := map[string]string{"ws": "80", "wss": "443"}[target]
						if got := wait(t, "the proxy to be asked", p.asked); got != "example.com:"+port {
							t.Errorf("the proxy was asked for %s", got)
						}
						checkEcho(t, c)
						if err := c.Close(); err != nil {
							t.Error(err)
						}
					})
				})
			}
		}
	}
}

// What the proxy is asked for, whatever the URL looks like. User and password
// of the URL are the server's only.
func TestProxyAddress(t *testing.T) {
	servers := serveBoth(t, &wschannel.Server{Handler: echo})
	for _, scheme := range []string{"http", "socks5"} {
		for _, test := range []struct{ url, want string }{
			{"ws://example.com:8080/a?b", "example.com:8080"},
			{"http://example.com", "example.com:80"},
			{"ws://user:pass@example.com", "example.com:80"},
			{"ws://192.0.2.1/", "192.0.2.1:80"},
			{"ws://[2001:db8::1]:81/", "[2001:db8::1]:81"},
			{"ws://b\u00fccher.example/", "xn--bcher-kva.example:80"},
		} {
			p := newProxy(scheme, servers["ws"], "")
			d := through(t, p.start(t))
			c, _, err := d.Connect(t.Context(), test.url)
			if err != nil {
				t.Fatalf("%s: %v", test.url, err)
			}
			hangUpAfter(t, c)
			checkEcho(t, c)
			if got := wait(t, "the proxy to be asked", p.asked); got != test.want {
				t.Errorf("%s: a proxy for %s was asked for %s, want %s", test.url, scheme, got, test.want)
			}
		}
	}
}

// The channel runs on the connection itself, or on the TLS over it, so that it
// can do with it whatever it can do without a proxy.
func TestProxyUnderlying(t *testing.T) {
	servers := serveBoth(t, &wschannel.Server{Handler: echo})
	for _, test := range []struct {
		scheme, target string
		layers         int // of TLS
	}{
		{"http", "ws", 0}, {"http", "wss", 1}, {"https", "ws", 1}, {"https", "wss", 2}, {"socks5", "ws", 0}, {"socks5", "wss", 1},
	} {
		d := through(t, newProxy(test.scheme, servers[test.target], "").start(t))
		c, resp, err := d.Connect(t.Context(), test.target+"://example.com/")
		if err != nil {
			t.Fatal(err)
		}
		hangUpAfter(t, c)
		conn := c.Underlying()
		layers := 0
		for secure, ok := conn.(*tls.Conn); ok; secure, ok = conn.(*tls.Conn) {
			conn = secure.NetConn()
			layers++
		}
		if _, ok := conn.(*net.TCPConn); !ok || layers != test.layers {
			t.Errorf("%s to %s: the channel runs on a %T with %d times TLS, want %d", test.scheme, test.target, conn, layers, test.layers)
		}
		if (resp.TLS != nil) != (test.target == "wss") {
			t.Errorf("%s to %s: the response has TLS %v", test.scheme, test.target, resp.TLS)
		}
	}
}

// The certificate of an HTTPS proxy has to be its own, whatever name the server
// has to have.
func TestProxyCertificate(t *testing.T) {
	servers := serveBoth(t, &wschannel.Server{Handler: echo})
	dial := func(proxyName string, config *tls.Config) (names []string, _ error) {
		p := newProxy("https", servers["wss"], "")
		hostport := p.start(t).Host
		asked := make(chan string, 2)
		p.serving.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			asked <- hello.ServerName + " " + strings.Join(hello.SupportedProtos, ",")
			return nil, nil
		}
		d := wschannel.Dialer{
			TLSConfig: config,
			Proxy:     http.ProxyURL(&url.URL{Scheme: "https", Host: proxyName}),
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				if network != "tcp" || address != proxyName+":443" {
					t.Errorf("dialed %s %s", network, address)
				}
				return new(net.Dialer).DialContext(ctx, network, hostport)
			},
		}
		c, _, err := d.Connect(t.Context(), "wss://127.0.0.1:1/")
		if err == nil {
			hangUpAfter(t, c)
			checkEcho(t, c)
		}
		close(asked)
		for name := range asked {
			names = append(names, name)
		}
		return names, err
	}
	_, trusting := certificate(t)
	trusting.ServerName = "example.com"
	trusting.NextProtos = []string{"h2"}
	names, err := dial("proxy.example.com", trusting)
	if err != nil || len(names) != 1 || names[0] != "proxy.example.com " {
		t.Errorf("the proxy was greeted as %q, %v", names, err)
	}
	if len(trusting.NextProtos) != 1 || trusting.ServerName != "example.com" {
		t.Error("TLSConfig has been changed")
	}
	var failed *wschannel.ProxyError
	var wrongName x509.HostnameError
	if _, err := dial("elsewhere.example", trusting); !errors.As(err, &failed) || !errors.As(err, &wrongName) {
		t.Errorf("with a certificate for another name: %v", err)
	}
	var untrusted *tls.CertificateVerificationError
	if _, err := dial("proxy.example.com", nil); !errors.As(err, &failed) || !errors.As(err, &untrusted) {
		t.Errorf("without the certificate's authority: %v", err)
	}
}

// Proxy decides for each request; one of http.ProxyFromEnvironment's kind is
// asked with the schemes that it knows.
func TestProxyFunc(t *testing.T) {
	servers := serveBoth(t, &wschannel.Server{Handler: echo})
	_, trusting := certificate(t)
	stop := errors.New("no proxy, no channel")
	for _, target := range bothSchemes {
		var asked *url.URL
		d := wschannel.Dialer{TLSConfig: trusting, Header: http.Header{"Fruit": {"apple"}}, Proxy: func(r *http.Request) (*url.URL, error) {
			asked = r.URL
			if r.Header.Get("Fruit") != "apple" {
				t.Errorf("asked for a request with %v", r.Header)
			}
			if r.URL.Path == "/stop" {
				return nil, stop
			}
			return nil, nil
		}}
		scheme := map[string]string{"ws": "http", "wss": "https"}[target]
		c, _, err := d.Connect(t.Context(), target+"://"+servers[target]+"/x")
		if err != nil {
			t.Fatal(err)
		}
		hangUpAfter(t, c)
		checkEcho(t, c)
		if asked.String() != scheme+"://"+servers[target]+"/x" {
			t.Errorf("%s: asked for %s", target, asked)
		}
		var connect *wschannel.ConnectError
		if _, _, err := d.Connect(t.Context(), target+"://"+servers[target]+"/stop"); !errors.As(err, &connect) || connect.Err != stop {
			t.Errorf("%s: an error of Proxy became %v", target, err)
		}
	}
}

// Where a redirect leads to is asked for, too.
func TestProxyOfRedirect(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/there", &wschannel.Server{Handler: echo})
	mux.Handle("/here", http.RedirectHandler("wss://elsewhere.example.com/there", http.StatusFound))
	servers := serveBoth(t, mux)
	p := newProxy("http", "", "")
	p.dial = func(address string) (net.Conn, error) {
		return net.Dial("tcp", map[string]string{"example.com:80": servers["ws"], "elsewhere.example.com:443": servers["wss"]}[address])
	}
	d := through(t, p.start(t))
	d.HTTPClient = &http.Client{CheckRedirect: follow}
	leakless(t, func() {
		c, _, err := d.Connect(t.Context(), "ws://example.com/here")
		if err != nil {
			t.Fatal(err)
		}
		checkEcho(t, c)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	if first, second := wait(t, "the first way", p.asked), wait(t, "the second way", p.asked); first != "example.com:80" || second != "elsewhere.example.com:443" {
		t.Errorf("the proxy was asked for %s and %s", first, second)
	}
}

// A proxy that cannot be one is told before the network is used.
func TestProxyMisuse(t *testing.T) {
	for _, test := range []struct {
		proxy url.URL
		want  string
	}{
		{url.URL{Scheme: "ftp", Host: "host", User: url.UserPassword("me", "p4ss")}, `proxy "ftp://me:xxxxx@host": the proxy has the scheme "ftp"; expected http, https, socks5 or socks5h`},
		{url.URL{Host: "host:80"}, `the scheme ""`},
		{url.URL{Scheme: "http"}, `the proxy has no host`},
		{url.URL{Scheme: "socks5", Host: ":1080"}, `the proxy has no host`},
	} {
		d := wschannel.Dialer{Proxy: http.ProxyURL(&test.proxy), DialContext: func(context.Context, string, string) (net.Conn, error) {
			t.Errorf("%v: dialed", &test.proxy)
			return nil, errors.New("dialed")
		}}
		_, _, err := d.Connect(t.Context(), "ws://example.com")
		checkProxyError(t, err, 0, test.want)
	}
}

// checkProxyError checks for a ConnectError with a ProxyError in it.
func checkProxyError(t *testing.T, err error, status int, want string) *wschannel.ProxyError {
	t.Helper()
	var connect *wschannel.ConnectError
	var failed *wschannel.ProxyError
	if !errors.As(err, &connect) || !errors.As(err, &failed) || failed.StatusCode != status || (failed.Err == nil) != (status != 0) {
		t.Fatalf("the error is %v (%T), want a ConnectError with a ProxyError of status %d", err, err, status)
	}
	checkMatch(t, "the error", err.Error(), `^wschannel: connect to "[^ ]*": proxy "[^ ]*": `)
	checkMatch(t, "the error", err.Error(), want)
	if text := err.Error(); strings.Contains(text, "p4ss") || strings.Count(text, "wschannel: ") != 1 {
		t.Errorf("the error shows a password, or has its prefix not once: %s", text)
	}
	return failed
}

// A proxy that wants other credentials.
func TestProxyAuthentication(t *testing.T) {
	servers := serveBoth(t, &wschannel.Server{Handler: echo})
	for _, scheme := range proxySchemes {
		for _, target := range bothSchemes {
			for _, test := range []struct {
				user  *url.Userinfo
				socks string
			}{
				{nil, "no acceptable authentication methods"},
				{url.UserPassword("user", "p4ss2"), "username/password authentication failed"},
			} {
				p := newProxy(scheme, servers[target], "user:p4ss")
				u := p.start(t)
				u.User = test.user
				d := through(t, u)
				leakless(t, func() {
					c, resp, err := d.Connect(t.Context(), target+"://example.com/")
					if c != nil || resp != nil {
						t.Errorf("got %p and %v", c, resp)
					}
					if strings.HasPrefix(scheme, "socks") {
						checkProxyError(t, err, 0, test.socks)
						return
					}
					refused := checkProxyError(t, err, 407, `refused with status 407 Proxy Authentication Required; it said "who are you\?"$`)
					if want := `Basic realm="test"`; refused.Header.Get("Proxy-Authenticate") != want || string(refused.Body) != "who are you?\nsecond line..." {
						t.Errorf("the refusal is %v %q", refused.Header, refused.Body)
					}
					if refused.URL != u.Redacted() {
						t.Errorf("URL is %q", refused.URL)
					}
				})
				wait(t, "the proxy to refuse", p.refused)
			}
		}
	}
}

// A proxy that is not there, and one that does not reach the server.
func TestProxyUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	for _, scheme := range proxySchemes {
		for _, target := range bothSchemes {
			leakless(t, func() {
				d := through(t, &url.URL{Scheme: scheme, Host: l.Addr().String(), User: url.UserPassword("me", "p4ss")})
				_, _, err := d.Connect(t.Context(), target+"://example.com/")
				checkProxyError(t, err, 0, "me:xxxxx@.*connection refused$")
				if !errors.Is(err, syscall.ECONNREFUSED) {
					t.Errorf("%s: %v does not satisfy ECONNREFUSED", scheme, err)
				}
			})
			p := newProxy(scheme, "", "")
			p.dial = func(string) (net.Conn, error) { return nil, errors.New("no such host") }
			d := through(t, p.start(t))
			leakless(t, func() {
				_, _, err := d.Connect(t.Context(), target+"://example.com/")
				if strings.HasPrefix(scheme, "http") {
					checkProxyError(t, err, 502, `502 Bad Gateway; it said "no such host"$`)
				} else {
					checkProxyError(t, err, 0, `host unreachable$`)
				}
			})
		}
	}
}

// A proxy of the HTTP client's own Transport is used for wss, through a tunnel.
func TestProxyOfTransport(t *testing.T) {
	servers := serveBoth(t, &wschannel.Server{Handler: echo})
	p := newProxy("http", servers["wss"], "user:pass")
	d := through(t, p.start(t))
	d = wschannel.Dialer{HTTPClient: &http.Client{Transport: &http.Transport{Proxy: d.Proxy, TLSClientConfig: d.TLSConfig}}}
	leakless(t, func() {
		// A trace of the caller's own is kept.
		got := make(chan struct{}, 1)
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { got <- struct{}{} }})
		c, _, err := d.Connect(ctx, "wss://example.com/")
		if err != nil {
			t.Fatal(err)
		}
		wait(t, "the caller's trace", got)
		checkEcho(t, c)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}
