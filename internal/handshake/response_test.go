package handshake

import (
	"reflect"
	"testing"
)

// RFC 6455 §4.2.2, item 5.
func TestAppendResponse(t *testing.T) {
	const start = "HTTP/1.1 101 Switching Protocols\r\n" +
		"Upgrade: websocket\r\n" +
		"Connection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + sampleAccept + "\r\n"
	for _, test := range []struct {
		name, protocol string
		extra          header
		want           string
	}{
		{"plain", "", nil, start + "\r\n"},
		{"§1.3 example", "chat", nil, start + "Sec-WebSocket-Protocol: chat\r\n\r\n"},
		{"sorted by name, values in order", "", header{"b": {"2", "1"}, "C": {""}, "a": {"x"}, "z": nil},
			start + "C: \r\na: x\r\nb: 2\r\nb: 1\r\n\r\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := AppendResponse([]byte("before"), sampleKey, test.protocol, "", test.extra)
			checkMisuse(t, err, "")
			if string(got) != "before"+test.want {
				t.Errorf("got  %q\nwant %q", got, "before"+test.want)
			}
		})
	}
}

func TestAppendResponseMisuse(t *testing.T) {
	for _, test := range []struct {
		protocol string
		extra    header
		want     string
	}{
		{"", header{"X-Own": {"a\r\nb: c"}}, "line breaks"},
		{"", header{"Sec-Websocket-Accept": {"a"}}, "belongs"},
		{"a\r\nb: c", nil, `the subprotocol "a\r\nb: c" is not a token`},
	} {
		got, err := AppendResponse([]byte("before"), sampleKey, test.protocol, "", test.extra)
		checkMisuse(t, err, test.want)
		if string(got) != "before" {
			t.Errorf("changed dst to %q", got)
		}
	}
}

func goodResponse() header {
	return header{
		"Upgrade":              {"websocket"},
		"Connection":           {"Upgrade"},
		"Sec-Websocket-Accept": {sampleAccept},
	}
}

// RFC 6455 §4.1, "the client MUST validate the server's response".
func TestCheckResponse(t *testing.T) {
	const sub = "Sec-Websocket-Protocol"
	for _, test := range []struct {
		name    string
		header  header // replaces fields of a good response
		offered []string
		want    string
	}{
		{"plain", nil, nil, ""},
		{"item 2, case", header{"Upgrade": {" WebSocket"}}, nil, ""},
		{"item 3, case and list", header{"Connection": {"keep-alive, upgrade"}}, nil, ""},
		{"item 3, several lines", header{"Connection": {"keep-alive", "upgrade"}}, nil, ""},
		{"item 4, white space", header{"Sec-Websocket-Accept": {"\t" + sampleAccept + " "}}, nil, ""},
		{"item 5, nothing accepted", header{"Sec-Websocket-Extensions": {"", " ,"}}, nil, ""},
		{"item 6, all declined", nil, []string{"a", "b"}, ""},
		{"item 6, no line", header{sub: {}}, []string{"a", "b"}, ""},
		{"item 6, selected", header{sub: {"b"}}, []string{"a", "b"}, "b"},
		{"item 6, white space", header{sub: {" b\t"}}, []string{"a", "b"}, "b"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := goodResponse()
			for name, values := range test.header {
				h[name] = values
			}
			got, _, err := CheckResponse(101, h, sampleKey, test.offered, nil)
			checkRefusal(t, err, 0, "")
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestCheckResponseRefusal(t *testing.T) {
	const accept, ext, sub = "Sec-Websocket-Accept", "Sec-Websocket-Extensions", "Sec-Websocket-Protocol"
	ab := []string{"a", "b"}
	for _, test := range []struct {
		name    string
		status  int
		header  header // replaces fields of a good response
		offered []string
		want    string
	}{
		{"item 1", 404, nil, nil, "must answer with status 101"},
		{"item 1, 200", 200, nil, nil, "must answer with status 101"},
		{"item 2, missing", 101, header{"Upgrade": nil}, nil, `Upgrade header must be "websocket"; got none`},
		{"item 2, other", 101, header{"Upgrade": {"h2c"}}, nil, `got "h2c"`},
		{"item 2, list", 101, header{"Upgrade": {"websocket, h2c"}}, nil, `got "websocket, h2c"`},
		{"item 2, twice", 101, header{"Upgrade": {"websocket", "websocket"}}, nil, `got 2 values`},
		{"item 2, Kelvin", 101, header{"Upgrade": {"websoc\u212aet"}}, nil, `Upgrade`},
		{"item 3, missing", 101, header{"Connection": nil}, nil, `Connection header must contain "Upgrade"; got none`},
		{"item 3, other", 101, header{"Connection": {"close"}}, nil, `got "close"`},
		{"item 4, missing", 101, header{accept: nil}, nil, `must be "` + sampleAccept + `"; got none`},
		{"item 4, empty", 101, header{accept: {""}}, nil, `got ""`},
		{"item 4, other", 101, header{accept: {Sign("")}}, nil, `Accept`},
		{"item 4, the key", 101, header{accept: {sampleKey}}, nil, `Accept`},
		{"item 4, case", 101, header{accept: {"S" + sampleAccept[1:]}}, nil, `Accept`},
		{"item 4, twice", 101, header{accept: {sampleAccept, sampleAccept}}, nil, `got 2 values`},
		{"item 5", 101, header{ext: {"", "permessage-deflate; x"}}, nil, `no extension, as none was offered; got "permessage-deflate; x"`},
		{"item 6, none offered", 101, header{sub: {"a"}}, nil, `no subprotocol, as none was offered; got "a"`},
		{"item 6, not offered", 101, header{sub: {"c"}}, ab, `one subprotocol of "a, b"; got "c"`},
		{"item 6, case", 101, header{sub: {"A"}}, ab, `got "A"`},
		{"item 6, two", 101, header{sub: {"a, b"}}, ab, `got "a, b"`},
		{"§11.3.4, twice", 101, header{sub: {"a", "a"}}, ab, `got 2 values`},
		{"§4.2.2, empty", 101, header{sub: {""}}, ab, `got ""`},
		{"§4.2.2, empty, none offered", 101, header{sub: {""}}, nil, `got ""`},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := goodResponse()
			for name, values := range test.header {
				h[name] = values
			}
			got, _, err := CheckResponse(test.status, h, sampleKey, test.offered, nil)
			checkRefusal(t, err, test.status, test.want)
			if got != "" {
				t.Errorf("subprotocol %q beside an error", got)
			}
			if !reflect.DeepEqual(err.Header, h) {
				t.Errorf("header %q, want the response's", err.Header)
			}
		})
	}
}
