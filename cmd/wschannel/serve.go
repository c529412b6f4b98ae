package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/wschannel/wschannel"
)

var serveCommand = command{
	name:    "serve",
	summary: "run an echo server, or a program for each channel",
	about: `Serve is an echo server: it sends every message back to where it came from. With
-exec it runs a program for each channel instead.

As soon as it accepts connections it prints one line to standard error:

  listening on ws://HOST:PORT/

After that it is quiet, whoever comes and goes, unless -log is given; only what
goes wrong is told. An interrupt (Ctrl-C, SIGINT or SIGTERM) closes all channels
with 1001 and ends it, within ten seconds; a second one ends it at once.
`,
	more: `
Programs: each text message is a line on the program's standard input, and each
line of its standard output is sent as a text message, without the line feed. A
message that has line feeds in it arrives as several lines. A binary message
closes the channel with 1003. A line that is not UTF-8, or is longer than 16
MiB, is not sent, and standard error tells. The program's standard error is that
of the server. In its environment WSCHANNEL_REMOTE is the address of the client,
WSCHANNEL_URI the path and query of its request, and WSCHANNEL_PROTOCOL the
subprotocol. A program that reads slowly makes the client wait.

When the program ends, its channel is closed: with 1000 if the exit status is 0,
and with 1011 if not. When the channel ends, the program's standard input does;
if that does not end the program it gets a SIGTERM after two seconds and a
SIGKILL after two more, with all the processes that it has started.

Most programs hold back what they write to a pipe: look for a flag like that of
"grep --line-buffered", or run them as "stdbuf -oL CMD".

The exit status is 0 after an interrupt, 1 if the server could not listen or had
to cut off what did not end in time, 2 for a wrong command line.

Examples:

  wschannel serve
  wschannel serve -listen 127.0.0.1:0 -max-message 67108864
  wschannel serve -origin https://example.com -origin 'localhost:*'
  wschannel serve -path /chat -protocol chat.v2 -protocol chat.v1
  wschannel serve -compress context -log
  wschannel serve -tls-cert cert.pem -tls-key key.pem -listen :8443
  wschannel serve -exec 'grep --line-buffered -i hello'
`,
	prepare: (*program).prepareServe,
}

const (
	// drainTime is how long the channels have to close.
	drainTime = 10 * time.Second
	// refuseTime is how long requests have to be refused after that.
	refuseTime = time.Second
	// requestTime is how long a client may take to send its request.
	requestTime = 10 * time.Second
)

// serveOptions are the flags of the command serve.
type serveOptions struct {
	address    string
	path       string
	maxMessage int
	origins    []string
	protocols  []string
	cert, key  string
	program    string
	compress   wschannel.CompressionMode
	log        bool
}

func (p *program) prepareServe(flags *flag.FlagSet) func(string) int {
	o := &serveOptions{path: "/", address: "127.0.0.1:8080"}
	flags.Var(addressFlag{&o.address}, "listen", "listen at `HOST:PORT`; 127.0.0.1:8080 by default. Port 0 picks a free one.\n"+
		"Without HOST it listens on all addresses of this machine.")
	flags.Var(pathFlag{&o.path}, "path", "accept channels on `PATH` only, and answer 404 elsewhere. One that ends in\n"+
		"a slash stands for all below it. By default it is /, which is all.")
	flags.Var(bytesFlag{&o.maxMessage}, "max-message", "take messages of up to `BYTES`; a longer one closes its channel with 1009.\n"+
		"0 is the default, 1048576 (1 MiB), and -1 means no limit: then a client\n"+
		"can make the server use any amount of memory.")
	flags.Var(originsFlag(&o.origins), "origin", "let web pages connect whose origin matches `PATTERN`, besides those of\n"+
		"the server's own host. A pattern is a host like example.com,\n"+
		"*.example.com or localhost:*, with a scheme in front if only that one\n"+
		"will do; * alone lets every page connect. May be repeated.")
	flags.Var(protocolsFlag(&o.protocols), "protocol", "speak the subprotocol `NAME`. May be repeated: the first that the client\n"+
		"offers as well is selected.")
	flags.Var(compressFlag{&o.compress}, "compress", "compress messages if the client offers it: `MODE` is stateless for each\n"+
		"by itself, context if they may refer to earlier ones, off by default.")
	flags.StringVar(&o.cert, "tls-cert", "", "serve wss with the certificates in the PEM `FILE`; needs -tls-key.")
	flags.StringVar(&o.key, "tls-key", "", "serve wss with the private key in the PEM `FILE`; needs -tls-cert.")
	flags.BoolVar(&o.log, "log", false, "log who comes and goes: a line for each handshake that is refused,\n"+
		"and for each channel that opens or ends, with what went over it.")
	flags.StringVar(&o.program, "exec", "", "run `CMD` for each channel, with the shell; see below.")
	return func(string) int {
		switch {
		case (o.cert == "") != (o.key == ""):
			return p.misused("serve", "expected both -tls-cert and -tls-key, or neither")
		case o.program == "" && isSet(flags, "exec"):
			return p.misused("serve", `flag -exec is empty: expected a command like "cat"`)
		}
		return p.serve(o)
	}
}

// level returns from where on the server logs.
func (o *serveOptions) level() slog.Level {
	if o.log {
		return slog.LevelDebug
	}
	return slog.LevelError
}

// isSet reports whether a flag was given.
func isSet(flags *flag.FlagSet, name string) bool {
	set := false
	flags.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}

// An addressFlag is where to listen.
type addressFlag struct{ address *string }

func (f addressFlag) String() string { return "" }

func (f addressFlag) Set(value string) error {
	if _, _, err := net.SplitHostPort(value); err != nil {
		return errors.New("expected HOST:PORT like 127.0.0.1:8080 or [::1]:8080")
	}
	*f.address = value
	return nil
}

// serve implements the command serve.
func (p *program) serve(o *serveOptions) int {
	scheme := "ws"
	var certificates []tls.Certificate
	if o.cert != "" {
		scheme = "wss"
		pair, err := tls.LoadX509KeyPair(o.cert, o.key)
		if err != nil {
			return p.fail(fmt.Errorf("-tls-cert and -tls-key: %w", err))
		}
		certificates = append(certificates, pair)
	}
	interrupts := p.signals()
	listener, err := net.Listen("tcp", o.address)
	if err != nil {
		return p.fail(err)
	}

	errorLog := p.errorLog()
	channels := &wschannel.Server{
		Handler: echo,
		AcceptOptions: wschannel.AcceptOptions{
			Options: wschannel.Options{MessageLimit: o.maxMessage, Protocols: o.protocols},
			Origins: o.origins,

			Compression: wschannel.Compression{Mode: o.compress},
		},
		Logger: slog.New(slog.NewTextHandler(errorLog.Writer(), &slog.HandlerOptions{Level: o.level()})),
	}
	if o.program != "" {
		programs := &programs{command: o.program, grace: programGrace, stderr: p.stderr, log: errorLog}
		defer programs.kill()
		channels.Handler, channels.Upgrade = programs.handle, withClient
	}
	server := &http.Server{
		Handler:           onPath(o.path, channels),
		ReadHeaderTimeout: requestTime,
		ReadTimeout:       requestTime,
		ErrorLog:          errorLog,
		TLSConfig:         &tls.Config{Certificates: certificates},
		Protocols:         new(http.Protocols), // HTTP/2 has no upgrade to WebSocket
	}
	server.Protocols.SetHTTP1(true)
	failed := make(chan error, 1)
	go func() {
		if certificates != nil {
			failed <- server.ServeTLS(listener, "", "")
		} else {
			failed <- server.Serve(listener)
		}
	}()
	fmt.Fprintf(p.stderr, "listening on %s\n", addressURL(scheme, listener.Addr(), o.path))

	select {
	case err := <-failed:
		return p.fail(err)
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
		return p.fail(fmt.Errorf("not all channels were closed: %w", err))
	}
	return exitOK
}

// errorLog returns a logger to standard error. It may have to quote a peer.
func (p *program) errorLog() *log.Logger {
	if isTerminal(p.stderr) {
		return log.New(&screen{w: p.stderr}, "", 0)
	}
	return log.New(p.stderr, "", 0)
}

// onPath passes on what is for a path, or below one that ends in a slash.
func onPath(path string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path && !(strings.HasSuffix(path, "/") && strings.HasPrefix(r.URL.Path, path)) {
			http.Error(w, "websocket: channels are on "+(&url.URL{Path: path}).String()+" only", http.StatusNotFound)
			return
		}
		next.ServeHTTP(w, r)
	})
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
func addressURL(scheme string, addr net.Addr, path string) string {
	// URL.String escapes the zone of an IPv6 address.
	return (&url.URL{Scheme: scheme, Host: addr.String(), Path: path}).String()
}
