//go:build !js

package wschannel_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/wschannel/wschannel"
)

// newService returns a server for very many connections that are idle most of the
// time. What each setting is for, and how to see what it does, is in docs/tuning.md.
func newService() *http.Server {
	chat := &wschannel.Server{
		Handler: func(ctx context.Context, c *wschannel.Channel) {
			if tcp, ok := c.Underlying().(*net.TCPConn); ok {
				tcp.SetWriteBuffer(32 << 10) // the most that the system keeps for a slow peer
			}
			c.ListenView(func(v wschannel.View) {
				c.Send(ctx, wschannel.Message(v))
			}, nil)
		},
		AcceptOptions: wschannel.AcceptOptions{Options: wschannel.Options{
			MessageLimit:  64 << 10,
			ReceiveBuffer: 4 << 10,
			PingInterval:  2 * time.Minute,
		}},
	}
	return &http.Server{
		Handler:           chat,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       30 * time.Second,
		MaxHeaderBytes:    8 << 10,
	}
}

// listenQuietly listens at an address such as ":8080".
func listenQuietly(ctx context.Context, address string) (net.Listener, error) {
	listening := net.ListenConfig{KeepAlive: -1} // a channel pings by itself
	return listening.Listen(ctx, "tcp", address)
}

// Very many connections, of which this is the first.
func ExampleServer_veryManyConnections() {
	ctx := context.Background()
	server := newService()
	l, err := listenQuietly(ctx, "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go server.Serve(l)
	defer server.Close()

	c, err := wschannel.Connect(ctx, "ws://"+l.Addr().String(), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if err := c.SendText(ctx, "one of many"); err != nil {
		log.Fatal(err)
	}
	m, err := c.Receive(ctx)
	fmt.Println(string(m.Data), err)
	// Output: one of many <nil>
}
