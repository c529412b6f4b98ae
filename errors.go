package wschannel

import (
	"errors"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wschannel/wschannel/status"
	"github.com/wschannel/wschannel/streamchannel"
)

var (
	// ErrClosed is satisfied by the error of every end, whoever closed the
	// channel and however clean: errors.Is(err, ErrClosed). It is the same
	// value as streamchannel.ErrClosed.
	ErrClosed = streamchannel.ErrClosed

	// ErrLocalClose is satisfied by the error of a channel that this side has
	// closed: by Close, CloseWith, CloseNow or Shutdown. Natively such an
	// error satisfies net.ErrClosed too. A lost connection satisfies neither.
	ErrLocalClose = errors.New("wschannel: closed by this side")

	// ErrConcurrentReceive is returned to a receiver while another one is
	// waiting, or while a Listen is active. It is the same value as
	// streamchannel.ErrConcurrentReceive.
	ErrConcurrentReceive = streamchannel.ErrConcurrentReceive

	// ErrInvalidType refuses a message that is neither Text nor Binary.
	// Nothing was sent.
	ErrInvalidType = errors.New("wschannel: message type is neither Text nor Binary")

	// ErrInvalidUTF8 refuses a text message that is not UTF-8 (RFC 6455 §5.6).
	// Nothing was sent.
	ErrInvalidUTF8 = errors.New("wschannel: text message is not valid UTF-8")

	// ErrInvalidClose refuses a close code or reason that must not be sent
	// (RFC 6455 §7.4). Nothing was sent and the channel is as before. It is the
	// same value as streamchannel.ErrInvalidClose.
	ErrInvalidClose = streamchannel.ErrInvalidClose

	// ErrReaderStale is returned by an io.Reader of [Channel.NextReader] after
	// a later receive has dropped what was left of its message.
	ErrReaderStale = errors.New("wschannel: the message was dropped by a later receive")

	// ErrWriterClosed is returned by an io.WriteCloser of [Channel.NextWriter]
	// after its Close.
	ErrWriterClosed = errors.New("wschannel: the message is complete")
)

// A CloseError says how a channel ended. It is what [Channel.Err] returns, and
// what receiving and sending return from the end on. It satisfies
// errors.Is(err, [ErrClosed]).
type CloseError struct {
	// Code is the code from the peer's close frame, or ours if we closed:
	// status.NoStatusReceived for a frame without one, and
	// status.AbnormalClosure if there was no frame at all.
	Code status.Code
	// Reason is the reason from the same frame: UTF-8, at most 123 bytes.
	Reason string
	// Remote says that the peer closed first.
	Remote bool
	// Cause is why a channel ended that neither side had closed: a
	// *ProtocolError if the peer broke a rule, a *SlowPeerError if it was too
	// slow for the channel's Policy, the error of the transport, or
	// os.ErrDeadlineExceeded for a peer that is dead. It is nil otherwise.
	Cause error
}

// Error describes the end in one line.
func (e *CloseError) Error() string {
	var b strings.Builder
	b.WriteString("wschannel: ")
	switch {
	case e.Remote:
		b.WriteString("closed by the peer: " + e.Code.String())
	case e.Cause == nil:
		b.WriteString("closed: " + e.Code.String())
	case e.Code == status.AbnormalClosure:
		b.WriteString("connection lost")
	default:
		b.WriteString("closed: " + e.Code.String())
	}
	switch {
	case e.Cause != nil:
		b.WriteString(": " + strings.TrimPrefix(e.Cause.Error(), "wschannel: "))
	case e.Reason != "":
		b.WriteString(": " + strconv.Quote(e.Reason))
	}
	return b.String()
}

// Unwrap returns Cause.
func (e *CloseError) Unwrap() error { return e.Cause }

// Is reports whether target is ErrClosed, or for a local close ErrLocalClose
// or natively net.ErrClosed.
func (e *CloseError) Is(target error) bool {
	return target == ErrClosed || e.local() && (target == ErrLocalClose || isPlatformClosed(target))
}

// Clean reports whether the channel ended as it should: this side closed it,
// or the peer did with 1000, 1001 or no code.
func (e *CloseError) Clean() bool {
	if e.local() {
		return true
	}
	switch e.Code {
	case status.NormalClosure, status.GoingAway, status.NoStatusReceived:
		return e.Remote
	}
	return false
}

func (e *CloseError) local() bool { return !e.Remote && e.Cause == nil }

// A ProtocolError is a rule that the peer broke. It is the Cause of the
// [CloseError] of a channel that was closed for it; Code of that error is what
// the peer was told.
type ProtocolError struct {
	// Section is the section of RFC 6455 that states the rule, as in "5.2".
	Section string
	// Text says what was received and what is allowed.
	Text string
}

// Error returns the text and the section.
func (e *ProtocolError) Error() string {
	return e.Text + " (RFC 6455 §" + e.Section + ")"
}

// A HandshakeError is a WebSocket handshake that was refused, or that was not
// one. [Connect] returns it for the server's answer, [Accept] for the request,
// after having answered it. An Upgrade function of [Server] may return one to
// say how to refuse.
type HandshakeError struct {
	// StatusCode is the status of the HTTP response.
	StatusCode int
	// Header is the header of that response. In one from a server the keys are
	// in the form of http.CanonicalHeaderKey; a server sends them as they stand.
	Header map[string][]string
	// Body is the body of that response; a client keeps the first KiB.
	Body []byte
	// Text says what was wrong, and what was expected. A client's quotes the
	// first line of Body.
	Text string
}

// Error returns the status and the text, or for want of a text the first line
// of the body.
func (e *HandshakeError) Error() string {
	why := either(e.Text, said(e.Body))
	if why != "" {
		why = ": " + why
	}
	return "wschannel: handshake failed with status " + strconv.Itoa(e.StatusCode) + why
}

// said quotes the first line of a response's body. It returns "" if that says
// nothing: markup, a lone bracket, no text at all.
func said(body []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	if strings.HasPrefix(line, "<") || !strings.ContainsFunc(line, unicode.IsLetter) {
		return ""
	}
	return quote(strings.TrimSpace(line), 256) // our own refusals are whole in it
}

// quote makes what came from a peer safe to be shown: it must not be able to
// write lines into a log, nor to fill it with more than n bytes.
func quote(s string, n int) string {
	b := beginning(s, n)
	quoted := strconv.Quote(b)
	if len(b) < len(s) {
		quoted += "…"
	}
	return quoted
}

// beginning returns the first n bytes of s, or a few less to end with a whole
// character.
func beginning(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := n; i > n-utf8.UTFMax; i-- {
		if utf8.RuneStart(s[i]) {
			return s[:i]
		}
	}
	return s[:n]
}

// printable escapes what must not be in a log or on a terminal, and nothing
// else: crypto/x509 cites names as they stand in a certificate.
func printable(s string) string {
	quoted := strconv.Quote(s)
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(quoted[1 : len(quoted)-1])
}

// A ConnectError is a connection that did not come about: the URL or an option
// is wrong, the name is unknown, nobody listens, the certificate is not
// trusted, a proxy is in the way, the time is up. [HandshakeError] is for
// servers that did answer.
type ConnectError struct {
	// URL is where to, without a password.
	URL string
	// Err is why not. It satisfies context.DeadlineExceeded when the
	// handshake's time-out has passed.
	Err error
}

// Error returns the URL and why, which is cut after a KiB: what package net and
// its kin cite from a peer can be long.
func (e *ConnectError) Error() string {
	text := e.Err.Error()
	why := beginning(text, 1<<10)
	rest := ""
	if len(why) < len(text) {
		rest = "…"
	}
	return "wschannel: connect to " + strconv.Quote(e.URL) + ": " + printable(why) + rest
}

// Unwrap returns Err.
func (e *ConnectError) Unwrap() error { return e.Err }
