package wschannel

import "context"

// Connect connects to a WebSocket server and returns when the channel is
// ready. rawURL has the scheme ws or wss; http and https are taken as these. A
// nil *Options means all the defaults.
//
// ctx and HandshakeTimeout bound the connecting alone, down to the look-up of
// the name; the channel does not end with ctx. A server that refuses is a
// *[HandshakeError], any other failure a *[ConnectError]. Where there are
// sockets, [Dialer] does the same with request headers, TLS and an HTTP client
// of one's own.
//
// Compiled for js/wasm, Connect uses the WebSocket of globalThis: in pages,
// workers and Node.js. Browsers do not tell scripts why a connection did not
// come about, so every failure is a *[ConnectError] there; and they demand that
// the server selects one of the Protocols, if any are offered. As all of Go,
// a channel needs the event loop: do not wait for anything inside a js.Func.
func Connect(ctx context.Context, rawURL string, o *Options) (*Channel, error) {
	return connect(ctx, rawURL, o)
}
