//go:build unix && !darwin

package guides

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"expvar"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/reconnect"
	"github.com/wschannel/wschannel/streamchannel"
)

// sendFile sends a file as one message, without holding it in memory.
func sendFile(ctx context.Context, ch *wschannel.Channel, name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	sending, giveUp := context.WithCancel(ctx)
	defer giveUp()
	w, err := ch.NextWriter(sending, wschannel.Binary)
	if err != nil {
		return err
	}
	if _, err = io.Copy(w, file); err != nil {
		giveUp() // half a message must not look like a whole one
	}
	return errors.Join(err, w.Close())
}

// receiveFile writes the next message to a file, as it comes.
func receiveFile(ctx context.Context, ch *wschannel.Channel, name string) error {
	_, r, err := ch.NextReader(ctx)
	if err != nil {
		return err
	}
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, r)
	return errors.Join(err, file.Close())
}

func TestFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("film", make([]byte, 3<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 1)
	ch, stop := connected(func(ctx context.Context, ch *wschannel.Channel) {
		got <- receiveFile(ctx, ch, "copy")
	})
	defer stop()
	if err := errors.Join(sendFile(t.Context(), ch, "film"), <-got); err != nil {
		t.Fatal(err)
	}
	if copied, err := os.ReadFile("copy"); len(copied) != 3<<20 {
		t.Errorf("%d bytes, %v", len(copied), err)
	}
	if err := sendFile(t.Context(), ch, "nothing"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func Example_proxy() {
	ctx := context.Background()

	d := wschannel.Dialer{Proxy: http.ProxyURL(&url.URL{
		Scheme: "socks5", // or http, https
		Host:   "proxy.example.com:1080",
		User:   url.UserPassword("ada", "secret"),
	})}
	ch, _, err := d.Connect(ctx, "wss://example.com/chat")
	var proxy *wschannel.ProxyError
	if errors.As(err, &proxy) {
		fmt.Println("wrong password:", proxy.StatusCode == http.StatusProxyAuthRequired)
	}

	fmt.Println(ch, proxy.URL) // it is not there, in this example
	// Output:
	// wrong password: false
	// <nil> socks5://ada:xxxxx@proxy.example.com:1080
}

func TestUnixSocket(t *testing.T) {
	t.Chdir(t.TempDir())
	l, err := net.Listen("unix", "chat.sock")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: echo}
	go server.Serve(l)
	defer server.Close()
	ctx := t.Context()

	d := wschannel.Dialer{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", "chat.sock")
		},
	}
	ch, _, err := d.Connect(ctx, "ws://localhost/chat")

	if err != nil {
		t.Fatal(err)
	}
	defer ch.Close()
	if network := ch.Underlying().RemoteAddr().Network(); network != "unix" {
		t.Error(network)
	}
}

func Example_cookies() {
	ctx := context.Background()
	defer host("example.com", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/chat" {
			http.SetCookie(w, &http.Cookie{Name: "session", Value: "1234", Secure: true})
			http.Redirect(w, r, "/chat", http.StatusTemporaryRedirect)
			return
		}
		cookie, _ := r.Cookie("session")
		http.Error(w, cookie.String(), http.StatusTeapot)
	}))()

	jar, _ := cookiejar.New(nil)

	d := wschannel.Dialer{HTTPClient: &http.Client{
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return nil }, // at most 10
	}}
	ch, _, err := d.Connect(ctx, "wss://example.com/")

	fmt.Println(ch, err)
	// Output: <nil> wschannel: handshake failed with status 418: the server must answer with status 101; it said "session=1234"
}

// trusting returns a dialer that trusts the authorities in a PEM file, besides
// those of the system.
func trusting(file string) (*wschannel.Dialer, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: no certificate in it", file)
	}
	return &wschannel.Dialer{TLSConfig: &tls.Config{RootCAs: pool}}, nil
}

func TestCertificatesOfMyOwn(t *testing.T) {
	server := httptest.NewTLSServer(echo)
	defer server.Close()
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	file := filepath.Join(t.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(file, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := wschannel.Connect(t.Context(), server.URL, nil); err == nil {
		t.Error("the certificate is trusted by everybody")
	}
	d, err := trusting(file)
	if err != nil {
		t.Fatal(err)
	}
	ch, _, err := d.Connect(t.Context(), server.URL)
	if err != nil {
		t.Fatal(err)
	}
	ch.Close()
}

// show tells a user what a channel is doing, until it is over.
func show(ctx context.Context, news *reconnect.Channel[wschannel.Message, wschannel.Message]) {
	for s := range news.States(ctx) {
		switch s.Phase {
		case reconnect.Open:
			fmt.Println("connected")
		case reconnect.Waiting:
			fmt.Println("not connected:", s.Err, "- trying again in", time.Until(s.Until))
		case reconnect.Closed:
			fmt.Println("over:", s.Err)
		}
	}
}

func Example_states() {
	defer host("example.com", http.NotFoundHandler())()
	ctx := context.Background()
	news := reconnect.New(func(ctx context.Context) (*wschannel.Channel, error) {
		return wschannel.Connect(ctx, "wss://example.com/news", nil)
	}, nil)
	show(ctx, news)
	// Output: over: reconnect: gave up after 1 attempt: handshake failed with status 404: the server must answer with status 101; it said "404 page not found"
}

func Example_compression() {
	ctx := context.Background()

	chat := &wschannel.Server{
		Handler: func(context.Context, *wschannel.Channel) {},
		AcceptOptions: wschannel.AcceptOptions{
			Compression: wschannel.Compression{Mode: wschannel.CompressionContext},
		},
	}
	defer host("example.com", chat)()

	d := wschannel.Dialer{Compression: wschannel.Compression{Mode: wschannel.CompressionContext}}
	ch, _, err := d.Connect(ctx, "wss://example.com/chat")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ch.Compression().Mode) // off if the server does not want it
	// Output: context
}

func Example_newest() {
	defer host("example.com", echo)()
	ctx := context.Background()

	d := wschannel.Dialer{Options: wschannel.Options{WhenFull: wschannel.DropOldest}}
	ch, _, err := d.Connect(ctx, "wss://example.com/positions")

	if err != nil {
		log.Fatal(err)
	}
	defer ch.Close()
	fmt.Println(ch.SendText(ctx, "47.1 N"))
	// Output: <nil>
}

func Example_counters() {
	counters := new(wschannel.Counters)
	expvar.Publish("websocket", counters)
	chat := &wschannel.Server{
		Handler:       func(context.Context, *wschannel.Channel) {},
		AcceptOptions: wschannel.AcceptOptions{Options: wschannel.Options{Counters: counters}},
		Logger:        slog.Default(),
	}

	url, stop := local(chat)
	defer stop()
	ch, err := wschannel.Connect(context.Background(), url, nil)
	if err != nil {
		log.Fatal(err)
	}
	ch.Close()
	fmt.Println(counters.Snapshot().Opened)
	// Output: 1
}

func Example_pipe() {
	defer host("backend.internal", &wschannel.Server{Handler: func(ctx context.Context, ch *wschannel.Channel) {
		ch.SendText(ctx, "from behind")
	}})()
	piped := make(chan error, 1)
	front, stop := connected(func(ctx context.Context, ch *wschannel.Channel) {
		back, err := wschannel.Connect(ctx, "ws://backend.internal/", nil)
		if err == nil {
			err = streamchannel.Pipe(ctx, ch, back)
		}
		piped <- err
	})
	defer stop()
	for m := range front.Messages(context.Background()) {
		fmt.Println(string(m.Data))
	}
	fmt.Println(front.CloseCode(), <-piped)
	// Output:
	// from behind
	// 1000 normal closure <nil>
}

func Example_mux() {
	ctx := context.Background()
	ch, peer := pair()

	mux := streamchannel.NewMux(streamchannel.CompactEnvelopes().Bind(ch.BinaryChannel()), nil)
	game, err := mux.Open() // and at the other end mux.Accept(ctx)
	if err != nil {
		log.Fatal(err)
	}
	err = game.Send(ctx, []byte("e2 e4"))

	fmt.Println(err)
	far, err := streamchannel.NewMux(streamchannel.CompactEnvelopes().Bind(peer.BinaryChannel()), nil).Accept(ctx)
	if err != nil {
		log.Fatal(err)
	}
	m, err := far.Receive(ctx)
	fmt.Println(string(m), err)
	mux.Close()
	// Output:
	// <nil>
	// e2 e4 <nil>
}

func Example_netConn() {
	ch, stop := connected(echo.Handler)
	defer stop()

	conn := wschannel.NetConn(ch)
	fmt.Fprintln(conn, "hello")

	line, err := bufio.NewReader(conn).ReadString('\n')
	fmt.Printf("%q %v\n", line, err)
	// Output: "hello\n" <nil>
}

func Example_new() {
	a, b := net.Pipe()
	client := wschannel.New(a, wschannel.RoleClient, nil)
	server := wschannel.New(b, wschannel.RoleServer, nil)

	ctx := context.Background()
	go client.SendText(ctx, "hello")
	m, err := server.Receive(ctx)
	fmt.Println(string(m.Data), err)
	// Output: hello <nil>
}
