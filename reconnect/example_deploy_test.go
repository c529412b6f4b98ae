//go:build !js

package reconnect_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/reconnect"
)

// run serves channels until ctx is done, and then stops in good order.
func run(ctx context.Context, l net.Listener, channels *wschannel.Server, grace, patience time.Duration) error {
	mux := http.NewServeMux()
	mux.Handle("/ws", channels)
	mux.HandleFunc("/ready", func(w http.ResponseWriter, r *http.Request) {
		if ctx.Err() != nil {
			http.Error(w, "going away", http.StatusServiceUnavailable)
		}
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}

	// Still accepting, until whoever spreads the load has seen /ready fail.
	<-time.After(grace)
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	err := channels.Shutdown(stopping)
	return errors.Join(err, server.Shutdown(stopping))
}

// A deployment: a new server comes, the old one goes, and a client that
// reconnects is served by the one and then by the other.
func Example_deploy() {
	var current atomic.Value // the address of the server that is ready: a load balancer
	start := func(version string) (stop func() error) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			log.Fatal(err)
		}
		channels := &wschannel.Server{
			MaxAge: time.Hour, // so that the load spreads after a deployment, too
			Handler: func(ctx context.Context, ch *wschannel.Channel) {
				for range ch.Messages(ctx) {
					ch.SendText(ctx, version+" speaking")
				}
			},
		}
		ctx, cancel := context.WithCancel(context.Background()) // signal.NotifyContext in a program
		stopped := make(chan error, 1)
		go func() { stopped <- run(ctx, l, channels, 0, 10*time.Second) }()
		current.Store(l.Addr().String())
		return func() error {
			cancel()
			return <-stopped
		}
	}
	stopFirst := start("v1")

	ctx := context.Background()
	ch := reconnect.New(func(ctx context.Context) (*wschannel.Channel, error) {
		return wschannel.Connect(ctx, "ws://"+current.Load().(string)+"/ws", nil)
	}, &reconnect.Options[*wschannel.Channel, wschannel.Message]{
		BaseDelay: 10 * time.Millisecond,
		OnDoubt: func(d reconnect.Doubt[wschannel.Message]) []wschannel.Message {
			return d.Messages // a question may be asked twice
		},
	})
	defer ch.Close()

	ask := func() {
		if err := ch.Send(ctx, wschannel.Message{Type: wschannel.Text, Data: []byte("who is it?")}); err != nil {
			log.Fatal(err)
		}
		m, err := ch.Receive(ctx)
		fmt.Println(string(m.Data), err)
	}
	ask()
	stopSecond := start("v2")
	fmt.Println("v1 stopped:", stopFirst())
	ask()
	ch.Close()
	fmt.Println("v2 stopped:", stopSecond())
	// Output:
	// v1 speaking <nil>
	// v1 stopped: <nil>
	// v2 speaking <nil>
	// v2 stopped: <nil>
}
