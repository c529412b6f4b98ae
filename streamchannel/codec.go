package streamchannel

import (
	"errors"
)

// A Codec is an encoding: how messages that are received as R and sent as S are
// carried by messages of type M. Packages of encodings can export Codecs.
//
// Both functions may be called by several goroutines at the same time. What
// they return must not refer to memory that they were given or keep, unless M
// owns its memory as a string does.
type Codec[M, R, S any] struct {
	Decode func(M) (R, error) // of a message that was received
	Encode func(S) (M, error) // of a message to be sent
}

// Bind puts the encoding on a channel. A message that cannot be decoded is a
// *[DecodeError] from Receive, and the next Receive goes on behind it. One that
// cannot be encoded is an *[EncodeError] from Send, and nothing is sent.
func (c Codec[M, R, S]) Bind(ch Channel[M, M]) Channel[R, S] {
	return Transform(ch, Map(c.Decode), Map(c.Encode))
}

// A DecodeError is returned by Receive for a message that could not be decoded.
// The message is lost; the channel is as before and goes on with the next one.
type DecodeError struct {
	Err error // what the decoder said
}

// Error returns what the decoder said.
func (e *DecodeError) Error() string {
	return "streamchannel: cannot decode message: " + e.Err.Error()
}

// Unwrap returns Err, or nil if that could be taken for the end of the channel.
func (e *DecodeError) Unwrap() error { return unlessEnd(e.Err) }

// An EncodeError is returned by Send for a message that could not be encoded.
// Nothing was sent and the channel is as before.
type EncodeError struct {
	Err error // what the encoder said
}

// Error returns what the encoder said.
func (e *EncodeError) Error() string {
	return "streamchannel: cannot encode message: " + e.Err.Error()
}

// Unwrap returns Err, or nil if that could be taken for the end of the channel.
func (e *EncodeError) Unwrap() error { return unlessEnd(e.Err) }

// unlessEnd keeps the error of a coder, which has no business to end a channel,
// from looking as if it did.
func unlessEnd(err error) error {
	if errors.Is(err, ErrClosed) {
		return nil
	}
	return err
}

func isDecodeError(err error) bool {
	_, ok := errors.AsType[*DecodeError](err)
	return ok
}
