//go:build js

// Minimal is a small program for the browser: it sends a message and shows what
// comes back. make wasm-size tells how large it is.
package main

import (
	"context"

	"github.com/wschannel/wschannel"
)

func main() {
	ctx := context.Background()
	ch, err := wschannel.Connect(ctx, "ws://localhost:8080/", nil)
	if err != nil {
		panic(err)
	}
	defer ch.Close()
	if err := ch.SendText(ctx, "hello"); err != nil {
		panic(err)
	}
	m, err := ch.Receive(ctx)
	println(string(m.Data), err)
}
