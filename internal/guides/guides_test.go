//go:build unix && !darwin

package guides

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/reconnect"
)

// What docs/browser-auth.md has for pages, with hosts that are servers here.

func TestPageBringsATicket(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /ticket", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "t1ck3t") })
	mux.Handle("/ws", echo)
	defer host("example.com", mux)()

	ticket := func(ctx context.Context) (string, error) {
		req, err := http.NewRequestWithContext(ctx, "POST", "https://example.com/ticket", nil) // fetch, in a browser
		if err != nil {
			return "", err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return string(b), err
	}
	chat := reconnect.New(
		func(ctx context.Context) (*wschannel.Channel, error) {
			return wschannel.Connect(ctx, "wss://example.com/ws", nil)
		},
		&reconnect.Options[*wschannel.Channel, wschannel.Message]{
			OnConnect: func(ctx context.Context, link *wschannel.Channel) error {
				t, err := ticket(ctx)
				if err != nil {
					return err
				}
				return link.SendText(ctx, t)
			},
		})
	defer chat.Close()

	if m, err := chat.Receive(t.Context()); string(m.Data) != "t1ck3t" || err != nil {
		t.Errorf("%q %v", m.Data, err)
	}
}

func Example_tokenAsProtocol() {
	server := &wschannel.Server{
		Handler:       func(ctx context.Context, ch *wschannel.Channel) {},
		AcceptOptions: wschannel.AcceptOptions{Options: wschannel.Options{Protocols: []string{"chat.v1"}}},
	}
	defer host("example.com", server)()
	ctx := context.Background()

	ch, err := wschannel.Connect(ctx, "wss://example.com/ws", &wschannel.Options{
		Protocols: []string{"chat.v1", "token." + "dGhlIHRva2Vu"},
	})

	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ch.Protocol())
	// Output: chat.v1
}

// What docs/deploys.md has beside the deployment, which is in package reconnect.

func TestSignal(t *testing.T) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
}

// shutdown stops a server, and says so if that has cost anybody something.
func shutdown(ctx context.Context, channels *wschannel.Server) {
	err := channels.Shutdown(ctx)
	if cut, ok := errors.AsType[*wschannel.ShutdownError](err); ok {
		slog.Warn("clients were cut off", "channels", cut.Cut, "running", cut.Running)
	}
}

func TestShutdownTooShort(t *testing.T) {
	var logged strings.Builder
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&logged, nil)))
	defer slog.SetDefault(before)
	begun, release := make(chan bool), make(chan bool)
	channels := &wschannel.Server{Handler: func(ctx context.Context, ch *wschannel.Channel) {
		close(begun)
		<-release // a handler that heeds no ctx
	}}
	url, stop := local(channels)
	defer stop()
	ch, err := wschannel.Connect(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ch.CloseNow()
	<-begun
	done, cancel := context.WithCancel(t.Context())
	cancel()
	shutdown(done, channels)
	close(release)
	if !strings.Contains(logged.String(), `msg="clients were cut off" channels=1 running=1`) {
		t.Error(logged.String())
	}
}

func Example_limits() {
	channels := &wschannel.Server{
		Handler:       func(ctx context.Context, ch *wschannel.Channel) { /* … */ },
		MaxAge:        4 * time.Hour,
		MaxChannels:   50_000, // more are sent elsewhere, with 503
		MaxHandshakes: 500,    // of those that come back at once
	}

	url, stop := local(channels)
	defer stop()
	ch, err := wschannel.Connect(context.Background(), url, nil)
	fmt.Println(ch != nil, err)
	// Output: true <nil>
}

func Example_since() {
	defer host("example.com", echo)()

	dial := func(ctx context.Context) (*wschannel.Channel, error) {
		return wschannel.Connect(ctx, "wss://example.com/ws", nil)
	}
	var last atomic.Int64 // the number of the last piece of news that was received
	news := reconnect.New(dial, &reconnect.Options[*wschannel.Channel, wschannel.Message]{
		OnConnect: func(ctx context.Context, link *wschannel.Channel) error {
			return link.SendText(ctx, fmt.Sprintf(`{"since": %d}`, last.Load()))
		},
		OnDoubt: func(d reconnect.Doubt[wschannel.Message]) []wschannel.Message {
			return d.Messages // if the server can tell that it has them already
		},
	})
	defer news.Close()

	m, err := news.Receive(context.Background())
	fmt.Println(string(m.Data), err)
	// Output: {"since": 0} <nil>
}

// What docs/observing.md has beside what is in the root.

func Example_log() {
	server := &wschannel.Server{
		Handler: func(ctx context.Context, ch *wschannel.Channel) { /* … */ },
		Logger:  slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}

	url, stop := local(server)
	defer stop()
	ch, err := wschannel.Connect(context.Background(), url, nil)
	if err == nil {
		_, err = ch.Receive(context.Background())
	}
	fmt.Println(err)
	// Output: wschannel: closed by the peer: 1000 normal closure
}

// What docs/tuning.md has beside what is in the root.

func Example_writeBuffer() {
	ch, stop := connected(echo.Handler)
	defer stop()

	if tcp, ok := ch.Underlying().(*net.TCPConn); ok { // over TLS: of its NetConn
		tcp.SetWriteBuffer(32 << 10)
	}

	fmt.Println(ch.Err())
	// Output: <nil>
}
