package wschannel

import (
	"context"
	"errors"

	"github.com/wschannel/wschannel/streamchannel"
)

// ErrUnexpectedType is returned by Receive of [Channel.TextChannel] for a
// binary message, and by Receive of [Channel.BinaryChannel] for a text. The
// message is dropped; the channel goes on.
var ErrUnexpectedType = errors.New("wschannel: message is of the other type, Text or Binary")

// TextChannel returns c as a channel of strings: each is a text message. It is
// what the functions of package streamchannel, such as JSON, take.
//
// It is c itself in another form: both have the same messages and the same end.
// Receive returns [ErrUnexpectedType] for a binary message.
func (c *Channel) TextChannel() streamchannel.Channel[string, string] { return textChannel{c} }

// BinaryChannel returns c as a channel of byte slices: each is a binary
// message. It is c itself in another form, as that of [Channel.TextChannel].
// Receive returns [ErrUnexpectedType] for a text message.
func (c *Channel) BinaryChannel() streamchannel.Channel[[]byte, []byte] { return binaryChannel{c} }

type textChannel struct{ *Channel }

func (c textChannel) Send(ctx context.Context, s string) error { return c.SendText(ctx, s) }

func (c textChannel) Receive(ctx context.Context) (string, error) {
	m, err := c.Channel.Receive(ctx)
	switch {
	case err != nil:
		return "", err
	case m.Type != Text:
		return "", ErrUnexpectedType
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
		return nil, ErrUnexpectedType
	}
	return m.Data, nil
}
