package interop

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

func TestNginx(t *testing.T)   { testProxy(t, nginx) }
func TestHAProxy(t *testing.T) { testProxy(t, haproxy) }
func TestCaddy(t *testing.T)   { testProxy(t, caddy) }

func testProxy(t *testing.T, k proxyKind) {
	t.Parallel()
	backend := serve(t, &wschannel.AcceptOptions{Options: protocols("chat.v2", "chat.v1")})
	p := k.start(t, setup{backend: backend.Listener.Addr().String()})
	for _, tt := range []struct {
		name string
		run  func(*testing.T, *relayed)
	}{
		{"messages", testRelayMessages},
		{"streams", testRelayStreams},
		{"pings", testRelayPings},
		{"closes", testRelayCloses},
		{"losses", testRelayLosses},
		{"origins", testRelayOrigins},
		{"refusals", testRelayRefusals},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, &relayed{p, backend}) })
	}
	if !k.patient {
		t.Run("idle", func(t *testing.T) {
			t.Parallel()
			testIdle(t, k)
		})
	}
	t.Run("backend down", func(t *testing.T) {
		t.Parallel()
		testBackendDown(t, k)
	})
	t.Run("proxy killed", func(t *testing.T) { testProxyKilled(t, k, &relayed{p, backend}) }) // the last one
}

func protocols(names ...string) wschannel.Options {
	o := options
	o.Protocols = names
	return o
}

// A relayed is a server and the proxy in front of it.
type relayed struct {
	*proxy
	backend *server
}

// connect returns the two ends of a channel through the proxy.
func (r *relayed) connect(t *testing.T, secure bool, o wschannel.Options) (client, server *wschannel.Channel) {
	t.Helper()
	d := wschannel.Dialer{Options: o}
	url := r.url()
	if secure {
		d.TLSConfig = r.trusting
		url = r.secureURL()
	}
	client, _, err := d.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.CloseNow() })
	return client, r.backend.next(t)
}

// both runs a test with each end as the first one, with TLS and without.
func (r *relayed) both(t *testing.T, test func(t *testing.T, first, second *wschannel.Channel)) {
	t.Helper()
	for _, secure := range []bool{false, true} {
		client, server := r.connect(t, secure, protocols("chat.v1"))
		test(t, client, server)
		client, server = r.connect(t, secure, protocols("chat.v1"))
		test(t, server, client)
	}
}

func testRelayMessages(t *testing.T, r *relayed) {
	long := string(binaryOf(large / 4))
	r.both(t, func(t *testing.T, from, to *wschannel.Channel) {
		if from.Protocol() != "chat.v1" || to.Protocol() != "chat.v1" {
			t.Errorf("agreed on %q and %q", from.Protocol(), to.Protocol())
		}
		for _, m := range []wschannel.Message{
			{Type: wschannel.Text, Data: []byte("Grüße, 你好 👋")},
			{Type: wschannel.Binary, Data: nil},
			{Type: wschannel.Binary, Data: []byte(long)},
			{Type: wschannel.Text, Data: []byte("last")},
		} {
			sent := make(chan error, 1)
			go func() { sent <- from.Send(t.Context(), m) }()
			wantMessage(t, to, m.Type, string(m.Data))
			if err := <-sent; err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A message is relayed while it is being sent: the proxy keeps nothing back.
func testRelayStreams(t *testing.T, r *relayed) {
	part := strings.Repeat("fragment ", 1000)
	r.both(t, func(t *testing.T, from, to *wschannel.Channel) {
		w, err := from.NextWriter(patiently(t), wschannel.Text)
		if err != nil {
			t.Fatal(err)
		}
		var body io.Reader
		for i := range 3 {
			if _, err := io.WriteString(w, part); err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				if _, body, err = to.NextReader(patiently(t)); err != nil {
					t.Fatal(err)
				}
			}
			got := make([]byte, len(part))
			if _, err := io.ReadFull(body, got); err != nil || string(got) != part {
				t.Fatalf("fragment %d: %.50q, %v", i, got, err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if rest, err := io.ReadAll(body); err != nil || len(rest) > 0 {
			t.Errorf("behind the last fragment: %q, %v", rest, err)
		}
	})
}

func testRelayPings(t *testing.T, r *relayed) {
	r.both(t, func(t *testing.T, from, to *wschannel.Channel) {
		if err := pingOnce(t, from); err != nil {
			t.Error(err)
		}
	})
}

func testRelayCloses(t *testing.T, r *relayed) {
	for _, secure := range []bool{false, true} {
		for _, server := range []bool{false, true} {
			for _, cl := range append(closes[:len(closes):len(closes)], struct {
				code   status.Code
				reason string
			}{0, ""}) {
				first, second := r.connect(t, secure, options)
				if server {
					first, second = second, first
				}
				if err := first.SendText(patiently(t), "before"); err != nil {
					t.Fatal(err)
				}
				closed := make(chan error, 1)
				go func() { closed <- first.CloseWith(cl.code, cl.reason) }()
				wantMessage(t, second, wschannel.Text, "before")
				code := cl.code
				if code == 0 {
					code = status.NoStatusReceived
				}
				wantEnd(t, second, code, cl.reason, true)
				if err := <-closed; err != nil {
					t.Errorf("CloseWith(%v, %q): %v", cl.code, cl.reason, err)
				}
				wantEnd(t, first, code, cl.reason, false)
			}
		}
	}
}

// One end hangs up, and the other one loses its connection.
func testRelayLosses(t *testing.T, r *relayed) {
	r.both(t, func(t *testing.T, from, to *wschannel.Channel) {
		if err := from.SendText(patiently(t), "before"); err != nil {
			t.Fatal(err)
		}
		wantMessage(t, to, wschannel.Text, "before")
		if err := from.CloseNow(); err != nil {
			t.Error(err)
		}
		wantLost(t, to)
	})
}

// dialFrom connects as a browser does that shows a page of this origin.
func (r *relayed) dialFrom(t *testing.T, url, origin string, more http.Header) error {
	t.Helper()
	d := wschannel.Dialer{Options: options, TLSConfig: r.trusting, Header: http.Header{"Origin": {origin}}}
	for name, values := range more {
		d.Header[name] = values
	}
	c, _, err := d.Connect(t.Context(), url)
	if err == nil {
		t.Cleanup(func() { c.CloseNow() })
		r.backend.next(t)
	} else {
		r.backend.wantRefusal(t)
	}
	return err
}

func wantStatus(t *testing.T, err error, code int) *wschannel.HandshakeError {
	t.Helper()
	refused, ok := errors.AsType[*wschannel.HandshakeError](err)
	if !ok || refused.StatusCode != code {
		t.Fatalf("got %v, want a HandshakeError with status %d", err, code)
	}
	return refused
}

// §10.2: the public host is the server's own, whether or not TLS ends at the
// proxy, and headers that anybody can send change nothing.
func testRelayOrigins(t *testing.T, r *relayed) {
	for url, own := range map[string]string{r.url(): "http://" + r.host, r.secureURL(): "https://" + r.secureHost} {
		if err := r.dialFrom(t, url, own, nil); err != nil {
			t.Errorf("the page's own server: %v", err)
		}
		for _, foreign := range []string{"https://example.com", "http://" + r.backend.Listener.Addr().String()} {
			err := r.dialFrom(t, url, foreign, http.Header{
				"X-Forwarded-Host":  {strings.TrimPrefix(foreign, "https://")},
				"X-Forwarded-Proto": {"https"},
				"Forwarded":         {"host=example.com;proto=https"},
			})
			if refused := wantStatus(t, err, http.StatusForbidden); !strings.Contains(string(refused.Body), "Origin") {
				t.Errorf("origin %s: %q", foreign, refused.Body)
			}
		}
	}
}

// What is wrong with a handshake is told through the proxy.
func testRelayRefusals(t *testing.T, r *relayed) {
	resp, err := http.Get("http://" + r.host + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	r.backend.wantRefusal(t)
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 4 || !strings.HasPrefix(string(body), "websocket: ") {
		t.Errorf("a request that is no handshake: status %d, %q, %v", resp.StatusCode, body, err)
	}
}

// The proxy drops connections on which nothing moves. Pings from either side
// prevent that.
func testIdle(t *testing.T, k proxyKind) {
	silent, pinging := options, options
	silent.PingInterval = -1
	pinging.PingInterval = 100 * time.Millisecond
	for _, tt := range []struct {
		name           string
		client, server wschannel.Options
	}{
		{"the client pings", pinging, silent},
		{"the server pings", silent, pinging},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			backend := serve(t, &wschannel.AcceptOptions{Options: tt.server})
			quiet := serve(t, &wschannel.AcceptOptions{Options: silent})
			r := &relayed{k.start(t, setup{backend: backend.Listener.Addr().String(), idle: "2s"}), backend}
			s := &relayed{k.start(t, setup{backend: quiet.Listener.Addr().String(), idle: "2s"}), quiet}
			client, server := r.connect(t, true, tt.client)
			lostClient, lostServer := s.connect(t, true, silent)
			wantLost(t, lostClient)
			wantLost(t, lostServer)
			// It has been idle for longer than the one that was dropped.
			if err := client.SendText(patiently(t), "still here"); err != nil {
				t.Fatal(err)
			}
			wantMessage(t, server, wschannel.Text, "still here")
		})
	}
}

func testBackendDown(t *testing.T, k proxyKind) {
	backend := serve(t, nil)
	r := &relayed{k.start(t, setup{backend: backend.Listener.Addr().String()}), backend}
	backend.Close()
	_, err := wschannel.Connect(t.Context(), r.url(), &options)
	if refused := wantStatus(t, err, k.gone); !strings.Contains(string(refused.Body), k.says) {
		t.Errorf("the proxy's answer is %q, want %q in it", refused.Body, k.says)
	}
}

// A proxy that is stopped is a loss for both ends, if it does not say goodbye.
func testProxyKilled(t *testing.T, k proxyKind, r *relayed) {
	client, server := r.connect(t, false, options)
	r.kill()
	if k.polite {
		wantEnd(t, client, status.GoingAway, "", true)
		<-server.Done() // this version masks nothing, which is 1002, if it comes so far
		if code := server.CloseCode(); code != status.ProtocolError && code != status.AbnormalClosure {
			t.Errorf("the server's end has code %v", code)
		}
	} else {
		wantLost(t, client)
		wantLost(t, server)
	}
	_, err := wschannel.Connect(t.Context(), r.url(), &options)
	if _, ok := errors.AsType[*wschannel.ConnectError](err); !ok {
		t.Errorf("connecting to nobody: %v", err)
	}
}

// What docs/proxies.md says of lines that are left out.
func TestNginxLeftOut(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T, origins []string, without ...string) *relayed {
		backend := serve(t, &wschannel.AcceptOptions{Options: options, Origins: origins})
		return &relayed{nginx.start(t, setup{backend: backend.Listener.Addr().String(), without: without}), backend}
	}
	const (
		upgrade    = `proxy_set_header   Upgrade    $http_upgrade;`
		connection = `proxy_set_header   Connection "upgrade";`
		host       = `proxy_set_header   Host       $http_host;`
	)
	t.Run("Upgrade", func(t *testing.T) {
		r := start(t, nil, upgrade, connection)
		err := r.dialFrom(t, r.url(), "http://"+r.host, nil)
		if refused := wantStatus(t, err, http.StatusUpgradeRequired); !strings.Contains(string(refused.Body), "Upgrade") {
			t.Errorf("refused with %q", refused.Body)
		}
	})
	t.Run("Host", func(t *testing.T) {
		r := start(t, nil, host)
		wantStatus(t, r.dialFrom(t, r.url(), "http://"+r.host, nil), http.StatusForbidden)
	})
	t.Run("Host, but the public origin is named", func(t *testing.T) {
		r := start(t, []string{"https://chat.example.com"}, host)
		if err := r.dialFrom(t, r.secureURL(), "https://chat.example.com", nil); err != nil {
			t.Error(err)
		}
		wantStatus(t, r.dialFrom(t, r.secureURL(), "https://"+r.secureHost, nil), http.StatusForbidden)
	})
}
