//go:build !js

package wschannel_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/wschannel/wschannel"
)

// Without a Proxy, a Dialer asks the environment for one. That is read once, so
// another process has to do it.
func TestProxyFromEnvironment(t *testing.T) {
	if os.Getenv("WSCHANNEL_TEST_SERVER") != "" {
		connectFromEnvironment(t)
		return
	}
	server := strings.TrimPrefix(serve(t, &wschannel.Server{Handler: echo}), "ws://")
	plain, secure := newProxy("http", server, "plain:p4ss"), newProxy("socks5", server, "secure:p4ss")
	var others []string // what else is set here
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); !strings.HasSuffix(strings.ToUpper(name), "_PROXY") {
			others = append(others, variable)
		}
	}
	command := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	command.Env = append(others, "WSCHANNEL_TEST_SERVER="+server,
		"HTTP_PROXY="+plain.start(t).String(), "HTTPS_PROXY="+secure.start(t).String(), "NO_PROXY=direct.example,.sub.example")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, test := range []struct {
		p    *proxyPeer
		want []string
	}{
		{plain, []string{"plain.example:80", "jar.example:80"}},
		{secure, []string{"secure.example:443"}},
	} {
		close(test.p.asked)
		var asked []string
		for address := range test.p.asked {
			asked = append(asked, address)
		}
		if !slices.Equal(asked, test.want) {
			t.Errorf("a proxy was asked for %q, want %q", asked, test.want)
		}
	}
}

func connectFromEnvironment(t *testing.T) {
	resolveWith(t, unknownName)
	server := os.Getenv("WSCHANNEL_TEST_SERVER")
	for _, test := range []struct {
		what, url string
		d         wschannel.Dialer
	}{
		{"ws, by HTTP_PROXY", "ws://plain.example", wschannel.Dialer{}},
		{"this machine", "ws://" + server, wschannel.Dialer{}},
		{"a client without a Transport", "ws://jar.example", wschannel.Dialer{HTTPClient: http.DefaultClient}},
		{"DialContext", "ws://dialed.example", wschannel.Dialer{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if address != "dialed.example:80" {
				t.Errorf("DialContext was asked for %s", address)
			}
			return new(net.Dialer).DialContext(ctx, network, server)
		}}},
	} {
		c, _, err := test.d.Connect(t.Context(), test.url)
		if err != nil {
			t.Fatalf("%s: %v", test.what, err)
		}
		checkEcho(t, c)
		c.Close()
	}
	// Where HTTPS_PROXY leads to, there is no TLS.
	var connect *wschannel.ConnectError
	var dns *net.DNSError
	if _, err := wschannel.Connect(t.Context(), "wss://secure.example", nil); !errors.As(err, &connect) || errors.As(err, &dns) {
		t.Errorf("wss: %v; want TLS to fail behind the proxy", err)
	}
	for _, url := range []string{"ws://direct.example", "wss://direct.example", "ws://a.sub.example"} {
		if _, err := wschannel.Connect(t.Context(), url, nil); !errors.As(err, &dns) {
			t.Errorf("%s: %v; want no proxy, and the name not to be found", url, err)
		}
	}
}
