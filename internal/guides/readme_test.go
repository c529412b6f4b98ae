//go:build unix && !darwin

package guides

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/reconnect"
	"github.com/wschannel/wschannel/streamchannel"
)

func TestReceiveGoesOnAfterATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		ch, peer := pair()
		go func() {
			time.Sleep(2 * time.Second)
			peer.SendText(ctx, "at last")
		}()

		short, cancel := context.WithTimeout(ctx, time.Second)
		m, err := ch.Receive(short)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			m, err = ch.Receive(ctx) // goes on where the first one stopped
		}

		if string(m.Data) != "at last" || err != nil {
			t.Errorf("%q %v", m.Data, err)
		}
		ch.CloseNow()
		peer.CloseNow()
	})
}

func Example_end() {
	ch, stop := connected(func(ctx context.Context, ch *wschannel.Channel) {
		ch.SendText(ctx, "the last one")
		ch.CloseWith(4001, "session expired")
	})
	defer stop()
	ctx := context.Background()

	for range 2 {
		m, err := ch.Receive(ctx)
		var end *wschannel.CloseError
		switch {
		case err == nil:
			fmt.Println(m.Type, len(m.Data))
		case errors.Is(err, wschannel.ErrLocalClose):
			// this side has closed
		case errors.As(err, &end):
			fmt.Println(end.Code, end.Reason, end.Cause)
		}
	}
	// Output:
	// text 12
	// 4001 session expired <nil>
}

func Example_listen() {
	ch, down := connected(func(ctx context.Context, ch *wschannel.Channel) {
		ch.SendText(ctx, "hello")
	})
	defer down()

	over := make(chan error, 1)
	ch.Listen(
		func(m wschannel.Message) { fmt.Println(string(m.Data)) },
		func(err error) { over <- err },
	)

	fmt.Println(<-over)
	// Output:
	// hello
	// wschannel: closed by the peer: 1000 normal closure
}

func Example_header() {
	defer host("example.com", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "not with "+r.Header.Get("Authorization"), http.StatusForbidden)
	}))()
	ctx := context.Background()

	d := wschannel.Dialer{
		Options:   wschannel.Options{Protocols: []string{"chat.v2"}},
		Header:    http.Header{"Authorization": {"Bearer 1234"}},
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS13},
	}
	ch, _, err := d.Connect(ctx, "wss://example.com/chat")
	var refused *wschannel.HandshakeError
	if errors.As(err, &refused) {
		fmt.Println(refused.StatusCode, string(refused.Body))
	}

	if ch != nil {
		log.Fatal("there is a channel")
	}
	// Output: 403 not with Bearer 1234
}

func TestReconnect(t *testing.T) {
	defer host("example.com", &wschannel.Server{Handler: func(ctx context.Context, ch *wschannel.Channel) {
		m, err := ch.Receive(ctx)
		if err != nil {
			return
		}
		ch.SendText(ctx, string(m.Data)+" to news")
		ch.CloseWith(1001, "")
	}})()
	ctx := t.Context()

	ch := reconnect.New(
		func(ctx context.Context) (*wschannel.Channel, error) {
			return wschannel.Connect(ctx, "wss://example.com/news", nil) // with a fresh token, if need be
		},
		&reconnect.Options[*wschannel.Channel, wschannel.Message]{
			OnConnect: func(ctx context.Context, link *wschannel.Channel) error {
				return link.SendText(ctx, "subscribe")
			},
			OnDoubt: func(d reconnect.Doubt[wschannel.Message]) []wschannel.Message {
				return d.Messages // to be sent again, as they may arrive twice here
			},
		})
	defer ch.Close()
	m, err := ch.Receive(ctx) // from whatever connection

	for range 2 {
		if string(m.Data) != "subscribe to news" || err != nil {
			t.Fatalf("%q %v", m.Data, err)
		}
		m, err = ch.Receive(ctx)
	}
}

func Example_accept() {
	url, stop := local(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ch, err := wschannel.Accept(w, r, &wschannel.AcceptOptions{Origins: []string{"*.example.com"}})
		if err != nil {
			return // the request has been answered with what was wrong
		}
		defer ch.Close()

		ch.SendText(context.Background(), "welcome")
	}))
	defer stop()
	ctx := context.Background()
	for _, origin := range []string{"https://www.example.com", "https://www.example.net"} {
		ch, _, err := wschannel.Dialer{Header: http.Header{"Origin": {origin}}}.Connect(ctx, url)
		var refused *wschannel.HandshakeError
		if errors.As(err, &refused) {
			fmt.Println(refused.StatusCode)
			continue
		}
		m, err := ch.Receive(ctx)
		fmt.Println(string(m.Data), err)
		ch.Close()
	}
	// Output:
	// welcome <nil>
	// 403
}

func Example_group() {
	ctx := context.Background()
	peer, ch := pair()

	var room wschannel.Group
	room.Join(ch) // it leaves by itself at its end
	err := room.Publish(wschannel.Message{Type: wschannel.Text, Data: []byte("for all of you")})

	fmt.Println(err)
	m, err := peer.Receive(ctx)
	fmt.Println(string(m.Data), err)
	// Output:
	// <nil>
	// for all of you <nil>
}

// stop ends a service in good order.
func stop(ctx context.Context, chat *wschannel.Server, server *http.Server) error {
	return errors.Join(
		chat.Shutdown(ctx),   // every channel is closed with 1001, handlers return
		server.Shutdown(ctx), // which would neither close channels nor wait for them
	)
}

func Example_shutdown() {
	ctx := context.Background()
	chat := &wschannel.Server{Handler: echo.Handler}
	url, down := local(chat)
	defer down()
	ch, err := wschannel.Connect(ctx, url, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(stop(ctx, chat, &http.Server{Handler: chat}))
	_, err = ch.Receive(ctx)
	fmt.Println(err)
	// Output:
	// <nil>
	// wschannel: closed by the peer: 1001 going away
}

func TestPageAndChannelFromOneHost(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("index.html", []byte("<p>"), 0o600); err != nil {
		t.Fatal(err)
	}

	site := http.NewServeMux()
	site.Handle("/", http.FileServer(http.Dir("."))) // index.html, client.wasm, wasm_exec.js
	site.Handle("/ws", &wschannel.Server{Handler: func(ctx context.Context, ch *wschannel.Channel) { /* … */ }})

	server := httptest.NewServer(site)
	defer server.Close()
	page, err := http.Get(server.URL)
	if err != nil || page.StatusCode != http.StatusOK {
		t.Fatal(page, err)
	}
	page.Body.Close()
	d := wschannel.Dialer{Header: http.Header{"Origin": {server.URL}}}
	ch, _, err := d.Connect(t.Context(), server.URL+"/ws")
	if err != nil {
		t.Fatal(err)
	}
	ch.Close()
}

func Example_json() {
	ctx := context.Background()
	ch, stop := connected(echo.Handler)
	defer stop()

	type Move struct{ From, To string }
	moves := streamchannel.JSON[Move, Move](ch.TextChannel(), nil)
	err := moves.Send(ctx, Move{"e2", "e4"})
	m, err := moves.Receive(ctx)

	fmt.Println(strings.ToUpper(m.To), err)
	// Output: E4 <nil>
}
