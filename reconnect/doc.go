// Package reconnect makes a channel that survives its connections: when one is
// lost it connects again, and goes on.
//
//	ch := reconnect.New(func(ctx context.Context) (*wschannel.Channel, error) {
//		return wschannel.Connect(ctx, "wss://example.com/chat", nil)
//	}, nil)
//	defer ch.Close()
//
// [New] returns at once. What it returns is a streamchannel.Channel with the
// whole contract of that package; what it connects is any such channel too,
// natively and in the browser. Each connection is called a link here.
//
// # Receiving
//
// A Receive goes on with the next link when one is lost; all that had arrived
// from the one comes before what the other brings. What the peer sent in
// between is missing, and only the application can ask for it: OnConnect of
// [Options] is the place. It is called with each new link, before anything else
// is sent on it, to authenticate and to subscribe again.
//
// # What becomes of a message
//
// While a link is open, Send hands the message to it, and waits as long as the
// link makes it wait. Otherwise the message goes into a bounded queue, and what
// happens when that is full is a [Policy]. A new link gets OnConnect's messages
// first, then those of the queue in their order, then what is sent later.
//
// No message is ever handed to two links without being asked for. So a message
// for which Send returned nil comes to one of these ends:
//
//   - A link took it, and stayed open until Close, which completed. It has
//     arrived, as far as the links can tell: a peer that closes at the same
//     moment drops what it has not read yet.
//   - A link took it, or was taking it, and ended in another way. Whether it has
//     arrived nobody here can know: it is in doubt. OnDoubt tells which ones,
//     and those that it returns are sent again. Without an OnDoubt they are left
//     at that: each message arrives at most once.
//   - No link took it: the queue was full, the channel ended before there was a
//     link, or the link refused it. OnDrop tells.
//
// A message for which Send returned an error is not accepted, and the sender
// knows.
//
// # When it connects again, and when no more
//
// After each failure there is a pause of random length ("full jitter"): between
// nothing and BaseDelay at first, then twice that, at most MaxDelay. A link that
// was open for StableAfter resets it. An answer with a Retry-After adds that
// to the pause, and after the close code 1012 it is 5 to 30 seconds, as the
// code's registration asks for. Retry decides from the error whether there is
// another attempt; [Retryable] is its default.
//
// The channel ends with Close or CloseNow; with the end of a link after which
// Retry does not want another one, as 1000 from the peer, and then with that
// link's error; or with a *[GiveUpError] when connecting has failed in such a
// way, or for MaxElapsed.
//
// # What it shows
//
// [Channel.States] follows what the channel does, for a user interface: it is
// connecting, or open, or waiting until then because of that.
package reconnect
