// Package streamchannel is about channels of messages: what such a channel
// promises, and functions that work on every channel that keeps the promise.
//
// A [Channel] is to messages what an [io.ReadWriteCloser] is to bytes. It joins
// two sides: a [Stream], from which messages are received, and a [Sink], into
// which messages are sent. A function that needs one side asks for that side
// only. A WebSocket channel is a Channel; [Pair] makes two of them in memory,
// connected to each other; [Pipe] connects two that exist.
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
