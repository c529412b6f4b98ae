//go:build !js

package reconnect_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/reconnect"
	"github.com/wschannel/wschannel/status"
)

// newNewspaper is a server that tells each subscriber one piece of news and goes
// away.
func newNewspaper() *httptest.Server {
	var pieces atomic.Int32
	return httptest.NewServer(&wschannel.Server{Handler: func(ctx context.Context, ch *wschannel.Channel) {
		subscription, err := ch.Receive(ctx)
		if err != nil {
			return
		}
		ch.SendText(ctx, fmt.Sprintf("news %d about %s", pieces.Add(1), subscription.Data))
		ch.CloseWith(status.GoingAway, "restarting")
	}})
}

func Example() {
	server := newNewspaper()
	defer server.Close()
	ctx := context.Background()

	ch := reconnect.New(
		func(ctx context.Context) (*wschannel.Channel, error) {
			return wschannel.Connect(ctx, server.URL, nil)
		},
		&reconnect.Options[*wschannel.Channel, wschannel.Message]{
			BaseDelay: 10 * time.Millisecond,
			OnConnect: func(ctx context.Context, link *wschannel.Channel) error {
				return link.SendText(ctx, "gophers") // on every link, before anything else
			},
		})
	defer ch.Close()

	for range 3 {
		m, err := ch.Receive(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(m.Data))
	}
	// Output:
	// news 1 about gophers
	// news 2 about gophers
	// news 3 about gophers
}

// A user interface shows what a channel is doing.
func ExampleChannel_States() {
	refuse := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "no such room", http.StatusNotFound)
	})
	server := httptest.NewServer(refuse)
	defer server.Close()

	ch := reconnect.New(func(ctx context.Context) (*wschannel.Channel, error) {
		return wschannel.Connect(ctx, server.URL, nil)
	}, nil)
	defer ch.Close()

	for s := range ch.States(context.Background()) {
		switch s.Phase {
		case reconnect.Waiting:
			fmt.Printf("offline, next attempt in %v\n", time.Until(s.Until).Round(time.Second))
		case reconnect.Closed:
			fmt.Println(s.Err)
		}
	}
	// Output:
	// reconnect: gave up after 1 attempt: handshake failed with status 404: the server must answer with status 101; it said "no such room"
}

// Readings that may arrive twice, as the server knows them by their time, are
// simply sent again after a link has broken under them. While there is no link
// the latest ones count.
func ExampleOptions() {
	send := func(ctx context.Context, readings <-chan []byte) error {
		ch := reconnect.New(
			func(ctx context.Context) (*wschannel.Channel, error) {
				return wschannel.Connect(ctx, "wss://example.com/readings", nil)
			},
			&reconnect.Options[*wschannel.Channel, wschannel.Message]{
				QueueLimit: 1000,
				WhenFull:   reconnect.DropOldest,
				OnDrop: func(m wschannel.Message, why error) {
					log.Printf("dropped %s: %v", m.Data, why)
				},
				OnDoubt: func(d reconnect.Doubt[wschannel.Message]) []wschannel.Message {
					log.Printf("sending %d readings again after: %v", len(d.Messages), d.Err)
					return d.Messages
				},
			})
		defer ch.Close()
		for r := range readings {
			if err := ch.Send(ctx, wschannel.Message{Type: wschannel.Binary, Data: r}); err != nil {
				return err
			}
		}
		return ch.Close() // which brings out what is queued
	}
	_ = send
}
