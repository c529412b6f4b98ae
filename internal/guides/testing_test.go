//go:build unix && !darwin

package guides

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
	"github.com/wschannel/wschannel/streamchannel"
	"github.com/wschannel/wschannel/streamchannel/channeltest"
)

// greet says hello to whoever says a name in time.
func greet(ctx context.Context, ch *wschannel.Channel) {
	short, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	name, err := ch.Receive(short)
	if err != nil {
		ch.CloseWith(status.PolicyViolation, "who are you?")
		return
	}
	ch.SendText(ctx, "hello, "+string(name.Data))
}

func TestGreetOverTheNetwork(t *testing.T) {
	server := httptest.NewServer(&wschannel.Server{Handler: greet})
	defer server.Close()

	ch, err := wschannel.Connect(t.Context(), server.URL, nil) // http:// is taken as ws://
	if err != nil {
		t.Fatal(err)
	}
	defer ch.Close()
	if err := ch.SendText(t.Context(), "Ada"); err != nil {
		t.Fatal(err)
	}
	m, err := ch.Receive(t.Context())
	if err != nil || string(m.Data) != "hello, Ada" {
		t.Errorf("got %q, %v", m.Data, err)
	}
	if _, err := ch.Receive(t.Context()); ch.CloseCode() != status.NormalClosure {
		t.Errorf("the end is %v", err)
	}
}

func TestGreetOverTLS(t *testing.T) {
	server := httptest.NewTLSServer(&wschannel.Server{Handler: greet})
	defer server.Close()

	d := wschannel.Dialer{HTTPClient: server.Client()} // which trusts the server
	ch, _, err := d.Connect(t.Context(), server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer ch.Close()

	ch.SendText(t.Context(), "Ada")
	if m, err := ch.Receive(t.Context()); string(m.Data) != "hello, Ada" {
		t.Error(err)
	}
}

func TestGreetInMemory(t *testing.T) {
	a, b := net.Pipe()
	client := wschannel.New(a, wschannel.RoleClient, nil)
	server := wschannel.New(b, wschannel.RoleServer, nil)
	defer client.CloseNow()
	go func() {
		defer server.Close() // as a Server does
		greet(t.Context(), server)
	}()

	client.SendText(t.Context(), "Ada")
	m, err := client.Receive(t.Context())
	if err != nil || string(m.Data) != "hello, Ada" {
		t.Errorf("got %q, %v", m.Data, err)
	}
}

func TestGreetLosesPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		client := wschannel.New(a, wschannel.RoleClient, nil)
		server := wschannel.New(b, wschannel.RoleServer, nil)
		go greet(t.Context(), server)

		began := time.Now()
		_, err := client.Receive(t.Context()) // says nothing
		if client.CloseCode() != status.PolicyViolation || time.Since(began) != 10*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		synctest.Wait() // until the handler has returned
	})
}

func TestPeerVanishes(t *testing.T) {
	a, b := net.Pipe()
	server := wschannel.New(b, wschannel.RoleServer, nil)

	a.Close() // no close frame, as if the cable was cut
	_, err := server.Receive(t.Context())
	var end *wschannel.CloseError
	if !errors.As(err, &end) || end.Code != status.AbnormalClosure {
		t.Errorf("the end is %v", err)
	}
}

// silent serves without a word in the log.
func silent(handler func(context.Context, *wschannel.Channel)) *wschannel.Server {
	return &wschannel.Server{Handler: handler, Logger: slog.New(slog.DiscardHandler)}
}

func TestForeignPage(t *testing.T) {
	server := httptest.NewServer(silent(greet))
	defer server.Close()

	d := wschannel.Dialer{Header: http.Header{"Origin": {"https://evil.example"}}}
	_, _, err := d.Connect(t.Context(), server.URL)
	var refused *wschannel.HandshakeError
	if !errors.As(err, &refused) || refused.StatusCode != http.StatusForbidden {
		t.Errorf("a foreign page may connect: %v", err)
	}
}

// shout answers each text in capitals. It does not know what a WebSocket is.
func shout(ctx context.Context, ch streamchannel.Channel[string, string]) error {
	for s, err := range streamchannel.Messages(ctx, ch) {
		if err != nil {
			return err
		}
		if err := ch.Send(ctx, strings.ToUpper(s)); err != nil {
			return err
		}
	}
	return nil
}

func TestShout(t *testing.T) {
	near, far := streamchannel.Pair[string, string](1)
	go shout(t.Context(), far) // in a Server: shout(ctx, ch.TextChannel())

	near.Send(t.Context(), "hello")
	if s, err := near.Receive(t.Context()); s != "HELLO" {
		t.Errorf("got %q, %v", s, err)
	}
}

func TestContract(t *testing.T) {
	channeltest.RunInBubble(t, func(*testing.T) (near, far channeltest.Channel) {
		return streamchannel.Pair[[]byte, []byte](1) // or two ends of your own
	})
}

// brief hides what a ResponseWriter can do besides writing, as middleware does
// that counts or compresses responses.
type brief struct{ http.ResponseWriter }

// Unwrap lets http.ResponseController find what is behind it.
func (b brief) Unwrap() http.ResponseWriter { return b.ResponseWriter }

func TestMiddlewareUnwraps(t *testing.T) {
	wrapped := func(wrap func(http.ResponseWriter) http.ResponseWriter) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			silent(greet).ServeHTTP(wrap(w), r)
		})
	}
	for _, test := range []struct {
		name    string
		handler http.Handler
		want    int
	}{
		{"with Unwrap", wrapped(func(w http.ResponseWriter) http.ResponseWriter { return brief{w} }), 0},
		{"without", wrapped(func(w http.ResponseWriter) http.ResponseWriter { return struct{ http.ResponseWriter }{w} }), 500},
		{"TimeoutHandler", http.TimeoutHandler(silent(greet), time.Minute, ""), 500},
	} {
		url, stop := local(test.handler)
		ch, err := wschannel.Connect(t.Context(), url, nil)
		var refused *wschannel.HandshakeError
		switch {
		case err == nil && test.want == 0:
			ch.CloseNow()
		case !errors.As(err, &refused) || refused.StatusCode != test.want:
			t.Errorf("%s: %v", test.name, err)
		}
		stop()
	}
}
