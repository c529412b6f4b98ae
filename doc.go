// Package wschannel is a WebSocket channel: one type, [Channel], that is a
// stream of incoming messages and a sink for outgoing ones, the same on a
// server and in a client. It speaks RFC 6455, and RFC 7692 if asked to.
//
// # Connecting
//
// [Connect] returns a channel that is ready to be used, or says why not:
//
//	ch, err := wschannel.Connect(ctx, "ws://localhost:8080/", nil)
//	if err != nil {
//		return err
//	}
//	defer ch.Close()
//
// [Options] are the same everywhere. [Dialer] adds what only native platforms
// have: request headers, TLS, an HTTP client of one's own.
//
// Compiled for js/wasm, Connect uses the WebSocket of the browser or of Node.js,
// and the channel behaves as everywhere else. What a browser does not let
// scripts do does not exist there, or fails with errors.ErrUnsupported: see
// [Connect], [Channel.CloseWith], [Channel.Ping] and InboundQueue of [Options].
//
// # Serving
//
// [Server] is an http.Handler that runs a function for each channel:
//
//	echo := &wschannel.Server{
//		Handler: func(ctx context.Context, ch *wschannel.Channel) {
//			for m, err := range ch.Messages(ctx) {
//				if err != nil || ch.Send(ctx, m) != nil {
//					return
//				}
//			}
//		},
//	}
//	http.Handle("/echo", echo)
//
// [Accept] does the same inside a handler of one's own. Browsers may connect
// only from pages of the same origin, unless [AcceptOptions] says otherwise.
//
// # Receiving and sending
//
// [Channel.Receive] returns one message, [Channel.Messages] all of them to a
// range loop, [Channel.Listen] calls a function for each, and
// [Channel.NextReader] streams one that is too long for memory. They can be
// mixed; one goroutine receives at a time. A receive that is cancelled or times
// out, even in the middle of a message, harms nothing: the next one goes on.
//
// [Channel.Send], [Channel.SendText], [Channel.SendBinary] and
// [Channel.NextWriter] send; any number of goroutines may. When they return nil
// the message is accepted: it will leave in that order and before a close.
// Sending waits while the peer is slow, unless a [Policy] says otherwise.
//
// A [Group] publishes the same messages to many channels, and waits for none.
// [Compression] makes messages shorter if the peer agrees, and [Prepare] makes
// one message ready for many channels.
//
// # The end
//
// [Channel.Close] and [Channel.CloseWith] close the channel in good order,
// [Channel.CloseNow] hangs up. However a channel ends, [Channel.Done] is closed,
// and receiving, sending and [Channel.Err] return the same *[CloseError]: with
// the code and reason of the peer's close frame or of ours, and the cause if
// the connection was lost or the peer broke the protocol. Each satisfies
// errors.Is(err, [ErrClosed]); only what this side has closed satisfies
// [ErrLocalClose].
//
// Pings are answered, a silent peer is pinged, and the end is noticed while
// nobody receives too: a channel that is not received from for 100 ms is
// attended to by a goroutine, which keeps what comes in a bounded buffer.
//
// # Safe by default
//
// A message may be 1 MiB long, a peer that takes nothing is given up after 10
// s, a silent one after a minute; memory grows with what was received, never
// with what was announced. See [Options].
//
// # Further on
//
// Package reconnect has a channel that connects again when its connection is
// lost. Package streamchannel states the contract that a Channel keeps and has
// what works on channels of any kind, such as JSON; package status has the close
// codes. The guides are in the folder docs of the repository, where README.md
// lists them by what one wants to do.
package wschannel
