package streamchannel_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/wschannel/wschannel/streamchannel"
)

func TestJSONReceive(t *testing.T) {
	strict := &streamchannel.JSONOptions{DisallowUnknownFields: true, UseNumber: true}
	for _, tt := range []struct {
		name     string
		document string
		options  *streamchannel.JSONOptions
		want     any // nil for an error
	}{
		{"T156", `{"foo": "bar"}`, nil, map[string]any{"foo": "bar"}},
		{"T156, with options", `{"foo": 1}`, strict, map[string]any{"foo": json.Number("1")}},
		{"spaces around", " 1\n", nil, 1.0},
		{"spaces around, with options", " 1\n", strict, json.Number("1")},
		{"T158", `{invalid`, nil, nil},
		{"T158, with options", `{invalid`, strict, nil},
		{"nothing", ``, nil, nil},
		{"nothing, with options", ``, strict, nil},
		{"two documents", `1 2`, nil, nil},
		{"two documents, with options", `1 2`, strict, nil},
		{"garbage behind, with options", `1]`, strict, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			near, far := streamchannel.Pair[string, string](2)
			values := streamchannel.JSON[any, any](near, tt.options)
			sendAll(t, far, tt.document, `"next"`)
			got, err := values.Receive(t.Context())
			if tt.want != nil {
				if err != nil || !reflect.DeepEqual(got, tt.want) {
					t.Errorf("received %#v, %v, want %#v", got, err, tt.want)
				}
			} else {
				var decode *streamchannel.DecodeError
				if !errors.As(err, &decode) || errors.Is(err, streamchannel.ErrClosed) || got != nil {
					t.Errorf("received %#v, %v, want a *DecodeError", got, err)
				}
			}
			if next, err := values.Receive(t.Context()); next != "next" || err != nil {
				t.Errorf("behind it: %v, %v", next, err)
			}
		})
	}
}

func TestJSONDecodeError(t *testing.T) {
	near, far := streamchannel.Pair[[]byte, []byte](2)
	values := streamchannel.JSON[struct{ A int }, any](near, &streamchannel.JSONOptions{DisallowUnknownFields: true})
	sendAll(t, far, []byte(`{"A":`), []byte(`{"A":"no number"}`))
	var syntax *json.SyntaxError
	if _, err := values.Receive(t.Context()); err == nil || errors.As(err, &syntax) {
		t.Errorf("half a document: %v", err) // an unexpected end has no place
	}
	var wrong *json.UnmarshalTypeError
	if _, err := values.Receive(t.Context()); !errors.As(err, &wrong) || wrong.Field != "A" {
		t.Errorf("wrong type: %v", err)
	}
	sendAll(t, far, []byte(`{"B":1}`))
	if v, err := values.Receive(t.Context()); err == nil {
		t.Errorf("unknown field: %v", v)
	}
}

// T157 T159
func TestJSONSend(t *testing.T) {
	near, far := streamchannel.Pair[string, string](10)
	values := streamchannel.JSON[any, any](near, nil)
	literal := streamchannel.JSON[any, any](near, &streamchannel.JSONOptions{KeepHTML: true})
	sendAll(t, values, any(map[string]any{"foo": "bar"}))
	var unsupported *json.UnsupportedTypeError
	for _, ch := range []streamchannel.Channel[any, any]{values, literal} {
		err := ch.Send(t.Context(), func() {})
		var encode *streamchannel.EncodeError
		if !errors.As(err, &encode) || !errors.As(err, &unsupported) {
			t.Errorf("Send of a function: %v", err)
		}
	}
	sendAll(t, values, any("<a>"))
	sendAll(t, literal, any("<a>"))
	values.Close()
	want(t, "sent", collect(t, far), `{"foo":"bar"}`, `"\u003ca\u003e"`, `"<a>"`)
}

// upper has a say in its decoding and its encoding: T171 T172.
type upper string

func (u *upper) UnmarshalJSON(b []byte) error { *u = upper("decoded " + string(b)); return nil }
func (u upper) MarshalJSON() ([]byte, error)  { return json.Marshal("encoded " + string(u)) }

func TestJSONOwnCoding(t *testing.T) {
	near, far := streamchannel.Pair[string, string](1)
	values := streamchannel.JSON[upper, upper](near, nil)
	sendAll(t, far, `1`)
	if v, err := values.Receive(t.Context()); v != "decoded 1" || err != nil {
		t.Error(v, err)
	}
	sendAll(t, values, "x")
	if s, err := far.Receive(t.Context()); s != `"encoded x"` || err != nil {
		t.Error(s, err)
	}
}
