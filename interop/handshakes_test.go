package interop

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http"
	"strings"
	"testing"

	"github.com/wschannel/wschannel"
)

// The handshakes are gone through once: each knows its role.
var handshakes = []struct {
	name string
	run  func(*testing.T, *library)
}{
	{"server/subprotocol", testSelectProtocol},
	{"server/no subprotocol in common", testNoCommonProtocol},
	{"server/foreign origin", testForeignOrigin},
	{"server/refused", testRefuse},
	{"server/TLS", testServeTLS},
	{"client/subprotocol", testOfferProtocols},
	{"client/no subprotocol selected", testNoneSelected},
	{"client/subprotocol not offered", testNotOffered},
	{"client/refused", testRefused},
	{"client/origin", testSendOrigin},
	{"client/TLS", testConnectTLS},
}

func testSelectProtocol(t *testing.T, l *library) {
	o := &wschannel.AcceptOptions{Options: options}
	o.Protocols = []string{"chat.v2", "chat.v1"}
	s := serve(t, o)
	r := l.newRemote()
	r.do(t, command{Do: "connect", URL: s.url, Protocols: []string{"other", "chat.v1", "chat.v2"}})
	if c := s.next(t); c.Protocol() != "chat.v2" { // the server's order counts
		t.Errorf("agreed on %q", c.Protocol())
	}
	if e := r.await(t, "open"); e.Protocol != "chat.v2" {
		t.Errorf("the peer says %+v", e)
	}
}

// Then the client decides: ws gives up, websockets goes on.
func testNoCommonProtocol(t *testing.T, l *library) {
	o := &wschannel.AcceptOptions{Options: options}
	o.Protocols = []string{"chat.v2"}
	s := serve(t, o)
	r := l.newRemote()
	r.do(t, command{Do: "connect", URL: s.url, Protocols: []string{"other"}})
	if c := s.next(t); c.Protocol() != "" {
		t.Errorf("agreed on %q", c.Protocol())
	}
	switch e := <-r.lib.of(r.id); {
	case e.Event == "open" && e.Protocol == "":
	case e.Event == "failed" && strings.Contains(e.Text, "subprotocol"):
	default:
		t.Errorf("the peer says %+v", e)
	}
}

// §10.2: a page of another site must not connect.
func testForeignOrigin(t *testing.T, l *library) {
	s := serve(t, &wschannel.AcceptOptions{Options: options, Origins: []string{"*.example.com"}})
	for _, tt := range []struct {
		origin string
		ok     bool
	}{
		{"", true}, // no browser
		{s.URL, true},
		{"https://www.example.com", true},
		{"https://example.org", false},
		{"null", false},
		{"http://127.0.0.1:1", false}, // another port is another origin
	} {
		r := l.newRemote()
		r.do(t, command{Do: "connect", URL: s.url, Origin: tt.origin})
		if tt.ok {
			s.next(t)
			r.await(t, "open")
			continue
		}
		if e := r.await(t, "refused"); e.Code != http.StatusForbidden || e.Text != "" && !strings.Contains(e.Text, "Origin") {
			t.Errorf("origin %q: the peer says %+v", tt.origin, e)
		}
		if refused, ok := errors.AsType[*wschannel.HandshakeError](s.wantRefusal(t)); !ok || refused.StatusCode != http.StatusForbidden {
			t.Errorf("origin %q: refused with %v", tt.origin, refused)
		}
	}
}

func testRefuse(t *testing.T, l *library) {
	s := newServer(nil)
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "no channels today", http.StatusServiceUnavailable)
	})
	s.Start()
	t.Cleanup(s.Close)
	r := l.newRemote()
	r.do(t, command{Do: "connect", URL: "ws" + strings.TrimPrefix(s.URL, "http")})
	if e := r.await(t, "refused"); e.Code != http.StatusServiceUnavailable || e.Text != "" && e.Text != "no channels today\n" {
		t.Errorf("the peer says %+v", e)
	}
}

func testServeTLS(t *testing.T, l *library) {
	s := newServer(&wschannel.AcceptOptions{Options: options})
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // a client that does not trust it
	s.TLS = &tls.Config{Certificates: []tls.Certificate{l.certificate}}
	s.StartTLS()
	t.Cleanup(s.Close)
	url := "wss" + strings.TrimPrefix(s.URL, "https")

	r := l.newRemote()
	r.do(t, command{Do: "connect", URL: url, Trust: true, Origin: s.URL})
	checkEcho(t, s.next(t), r)

	r = l.newRemote()
	r.do(t, command{Do: "connect", URL: url})
	if e := r.await(t, "failed"); !strings.Contains(e.Text, "certificate") {
		t.Errorf("the peer says %+v", e)
	}
}

// checkEcho sends a message each way, a long one, for TLS has to cut it.
func checkEcho(t *testing.T, c *wschannel.Channel, r *remote) {
	t.Helper()
	r.await(t, "open")
	data := binaryOf(100_000)
	if err := c.SendBinary(patiently(t), data); err != nil {
		t.Fatal(err)
	}
	r.wantArrived(t, wschannel.Binary, string(data))
	r.do(t, command{Do: "send", Binary: true, Parts: [][]byte{data}})
	wantMessage(t, c, wschannel.Binary, string(data))
	if err := c.CloseWith(4000, "enough"); err != nil {
		t.Error(err)
	}
	r.wantClosed(t, 4000, "enough")
}

func testOfferProtocols(t *testing.T, l *library) {
	r := l.newRemote()
	o := options
	o.Protocols = []string{"other", "chat.v1", "chat.v2"}
	if c := connect(t, l.url("ws", r), &o); c.Protocol() != "chat.v1" {
		t.Errorf("agreed on %q", c.Protocol())
	}
	if e := r.await(t, "open"); e.Protocol != "chat.v1" {
		t.Errorf("the peer says %+v", e)
	}
}

func testNoneSelected(t *testing.T, l *library) {
	r := l.newRemote()
	o := options
	o.Protocols = []string{"other"}
	if c := connect(t, l.url("ws", r), &o); c.Protocol() != "" {
		t.Errorf("agreed on %q", c.Protocol())
	}
	checkPlain(t, r.await(t, "open"))
}

// X22: the server must not select what was not offered.
func testNotOffered(t *testing.T, l *library) {
	r := l.newRemote()
	o := options
	o.Protocols = []string{"unoffered"}
	_, err := wschannel.Connect(t.Context(), l.url("ws", r), &o)
	refused, ok := errors.AsType[*wschannel.HandshakeError](err)
	if !ok || refused.StatusCode != http.StatusSwitchingProtocols || !strings.Contains(refused.Text, `"other"`) {
		t.Errorf("got %v, want a HandshakeError that names the protocol", err)
	}
}

func testRefused(t *testing.T, l *library) {
	r := l.newRemote()
	_, err := wschannel.Connect(t.Context(), strings.Replace(l.url("ws", r), "accept", "refuse", 1), &options)
	refused, ok := errors.AsType[*wschannel.HandshakeError](err)
	if !ok || refused.StatusCode != http.StatusForbidden || strings.TrimSpace(string(refused.Body)) != "not you" {
		t.Errorf("got %v, want a HandshakeError with status 403 and the body", err)
	}
	r.await(t, "refused")
}

func testSendOrigin(t *testing.T, l *library) {
	r := l.newRemote()
	d := wschannel.Dialer{Options: options, Header: http.Header{"Origin": {"https://example.com"}}}
	c, _, err := d.Connect(t.Context(), l.url("ws", r))
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if e := r.await(t, "open"); e.Origin != "https://example.com" {
		t.Errorf("the peer says %+v", e)
	}
}

func testConnectTLS(t *testing.T, l *library) {
	r := l.newRemote()
	d := wschannel.Dialer{Options: options, TLSConfig: l.trusting}
	c, _, err := d.Connect(t.Context(), l.url("wss", r))
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	checkEcho(t, c, r)

	_, err = wschannel.Connect(t.Context(), l.url("wss", l.newRemote()), &options)
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok {
		t.Errorf("got %v, want that the CA is unknown", err)
	}
}
