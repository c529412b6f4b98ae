package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/wschannel/wschannel"
)

const serveHelp = `usage: wschannel serve [-listen HOST:PORT] [-max-message BYTES]

Serve is an echo server: it sends every message back to where it came from, on
every path. Web pages may connect only if they come from the server itself.

As soon as it accepts connections it prints one line to standard error:

  listening on ws://HOST:PORT/

After that it is quiet, whoever comes and goes. An interrupt (Ctrl-C, SIGINT or
SIGTERM) closes all channels with 1001 and ends it, within ten seconds; a second
one ends it at once.

  -listen HOST:PORT
        where to listen, 127.0.0.1:8080 by default. Port 0 picks a free one.
        Without HOST it listens on all addresses of this machine.
  -max-message BYTES
        the longest message that is taken; a longer one closes its channel with
        1009. 0 is the default, 1048576 (1 MiB). A negative number means no
        limit: then a client can make the server use any amount of memory.

The exit status is 0 after an interrupt, 1 if the server could not listen or had
to cut off what did not end in time, 2 for a wrong command line.

Examples:

  wschannel serve
  wschannel serve -listen 127.0.0.1:0
  wschannel serve -listen '[::1]:8080' -max-message 67108864
`

const (
	// drainTime is how long the channels have to close.
	drainTime = 10 * time.Second
	// refuseTime is how long requests have to be refused after that.
	refuseTime = time.Second
	// requestTime is how long a client may take to send its request.
	requestTime = 10 * time.Second
)

// serve implements the command serve.
func (p *program) serve(args []string) int {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	address := flags.String("listen", "127.0.0.1:8080", "")
	limit := flags.Int("max-message", 0, "")
	if exit, ok := p.parse(flags, args); !ok {
		return exit
	}
	interrupts := p.signals()
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		fmt.Fprintf(p.stderr, "wschannel: %v\n", err)
		return exitFailed
	}

	errorLog := log.New(p.stderr, "", 0)
	channels := &wschannel.Server{
		Handler:       echo,
		AcceptOptions: wschannel.AcceptOptions{Options: wschannel.Options{MessageLimit: *limit}},
		ErrorLog:      errorLog,
	}
	server := &http.Server{
		Handler:           channels,
		ReadHeaderTimeout: requestTime,
		ReadTimeout:       requestTime,
		ErrorLog:          errorLog,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	fmt.Fprintf(p.stderr, "listening on %s\n", addressURL(listener.Addr()))

	select {
	case err := <-failed:
		fmt.Fprintf(p.stderr, "wschannel: %v\n", err)
		return exitFailed
	case <-interrupts:
	}
	fmt.Fprintln(p.stderr, "closing all channels (interrupt again to exit at once)")
	drained := make(chan error, 1)
	go func() { drained <- drain(channels, server, drainTime) }()
	select {
	case err = <-drained:
	case <-interrupts:
		err = errors.New("interrupted again")
	}
	if err != nil {
		server.Close()
		fmt.Fprintf(p.stderr, "wschannel: not all channels were closed: %v\n", err)
		return exitFailed
	}
	return exitOK
}

// echo sends back what it receives.
func echo(ctx context.Context, c *wschannel.Channel) {
	for m, err := range c.Messages(ctx) {
		if err != nil || c.Send(ctx, m) != nil {
			return
		}
	}
}

// drain closes all channels with 1001, then the server that they came from.
func drain(channels *wschannel.Server, server *http.Server, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if err := channels.Shutdown(ctx); err != nil {
		return err
	}
	ctx, cancel = context.WithTimeout(ctx, refuseTime)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		// Left are connections that have not sent their request.
		server.Close()
	}
	return nil
}

// addressURL returns the URL of a server that listens on addr.
func addressURL(addr net.Addr) string {
	// URL.String escapes the zone of an IPv6 address.
	return (&url.URL{Scheme: "ws", Host: addr.String(), Path: "/"}).String()
}
