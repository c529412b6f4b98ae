// An echo server on wschannel: with a Receive loop, and with ListenView.
package main

import (
	"context"
	"log"
	"net"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/bench/internal/serve"
)

func main() {
	serve.Main([]string{"receive", "view"}, start)
}

var members serve.Members[*wschannel.Channel]

func start(l net.Listener, o serve.Options) {
	handlers := map[string]func(context.Context, *wschannel.Channel){"receive": receive, "view": view}
	options := wschannel.AcceptOptions{Options: wschannel.Options{MessageLimit: serve.MessageLimit}}
	if o.Deflate {
		options.Compression.Mode = wschannel.CompressionStateless
	}
	echo := &wschannel.Server{Handler: handlers[o.Mode], AcceptOptions: options}
	broadcast := &wschannel.Server{Handler: broadcast, AcceptOptions: options}
	serve.HTTP(l, echo.ServeHTTP, broadcast.ServeHTTP)
}

func receive(ctx context.Context, c *wschannel.Channel) {
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
	members.Join(c)
	defer members.Leave(c)
	for m, err := range c.Messages(ctx) {
		if err != nil {
			return
		}
		p, err := wschannel.Prepare(m)
		if err != nil {
			return
		}
		members.Each(func(c *wschannel.Channel) { c.SendPrepared(ctx, p) })
	}
}
