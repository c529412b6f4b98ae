package wschannel

import (
	"context"
	"errors"

	"github.com/wschannel/wschannel/streamchannel"
)

// ErrUnexpectedType is what the *streamchannel.DecodeError wraps that Receive of
// [Channel.TextChannel] returns for a binary message, and Receive of
// [Channel.BinaryChannel] for a text. The message is dropped; the channel goes on.
var ErrUnexpectedType = errors.New("it is of the other type, Text or Binary")

// TextChannel returns c as a channel of strings: each is a text message. It is
// what the functions of package streamchannel, such as JSON, take.
//
// It is c itself in another form: both have the same messages and the same end.
// A binary message is an error from Receive: [ErrUnexpectedType].
func (c *Channel) TextChannel() streamchannel.Channel[string, string] { return textChannel{c} }

// BinaryChannel returns c as a channel of byte slices: each is a binary
// message. It is c itself in another form, as that of [Channel.TextChannel].
// A text is an error from Receive: [ErrUnexpectedType].
func (c *Channel) BinaryChannel() streamchannel.Channel[[]byte, []byte] { return binaryChannel{c} }

type textChannel struct{ *Channel }

func (c textChannel) Send(ctx context.Context, s string) error { return c.SendText(ctx, s) }

func (c textChannel) Receive(ctx context.Context) (string, error) {
	m, err := c.Channel.Receive(ctx)
	switch {
	case err != nil:
		return "", err
	case m.Type != Text:
		return "", &streamchannel.DecodeError{Err: ErrUnexpectedType}
	}
	return string(m.Data), nil
}

type binaryChannel struct{ *Channel }

func (c binaryChannel) Send(ctx context.Context, b []byte) error { return c.SendBinary(ctx, b) }

func (c binaryChannel) Receive(ctx context.Context) ([]byte, error) {
	m, err := c.Channel.Receive(ctx)
	switch {
	case err != nil:
		return nil, err
	case m.Type != Binary:
		return nil, &streamchannel.DecodeError{Err: ErrUnexpectedType}
	}
	return m.Data, nil
}
