package handshake

import (
	"strconv"
	"strings"
)

// The extension of RFC 7692 and its four parameters (§7.1).
const (
	deflateName      = "permessage-deflate"
	serverNoTakeover = "server_no_context_takeover"
	clientNoTakeover = "client_no_context_takeover"
	serverMaxBits    = "server_max_window_bits"
	clientMaxBits    = "client_max_window_bits"
)

// MinWindowBits and MaxWindowBits bound the LZ77 window of RFC 7692 §7.1.2, as
// its logarithm: 256 bytes to 32 KiB.
const (
	MinWindowBits = 8
	MaxWindowBits = 15
)

// Deflate is what one side wants of permessage-deflate, or what was agreed
// upon, from its own point of view. Windows are given as their logarithms, from
// [MinWindowBits] to [MaxWindowBits].
type Deflate struct {
	SendBits        int  // the window for what this side sends
	ReceiveBits     int  // the window for what it receives
	SendTakeover    bool // what is sent refers to earlier messages
	ReceiveTakeover bool // what is received may do so
}

// Offer returns the value of a client's Sec-WebSocket-Extensions header. The
// server may choose a smaller window for what the client sends, and is asked to
// keep to ReceiveBits and ReceiveTakeover. A server that cannot choose its
// window may forgo earlier messages instead, so that nothing has to be kept for
// it: that is a second offer.
func (d Deflate) Offer() string {
	if !d.ReceiveTakeover || d.ReceiveBits == MaxWindowBits {
		return d.offer(d.ReceiveTakeover, d.ReceiveBits)
	}
	return d.offer(true, d.ReceiveBits) + ", " + d.offer(false, MaxWindowBits)
}

func (d Deflate) offer(takeover bool, bits int) string {
	b := []byte(deflateName)
	if !takeover {
		b = append(b, "; "+serverNoTakeover...)
	}
	if !d.SendTakeover {
		b = append(b, "; "+clientNoTakeover...)
	}
	if bits < MaxWindowBits {
		b = appendBits(b, serverMaxBits, bits)
	}
	b = append(b, "; "+clientMaxBits...)
	if d.SendBits < MaxWindowBits {
		b = append(b, '=')
		b = strconv.AppendInt(b, int64(d.SendBits), 10)
	}
	return string(b)
}

// Answer is the server's side: it takes the first of a client's offers that it
// can keep to. It returns the value of the response's Sec-WebSocket-Extensions
// header and what is agreed upon, or "" if the extension was not offered or
// none of the offers will do. offers are the lines of the request's header, of
// which [CheckRequest] has seen that they are well-formed.
func (d Deflate) Answer(offers []string) (answer string, agreed Deflate) {
	list, _ := parseExtensions(offers)
	for _, e := range list {
		if e.name != deflateName {
			continue
		}
		if p, why := parseParams(e.params, true); why == "" {
			return d.accept(p)
		}
	}
	return "", Deflate{}
}

// accept answers an offer that is well-formed: whatever it asks for can be
// done.
func (d Deflate) accept(offer params) (answer string, agreed Deflate) {
	agreed = d
	b := []byte(deflateName)
	if offer.serverNoTakeover || !d.SendTakeover {
		agreed.SendTakeover = false
		b = append(b, "; "+serverNoTakeover...)
	}
	if offer.clientBits == 0 {
		// "MUST NOT contain" client_max_window_bits then (§7.1.2.2): if the
		// client's window cannot be limited, nothing is kept of it.
		agreed.ReceiveBits = MaxWindowBits
		agreed.ReceiveTakeover = d.ReceiveTakeover && d.ReceiveBits == MaxWindowBits
	} else {
		agreed.ReceiveBits = min(d.ReceiveBits, offer.clientBits)
	}
	if offer.clientNoTakeover || !agreed.ReceiveTakeover {
		agreed.ReceiveTakeover = false
		b = append(b, "; "+clientNoTakeover...)
	}
	if offer.serverBits != 0 {
		agreed.SendBits = min(d.SendBits, offer.serverBits)
	}
	if offer.serverBits != 0 || agreed.SendBits < MaxWindowBits {
		b = appendBits(b, serverMaxBits, agreed.SendBits)
	}
	if agreed.ReceiveBits < MaxWindowBits {
		b = appendBits(b, clientMaxBits, agreed.ReceiveBits)
	}
	return string(b), agreed
}

// Agree is the client's side: it holds the server's answer against the offer.
// It returns what is agreed upon, and false if that is to do without the
// extension. A server that answers what was not permitted is to be failed (RFC
// 6455 §9.1, RFC 7692 §7.1), and why says what is wrong.
func (d Deflate) Agree(answer []string) (agreed Deflate, ok bool, why string) {
	list, malformed := parseExtensions(answer)
	switch {
	case malformed != "":
		return Deflate{}, false, malformedExtensions("response", malformed)
	case len(list) == 0:
		return Deflate{}, false, ""
	}
	for _, e := range list {
		if e.name != deflateName {
			return Deflate{}, false, "the response must accept no extension but " + deflateName +
				", the only one that was offered; got " + quote(e.name)
		}
	}
	if len(list) > 1 {
		return Deflate{}, false, "the response must accept " + deflateName + " once; got it " +
			strconv.Itoa(len(list)) + " times"
	}
	p, why := parseParams(list[0].params, false)
	if why != "" {
		return Deflate{}, false, "the response's " + deflateName + " has " + why
	}
	return d.agree(p)
}

func (d Deflate) agree(answer params) (agreed Deflate, ok bool, why string) {
	agreed = d
	if answer.clientNoTakeover {
		agreed.SendTakeover = false
	}
	if answer.clientBits != 0 {
		agreed.SendBits = min(d.SendBits, answer.clientBits)
	}
	agreed.ReceiveTakeover = !answer.serverNoTakeover
	agreed.ReceiveBits = MaxWindowBits
	if answer.serverBits != 0 {
		agreed.ReceiveBits = answer.serverBits
	}
	switch {
	case answer.serverNoTakeover:
		// Nothing has to be kept, whatever the window.
	case !d.ReceiveTakeover:
		return Deflate{}, false, "the response must accept " + serverNoTakeover + ", as it was asked for"
	case agreed.ReceiveBits > d.ReceiveBits:
		return Deflate{}, false, "the response must accept " + serverMaxBits + " of at most " +
			strconv.Itoa(d.ReceiveBits) + ", or " + serverNoTakeover
	}
	return agreed, true, ""
}

// params are the parameters of one permessage-deflate. Bits that are not there
// are 0.
type params struct {
	serverNoTakeover, clientNoTakeover bool
	serverBits, clientBits             int
}

// parseParams reads the parameters of an offer or of an answer. It returns what
// is wrong with them, "" if nothing is: "A server MUST decline" an offer, and a
// client "MUST _Fail the WebSocket Connection_", for a parameter that is not
// defined, has an invalid value or is there twice (RFC 7692 §7.1).
func parseParams(list []param, offer bool) (p params, why string) {
	var seen [4]bool
	for _, q := range list {
		i, ok := -1, !q.valued
		switch q.name {
		case serverNoTakeover:
			i, p.serverNoTakeover = 0, true
		case clientNoTakeover:
			i, p.clientNoTakeover = 1, true
		case serverMaxBits:
			i = 2
			p.serverBits, ok = parseBits(q)
		case clientMaxBits:
			i = 3
			if p.clientBits, ok = parseBits(q); offer && !q.valued {
				// A client that leaves the choice to the server (§7.1.2.2).
				p.clientBits, ok = MaxWindowBits, true
			}
		}
		switch {
		case i < 0:
			return params{}, "the unknown parameter " + quote(q.name)
		case seen[i]:
			return params{}, "the parameter " + q.name + " twice"
		case !ok:
			return params{}, "the parameter " + q.name + wrongValue(q)
		}
		seen[i] = true
	}
	return p, ""
}

// parseBits reads "a decimal integer value without leading zeroes between 8 to
// 15 inclusive" (RFC 7692 §7.1.2).
func parseBits(p param) (bits int, ok bool) {
	if !p.valued || len(p.value) > 2 || p.value[0] == '0' || !only(p.value, isDigit) {
		return 0, false
	}
	bits, err := strconv.Atoi(p.value)
	return bits, err == nil && MinWindowBits <= bits && bits <= MaxWindowBits
}

func wrongValue(p param) string {
	expected := "; expected none"
	if strings.HasSuffix(p.name, "_bits") {
		expected = "; expected a number from 8 to 15"
	}
	if !p.valued {
		return " without a value" + expected
	}
	return " with the value " + quote(p.value) + expected
}

func appendBits(b []byte, name string, bits int) []byte {
	b = append(b, "; "+name+"="...)
	return strconv.AppendInt(b, int64(bits), 10)
}
