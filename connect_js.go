package wschannel

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"syscall/js"
	"time"

	"github.com/wschannel/wschannel/status"
)

// Underlying returns the JavaScript object that the channel runs on. It is
// there to be looked at (url, extensions): sending, closing or setting its
// binaryType breaks the channel.
func (c *Channel) Underlying() js.Value { return c.engine.socket }

// FromJS makes a channel of a WebSocket of JavaScript, and waits until it is
// connected. From the call on the socket belongs to the channel, which closes
// it, also if FromJS fails, and sets its binaryType. Messages that came before
// the call are not seen, so call it before JavaScript gets to run between two
// events.
//
// ctx and HandshakeTimeout bound the connecting as in [Connect]; Protocols are
// not looked at. A socket that is closed or closing is a *[ConnectError], as is
// any other failure.
func FromJS(ctx context.Context, socket js.Value, o *Options) (*Channel, error) {
	for _, member := range [...]struct {
		name string
		t    js.Type
	}{
		{"send", js.TypeFunction}, {"close", js.TypeFunction}, {"addEventListener", js.TypeFunction}, {"readyState", js.TypeNumber},
	} {
		if socket.Type() != js.TypeObject || socket.Get(member.name).Type() != member.t {
			return nil, errors.New("wschannel: FromJS wants a WebSocket, and the value has no " + member.name)
		}
	}
	url := redacted(text(socket.Get("url")))
	set := o.settings()
	var c *Channel
	err := o.checkPolicy()
	if err == nil {
		c, err = attach(ctx, socket, nil, set)
	}
	if err != nil {
		set.counters.failed(0)
		return nil, &ConnectError{URL: url, Err: err}
	}
	c.limitSending(o)
	return c, nil
}

func connect(ctx context.Context, rawURL string, o *Options) (*Channel, error) {
	c, err := dial(ctx, rawURL, o)
	if err != nil {
		if o != nil {
			o.Counters.failed(0)
		}
		return nil, &ConnectError{URL: redacted(rawURL), Err: err}
	}
	c.limitSending(o)
	return c, nil
}

func dial(ctx context.Context, rawURL string, o *Options) (*Channel, error) {
	url, err := webSocketURL(rawURL)
	if err != nil {
		return nil, err
	}
	if err := o.checkPolicy(); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, whyDone(ctx)
	}
	class := js.Global().Get("WebSocket")
	if class.Type() != js.TypeFunction {
		return nil, &annotated{"globalThis has no WebSocket: ", errors.ErrUnsupported}
	}
	var offered []string
	var protocols []any
	if o != nil {
		offered = o.Protocols
		for _, p := range offered {
			protocols = append(protocols, p)
		}
	}
	var socket js.Value
	// What is wrong with the URL or a subprotocol throws, in Firefox also what
	// the page's policy forbids.
	err = try(func() { socket = class.New(url, protocols) })
	if err != nil {
		if strings.Contains(rawURL, "@") {
			// The exception cites the URL, in which there may be a password.
			err = errors.New("the URL is malformed, or a subprotocol, or this page must not connect to it")
		}
		return nil, err
	}
	return attach(ctx, socket, offered, o.settings())
}

// attach makes a channel of a socket and waits until it is connected. offered
// are the subprotocols that the server had to select from, nil for whatever it
// did.
func attach(ctx context.Context, socket js.Value, offered []string, set settings) (*Channel, error) {
	state := socket.Get("readyState").Int()
	if state > open {
		return nil, errors.New("the WebSocket is closed or closing: its readyState is " + strconv.Itoa(state))
	}
	c := &Channel{}
	e := &c.engine
	e.listen(socket, set)
	if state < open {
		if err := e.awaitOpen(ctx); err != nil {
			// This really ends the connecting.
			e.closeNow()
			return nil, err
		}
	}
	e.protocol = text(socket.Get("protocol"))
	if len(offered) > 0 && !slices.Contains(offered, e.protocol) {
		// Firefox does not mind if the server has selected none.
		e.fail(status.ProtocolError, "", errUntold)
		return nil, errors.New("the server must select one subprotocol of " +
			strconv.Quote(strings.Join(offered, ", ")) + "; got " + strconv.Quote(e.protocol))
	}
	e.count()
	return c, nil
}

// count has a channel counted from now on, which may be over already.
func (e *engine) count() {
	if e.set.counters == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tally = newTally(e, e.set.counters)
	if e.finished {
		e.tally.finish(e.end.Load())
	}
}

func (e *engine) awaitOpen(ctx context.Context) error {
	var late <-chan time.Time
	if timeout := e.set.handshakeTimeout; timeout > 0 {
		timer := time.NewTimer(timeout)
		defer timer.Stop()
		late = timer.C
	}
	var err error
	select {
	case <-e.opened:
	case <-e.done:
		err = e.lost()
	case <-ctx.Done():
		err = whyDone(ctx)
	case <-late:
		err = &annotated{"not done within " + e.set.handshakeTimeout.String() + ": ", context.DeadlineExceeded}
	}
	if isClosed(e.opened) {
		return nil // what came after that is the channel's to tell
	}
	return err
}

// whyDone returns the error of a ctx that is done, with its cause if that says
// more.
func whyDone(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return &twofold{err, cause}
}

// A twofold error is an error and its cause.
type twofold struct{ err, cause error }

func (e *twofold) Error() string   { return e.err.Error() + ": " + e.cause.Error() }
func (e *twofold) Unwrap() []error { return []error{e.err, e.cause} }

// webSocketURL checks a URL as far as the platform does not, and has it begin
// with ws or wss.
func webSocketURL(raw string) (string, error) {
	if strings.Contains(raw, "#") {
		return "", errors.New("the URL has a fragment; expected none, and %23 for a # that starts none")
	}
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return "", errors.New("the URL has no scheme; expected ws:// or wss://")
	}
	switch strings.ToLower(scheme) {
	case "ws", "http":
		scheme = "ws"
	case "wss", "https":
		scheme = "wss"
	default:
		return "", errors.New("the URL has the scheme " + strconv.Quote(scheme) + "; expected ws:// or wss://")
	}
	if authority(rest) == "" {
		return "", errors.New("the URL has no host; expected one like wss://host/path")
	}
	return scheme + "://" + rest, nil
}

// authority returns what stands between a URL's "://" and its path.
func authority(rest string) string {
	if i := strings.IndexAny(rest, `/\?#`); i >= 0 {
		return rest[:i]
	}
	return rest
}

// redacted returns raw without its password, and nothing of it if the password
// may be where it does not belong.
func redacted(raw string) string {
	const malformed = "(malformed URL)"
	scheme, rest, ok := strings.Cut(raw, "://")
	host := authority(rest)
	at := strings.LastIndex(host, "@")
	if at < 0 {
		if wellFormed := try(func() { js.Global().Get("URL").New(raw) }) == nil; strings.Contains(raw, "@") &&
			(!ok || !wellFormed || host == "" || strings.Contains(raw, "#")) {
			return malformed
		}
		return raw
	}
	user, _, hasPassword := strings.Cut(host[:at], ":")
	if hasPassword {
		user += ":xxxxx"
	}
	return scheme + "://" + user + rest[at:]
}

func (o *Options) checkPolicy() error {
	if o == nil {
		return nil
	}
	return o.WhenFull.check()
}
