//go:build unix && !darwin

package guides

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wschannel/wschannel"
)

// hosts has the http.Handler of each host that there is besides this machine.
var hosts sync.Map

// host makes a handler answer for a host, until it is gone.
func host(name string, handler http.Handler) (gone func()) {
	hosts.Store(name, handler)
	return func() { hosts.Delete(name) }
}

// local starts a server on this machine, and returns its URL.
func local(handler http.Handler) (url string, stop func()) {
	s := httptest.NewServer(handler)
	return strings.Replace(s.URL, "http", "ws", 1), s.Close
}

// echo sends every message back.
var echo = &wschannel.Server{
	Handler: func(ctx context.Context, ch *wschannel.Channel) {
		for m, err := range ch.Messages(ctx) {
			if err != nil || ch.Send(ctx, m) != nil {
				return
			}
		}
	},
}

// connected returns a channel to a server on this machine.
func connected(handler func(ctx context.Context, ch *wschannel.Channel)) (ch *wschannel.Channel, stop func()) {
	url, down := local(&wschannel.Server{Handler: handler})
	ch, err := wschannel.Connect(context.Background(), url, nil)
	if err != nil {
		log.Fatal(err)
	}
	return ch, func() { ch.CloseNow(); down() }
}

// pair returns the two ends of a connection in memory.
func pair() (client, server *wschannel.Channel) {
	a, b := net.Pipe()
	return wschannel.New(a, wschannel.RoleClient, nil), wschannel.New(b, wschannel.RoleServer, nil)
}

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	dir, err := os.MkdirTemp("", "guides")
	if err != nil {
		log.Fatal(err)
	}
	certificate := trusted(filepath.Join(dir, "ca.pem"))
	proxy := httptest.NewServer(reach(certificate))
	os.Setenv("HTTP_PROXY", proxy.URL)
	os.Setenv("HTTPS_PROXY", proxy.URL)
	os.Setenv("NO_PROXY", "")
	for _, lower := range []string{"http_proxy", "https_proxy", "no_proxy"} {
		os.Unsetenv(lower)
	}
	// No other names than those of this machine are known.
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("there is no network in this test")
	}}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// trusted makes a certificate that this process trusts from now on.
func trusted(file string) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "guides"},
		DNSNames:  []string{"example.com", "*.example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		log.Fatal(err)
	}
	os.Setenv("SSL_CERT_FILE", file)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// reach returns a proxy that leads to the hosts: on port 443 with TLS.
func reach(certificate tls.Certificate) http.Handler {
	incoming := make(arrivals)
	inner := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if handler, ok := hosts.Load(r.Host); ok {
				handler.(http.Handler).ServeHTTP(w, r)
				return
			}
			http.NotFound(w, r)
		}),
		ErrorLog: log.New(io.Discard, "", 0),
	}
	go inner.Serve(incoming)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, port, _ := net.SplitHostPort(r.Host)
		if _, ok := hosts.Load(name); !ok || r.Method != http.MethodConnect {
			http.Error(w, "no such host", http.StatusBadGateway)
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			log.Fatal(err)
		}
		io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
		if port == "443" {
			conn = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{certificate}})
		}
		incoming <- conn
	})
}

// arrivals is a listener that gets its connections from elsewhere.
type arrivals chan net.Conn

func (a arrivals) Accept() (net.Conn, error) { return <-a, nil }
func (a arrivals) Close() error              { return nil }
func (a arrivals) Addr() net.Addr            { return &net.TCPAddr{} }
