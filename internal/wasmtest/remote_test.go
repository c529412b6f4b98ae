package wasmtest

import (
	"strings"
	"testing"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

const closedByServer = "server closed the connection"

// The peer's close, with its code and reason.
func TestRemoteClose(t *testing.T) {
	t.Run("after a text, T014 T016 T017", func(t *testing.T) {
		c := connect(t, "/closer", nil)
		sendText(t, c, "text")
		wantEnd(t, c, 4123, closedByServer, true)
	})
	t.Run("after bytes, T015", func(t *testing.T) {
		c := connect(t, "/closer", nil)
		if err := c.SendBinary(patiently(t), []byte{1}); err != nil {
			t.Fatal(err)
		}
		wantEnd(t, c, 4123, closedByServer, true)
	})
	t.Run("while nobody receives, T049", func(t *testing.T) {
		c := connect(t, "/echo", nil)
		sendText(t, c, "close")
		wait(t, "the end", c.Done())
		if c.CloseCode() != 3001 || c.CloseReason() != "you asked me to" {
			t.Errorf("%d %q", c.CloseCode(), c.CloseReason())
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("after messages, T053 T059", func(t *testing.T) {
		c := connect(t, "/raisin", nil)
		sendText(t, c, "ping")
		wantMessage(t, c, wschannel.Text, "hello!")
		wantMessage(t, c, wschannel.Text, "pong")
		wantEnd(t, c, 3678, "raisin", true)
	})
}

// Everything that came before the peer's close is delivered, in order, also to
// whoever comes late.
func TestNothingIsLost(t *testing.T) {
	c := connect(t, "/burst?n=1000", &wschannel.Options{ReceiveBuffer: 1 << 20})
	wait(t, "the end", c.Done())
	for i := range 1000 {
		m, err := c.Receive(patiently(t))
		if err != nil {
			t.Fatal(err)
		}
		if want := decimal(i); string(m.Data) != want {
			t.Fatalf("received %q; want %q", m.Data, want)
		}
	}
	wantEnd(t, c, 4000, "done", true)
}

func decimal(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return decimal(n/10) + decimal(n%10)
}

// A peer that breaks the rules, as bytes in hexadecimal. Browsers tell no more
// than that the channel is lost.
func TestRuleBreaker(t *testing.T) {
	const protocolError, badText, lost = status.ProtocolError, status.InvalidFramePayloadData, status.AbnormalClosure
	for _, tt := range []struct {
		name    string
		hex     string
		code    status.Code
		lenient bool // some browsers let it pass
	}{
		{"garbage, T023", garbage, protocolError, false},
		{"reason that is not UTF-8, T018", "8803101bff", badText, false},
		{"text that is not UTF-8, X16", "8101ff", badText, false},
		{"RSV1, X13", "c10161", protocolError, false},
		{"masked, X14", "81810000000061", protocolError, true},
		{"close body of one byte, X15", "880103", protocolError, true},
		{"wire code 0, X15", "88020000", protocolError, true},
		{"wire code 999, X15", "880203e7", protocolError, false},
		{"wire code 1004, X15", "880203ec", protocolError, false},
		{"wire code 1005 with a reason, X15", "880303ed61", protocolError, false},
		{"wire code 1006, X15", "880203ee", protocolError, false},
		{"wire code 1015, X15", "880203f7", protocolError, false},
		{"wire code 1016, X15", "880203f8", protocolError, false},
		{"wire code 2999, X15", "88020bb7", protocolError, false},
		{"wire code 5000, X15", "88021388", protocolError, false},
	} {
		if browser && tt.lenient {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			c := connect(t, "/frames?after=1&hex="+tt.hex, nil)
			sendText(t, c, "text")
			codes := []status.Code{tt.code}
			if browser {
				codes = []status.Code{tt.code, protocolError, lost}
			}
			wantLost(t, c, codes...)
			wait(t, "the end", c.Done())
		})
	}
	t.Run("garbage at once, T022", func(t *testing.T) {
		c, err := wschannel.Connect(patiently(t), origin+"/frames?hex="+garbage, nil)
		if err != nil {
			// Firefox may see it before it tells that it has connected.
			if !browser {
				t.Fatal(err)
			}
			return
		}
		defer c.CloseNow()
		if browser {
			wantLost(t, c, protocolError, lost)
		} else {
			wantLost(t, c, protocolError)
		}
	})
	t.Run("reset, T020", func(t *testing.T) {
		c := connect(t, "/drop", nil)
		sendText(t, c, "text")
		wantLost(t, c, lost)
		wait(t, "the end", c.Done())
	})
}

// garbage is what is no frame: "mumble " times 40. Firefox judges a frame only
// when it is complete.
var garbage = strings.Repeat("6d756d626c6520", 40)

// What a peer may send that our own servers do not.
func TestRawPeer(t *testing.T) {
	t.Run("a close frame without a code", func(t *testing.T) {
		c := connect(t, "/frames?hex=8800", nil)
		wantEnd(t, c, 1005, "", true)
	})
	t.Run("1001", func(t *testing.T) {
		c := connect(t, "/frames?hex=880603e962796521", nil)
		wantEnd(t, c, 1001, "bye!", true)
	})
	t.Run("fragments with a ping between", func(t *testing.T) {
		c := connect(t, "/frames?hex=0102c3a9"+"890161"+"0001e2"+"80028"+"2ac"+"8800", nil)
		wantMessage(t, c, wschannel.Text, "é€")
		wantEnd(t, c, 1005, "", true)
	})
}
