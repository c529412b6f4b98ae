package handshake

import "testing"

// RFC 6455 §4.1, item 10 of the requirements.
func TestCheckProtocols(t *testing.T) {
	for _, test := range []struct {
		protocols []string
		want      string
	}{
		{nil, ""},
		{[]string{"chat"}, ""},
		{[]string{"soap", "v10.stomp", "chat!#$%&'*+-.^_`|~", "SOAP"}, ""},
		{[]string{""}, `the subprotocol "" is not a token`},
		{[]string{"a", ""}, `""`},
		{[]string{"a b"}, `"a b"`},
		{[]string{"a,b"}, `"a,b"`},
		{[]string{"a/b"}, `"a/b"`},
		{[]string{"a\r\n"}, `"a\r\n"`},
		{[]string{"ä"}, `"ä"`},
		{[]string{"a", "b", "a"}, `the subprotocol "a" is there twice`},
	} {
		checkMisuse(t, CheckProtocols(test.protocols), test.want)
	}
}

// RFC 6455 §4.2.2, /subprotocol/.
func TestSelectProtocol(t *testing.T) {
	for _, test := range []struct {
		name               string
		supported, offered []string
		want               string
	}{
		{"nothing", nil, nil, ""},
		{"none supported", nil, []string{"a"}, ""},
		{"none offered", []string{"a"}, nil, ""},
		{"none in common", []string{"a"}, []string{"b"}, ""},
		{"case", []string{"a"}, []string{"A"}, ""},
		{"the server's order", []string{"x", "b", "a"}, []string{"a", "b", "c"}, "b"},
	} {
		if got := SelectProtocol(test.supported, test.offered); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}
