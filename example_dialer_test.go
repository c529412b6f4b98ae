//go:build !js

package wschannel_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"

	"github.com/wschannel/wschannel"
)

// DialContext makes the connection: here to a unix socket. The URL tells the
// server which host and path are meant, as always.
func ExampleDialer_unixSocket() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "chat.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Handler: echoServer}
	go server.Serve(listener)
	defer server.Close()

	d := wschannel.Dialer{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}
	ctx := context.Background()
	ch, _, err := d.Connect(ctx, "ws://localhost/chat")
	if err != nil {
		log.Fatal(err)
	}
	defer ch.Close()
	ch.SendText(ctx, "over "+ch.Underlying().RemoteAddr().Network())
	m, err := ch.Receive(ctx)
	fmt.Println(string(m.Data), err)
	// Output: over unix <nil>
}

// A proxy that refuses is told apart from a server that does.
func ExampleDialer_proxy() {
	server, stop := startServer(http.NotFoundHandler()) // which is no proxy
	defer stop()
	address, err := url.Parse(server)
	if err != nil {
		log.Fatal(err)
	}

	d := wschannel.Dialer{Proxy: http.ProxyURL(&url.URL{
		Scheme: "http", // or https, socks5
		Host:   address.Host,
		User:   url.UserPassword("ada", "secret"),
	})}
	_, _, err = d.Connect(context.Background(), "wss://example.com/chat")
	if proxy, ok := errors.AsType[*wschannel.ProxyError](err); ok {
		fmt.Printf("status %d: %s", proxy.StatusCode, proxy.Body)
	}
	// Output: status 404: 404 page not found
}

// With a cookie jar, a channel belongs to the session of earlier requests.
func ExampleDialer_cookies() {
	mux := http.NewServeMux()
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "1234"})
	})
	mux.HandleFunc("/chat", func(w http.ResponseWriter, r *http.Request) {
		session, err := r.Cookie("session")
		if err != nil {
			http.Error(w, "log in first", http.StatusUnauthorized)
			return
		}
		if ch, err := wschannel.Accept(w, r, nil); err == nil {
			ch.SendText(r.Context(), "session "+session.Value)
			ch.Close()
		}
	})
	server, stop := startServer(mux)
	defer stop()

	jar, err := cookiejar.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	d := wschannel.Dialer{HTTPClient: &http.Client{Jar: jar}}
	ctx := context.Background()
	_, _, err = d.Connect(ctx, server+"/chat")
	fmt.Println(err)

	resp, err := d.HTTPClient.Get("http" + server[len("ws"):] + "/login")
	if err != nil {
		log.Fatal(err)
	}
	resp.Body.Close()
	ch, _, err := d.Connect(ctx, server+"/chat")
	if err != nil {
		log.Fatal(err)
	}
	m, err := ch.Receive(ctx)
	fmt.Println(string(m.Data), err)
	// Output:
	// wschannel: handshake failed with status 401: the server must answer with status 101; it said "log in first"
	// session 1234 <nil>
}
