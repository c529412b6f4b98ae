// An echo server on wschannel: with a Receive loop, with a
// ReceiveAppend loop, with ListenView, and with Accept in a handler of net/http.
package main

import (
	"context"
	"log"
	"net"
	"net/http"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/bench/internal/serve"
)

func main() {
	serve.Main([]string{"receive", "append", "view", "accept"}, start)
}

var group wschannel.Group

func start(l net.Listener, o serve.Options) {
	options := wschannel.AcceptOptions{Options: wschannel.Options{MessageLimit: serve.MessageLimit}}
	if o.Deflate {
		options.Compression.Mode = wschannel.CompressionStateless
	}
	if o.Mode == "accept" {
		serve.HTTP(l, func(w http.ResponseWriter, r *http.Request) {
			c, err := wschannel.Accept(w, r, &options)
			if err != nil {
				return
			}
			defer c.Close()
			receive(context.Background(), c)
		}, http.NotFound)
		return
	}
	handlers := map[string]func(context.Context, *wschannel.Channel){"receive": receive, "append": receiveAppend, "view": view}
	broadcasts := map[string]func(context.Context, *wschannel.Channel){"receive": broadcast, "append": broadcast, "view": broadcastView}
	echo := &wschannel.Server{Handler: handlers[o.Mode], AcceptOptions: options}
	broadcast := &wschannel.Server{Handler: broadcasts[o.Mode], AcceptOptions: options}
	serve.HTTP(l, echo.ServeHTTP, broadcast.ServeHTTP)
}

func receive(ctx context.Context, c *wschannel.Channel) {
	for {
		m, err := c.Receive(ctx)
		if err != nil {
			return
		}
		if err := c.Send(ctx, m); err != nil {
			return
		}
	}
}

func receiveAppend(ctx context.Context, c *wschannel.Channel) {
	var buf []byte
	for {
		t, data, err := c.ReceiveAppend(ctx, buf[:0])
		if err != nil {
			return
		}
		if err := c.Send(ctx, wschannel.Message{Type: t, Data: data}); err != nil {
			return
		}
		buf = data
	}
}

func view(ctx context.Context, c *wschannel.Channel) {
	c.ListenView(func(v wschannel.View) {
		if err := c.Send(ctx, wschannel.Message(v)); err != nil {
			log.Print(err)
		}
	}, nil)
}

func broadcast(ctx context.Context, c *wschannel.Channel) {
	group.Join(c)
	for m, err := range c.Messages(ctx) {
		if err != nil {
			return
		}
		publish(m)
	}
}

func broadcastView(ctx context.Context, c *wschannel.Channel) {
	group.Join(c)
	c.ListenView(func(v wschannel.View) { publish(wschannel.Message(v)) }, nil)
}

func publish(m wschannel.Message) {
	if err := group.Publish(m); err != nil {
		log.Print(err)
	}
}
