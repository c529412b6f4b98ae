// Package streamchannel is about channels of messages: what such a channel
// promises, and functions that work on every channel that keeps the promise.
//
// A [Channel] is to messages what an [io.ReadWriteCloser] is to bytes. It joins
// two sides: a [Stream], from which messages are received, and a [Sink], into
// which messages are sent. A function that needs one side asks for that side
// only. A WebSocket channel is a Channel, and so is each end of a [Pair], which
// connects two parts of a program or stands in for a network in a test:
//
//	client, server := streamchannel.Pair[string, string](0)
//
// # Receiving and sending
//
// Receive returns one message, [Messages] all of them for a range loop, which a
// clean end just ends. [SendAll] sends a sequence, as fast as it is taken:
//
//	for m, err := range streamchannel.Messages(ctx, ch) {
//		if err != nil {
//			return err // the connection was lost, or ctx is done
//		}
//		…
//	}
//
// # Shaping the messages
//
// [JSON] makes a channel of values of one of texts or bytes. Any other encoding
// is a [Codec]. What comes in and cannot be decoded is a *[DecodeError] for that
// message, what cannot be encoded an *[EncodeError] from Send; the channel goes
// on:
//
//	type Move struct{ From, To string }
//	moves := streamchannel.JSON[Move, Move](ch, nil)
//	err := moves.Send(ctx, Move{"e2", "e4"})
//
// A [Transformer] does more than one message for one: [Filter] leaves some out,
// [Lines] joins and splits, [Stateful] is for all that a program can think of.
// It is put on one side with [TransformStream] or [TransformSink], on both with
// [Transform]:
//
//	lines := streamchannel.TransformStream(ch, streamchannel.Lines(0))
//
// [WithStream] and [WithSink] replace a side by one that does something else,
// such as to count.
//
// # Wiring channels
//
// [Pipe] connects two channels until one ends, and passes the close on with its
// code. A proxy is:
//
//	back, err := wschannel.Connect(ctx, backend, nil)
//	if err == nil {
//		err = streamchannel.Pipe(ctx, front, back)
//	}
//
// [FanOut] gives one stream to many receivers. A [Disconnector] ends many
// channels at once. A [Deferred] can be used before the real channel exists.
// [FromChans] makes a channel of two Go channels, and [Guard] one of any stream
// and sink, however little these promise.
//
// A [Mux] carries many channels over one:
//
//	m := streamchannel.NewMux(streamchannel.CompactEnvelopes().Bind(ch), nil)
//	game, err := m.Open() // and at the other end m.Accept(ctx)
//
// # Closing with a code
//
// A channel that is [Coded], as a WebSocket channel is, closes with a code and a
// reason. [CloseWith] does so through everything that was put on it.
//
// # What it costs
//
// What is put on a channel works in the goroutines that call it. It allocates
// nothing for a message, besides what a codec does; a FanOut, which has to be ready
// to be interrupted, does. Goroutines of their own have: a Guard and so FromChans
// (one, until the end), a Deferred (one, from Resolve to the end), a Mux (two,
// until it is over), a Pipe (one more while it runs). No message ever costs a
// goroutine, with one exception: a Send that is cancelled in the middle of what
// a Stateful Transformer made of its message. Every buffer is bounded.
//
// Package [github.com/wschannel/wschannel/streamchannel/channeltest] tests that a
// channel of your own keeps the contract.
//
// # The contract
//
// Every Channel keeps these seven rules. What they say about close codes,
// time-outs and buffers applies to a channel that has them.
//
//  1. Order. Messages arrive in the order in which the channel accepted them;
//     a nil error from Send means accepted, which is less than delivered. One
//     Send is one message. Any number of goroutines may Send at the same time:
//     their messages are never mixed. Whatever was accepted before a Close goes
//     out before the close does. When ctx is done before the message is
//     accepted, nothing of it is sent and the channel is as before. Only where
//     a part of that message has already left does cancelling end the channel.
//
//  2. What arrived counts. All that arrived before the peer's close is
//     delivered before the end is reported. A local Close, also one after the
//     peer's, drops what has not been received.
//
//  3. Receiving may pause. To stop receiving, be it that a loop is left or that
//     ctx is done in the middle of a message, neither closes nor harms the
//     channel, and loses nothing: the next Receive goes on from there. There is
//     one receiver at a time. A Receive beside another one returns
//     [ErrConcurrentReceive] and takes no message; the first is not disturbed.
//
//  4. The end. The channel returned by Done is closed when the channel is over,
//     whoever ended it. Err is nil before; after, it is always the same error,
//     and that satisfies errors.Is(err, [ErrClosed]), also for a clean close.
//     From then on Send returns it, and Receive first hands out what had
//     arrived and then returns it for ever. A Send or Receive that waits
//     returns too; the message of that Send was not accepted. Where the receive
//     buffer is bounded, a peer's close behind more than it holds is seen only
//     when somebody receives again.
//
//  5. Closing. Close may be called from any goroutine, in any state, any number
//     of times. It waits neither for a receiver nor for the peer's application,
//     and returns within the close time-out. The first close decides which code
//     is sent; a later one returns nil. From the moment of a local close Send
//     and Receive return the end's error; Done and Err follow when the channel
//     is over. A close with an invalid code or reason is refused with an error
//     and changes nothing.
//
//  6. Ownership. What Receive returns is the receiver's own: the channel does
//     not touch it again. What Send took is the sender's again when it returns:
//     the channel has kept nothing of it.
//
//  7. Errors have an order. Where several apply, the next section says which
//     one is returned.
//
// # Which error wins
//
// Send returns the first of these that applies:
//
//  1. what is wrong with the message or with the call;
//  2. the end's error, from a local close or when the channel is over;
//  3. ctx is done, also if it was so before the call and there is room;
//  4. nil, when the message is accepted; until then Send waits.
//
// Receive returns the first of these that applies:
//
//  1. [ErrConcurrentReceive];
//  2. the end's error after a local close;
//  3. once the channel is over, whether or not ctx is done, the next message
//     that had arrived, and after the last one the end's error;
//  4. ctx is done, even if a message lies ready, which stays for the next call;
//  5. the next message; until there is one Receive waits.
//
// The error for a ctx that is done satisfies errors.Is(err, ctx.Err()).
//
// An error that satisfies errors.Is(err, ErrClosed) is the end: the channel is
// over or being closed. Any other error is about the one call that returned it,
// and the channel can be used as before.
//
// # Clean ends
//
// An end is clean if it came as intended, and not because something was lost
// or broken. An end's error is clean if it is [ErrClosed] itself, or if it, or
// an error that it wraps, has a method Clean() bool that returns true. The
// functions of this package report a clean end as nil.
package streamchannel
