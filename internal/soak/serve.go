//go:build linux

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

// What the processes under attack are set to.
const (
	messageLimit  = 256 << 10
	fragmentLimit = 10_000
	maxHeader     = 64 << 10               // of a request
	hasty         = 500 * time.Millisecond // every time-out, where one is to be seen
	maxChannels   = 10                     // where there is a limit
	maxHandshakes = 5
)

// Addresses are where the server under attack listens.
type Addresses struct {
	Plain, TLS           string
	PlainHasty, TLSHasty string // with short time-outs for requests
}

// Sets of options. The time-outs that are not short are the defaults, so that none
// strikes whom a loaded machine has delayed.
const (
	well    = "well"    // for the healthy
	patient = "patient" // the same, for the hostile
	closely = "closely" // a short CloseTimeout
	hastily = "hastily" // every time-out is short
	full    = "full"    // maxChannels, and a short CloseTimeout
	busy    = "busy"    // maxHandshakes, of which each takes as long as hasty
)

func options(set string) wschannel.Options {
	o := wschannel.Options{MessageLimit: messageLimit, FragmentLimit: fragmentLimit}
	switch set {
	case hastily:
		o.WriteTimeout, o.PingInterval, o.PingTimeout = hasty, hasty, hasty
		fallthrough
	case closely, full:
		o.CloseTimeout = hasty
	case well:
		o.SendQueue = 16 << 20 // what a group publishes in ten seconds
	}
	return o
}

// howEnded tells the end of a channel in a word or two.
func howEnded(err error) string {
	var end *wschannel.CloseError
	switch {
	case !errors.As(err, &end):
		return "open"
	case end.Code != status.AbnormalClosure:
		return strconv.Itoa(int(end.Code))
	case errors.Is(end, os.ErrDeadlineExceeded):
		return "1006 timeout"
	}
	return "1006 lost"
}

// serve is the server under attack. Its paths are /SET/SERVICE, and the same
// under /z with compression. What becomes of channels of the set well is not
// counted.
func serve() error {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // each refused handshake is logged
	g := newGauge()
	mux := http.NewServeMux()
	members := &members{}
	go members.publish()
	for _, set := range []string{well, patient, closely, hastily, full, busy} {
		for name, handler := range services(members) {
			for prefix, compression := range map[string]wschannel.CompressionMode{
				"": wschannel.CompressionOff, "/z": wschannel.CompressionContext,
			} {
				mux.Handle(prefix+"/"+set+"/"+name, newServer(g, set, handler, compression))
			}
		}
	}
	config, err := selfSigned()
	if err != nil {
		return err
	}
	var at Addresses
	for _, l := range []struct {
		addr   *string
		config *tls.Config
		within time.Duration
	}{
		{&at.Plain, nil, patience}, {&at.TLS, config, patience},
		{&at.PlainHasty, nil, hasty}, {&at.TLSHasty, config, hasty},
	} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		*l.addr = listener.Addr().String()
		server := &http.Server{
			Handler:           mux,
			ReadHeaderTimeout: l.within,
			IdleTimeout:       l.within,
			MaxHeaderBytes:    maxHeader,
			ErrorLog:          log.New(io.Discard, "", 0), // of TLS handshakes that were cut
			TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){},
		}
		if l.config != nil {
			listener = tls.NewListener(listener, l.config)
		}
		go server.Serve(listener)
	}
	obey(g, map[string]func(string) any{"where": func(string) any { return at }})
	return nil
}

// newServer returns the server of one path. A limit of it that is passed is told as
// the end of a channel, which no attack may lead to.
func newServer(g *gauge, set string, handler func(context.Context, *wschannel.Channel), z wschannel.CompressionMode) *wschannel.Server {
	counters := new(wschannel.Counters)
	s := &wschannel.Server{
		Handler: func(ctx context.Context, c *wschannel.Channel) {
			if set == full && counters.Snapshot().Open > maxChannels {
				g.ended("beyond MaxChannels")
			}
			if set != well {
				context.AfterFunc(ctx, func() { g.ended(howEnded(c.Err())) })
			}
			handler(ctx, c)
		},
		AcceptOptions: wschannel.AcceptOptions{
			Options:     options(set),
			Compression: wschannel.Compression{Mode: z},
		},
	}
	s.AcceptOptions.Counters = counters
	switch set {
	case full:
		s.MaxChannels = maxChannels
	case busy:
		s.MaxHandshakes = maxHandshakes
		var underWay atomic.Int32
		s.Upgrade = func(r *http.Request) (context.Context, error) {
			if underWay.Add(1) > maxHandshakes {
				g.ended("beyond MaxHandshakes")
			}
			defer underWay.Add(-1)
			time.Sleep(hasty)
			return r.Context(), nil
		}
	}
	return s
}

// services returns what a channel can be used for.
func services(m *members) map[string]func(context.Context, *wschannel.Channel) {
	return map[string]func(context.Context, *wschannel.Channel){
		"receive": receive,
		"listen": func(ctx context.Context, c *wschannel.Channel) {
			c.Listen(func(m wschannel.Message) { c.Send(ctx, m) }, nil)
		},
		"view": func(ctx context.Context, c *wschannel.Channel) {
			c.ListenView(func(v wschannel.View) { c.Send(ctx, wschannel.Message(v)) }, nil)
		},
		"stream":    stream,
		"deaf":      func(ctx context.Context, c *wschannel.Channel) { <-ctx.Done() },
		"push":      push,
		"broadcast": m.serve,
	}
}

// receive echoes.
func receive(ctx context.Context, c *wschannel.Channel) {
	for {
		m, err := c.Receive(ctx)
		if err != nil || c.Send(ctx, m) != nil {
			return
		}
	}
}

// stream reads messages in pieces and answers each with a short one.
func stream(ctx context.Context, c *wschannel.Channel) {
	for {
		t, r, err := c.NextReader(ctx)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			return
		}
		if c.Send(ctx, wschannel.Message{Type: t, Data: []byte("done")}) != nil {
			return
		}
	}
}

// noise returns random bytes, which cannot be compressed.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// push sends as much as the peer takes.
func push(ctx context.Context, c *wschannel.Channel) {
	data := noise(16 << 10)
	for c.SendBinary(ctx, data) == nil {
	}
}

// selfSigned returns a configuration for TLS with a certificate of its own.
func selfSigned() (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}},
		NextProtos:   []string{"http/1.1"},
	}, nil
}
