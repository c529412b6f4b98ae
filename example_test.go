//go:build !js

package wschannel_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

// The examples read as a tutorial, in this order. Each starts a server on this
// machine; yours is somewhere else, at ws://localhost:8080/ or
// wss://example.com/chat.
func startServer(handler http.Handler) (url string, stop func()) {
	s := httptest.NewServer(handler)
	return strings.Replace(s.URL, "http", "ws", 1), s.Close
}

// echoServer sends every message back.
var echoServer = &wschannel.Server{
	Handler: func(ctx context.Context, ch *wschannel.Channel) {
		for m, err := range ch.Messages(ctx) {
			if err != nil || ch.Send(ctx, m) != nil {
				return
			}
		}
	},
}

// A client connects, sends a message, receives one, and closes.
func ExampleConnect() {
	url, stop := startServer(echoServer)
	defer stop()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ch, err := wschannel.Connect(ctx, url, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer ch.Close()

	if err := ch.SendText(ctx, "hello"); err != nil {
		log.Fatal(err)
	}
	m, err := ch.Receive(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Type, string(m.Data))
	// Output: text hello
}

// When connecting fails, the error says whether the server refused or could
// not be reached at all.
func ExampleConnect_refused() {
	url, stop := startServer(http.NotFoundHandler())
	defer stop()

	_, err := wschannel.Connect(context.Background(), url, nil)
	if refused, ok := errors.AsType[*wschannel.HandshakeError](err); ok {
		fmt.Printf("status %d: %s", refused.StatusCode, refused.Body)
	}

	_, err = wschannel.Connect(context.Background(), "ftp://user:secret@localhost/", nil)
	fmt.Println(err)
	// Output:
	// status 404: 404 page not found
	// wschannel: connect to "ftp://user:xxxxx@localhost/": the URL has the scheme "ftp"; expected ws:// or wss://
}

// A server is an http.Handler: its function runs once for each channel, and
// the channel is closed when it returns.
func ExampleServer() {
	greeter := &wschannel.Server{
		Handler: func(ctx context.Context, ch *wschannel.Channel) {
			name, err := ch.Receive(ctx)
			if err != nil {
				log.Print(err)
				return
			}
			ch.SendText(ctx, "hello, "+string(name.Data))
		},
	}
	mux := http.NewServeMux()
	mux.Handle("/greet", greeter)
	url, stop := startServer(mux)
	defer stop()

	ctx := context.Background()
	ch, err := wschannel.Connect(ctx, url+"/greet", nil)
	if err != nil {
		log.Fatal(err)
	}
	ch.SendText(ctx, "Ada")
	for m, err := range ch.Messages(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(m.Data))
	}
	fmt.Println(ch.CloseCode())
	// Output:
	// hello, Ada
	// 1000 normal closure
}

// Upgrade decides who may connect, and passes on what it found out.
func ExampleServer_authentication() {
	type userKey struct{}
	server := &wschannel.Server{
		Upgrade: func(r *http.Request) (context.Context, error) {
			user, password, ok := r.BasicAuth()
			if !ok || password != "secret" {
				return nil, &wschannel.HandshakeError{
					StatusCode: http.StatusUnauthorized,
					Header:     map[string][]string{"WWW-Authenticate": {"Basic"}},
					Body:       []byte("who are you?\n"),
				}
			}
			return context.WithValue(r.Context(), userKey{}, user), nil
		},
		Handler: func(ctx context.Context, ch *wschannel.Channel) {
			ch.SendText(ctx, fmt.Sprint("you are ", ctx.Value(userKey{})))
		},
	}
	url, stop := startServer(server)
	defer stop()

	ctx := context.Background()
	_, err := wschannel.Connect(ctx, url, nil)
	if refused, ok := errors.AsType[*wschannel.HandshakeError](err); ok {
		fmt.Print(refused.StatusCode, " ", string(refused.Body))
	}
	ch, err := wschannel.Connect(ctx, strings.Replace(url, "://", "://ada:secret@", 1), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer ch.Close()
	m, _ := ch.Receive(ctx)
	fmt.Println(string(m.Data))
	// Output:
	// 401 who are you?
	// you are ada
}

// Accept makes a channel inside a handler of one's own.
func ExampleAccept() {
	url, stop := startServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ch, err := wschannel.Accept(w, r, &wschannel.AcceptOptions{
			Options: wschannel.Options{Protocols: []string{"v2.time", "v1.time"}},
			Origins: []string{"https://*.example.com"},
		})
		if err != nil {
			return // the request has been answered
		}
		defer ch.Close()
		ch.SendText(context.Background(), "half past eight in "+ch.Protocol())
	}))
	defer stop()

	ctx := context.Background()
	ch, err := wschannel.Connect(ctx, url, &wschannel.Options{Protocols: []string{"v1.time"}})
	if err != nil {
		log.Fatal(err)
	}
	defer ch.Close()
	m, err := ch.Receive(ctx)
	fmt.Println(string(m.Data), err)
	// Output: half past eight in v1.time <nil>
}

// Messages receives until the channel ends. A clean end just ends the loop, any
// other error comes as the last element.
func ExampleChannel_Messages() {
	url, stop := startServer(&wschannel.Server{
		Handler: func(ctx context.Context, ch *wschannel.Channel) {
			for _, word := range strings.Fields("three short words") {
				ch.SendText(ctx, word)
			}
			ch.CloseWith(status.GoingAway, "that was all")
		},
	})
	defer stop()

	ctx := context.Background()
	ch, err := wschannel.Connect(ctx, url, nil)
	if err != nil {
		log.Fatal(err)
	}
	for m, err := range ch.Messages(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(m.Data))
	}
	fmt.Println(ch.Err())
	// Output:
	// three
	// short
	// words
	// wschannel: closed by the peer: 1001 going away: "that was all"
}

// A receive that takes too long harms nothing: the next one goes on.
func ExampleChannel_Receive_timeout() {
	url, stop := startServer(echoServer)
	defer stop()
	ctx := context.Background()
	ch, err := wschannel.Connect(ctx, url, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer ch.Close()

	soon, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	_, err = ch.Receive(soon)
	fmt.Println(err)

	ch.SendText(ctx, "still here?")
	m, err := ch.Receive(ctx)
	fmt.Println(string(m.Data), err)
	// Output:
	// context deadline exceeded
	// still here? <nil>
}

// Listen calls a function for each message, and another one at the end.
func ExampleChannel_Listen() {
	url, stop := startServer(echoServer)
	defer stop()
	ctx := context.Background()
	ch, err := wschannel.Connect(ctx, url, nil)
	if err != nil {
		log.Fatal(err)
	}

	ended := make(chan struct{})
	ch.Listen(func(m wschannel.Message) {
		fmt.Println(string(m.Data))
		if string(m.Data) == "two" {
			ch.Close()
		}
	}, func(err error) {
		fmt.Println(err)
		close(ended)
	})

	ch.SendText(ctx, "one")
	ch.SendText(ctx, "two")
	<-ended
	// Output:
	// one
	// two
	// wschannel: closed: 1000 normal closure
}

// NextWriter and NextReader stream messages that are too long for memory.
func ExampleChannel_NextReader() {
	count := &wschannel.Server{
		Handler: func(ctx context.Context, ch *wschannel.Channel) {
			_, r, err := ch.NextReader(ctx)
			if err != nil {
				return
			}
			n, err := io.Copy(io.Discard, r)
			ch.SendText(ctx, fmt.Sprintln(n, "bytes,", err))
		},
	}
	url, stop := startServer(count)
	defer stop()
	ctx := context.Background()
	ch, err := wschannel.Connect(ctx, url, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer ch.Close()

	w, err := ch.NextWriter(ctx, wschannel.Binary)
	if err != nil {
		log.Fatal(err)
	}
	for range 3 {
		w.Write(make([]byte, 1<<20))
	}
	if err := w.Close(); err != nil { // the message ends here
		log.Fatal(err)
	}
	m, _ := ch.Receive(ctx)
	fmt.Print(string(m.Data))
	// Output: 3145728 bytes, <nil>
}

// New speaks the protocol over any stream: here a pipe, without a handshake.
func ExampleNew() {
	one, other := net.Pipe()
	client := wschannel.New(one, wschannel.RoleClient, nil)
	server := wschannel.New(other, wschannel.RoleServer, nil)

	ctx := context.Background()
	var sending sync.WaitGroup
	sending.Go(func() {
		client.SendText(ctx, "through the pipe")
		client.Close()
	})
	for m := range server.Messages(ctx) {
		fmt.Println(string(m.Data))
	}
	sending.Wait()
	fmt.Println(server.CloseCode())
	// Output:
	// through the pipe
	// 1000 normal closure
}

// A Dialer has what only native platforms have, and returns the server's
// response too.
func ExampleDialer() {
	url, stop := startServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ch, err := wschannel.Accept(w, r, &wschannel.AcceptOptions{
			Header: http.Header{"X-Room": {"blue"}},
		})
		if err != nil {
			return
		}
		defer ch.Close()
		ch.SendText(context.Background(), "your token is "+r.Header.Get("Authorization"))
	}))
	defer stop()

	d := wschannel.Dialer{
		Options:    wschannel.Options{MessageLimit: 64 << 10, HandshakeTimeout: time.Minute},
		Header:     http.Header{"Authorization": {"Bearer 1234"}},
		HTTPClient: &http.Client{Timeout: time.Minute}, // cookies, redirects
	}
	ctx := context.Background()
	ch, resp, err := d.Connect(ctx, url)
	if err != nil {
		log.Fatal(err)
	}
	defer ch.Close()
	m, _ := ch.Receive(ctx)
	fmt.Println(string(m.Data))
	fmt.Println("the room is", resp.Header.Get("X-Room"))
	// Output:
	// your token is Bearer 1234
	// the room is blue
}

// A server that goes down in good order: first the channels, for Shutdown of
// http.Server knows nothing about them, then the rest.
func ExampleServer_Shutdown() {
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		log.Fatal(err)
	}
	channels := &wschannel.Server{Handler: func(ctx context.Context, ch *wschannel.Channel) {
		ch.SendText(ctx, "welcome")
		<-ctx.Done() // the channel is over
		fmt.Println("server:", ch.Err())
	}}
	server := &http.Server{Handler: channels, ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(listener)

	ctx := context.Background()
	ch, err := wschannel.Connect(ctx, "ws://"+listener.Addr().String(), nil)
	if err != nil {
		log.Fatal(err)
	}
	m, _ := ch.Receive(ctx)
	fmt.Println("client:", string(m.Data))

	// This is what to do on SIGTERM: see signal.NotifyContext.
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := channels.Shutdown(ctx); err != nil {
		log.Print(err) // some had to be hung up
	}
	if err := server.Shutdown(ctx); err != nil {
		log.Print(err)
	}

	<-ch.Done()
	fmt.Println("client:", ch.Err())
	// Output:
	// client: welcome
	// server: wschannel: closed: 1001 going away
	// client: wschannel: closed by the peer: 1001 going away
}

// Compression has to be wanted by both sides.
func ExampleCompression() {
	compression := wschannel.Compression{Mode: wschannel.CompressionContext}
	url, stop := startServer(&wschannel.Server{
		AcceptOptions: wschannel.AcceptOptions{Compression: compression},
		Handler: func(ctx context.Context, ch *wschannel.Channel) {
			ch.SendText(ctx, strings.Repeat("the same once more, ", 50))
		},
	})
	defer stop()

	ctx := context.Background()
	ch, _, err := wschannel.Dialer{Compression: compression}.Connect(ctx, url)
	if err != nil {
		log.Fatal(err)
	}
	defer ch.Close()
	m, err := ch.Receive(ctx)
	fmt.Println(ch.Compression().Mode, len(m.Data), err)
	// Output: context 1000 <nil>
}

// Prepare checks and compresses a message once for all the channels that it is
// sent to.
func ExamplePrepare() {
	news, err := wschannel.Prepare(wschannel.Message{Type: wschannel.Text, Data: []byte("for all of you")})
	if err != nil {
		log.Fatal(err)
	}
	url, stop := startServer(&wschannel.Server{
		Handler: func(ctx context.Context, ch *wschannel.Channel) {
			ch.SendPrepared(ctx, news)
		},
	})
	defer stop()

	ctx := context.Background()
	for range 2 {
		ch, err := wschannel.Connect(ctx, url, nil)
		if err != nil {
			log.Fatal(err)
		}
		defer ch.Close()
		m, err := ch.Receive(ctx)
		fmt.Println(string(m.Data), err)
	}
	// Output:
	// for all of you <nil>
	// for all of you <nil>
}
