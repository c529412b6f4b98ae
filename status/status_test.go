package status

import (
	"strconv"
	"testing"
)

// The codes in order of their number, from RFC 6455 §7.4 and the IANA
// registry. A range without text is written as bare numbers.
var registry = []struct {
	from, to int
	valid    bool
	text     string
}{
	{0, 999, false, ""}, // §7.4.2: not used
	{1000, 1000, true, "normal closure"},
	{1001, 1001, true, "going away"},
	{1002, 1002, true, "protocol error"},
	{1003, 1003, true, "unsupported data"},
	{1004, 1004, false, ""}, // §7.4.1: reserved
	{1005, 1005, false, "no status received"},
	{1006, 1006, false, "abnormal closure"},
	{1007, 1007, true, "invalid frame payload data"},
	{1008, 1008, true, "policy violation"},
	{1009, 1009, true, "message too big"},
	{1010, 1010, true, "mandatory extension"},
	{1011, 1011, true, "internal error"},
	{1012, 1012, true, "service restart"},
	{1013, 1013, true, "try again later"},
	{1014, 1014, true, "bad gateway"},
	{1015, 1015, false, "TLS handshake"},
	{1016, 2999, false, ""}, // §7.4.2: for later versions of the protocol
	{3000, 3999, true, ""},  // §7.4.2: registered by libraries and frameworks
	{4000, 4999, true, ""},  // §7.4.2: private use
	{5000, 65535, false, ""},
}

func TestEveryCode(t *testing.T) {
	next := 0
	for _, r := range registry {
		if r.from != next {
			t.Fatalf("the table goes on with %d, want %d", r.from, next)
		}
		next = r.to + 1
		for n := r.from; n <= r.to; n++ {
			c := Code(n)
			if c.Valid() != r.valid {
				t.Errorf("Code(%d).Valid() = %t", n, c.Valid())
			}
			want := strconv.Itoa(n)
			if r.text != "" {
				want += " " + r.text
			}
			if c.String() != want {
				t.Errorf("Code(%d).String() = %q, want %q", n, c.String(), want)
			}
		}
	}
	if next != 1<<16 {
		t.Errorf("the table ends with %d", next-1)
	}
}

func TestNumbers(t *testing.T) {
	for want, got := range map[int]Code{
		1000: NormalClosure,
		1001: GoingAway,
		1002: ProtocolError,
		1003: UnsupportedData,
		1005: NoStatusReceived,
		1006: AbnormalClosure,
		1007: InvalidFramePayloadData,
		1008: PolicyViolation,
		1009: MessageTooBig,
		1010: MandatoryExtension,
		1011: InternalError,
		1012: ServiceRestart,
		1013: TryAgainLater,
		1014: BadGateway,
		1015: TLSHandshake,
		3000: RegisteredMin,
		3999: RegisteredMax,
		4000: PrivateMin,
		4999: PrivateMax,
	} {
		if int(got) != want {
			t.Errorf("%v, want %d", got, want)
		}
	}
}
