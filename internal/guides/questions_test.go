//go:build unix && !darwin

package guides

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

func Example_origins() {
	chat := &wschannel.Server{
		Handler: func(ctx context.Context, ch *wschannel.Channel) { /* … */ },
		AcceptOptions: wschannel.AcceptOptions{
			Origins: []string{"https://app.example.com", "localhost:*"}, // "*" for everybody, if no cookie counts
		},
	}

	url, stop := local(chat)
	defer stop()
	for _, origin := range []string{"https://app.example.com", "http://localhost:5173", "https://example.com"} {
		ch, _, err := wschannel.Dialer{Header: http.Header{"Origin": {origin}}}.Connect(context.Background(), url)
		fmt.Println(origin, err == nil)
		if err == nil {
			ch.Close()
		}
	}
	// Output:
	// https://app.example.com true
	// http://localhost:5173 true
	// https://example.com false
}

func Example_request() {
	type roomKey struct{}
	chat := &wschannel.Server{
		Upgrade: func(r *http.Request) (context.Context, error) {
			return context.WithValue(r.Context(), roomKey{}, r.PathValue("room")), nil
		},
		Handler: func(ctx context.Context, ch *wschannel.Channel) {
			ch.SendText(ctx, fmt.Sprint("this is the ", ctx.Value(roomKey{})))
		},
	}
	mux := http.NewServeMux()
	mux.Handle("/rooms/{room}", chat)

	url, stop := local(mux)
	defer stop()
	ctx := context.Background()
	ch, err := wschannel.Connect(ctx, url+"/rooms/cellar", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer ch.Close()
	m, err := ch.Receive(ctx)
	fmt.Println(string(m.Data), err)
	// Output: this is the cellar <nil>
}

// What docs/questions.md says about Listen and functions that return.
func TestListenOutlivesTheHandler(t *testing.T) {
	echoing := func(ch *wschannel.Channel) (stop func()) {
		return ch.Listen(func(m wschannel.Message) { ch.Send(context.Background(), m) }, nil)
	}
	accepting := func(w http.ResponseWriter, r *http.Request) {
		if ch, err := wschannel.Accept(w, r, nil); err == nil {
			echoing(ch)
		}
	}
	for _, test := range []struct {
		name    string
		handler http.Handler
		lives   bool
	}{
		{"Server", silent(func(_ context.Context, ch *wschannel.Channel) { echoing(ch) }), true},
		{"Server, stopped", silent(func(_ context.Context, ch *wschannel.Channel) { defer echoing(ch)() }), false},
		{"Accept", http.HandlerFunc(accepting), true},
	} {
		url, stop := local(test.handler)
		ch, err := wschannel.Connect(t.Context(), url, nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			ch.SendText(t.Context(), "there?")
		}
		var m wschannel.Message
		for range 2 {
			if m, err = ch.Receive(t.Context()); err != nil {
				break
			}
		}
		if lives := err == nil && string(m.Data) == "there?"; lives != test.lives {
			t.Errorf("%s: %q, %v", test.name, m.Data, err)
		}
		ch.CloseNow()
		stop()
	}
}

func Example_throwAway() {
	ch, stop := connected(func(ctx context.Context, ch *wschannel.Channel) {
		ch.SendText(ctx, "of no interest")
	})
	defer stop()
	ctx := context.Background()

	for range ch.Messages(ctx) {
		// thrown away
	}

	fmt.Println(ch.Err())
	// Output: wschannel: closed by the peer: 1000 normal closure
}

func Example_longMessages() {
	defer host("example.com", &wschannel.Server{Handler: func(ctx context.Context, ch *wschannel.Channel) {
		ch.SendBinary(ctx, make([]byte, 2<<20))
	}})()
	ctx := context.Background()

	options := &wschannel.Options{MessageLimit: 16 << 20} // -1 for no limit at all
	ch, err := wschannel.Connect(ctx, "wss://example.com/chat", options)

	if err != nil {
		log.Fatal(err)
	}
	defer ch.Close()
	m, err := ch.Receive(ctx)
	fmt.Println(len(m.Data), err)
	// Output: 2097152 <nil>
}

func Example_ping() {
	ch, stop := connected(echo.Handler)
	defer stop()
	ctx := context.Background()

	roundTrip, err := ch.Ping(ctx)

	fmt.Println(roundTrip > 0, err)
	// Output: true <nil>
}

func TestBadEnd(t *testing.T) {
	var logged strings.Builder
	log.SetOutput(&logged)
	defer log.SetOutput(os.Stderr)
	ctx := t.Context()
	for _, code := range []status.Code{status.NormalClosure, 4001} {
		ch, stop := connected(func(_ context.Context, ch *wschannel.Channel) { ch.CloseWith(code, "") })

		_, err := ch.Receive(ctx)
		var end *wschannel.CloseError
		if errors.As(err, &end) && !end.Clean() {
			log.Print(end) // lost, or the peer has complained
		}

		stop()
	}
	if got := logged.String(); !strings.HasSuffix(got, "wschannel: closed by the peer: 4001\n") || strings.Count(got, "\n") != 1 {
		t.Errorf("logged %q", got)
	}
}

// The texts of errors in docs/questions.md are those that the library has.
func TestErrorsOfTheTable(t *testing.T) {
	doc, err := os.ReadFile("../../docs/questions.md")
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	connect := func(handler http.Handler) error {
		url, stop := local(handler)
		defer stop()
		ch, err := wschannel.Connect(ctx, url, nil)
		if err == nil {
			ch.CloseNow()
		}
		return err
	}
	received := func(handler func(context.Context, *wschannel.Channel), o *wschannel.Options) error {
		url, stop := local(silent(handler))
		defer stop()
		ch, err := wschannel.Connect(ctx, url, o)
		if err != nil {
			return err
		}
		defer ch.CloseNow()
		_, err = ch.Receive(ctx)
		return err
	}
	closing := func(code status.Code) error {
		return received(func(_ context.Context, ch *wschannel.Channel) { ch.CloseWith(code, "") }, nil)
	}
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	tests := map[string]func() error{
		"the URL has no scheme; expected ws:// or wss://": func() error { _, err := wschannel.Connect(ctx, "localhost:8080", nil); return err },
		"not done within": func() error {
			deaf := listen()
			defer deaf.Close()
			_, err := wschannel.Connect(ctx, "ws://"+deaf.Addr().String(), &wschannel.Options{HandshakeTimeout: 10 * time.Millisecond})
			return err
		},
		"connection refused": func() error {
			gone := listen()
			gone.Close()
			_, err := wschannel.Connect(ctx, "ws://"+gone.Addr().String(), nil)
			return err
		},
		"EOF": func() error {
			return connect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }))
		},
		"status 404":              func() error { return connect(http.NotFoundHandler()) },
		"status 301":              func() error { return connect(http.RedirectHandler("/there", http.StatusMovedPermanently)) },
		"the server redirects to": func() error { return connect(http.RedirectHandler("/there", http.StatusMovedPermanently)) },
		"status 200":              func() error { return connect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})) },
		"status 500":              func() error { return connect(silent(nil)) },
		"the server is not set up for this request": func() error { return connect(silent(nil)) },
		"status 403": func() error {
			url, stop := local(echo)
			defer stop()
			_, _, err := wschannel.Dialer{Header: http.Header{"Origin": {"null"}}}.Connect(ctx, url)
			return err
		},
		"status 426": func() error {
			_, err := wschannel.Accept(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil), nil)
			return err
		},
		"status 503": func() error { s := silent(echo.Handler); s.Shutdown(ctx); return connect(s) },
		"another receiver is active": func() error {
			ch, stop := connected(echo.Handler)
			defer stop()
			defer ch.Listen(nil, nil)()
			_, err := ch.Receive(ctx)
			return err
		},
		"closed: 1000": func() error {
			ch, stop := connected(echo.Handler)
			defer stop()
			ch.Close()
			return ch.SendText(ctx, "")
		},
		"closed by the peer: 1001": func() error { return closing(status.GoingAway) },
		"closed by the peer: 1013": func() error { return closing(status.TryAgainLater) },
		"closed by the peer: 1009": func() error {
			ch, stop := connected(echo.Handler)
			defer stop()
			ch.SendBinary(ctx, make([]byte, 1<<20+1))
			_, err := ch.Receive(ctx)
			return err
		},
		"closed: 1009": func() error {
			return received(func(ctx context.Context, ch *wschannel.Channel) { ch.SendText(ctx, "long") }, &wschannel.Options{MessageLimit: 3})
		},
		"closed by the peer: 1011": func() error {
			return received(func(context.Context, *wschannel.Channel) { panic("a mistake") }, nil)
		},
		"closed: 1002": func() error {
			a, b := net.Pipe()
			one, other := wschannel.New(a, wschannel.RoleClient, nil), wschannel.New(b, wschannel.RoleClient, nil)
			defer one.CloseNow()
			go one.SendText(ctx, "in the same role")
			_, err := other.Receive(ctx)
			return err
		},
		"connection lost": func() error {
			return received(func(_ context.Context, ch *wschannel.Channel) { ch.CloseNow() }, nil)
		},
		"connection lost: unexpected EOF": func() error {
			client, server := pair()
			server.CloseNow()
			_, err := client.Receive(ctx)
			return err
		},
		"the message was dropped by a later receive": func() error {
			ch, stop := connected(echo.Handler)
			defer stop()
			ch.SendText(ctx, "one")
			ch.SendText(ctx, "two")
			_, r, _ := ch.NextReader(ctx)
			ch.Receive(ctx)
			_, err := io.ReadAll(r)
			return err
		},
		"context deadline exceeded": func() error {
			ch, stop := connected(echo.Handler)
			defer stop()
			ch.NextWriter(ctx, wschannel.Text)
			short, cancel := context.WithTimeout(ctx, time.Millisecond)
			defer cancel()
			return ch.SendText(short, "behind it")
		},
	}
	_, table, _ := strings.Cut(string(doc), "## What does this error mean?")
	for text, provoke := range tests {
		if err := provoke(); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: the error is %v", text, err)
		}
		if !strings.Contains(table, "`"+text) {
			t.Errorf("%s: it is not in the table", text)
		}
	}
	for i, text := range strings.Split(table, "`") {
		if first, _, _ := strings.Cut(text, " "); i%2 == 1 && tests[text] == nil && (first == "status" || first == "closed" || first == "connection") {
			t.Errorf("%s: nothing provokes it", text)
		}
	}
}
