//go:build !js

package wschannel_test

import (
	"bufio"
	"context"
	"encoding/json"
	"expvar"
	"fmt"
	"log"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"

	"github.com/wschannel/wschannel"
)

// Counters are shared by channels of any number of servers and clients, and
// package expvar shows them at /debug/vars.
func ExampleCounters() {
	counters := new(wschannel.Counters)
	expvar.Publish("websocket", counters)

	greeter := &wschannel.Server{
		Handler: func(ctx context.Context, ch *wschannel.Channel) {
			for m := range ch.Messages(ctx) {
				ch.SendText(ctx, "hello, "+string(m.Data))
			}
		},
		AcceptOptions: wschannel.AcceptOptions{Options: wschannel.Options{Counters: counters}},
	}
	url, stop := startServer(greeter)
	defer stop()

	ctx := context.Background()
	ch, err := wschannel.Connect(ctx, url, nil)
	if err != nil {
		log.Fatal(err)
	}
	ch.SendText(ctx, "Ada")
	ch.Receive(ctx)
	ch.Close()
	http.Get(strings.Replace(url, "ws", "http", 1)) // no handshake
	greeter.Shutdown(ctx)

	var shown wschannel.Counts
	json.Unmarshal([]byte(expvar.Get("websocket").String()), &shown)
	fmt.Println("open:", shown.Open, "ended:", shown.Ended)
	fmt.Println("in:", shown.MessagesIn, "messages,", shown.BytesIn, "bytes")
	fmt.Println("out:", shown.MessagesOut, "messages,", shown.BytesOut, "bytes")
	fmt.Println("failed handshakes:", shown.Failed)
	// Output:
	// open: 0 ended: map[1000 normal closure:1]
	// in: 1 messages, 3 bytes
	// out: 1 messages, 10 bytes
	// failed handshakes: map[426:1]
}

// metrics serves Counters in the text format of Prometheus.
func metrics(counters *wschannel.Counters) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		n := counters.Snapshot()
		metric := func(name, kind string, value int64) {
			fmt.Fprintf(w, "# TYPE %s %s\n%s %d\n", name, kind, name, value)
		}
		metric("websocket_channels", "gauge", n.Open)
		metric("websocket_buffered_bytes", "gauge", n.Buffered)
		metric("websocket_opened_total", "counter", n.Opened)
		metric("websocket_received_messages_total", "counter", n.MessagesIn)
		metric("websocket_received_bytes_total", "counter", n.BytesIn)
		metric("websocket_sent_messages_total", "counter", n.MessagesOut)
		metric("websocket_sent_bytes_total", "counter", n.BytesOut)
		metric("websocket_limited_total", "counter", n.Limited)

		fmt.Fprintln(w, "# TYPE websocket_ended_total counter")
		var others int64 // codes from 3000 on are up to the peers: one series for all
		for _, code := range slices.Sorted(maps.Keys(n.Ended)) {
			if code >= 3000 {
				others += n.Ended[code]
				continue
			}
			fmt.Fprintf(w, "websocket_ended_total{code=\"%d\"} %d\n", code, n.Ended[code])
		}
		fmt.Fprintf(w, "websocket_ended_total{code=\"private\"} %d\n", others)

		fmt.Fprintln(w, "# TYPE websocket_failed_handshakes_total counter")
		for _, status := range slices.Sorted(maps.Keys(n.Failed)) {
			fmt.Fprintf(w, "websocket_failed_handshakes_total{status=\"%d\"} %d\n", status, n.Failed[status])
		}

		fmt.Fprintln(w, "# TYPE websocket_round_trip_seconds histogram")
		for i, bound := range n.RoundTrips.Bounds() {
			fmt.Fprintf(w, "websocket_round_trip_seconds_bucket{le=\"%g\"} %d\n", bound.Seconds(), n.RoundTrips.Within[i])
		}
		fmt.Fprintf(w, "websocket_round_trip_seconds_bucket{le=\"+Inf\"} %d\n", n.RoundTrips.Count)
		fmt.Fprintf(w, "websocket_round_trip_seconds_sum %g\n", n.RoundTrips.Sum.Seconds())
		fmt.Fprintf(w, "websocket_round_trip_seconds_count %d\n", n.RoundTrips.Count)
	}
}

// Prometheus needs no library to be told: Snapshot has what it asks for.
func ExampleCounters_Snapshot() {
	counters := new(wschannel.Counters)
	options := wschannel.Options{Counters: counters}
	server := &wschannel.Server{
		Handler: func(ctx context.Context, ch *wschannel.Channel) {
			ch.SendText(ctx, "welcome")
		},
		AcceptOptions: wschannel.AcceptOptions{Options: options},
	}
	url, stop := startServer(server)
	defer stop()
	ch, err := wschannel.Connect(context.Background(), url, nil)
	if err != nil {
		log.Fatal(err)
	}
	for range ch.Messages(context.Background()) {
	}
	server.Shutdown(context.Background())

	scraped := httptest.NewRecorder()
	metrics(counters)(scraped, nil)
	for lines := bufio.NewScanner(scraped.Body); lines.Scan(); {
		if strings.Contains(lines.Text(), "_sent_") || strings.Contains(lines.Text(), "_ended_") {
			fmt.Println(lines.Text())
		}
	}
	// Output:
	// # TYPE websocket_sent_messages_total counter
	// websocket_sent_messages_total 1
	// # TYPE websocket_sent_bytes_total counter
	// websocket_sent_bytes_total 7
	// # TYPE websocket_ended_total counter
	// websocket_ended_total{code="1000"} 1
	// websocket_ended_total{code="private"} 0
}

// A server logs what happens with package slog: here what an application wants
// to see of it, at the level Debug.
func ExampleServer_logging() {
	shown := []string{slog.LevelKey, slog.MessageKey, "path", "code", "by", "messages", "reason"}
	server := &wschannel.Server{
		Handler: func(ctx context.Context, ch *wschannel.Channel) {
			for range ch.Messages(ctx) {
			}
		},
		Logger: slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
			Level: slog.LevelDebug,
			ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if slices.Contains(shown, a.Key) {
					return a
				}
				return slog.Attr{}
			},
		})),
	}
	url, stop := startServer(server)
	defer stop()

	ctx := context.Background()
	ch, err := wschannel.Connect(ctx, url+"/news", nil)
	if err != nil {
		log.Fatal(err)
	}
	ch.SendText(ctx, "one")
	ch.SendText(ctx, "two")
	ch.CloseWith(4001, "enough")
	server.Shutdown(ctx) // waits for what is still to be logged
	// Output:
	// level=DEBUG msg="wschannel: channel opened" path=/news
	// level=DEBUG msg="wschannel: channel closed" code=4001 by=peer in.messages=2 out.messages=0 reason=enough
}
