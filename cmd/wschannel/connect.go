package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/internal/handshake"
	"github.com/wschannel/wschannel/status"
)

var connectCommand = command{
	name:    "connect",
	summary: "talk to a server: each line is a message",
	operand: "URL",
	about: `Connect opens a channel to the server at URL, which has the scheme ws or wss. A
user name and password in it are sent as basic authentication.

Each line of standard input is sent as a text message: all of its bytes but the
line feed. A line that is not UTF-8, or is longer than 16 MiB, is not sent; a
message on standard error tells which one it was.

Each text message that comes in is written to standard output, and a line feed
after it. Binary messages are only mentioned, on standard error. The flags -hex,
-binary and -json change this.

At the end of the input it goes on receiving until nothing has come for -wait,
and then closes the channel. It does so at once after an interrupt (Ctrl-C,
SIGINT or SIGTERM), and when nobody reads the output any more; a second
interrupt does not wait for the server's answer. If the server closes the
channel, that is the end too. How the channel was closed is told in one line on
standard error:

  closed: 1000 normal closure
  closed by the peer: 4001: "session expired"
`,
	more: `
On a terminal: there is a prompt, with line editing and a history (arrow keys,
Ctrl-R searches). Control characters of the server are shown as escapes like
\x1b and never reach the terminal; of long messages the beginning is shown.
Lines that begin with a slash are commands, "/help" lists them; a line that
begins with two is sent with one. Ctrl-D is the end of the input. There are no
colours if the environment has NO_COLOR.

The exit status is 0 if the channel was closed cleanly (by this side, or by the
server with 1000, 1001 or no code), 1 if not, if there was no channel, or if a
line could not be sent, 2 for a wrong command line.

Examples:

  wschannel connect ws://127.0.0.1:8080/
  echo hello | wschannel connect ws://127.0.0.1:8080/
  wschannel connect -wait forever wss://example.com/ >messages.txt </dev/null
  wschannel connect -header 'Authorization: Bearer 1234' -json URL
  wschannel connect -proxy socks5://127.0.0.1:1080 wss://example.com/
  xxd -p -c0 photo.jpg | wschannel connect -hex -protocol images.v1 URL
  wschannel connect -close 4000 -reason 'had enough' URL </dev/null
`,
	prepare: (*program).prepareConnect,
}

// connectOptions are the flags of the command connect.
type connectOptions struct {
	protocols  []string
	header     http.Header
	timeout    time.Duration
	wait       time.Duration
	close      closing
	insecure   bool
	ca         string
	proxy      string
	unix       string
	format     format
	timestamps bool
	compress   wschannel.CompressionMode
}

// A closing is how to close a channel.
type closing struct {
	code   status.Code
	reason string
}

func (p *program) prepareConnect(flags *flag.FlagSet) func(string) int {
	o := &connectOptions{
		header:  http.Header{},
		timeout: 10 * time.Second,
		wait:    time.Second,
		close:   closing{code: status.NormalClosure},
	}
	var binary, hex, json bool
	flags.Var(protocolsFlag(&o.protocols), "protocol", "offer the subprotocol `NAME`. May be repeated, in order of preference.")
	flags.Var(headerFlag{o.header}, "header", "send the header field `'NAME: VALUE'` with the request. May be repeated.")
	flags.Var(compressFlag{&o.compress}, "compress", "offer to compress messages: `MODE` is stateless for each by itself,\n"+
		"context if they may refer to earlier ones, and off by default.")
	flags.Var(timeoutFlag{&o.timeout}, "timeout", "give up connecting after `DURATION`, handshake included; 10s by default.")
	flags.Var(waitFlag{&o.wait}, "wait", "receive until nothing has come for `DURATION` after the end of the input;\n"+
		"1s by default, or forever.")
	flags.Var(codeFlag{&o.close.code}, "close", "close with `CODE`; 1000 by default.")
	flags.StringVar(&o.close.reason, "reason", "", "close with the reason `TEXT`, of at most 123 bytes.")
	flags.BoolVar(&o.insecure, "insecure", false, "do not check the server's certificate: anybody could be the server.")
	flags.StringVar(&o.ca, "ca", "", "trust the certificate authorities in the PEM `FILE`, and no others.")
	flags.StringVar(&o.proxy, "proxy", "", "connect through the proxy at `URL`, with the scheme http, https, socks5 or\n"+
		"socks5h, or through none. By default it is the one in the environment\n"+
		"(HTTP_PROXY, HTTPS_PROXY, NO_PROXY).")
	flags.StringVar(&o.unix, "unix", "", "connect to the unix socket `FILE`; the URL still tells the host and path.")
	flags.BoolVar(&binary, "binary", false, "pass bytes on: what is read is sent as binary messages, as it comes, and\n"+
		"all messages are written as they are, with nothing in between.")
	flags.BoolVar(&hex, "hex", false, "send each line, which has to be hexadecimal, as a binary message, and\n"+
		"write all messages as lines of hexadecimal.")
	flags.BoolVar(&json, "json", false, "write text messages that are JSON with indentation.")
	flags.BoolVar(&o.timestamps, "timestamps", false, "write the time of its arrival before each message.")
	return func(url string) int {
		switch {
		case hex && !binary && !json:
			o.format = formatHex
		case binary && !hex && !json && !o.timestamps:
			o.format = formatBinary
		case json && !binary && !hex:
			o.format = formatJSON
		case binary && o.timestamps:
			return p.misused("connect", "flags -binary and -timestamps exclude each other")
		case binary || hex || json:
			return p.misused("connect", "expected one of -binary, -hex and -json")
		}
		if o.insecure && o.ca != "" {
			return p.misused("connect", "flags -insecure and -ca exclude each other")
		}
		if o.proxy != "" && o.unix != "" {
			return p.misused("connect", "flags -proxy and -unix exclude each other")
		}
		if _, err := parseProxy(o.proxy); err != nil {
			return p.misused("connect", "flag -proxy: "+err.Error())
		}
		if err := checkReason(o.close.reason); err != nil {
			return p.misused("connect", "flag -reason: "+err.Error())
		}
		if _, err := handshake.ParseURL(url); err != nil {
			return p.misused("connect", err.Error())
		}
		return p.connect(url, o)
	}
}

var (
	errInterrupted = errors.New("interrupted")
	errQuiet       = errors.New("nothing has come for a while")
)

// connect implements the command connect.
func (p *program) connect(url string, o *connectOptions) int {
	dialer, err := o.dialer()
	if err != nil {
		return p.fail(err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	hungUp := make(chan struct{})
	done := make(chan struct{})
	defer close(done)
	interrupts := p.signals()
	go func() {
		select {
		case <-interrupts:
			cancel(errInterrupted)
		case <-ctx.Done(): // the channel is being closed already
		}
		select {
		case <-interrupts:
			close(hungUp)
		case <-done:
		}
	}()

	began := time.Now()
	c, _, err := dialer.Connect(ctx, url)
	if err != nil {
		if context.Cause(ctx) == errInterrupted {
			err = errInterrupted
		}
		return p.tellRefusal(err)
	}
	s := newSession(p, c, o, cancel)
	if e, ok := newEditor(p); ok {
		err = s.converse(ctx, e, time.Since(began))
	} else {
		if isTerminal(p.stdin) {
			fmt.Fprintln(p.stderr, "connected: each line is sent as a message, Ctrl-D ends")
		}
		go s.send(newSource(p.stdin, o.format))
		err = s.print(ctx)
	}
	cancel(nil)
	return s.end(ctx, err, hungUp)
}

// dialer returns what connects as the flags say.
func (o *connectOptions) dialer() (wschannel.Dialer, error) {
	d := wschannel.Dialer{
		Options:   wschannel.Options{Protocols: o.protocols, HandshakeTimeout: o.timeout},
		Header:    o.header,
		TLSConfig: &tls.Config{InsecureSkipVerify: o.insecure},

		Compression: wschannel.Compression{Mode: o.compress},
	}
	if o.unix != "" {
		d.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", o.unix)
		}
	} else if o.proxy != "" {
		proxy, err := parseProxy(o.proxy)
		if err != nil {
			return d, err
		}
		d.Proxy = http.ProxyURL(proxy)
	}
	if o.ca != "" {
		pem, err := os.ReadFile(o.ca)
		if err != nil {
			return d, fmt.Errorf("-ca: %w", err)
		}
		d.TLSConfig.RootCAs = x509.NewCertPool()
		if !d.TLSConfig.RootCAs.AppendCertsFromPEM(pem) {
			return d, fmt.Errorf("-ca: %s has no certificate; expected some in PEM", o.ca)
		}
	}
	return d, nil
}
