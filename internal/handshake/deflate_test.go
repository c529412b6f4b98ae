package handshake

import (
	"slices"
	"strings"
	"testing"
)

var (
	full      = Deflate{SendBits: 15, ReceiveBits: 15, SendTakeover: true, ReceiveTakeover: true}
	stateless = Deflate{SendBits: 15, ReceiveBits: 15}
	small     = Deflate{SendBits: 11, ReceiveBits: 12, SendTakeover: true, ReceiveTakeover: true}
)

// RFC 7692 §7.1: what a client offers.
func TestDeflateOffer(t *testing.T) {
	for _, test := range []struct {
		name string
		want Deflate
		text string
	}{
		{"everything", full, "permessage-deflate; client_max_window_bits"},
		{"no takeover", stateless,
			"permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits"},
		{"windows", small, "permessage-deflate; server_max_window_bits=12; client_max_window_bits=11, " +
			"permessage-deflate; server_no_context_takeover; client_max_window_bits=11"},
		{"only the server forgets", Deflate{SendBits: 15, ReceiveBits: 15, SendTakeover: true},
			"permessage-deflate; server_no_context_takeover; client_max_window_bits"},
		{"only the client forgets", Deflate{SendBits: 15, ReceiveBits: 15, ReceiveTakeover: true},
			"permessage-deflate; client_no_context_takeover; client_max_window_bits"},
		{"no takeover, a small window", Deflate{SendBits: 8, ReceiveBits: 9},
			"permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9; client_max_window_bits=8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.want.Offer(); got != test.text {
				t.Errorf("got  %s\nwant %s", got, test.text)
			}
		})
	}
}

// RFC 7692 §7.1: what a server answers to an offer, and keeps to.
func TestDeflateAnswer(t *testing.T) {
	const none = "none"
	for _, test := range []struct {
		name   string
		server Deflate
		offer  string
		answer string // without the name; none for a refusal to use it
		agreed Deflate
	}{
		{"7.1 no offer", full, "", none, Deflate{}},
		{"7.1 another extension", full, "x-webkit-deflate-frame", none, Deflate{}},
		{"7.1 plain", full, "permessage-deflate", "", full},
		{"7.1 behind another extension", full, "foo; bar, permessage-deflate", "", full},
		{"7.1 two lines", full, "foo\npermessage-deflate", "", full},
		{"6455 9.1 names differ by case", full, "Permessage-Deflate", none, Deflate{}},
		{"7.1 the first offer that will do", full,
			"permessage-deflate; server_max_window_bits=10, permessage-deflate",
			"; server_max_window_bits=10", Deflate{10, 15, true, true}},

		{"7.1 an unknown parameter", full, "permessage-deflate; foo", none, Deflate{}},
		{"7.1 an unknown parameter, then a second offer", full,
			"permessage-deflate; foo, permessage-deflate; server_no_context_takeover",
			"; server_no_context_takeover", Deflate{15, 15, false, true}},
		{"7.1 a parameter twice", full,
			"permessage-deflate; server_no_context_takeover; server_no_context_takeover", none, Deflate{}},
		{"7.1 bits twice", full,
			"permessage-deflate; client_max_window_bits; client_max_window_bits=10", none, Deflate{}},
		{"7.1.1.1 with a value", full, "permessage-deflate; server_no_context_takeover=1", none, Deflate{}},
		{"7.1.1.2 with a value", full, "permessage-deflate; client_no_context_takeover=true", none, Deflate{}},
		{"7.1.2.1 without a value", full, "permessage-deflate; server_max_window_bits", none, Deflate{}},
		{"7.1.2.1 too small", full, "permessage-deflate; server_max_window_bits=7", none, Deflate{}},
		{"7.1.2.1 too big", full, "permessage-deflate; server_max_window_bits=16", none, Deflate{}},
		{"7.1.2 a leading zero", full, "permessage-deflate; server_max_window_bits=09", none, Deflate{}},
		{"7.1.2 zero", full, "permessage-deflate; server_max_window_bits=0", none, Deflate{}},
		{"7.1.2 a sign", full, "permessage-deflate; server_max_window_bits=+9", none, Deflate{}},
		{"7.1.2 three digits", full, "permessage-deflate; server_max_window_bits=100", none, Deflate{}},
		{"7.1.2.2 too small", full, "permessage-deflate; client_max_window_bits=7", none, Deflate{}},
		{"7.1.2.2 no number", full, "permessage-deflate; client_max_window_bits=x", none, Deflate{}},

		{"7.1.1.1 demanded", full, "permessage-deflate; server_no_context_takeover",
			"; server_no_context_takeover", Deflate{15, 15, false, true}},
		{"7.1.1.2 a hint", full, "permessage-deflate; client_no_context_takeover",
			"; client_no_context_takeover", Deflate{15, 15, true, false}},
		{"7.1.1 of the server's own accord", stateless, "permessage-deflate",
			"; server_no_context_takeover; client_no_context_takeover", stateless},
		{"7.1.2.1 the largest", full, "permessage-deflate; server_max_window_bits=15",
			"; server_max_window_bits=15", full},
		{"7.1.2.1 the smallest", full, "permessage-deflate; server_max_window_bits=8",
			"; server_max_window_bits=8", Deflate{8, 15, true, true}},
		{"7.1.2.1 quoted", full, `permessage-deflate; server_max_window_bits="1\0"`,
			"; server_max_window_bits=10", Deflate{10, 15, true, true}},
		{"7.1.2.1 more than the server wants", small, "permessage-deflate; server_max_window_bits=14; client_max_window_bits",
			"; server_max_window_bits=11; client_max_window_bits=12", small},
		{"7.1.2.1 less than the server wants", small, "permessage-deflate; server_max_window_bits=9; client_max_window_bits",
			"; server_max_window_bits=9; client_max_window_bits=12", Deflate{9, 12, true, true}},
		{"7.1.2.2 left to the server", full, "permessage-deflate; client_max_window_bits", "", full},
		{"7.1.2.2 a hint", full, "permessage-deflate; client_max_window_bits=10",
			"; client_max_window_bits=10", Deflate{15, 10, true, true}},
		{"7.1.2.2 a hint that is too much", small, "permessage-deflate; client_max_window_bits=14",
			"; server_max_window_bits=11; client_max_window_bits=12", small},
		{"7.1.2.2 not offered, so not answered", small, "permessage-deflate",
			"; client_no_context_takeover; server_max_window_bits=11", Deflate{11, 15, true, false}},
		{"7.1.3 everything", full,
			"permessage-deflate; client_max_window_bits=9; server_max_window_bits=12; server_no_context_takeover; client_no_context_takeover",
			"; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; client_max_window_bits=9",
			Deflate{12, 9, false, false}},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := ""
			if test.answer != none {
				want = deflateName + test.answer
			}
			answer, agreed := test.server.Answer(strings.Split(test.offer, "\n"))
			if answer != want || agreed != test.agreed {
				t.Errorf("got  %s %+v\nwant %s %+v", answer, agreed, want, test.agreed)
			}
		})
	}
}

// RFC 7692 §7.1: what a client takes for an answer.
func TestDeflateAgree(t *testing.T) {
	for _, test := range []struct {
		name   string
		client Deflate
		answer string // what follows the name
		agreed Deflate
		why    string // of a failure
	}{
		{"plain", full, "", full, ""},
		{"7.1.1.1 not asked for", full, "; server_no_context_takeover", Deflate{15, 15, true, false}, ""},
		{"7.1.1.2 not asked for", full, "; client_no_context_takeover", Deflate{15, 15, false, true}, ""},
		{"7.1.1.1 asked for", stateless, "; server_no_context_takeover", stateless, ""},
		{"7.1.1.1 asked for and not given", stateless, "", Deflate{}, "must accept server_no_context_takeover"},
		{"7.1.2.1 not asked for", full, "; server_max_window_bits=10", Deflate{15, 10, true, true}, ""},
		{"7.1.2.1 as asked for", small, "; server_max_window_bits=12", small, ""},
		{"7.1.2.1 smaller", small, "; server_max_window_bits=9", Deflate{11, 9, true, true}, ""},
		{"7.1.2.1 larger", small, "; server_max_window_bits=13", Deflate{}, "server_max_window_bits of at most 12"},
		{"7.1.2.1 not given", small, "", Deflate{}, "server_max_window_bits of at most 12"},
		{"7.1 the second offer", small, "; server_no_context_takeover", Deflate{11, 15, true, false}, ""},
		{"7.1.2.2 smaller", full, "; client_max_window_bits=9", Deflate{9, 15, true, true}, ""},
		{"7.1.2.2 larger than ours", small, "; client_max_window_bits=15; server_max_window_bits=12", small, ""},
		{"7.1.2.2 quoted", full, `; client_max_window_bits="9"`, Deflate{9, 15, true, true}, ""},

		{"7.1 unknown", full, "; foo", Deflate{}, `the unknown parameter "foo"`},
		{"7.1 twice", full, "; client_max_window_bits=9; client_max_window_bits=9", Deflate{}, "client_max_window_bits twice"},
		{"7.1.1.1 a value", full, "; server_no_context_takeover=1", Deflate{}, `with the value "1"; expected none`},
		{"7.1.2.1 no value", full, "; server_max_window_bits", Deflate{}, "without a value; expected a number from 8 to 15"},
		{"7.1.2.2 no value", full, "; client_max_window_bits", Deflate{}, "without a value; expected a number from 8 to 15"},
		{"7.1.2.2 out of range", full, "; client_max_window_bits=16", Deflate{}, `with the value "16"`},
		{"7.1 two answers", full, ", permessage-deflate", Deflate{}, "once; got it 2 times"},
		{"6455 9.1 what was not offered", full, ", foo", Deflate{}, `no extension but permessage-deflate, the only one that was offered; got "foo"`},
		{"6455 9.1 malformed", full, ";", Deflate{}, "the response's Sec-WebSocket-Extensions"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := header{
				"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-WebSocket-Accept": {Sign(sampleKey)},
				"Sec-WebSocket-Extensions": {deflateName + test.answer},
			}
			_, agreed, err := CheckResponse(101, h, sampleKey, nil, &test.client)
			switch {
			case test.why != "":
				if err == nil || agreed != nil || !strings.Contains(err.Text, test.why) {
					t.Errorf("got %v, error %v; want …%s…", agreed, err, test.why)
				}
			case err != nil || agreed == nil || *agreed != test.agreed:
				t.Errorf("got %v, error %v; want %+v", agreed, err, test.agreed)
			}
		})
	}
	if _, ok, why := full.Agree(nil); ok || why != "" {
		t.Errorf("declining: got %v, %q", ok, why)
	}
}

// Whatever two sides want, they agree on the same, and nobody on more than it
// wanted.
func TestDeflateBothSides(t *testing.T) {
	var wishes []Deflate
	for _, sendBits := range []int{8, 12, 15} {
		for _, receiveBits := range []int{8, 13, 15} {
			for i := range 4 {
				wishes = append(wishes, Deflate{sendBits, receiveBits, i&1 != 0, i&2 != 0})
			}
		}
	}
	for _, client := range wishes {
		for _, server := range wishes {
			answer, s := server.Answer([]string{client.Offer()})
			if answer == "" {
				t.Fatalf("client %+v, server %+v: no answer", client, server)
			}
			c, ok, why := client.Agree([]string{answer})
			if !ok {
				t.Fatalf("client %+v, server %+v, answer %s: %s", client, server, answer, why)
			}
			// Who sends may do less than was agreed upon.
			for _, side := range []struct {
				send, receive Deflate
			}{{c, s}, {s, c}} {
				if side.send.SendBits > side.receive.ReceiveBits || side.send.SendTakeover && !side.receive.ReceiveTakeover {
					t.Errorf("answer %s: client %+v, server %+v", answer, c, s)
				}
			}
			for _, side := range []struct{ wish, got Deflate }{{client, c}, {server, s}} {
				if side.got.SendBits > side.wish.SendBits || side.got.SendTakeover && !side.wish.SendTakeover ||
					side.got.ReceiveTakeover && (!side.wish.ReceiveTakeover || side.got.ReceiveBits > side.wish.ReceiveBits) {
					t.Errorf("answer %s: wanted %+v, got %+v", answer, side.wish, side.got)
				}
			}
		}
	}
}

// An answer to any offer is one that the client could have asked for; what a
// client agrees to is within the ranges.
func FuzzDeflate(f *testing.F) {
	for _, s := range []string{
		full.Offer(), stateless.Offer(), small.Offer(), "", "permessage-deflate;", "permessage-deflate; foo, permessage-deflate",
		`permessage-deflate; server_max_window_bits="\1\2"`, "permessage-deflate; client_max_window_bits=08",
	} {
		f.Add(s, uint8(12), uint8(9), true, false)
	}
	f.Fuzz(func(t *testing.T, line string, sendBits, receiveBits uint8, sendTakeover, receiveTakeover bool) {
		d := Deflate{8 + int(sendBits%8), 8 + int(receiveBits%8), sendTakeover, receiveTakeover}
		answer, agreed := d.Answer([]string{line})
		if answer != "" {
			list, malformed := parseExtensions([]string{answer})
			if malformed != "" || len(list) != 1 || list[0].name != deflateName {
				t.Fatalf("answer %q", answer)
			}
			if _, why := parseParams(list[0].params, false); why != "" {
				t.Fatalf("answer %q has %s", answer, why)
			}
			offered, _ := parseExtensions([]string{line})
			if strings.Contains(answer, clientMaxBits) && !slices.ContainsFunc(offered, func(e extension) bool {
				return slices.ContainsFunc(e.params, func(p param) bool { return p.name == clientMaxBits })
			}) {
				t.Errorf("offer %q, answer %q", line, answer)
			}
			checkRange(t, agreed)
		}
		agreed, ok, why := d.Agree([]string{line})
		if why != "" {
			checkText(t, why)
		}
		if ok {
			checkRange(t, agreed)
		}
	})
}

func checkRange(t *testing.T, d Deflate) {
	t.Helper()
	for _, bits := range []int{d.SendBits, d.ReceiveBits} {
		if bits < MinWindowBits || bits > MaxWindowBits {
			t.Errorf("agreed on %+v", d)
		}
	}
}
