//go:build !js

package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	address := flag.String("addr", "localhost:8080", "listen on `HOST:PORT`; without a host, on all of them")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *address); err != nil {
		fmt.Fprintln(os.Stderr, "chat:", err)
		os.Exit(1)
	}
}

// run serves until ctx is done.
func run(ctx context.Context, address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("%w (-addr chooses another address)", err)
	}
	fmt.Println("compiling the page's client …")
	client, wasmExec, err := buildClient()
	if err != nil {
		return err
	}
	rooms := newChat().server()
	server := &http.Server{Handler: site(rooms, client, wasmExec), ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	host := shown(address, l.Addr())
	fmt.Printf(`
The chat is here, for as many tabs as you like:

    http://%s/

and from a terminal:

    go run ./cmd/wschannel connect -protocol chat.v1 'ws://%[1]s/lobby?name=ada'

`, host)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	// The rooms first: the HTTP server knows nothing of channels.
	ending, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := rooms.Shutdown(ending); err != nil {
		return err
	}
	return server.Shutdown(ending)
}

// shown returns the address with a host that can be opened, and the port that it
// has come to be.
func shown(address string, actual net.Addr) string {
	host, _, err := net.SplitHostPort(address)
	_, port, err2 := net.SplitHostPort(actual.String())
	if err != nil || err2 != nil {
		return actual.String()
	}
	if host == "" {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}
