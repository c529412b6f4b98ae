package handshake

import (
	"strconv"
	"strings"
)

// SetRequest adds a client's handshake to the header of its GET request (RFC
// 6455 §4.1), in place: Upgrade, Connection and Sec-WebSocket-Version, -Key
// -Protocol and -Extensions, spelled exactly so. The key comes from [NewKey];
// protocols are offered in the client's order of preference, none if the list
// is empty; extensions is what [Deflate.Offer] returns, or "" for none. The
// header must not be nil.
//
// The error is a [MisuseError], and the header is as it was: a field of the
// handshake was there already, a field is malformed, or [CheckProtocols]
// objects.
func SetRequest(header map[string][]string, key string, protocols []string, extensions string) error {
	if _, err := checkHeader(header); err != nil {
		return err
	}
	if err := CheckProtocols(protocols); err != nil {
		return err
	}
	header[nameUpgrade] = []string{"websocket"}
	header[nameConnection] = []string{"Upgrade"}
	header[nameVersion] = []string{version}
	header[nameKey] = []string{key}
	if len(protocols) > 0 {
		header[nameProtocol] = []string{strings.Join(protocols, ", ")}
	}
	if extensions != "" {
		header[nameExtensions] = []string{extensions}
	}
	return nil
}

// A Request is what [CheckRequest] looks at.
type Request struct {
	Method                 string
	ProtoMajor, ProtoMinor int
	Host                   string
	Header                 map[string][]string

	// ContentLength is the size of the request's content in bytes; any other
	// number than 0 (-1 for an unknown size) says that there is some.
	ContentLength int64
}

// An Offer is what a client's valid handshake asks for.
type Offer struct {
	Key       string   // Sec-WebSocket-Key
	Protocols []string // in the client's order of preference; nil for none

	// Extensions are the lines of Sec-WebSocket-Extensions, which are
	// well-formed; [Deflate.Answer] takes them.
	Extensions []string
}

// CheckRequest checks a client's handshake (RFC 6455 §4.2.1), all but its
// origin, for which there is [CheckOrigin]. Extensions have to be well-formed.
func CheckRequest(r Request) (Offer, *Error) {
	if err := checkHTTP(r); err != nil {
		return Offer{}, err
	}
	f := readFields(r.Header)
	if err := checkUpgrade(f); err != nil {
		return Offer{}, err
	}

	key, ok := one(f.key)
	if !ok || !isKey(key) {
		return Offer{}, badRequest("the Sec-WebSocket-Key header must be 16 bytes in base64, and come once" + got(f.key))
	}
	protocols, why := parseProtocols(f.protocol)
	if why != "" {
		return Offer{}, badRequest(why)
	}
	if _, malformed := parseExtensions(f.extensions); malformed != "" {
		return Offer{}, badRequest(malformedExtensions("request", malformed))
	}
	return Offer{Key: key, Protocols: protocols, Extensions: f.extensions}, nil
}

// checkHTTP checks what every handshake needs of HTTP: RFC 6455 §4.2.1, items
// 1 and 2.
func checkHTTP(r Request) *Error {
	switch {
	case r.ProtoMajor > 1:
		// RFC 9113 §8.6: HTTP/2 has neither Upgrade nor 101. RFC 9110 §15.6.6: 505
		// is for a major version that the server "refuses to support".
		return &Error{StatusCode: 505, Text: "the WebSocket handshake needs HTTP/1.1, later versions have no Upgrade" + gotHTTP(r)}
	case r.ProtoMajor < 1 || r.ProtoMinor < 1:
		// RFC 9110 §7.8: "A server MUST ignore an Upgrade header field that is
		// received in an HTTP/1.0 request." Not 505, which speaks of the major
		// version only, nor 426, for an upgrade is not possible.
		return badRequest("the WebSocket handshake needs HTTP/1.1, from a proxy in front of the server too" + gotHTTP(r))
	case r.Method != "GET":
		return &Error{
			StatusCode: 405,
			Header:     map[string][]string{"Allow": {"GET"}}, // RFC 9110 §15.5.6: MUST
			Text:       "the method of a WebSocket handshake must be GET; got " + quote(r.Method),
		}
	case r.Host == "":
		return badRequest("the Host header must name the server; got none")
	case r.ContentLength != 0:
		// RFC 9110 §9.3.1: content in a GET request "might lead some
		// implementations to reject the request"; here it would be read as frames.
		return badRequest("the request must have no content; got some")
	}
	return nil
}

func gotHTTP(r Request) string {
	return "; got HTTP/" + strconv.Itoa(r.ProtoMajor) + "." + strconv.Itoa(r.ProtoMinor)
}

// checkUpgrade checks that the request is for a WebSocket, of a version that
// we speak: RFC 6455 §4.2.1, items 3, 4 and 6.
func checkUpgrade(f fields) *Error {
	// RFC 9110 §7.8: without the connection option an Upgrade field is not
	// meant for us, so both cases are a plain GET request.
	if !contains(f.upgrade, "websocket") {
		return upgradeRequired("this address takes WebSocket connections only: the Upgrade header must contain " +
			"\"websocket\"" + got(f.upgrade))
	}
	if !contains(f.connection, "upgrade") {
		return upgradeRequired("the Connection header must contain \"Upgrade\", which proxies have to be told to pass on" +
			got(f.connection))
	}
	if v, ok := one(f.version); !ok || v != version {
		return upgradeRequired("the Sec-WebSocket-Version header must be \"13\", and come once" + got(f.version))
	}
	return nil
}

func badRequest(text string) *Error {
	return &Error{StatusCode: 400, Text: text}
}

// upgradeRequired refuses with 426, of which RFC 9110 §15.5.22 says: "The
// server MUST send an Upgrade header field". The version is told as RFC 6455
// §4.4 wants it.
func upgradeRequired(text string) *Error {
	return &Error{
		StatusCode: 426,
		Header: map[string][]string{
			nameUpgrade:    {"websocket"},
			nameConnection: {"Upgrade"},
			nameVersion:    {version},
		},
		Text: text,
	}
}
