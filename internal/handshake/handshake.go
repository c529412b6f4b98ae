// Package handshake is the opening handshake of RFC 6455 §4, both sides of it,
// as pure functions over headers. It does no I/O and knows no HTTP library:
// whoever calls it parses, dials and writes.
//
// A client calls [ParseURL], [NewKey], [SetRequest] and, on what comes back,
// [CheckResponse]. A server calls [CheckRequest], [CheckOrigin],
// [SelectProtocol] and [AppendResponse].
//
// A header is a map as in net/http, but the spelling of its names does not
// matter here: "Sec-WebSocket-Key", "Sec-Websocket-Key" and
// "sec-websocket-key" are one field. Nothing here keeps a header or changes
// it, [SetRequest] excepted.
//
// What the peer did wrong is an [*Error], what the program itself did wrong is
// a [MisuseError].
package handshake

import "strconv"

// The only version of the protocol (RFC 6455 §4.1).
const version = "13"

// An Error says why a handshake failed through the peer's fault. On a server
// it is the refusal to be sent; on a client it describes the response that was
// no acceptance.
//
// The functions here return it as a *Error: compare it with nil before it
// becomes an error.
type Error struct {
	// StatusCode is the status to refuse with, or the one that the server
	// answered with.
	StatusCode int

	// Header is what a refusal must carry besides its body, nil for nothing; it
	// is the caller's own. Its names are spelled as in RFC 6455, so copy them
	// as they stand. On a client it is the response's header as it was passed.
	Header map[string][]string

	// Text says what was wrong and what was expected, in one line of printable
	// characters. What it cites from the peer is quoted and shortened.
	Text string
}

// Error returns Text.
func (e *Error) Error() string { return e.Text }

// Body returns the refusal's body, one line of plain text.
func (e *Error) Body() string { return "websocket: " + e.Text + "\n" }

// A MisuseError says what the program asked for that no handshake can carry.
// Nothing was sent.
type MisuseError string

// Error returns the text, without a prefix.
func (e MisuseError) Error() string { return string(e) }

// quoted is how many bytes of a value are cited in a text.
const quoted = 64

// quote makes a value safe to be shown: a peer must not be able to write lines
// into a log, nor pages into a body.
func quote(s string) string {
	if len(s) > quoted {
		return strconv.Quote(s[:quoted]) + "…"
	}
	return strconv.Quote(s)
}

// got ends a text with what was there in place of what was expected.
func got(values []string) string {
	switch len(values) {
	case 0:
		return "; got none"
	case 1:
		return "; got " + quote(values[0])
	}
	return "; got " + strconv.Itoa(len(values)) + " values"
}
