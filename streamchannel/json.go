package streamchannel

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// JSONOptions are passed on to package encoding/json. The zero value means its
// defaults.
type JSONOptions struct {
	// DisallowUnknownFields refuses a document with a field that In does not
	// have (json.Decoder.DisallowUnknownFields).
	DisallowUnknownFields bool
	// UseNumber decodes a number in an interface as a json.Number
	// (json.Decoder.UseNumber).
	UseNumber bool
	// KeepHTML sends <, > and & as they stand (json.Encoder.SetEscapeHTML).
	KeepHTML bool
}

// JSON returns a channel of values over one of JSON documents: each message is
// one document, decoded into an In when it is received, encoded from an Out
// when it is sent. A nil *JSONOptions means the defaults of encoding/json.
//
// A message that is not exactly one document, or none for an In, is a
// *[DecodeError] from Receive, which wraps the error of encoding/json; the next
// Receive goes on behind it. A value that has no JSON is an *[EncodeError] from
// Send, and nothing is sent. Types that decode or encode themselves have
// UnmarshalJSON and MarshalJSON.
func JSON[In, Out any, M ~string | ~[]byte](ch Channel[M, M], o *JSONOptions) Channel[In, Out] {
	var options JSONOptions
	if o != nil {
		options = *o
	}
	return Codec[M, In, Out]{
		Decode: func(m M) (v In, err error) {
			if options == (JSONOptions{KeepHTML: options.KeepHTML}) {
				err = json.Unmarshal([]byte(m), &v)
				return v, err
			}
			err = options.decode([]byte(m), &v)
			return v, err
		},
		Encode: func(v Out) (M, error) {
			if !options.KeepHTML {
				b, err := json.Marshal(v)
				return M(b), err
			}
			var b bytes.Buffer
			e := json.NewEncoder(&b)
			e.SetEscapeHTML(false)
			err := e.Encode(v)
			return M(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), err
		},
	}.Bind(ch)
}

// decode decodes exactly one document.
func (o *JSONOptions) decode(document []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(document))
	if o.DisallowUnknownFields {
		d.DisallowUnknownFields()
	}
	if o.UseNumber {
		d.UseNumber()
	}
	if err := d.Decode(v); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more than one JSON document")
	}
	return nil
}
