package handshake

import (
	"slices"
	"strings"
)

// AppendResponse appends to dst the whole response that accepts a handshake
// (RFC 6455 §4.2.2), up to and including the empty line: key is the request's,
// protocol the selected subprotocol or "", extensions what [Deflate.Answer]
// returned or "", and extra the program's own header fields, which come sorted
// by name and with their values in order.
//
// The error is a [MisuseError], and dst is returned as it was: protocol is no
// token, or an extra field is malformed or belongs to the handshake.
func AppendResponse(dst []byte, key, protocol, extensions string, extra map[string][]string) ([]byte, error) {
	names, err := checkHeader(extra)
	if err != nil {
		return dst, err
	}
	if protocol != "" {
		if err := CheckProtocols([]string{protocol}); err != nil {
			return dst, err
		}
	}

	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\n"...)
	dst = appendField(dst, nameUpgrade, "websocket")
	dst = appendField(dst, nameConnection, "Upgrade")
	dst = appendField(dst, nameAccept, Sign(key))
	if protocol != "" {
		dst = appendField(dst, nameProtocol, protocol)
	}
	if extensions != "" {
		dst = appendField(dst, nameExtensions, extensions)
	}
	for _, name := range names {
		for _, value := range extra[name] {
			dst = appendField(dst, name, value)
		}
	}
	return append(dst, "\r\n"...), nil
}

func appendField(dst []byte, name, value string) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, "\r\n"...)
}

// CheckResponse checks the server's answer to a handshake with this key, these
// subprotocols and this offer of permessage-deflate, nil for none (RFC 6455
// §4.1: "the client MUST validate the server's response"). It returns the
// subprotocol that the server selected, and what was agreed upon for the
// extension; "" and nil say that the server declined, which it may.
func CheckResponse(statusCode int, header map[string][]string, key string, offered []string, deflate *Deflate) (protocol string, agreed *Deflate, err *Error) {
	fail := func(text string) (string, *Deflate, *Error) {
		return "", nil, &Error{StatusCode: statusCode, Header: header, Text: text}
	}
	if statusCode != 101 {
		return fail("the server must answer with status 101")
	}
	f := readFields(header)
	if upgrade, _ := one(f.upgrade); !equalFold(upgrade, "websocket") {
		return fail("the response's Upgrade header must be \"websocket\"" + got(f.upgrade))
	}
	if !contains(f.connection, "upgrade") {
		return fail("the response's Connection header must contain \"Upgrade\"" + got(f.connection))
	}
	want := Sign(key)
	if accept, _ := one(f.accept); accept != want {
		return fail("the response's Sec-WebSocket-Accept header must be " + quote(want) + got(f.accept))
	}
	// "If the response includes … the use of an extension that was not present
	// in the client's handshake …, the client MUST _Fail the WebSocket
	// Connection_."
	if deflate == nil {
		for extension := range elements(f.extensions) {
			return fail("the response must accept no extension, as none was offered; got " + quote(extension))
		}
	} else if d, ok, why := deflate.Agree(f.extensions); why != "" {
		return fail(why)
	} else if ok {
		agreed = &d
	}
	if len(f.protocol) == 0 {
		return "", agreed, nil
	}
	// RFC 6455 §11.3.4: the field "MUST NOT appear more than once in an HTTP
	// response". §4.2.2: an empty one is not the same as none.
	protocol, once := one(f.protocol)
	switch {
	case len(offered) == 0:
		return fail("the response must select no subprotocol, as none was offered" + got(f.protocol))
	case !once || !slices.Contains(offered, protocol):
		return fail("the response must select one subprotocol of " + quote(strings.Join(offered, ", ")) + got(f.protocol))
	}
	return protocol, agreed, nil
}
