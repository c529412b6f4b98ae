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
func Connect(ctx context.Context, rawURL string, o *Options) (*Channel, error) {
	return connect(ctx, rawURL, o)
}
