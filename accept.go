//go:build !js

package wschannel

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/wschannel/wschannel/internal/handshake"
)

// AcceptOptions are what [Accept] and [Server] can be told. The time to read a
// request and the size of its header are limited by http.Server: set its
// ReadHeaderTimeout.
type AcceptOptions struct {
	Options

	// Origins are the origins, besides the server's own, from which browsers
	// may connect. Without this check any page that a user visits could
	// connect in the user's name. A pattern is a host, with a port unless it
	// is the scheme's, and with a scheme unless any will do; * stands for any
	// run of characters within one of these: "example.com",
	// "https://*.example.com", "localhost:*". The pattern "*" allows
	// everybody: only for services that identify users by other means than
	// cookies; "null" allows pages without an origin, such as local files.
	// Requests without an Origin do not come from a browser and are not
	// checked. Default: none.
	Origins []string

	// Header is added to the response that accepts. The fields of the
	// handshake itself are refused in it.
	Header http.Header

	// SelectProtocol selects one of the offered subprotocols, or "" for none.
	// A choice that was not offered is refused. Default: the first of
	// Protocols that is among the offered.
	SelectProtocol func(r *http.Request, offered []string) string

	// Compression is what is agreed to, if the client offers it. Default: none.
	Compression Compression
}

// Accept answers a WebSocket handshake inside an HTTP handler and returns the
// channel. A nil *AcceptOptions means all the defaults.
//
// Any other request is refused with the status that RFC 6455 §4.2 asks for and
// a body that says what was wrong, and Accept returns the *[HandshakeError]: the
// handler has only to return. Options that cannot be used, and a
// ResponseWriter that cannot be hijacked, are refused with status 500.
//
// The connection is the channel's from then on. r.Context ends when the handler
// returns, whether or not the channel is still in use: do not receive with it
// in another goroutine. A handler that stays for the life of its channel costs
// several KiB more than one of a [Server].
func Accept(w http.ResponseWriter, r *http.Request, o *AcceptOptions) (*Channel, error) {
	if o == nil {
		o = &AcceptOptions{}
	}
	offer, err := checkRequest(r, o)
	if err == nil {
		var c *Channel
		if c, err = upgrade(w, r, o, offer, nil); err == nil {
			c.engine.start()
			return c, nil
		}
	}
	o.Counters.failed(refuse(w, err))
	return nil, err
}

// checkRequest judges everything about a request that can be judged without
// answering.
func checkRequest(r *http.Request, o *AcceptOptions) (handshake.Offer, error) {
	if err := handshake.CheckPatterns(o.Origins); err != nil {
		return handshake.Offer{}, unusable(err)
	}
	if err := handshake.CheckProtocols(o.Protocols); err != nil {
		return handshake.Offer{}, unusable(err)
	}
	if err := o.Compression.check(); err != nil {
		return handshake.Offer{}, unusable(err)
	}
	if err := o.WhenFull.check(); err != nil {
		return handshake.Offer{}, unusable(err)
	}
	offer, refusal := handshake.CheckRequest(handshake.Request{
		Method:        r.Method,
		ProtoMajor:    r.ProtoMajor,
		ProtoMinor:    r.ProtoMinor,
		Host:          r.Host,
		Header:        r.Header,
		ContentLength: r.ContentLength,
	})
	if refusal == nil {
		refusal = handshake.CheckOrigin(r.Header, r.Host, o.Origins)
	}
	if refusal != nil {
		return handshake.Offer{}, &HandshakeError{
			StatusCode: refusal.StatusCode,
			Header:     refusal.Header,
			Body:       []byte(refusal.Body()),
			Text:       refusal.Text,
		}
	}
	return offer, nil
}

// unusable refuses a request that the server's own options keep from being
// accepted. The client learns only that.
func unusable(err error) *HandshakeError {
	return &HandshakeError{
		StatusCode: http.StatusInternalServerError,
		Body:       []byte("websocket: the server is not set up for this request\n"),
		Text:       err.Error(),
	}
}

// upgrade takes the connection over and accepts. An error that is no
// HandshakeError means that there is nobody left to be told.
func upgrade(w http.ResponseWriter, r *http.Request, o *AcceptOptions, offer handshake.Offer, h host) (*Channel, error) {
	var protocol string
	if o.SelectProtocol == nil {
		protocol = handshake.SelectProtocol(o.Protocols, offer.Protocols)
	} else if len(offer.Protocols) > 0 {
		protocol = o.SelectProtocol(r, offer.Protocols)
		if protocol != "" && !slices.Contains(offer.Protocols, protocol) {
			return nil, unusable(fmt.Errorf("SelectProtocol returned %q, which was not offered", protocol))
		}
	}
	extensions, agreed := agreeToCompress(o.Compression, offer)
	response, err := handshake.AppendResponse(nil, offer.Key, protocol, extensions, o.Header)
	if err != nil {
		return nil, unusable(err)
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, unusable(fmt.Errorf("the connection cannot be taken over: %w", err))
	}
	set := o.settings()
	if err := writeResponse(conn, response, set.writeTimeout); err != nil {
		conn.Close()
		return nil, fmt.Errorf("wschannel: accept: %w", err)
	}
	c := newChannel(conn, true, protocol, set, early(rw.Reader), h)
	c.limitSending(&o.Options)
	c.engine.compress(o.Compression, agreed)
	return c, nil
}

// agreeToCompress returns the answer to the extensions that were offered, and
// what is agreed upon, nil for nothing.
func agreeToCompress(c Compression, offer handshake.Offer) (answer string, agreed *handshake.Deflate) {
	wanted := c.wanted()
	if wanted == nil {
		return "", nil
	}
	answer, d := wanted.Answer(offer.Extensions)
	if answer == "" {
		return "", nil
	}
	return answer, &d
}

// writeResponse writes the response and takes away the deadlines that the HTTP
// server has left.
func writeResponse(conn net.Conn, response []byte, timeout time.Duration) error {
	deadline := time.Time{}
	if timeout > 0 {
		deadline = time.Now().Add(timeout)
	}
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := conn.Write(response); err != nil {
		return err
	}
	return conn.SetDeadline(time.Time{})
}

// early returns the frames that came together with the request. "The server
// ... could receive data [before] the handshake is complete" is not foreseen by
// the RFC, but nothing that has come may be lost.
func early(b *bufio.Reader) []byte {
	n := b.Buffered()
	if n == 0 {
		return nil
	}
	frames, _ := b.Peek(n)
	return slices.Clone(frames)
}

// refuse answers with the HandshakeError in err, if there is one. It returns the
// status of the answer, 0 for none.
func refuse(w http.ResponseWriter, err error) (status int) {
	var e *HandshakeError
	if !errors.As(err, &e) {
		return 0
	}
	h := w.Header()
	// Names stay as the RFC spells them.
	for name, values := range e.Header {
		h[name] = values
	}
	if http.Header(e.Header).Get("Content-Type") == "" {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("X-Content-Type-Options", "nosniff")
	}
	h.Set("Content-Length", strconv.Itoa(len(e.Body)))
	w.WriteHeader(e.StatusCode)
	w.Write(e.Body)
	return e.StatusCode
}
