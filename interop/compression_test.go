package interop

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wschannel/wschannel"
)

// compressions are what is offered to the peers and accepted from them. Both
// libraries compress whatever they send.
var compressions = []wschannel.Compression{
	{Mode: wschannel.CompressionStateless},
	{Mode: wschannel.CompressionContext},
	{Mode: wschannel.CompressionContext, Threshold: -1, Level: 9, SendWindow: 15, ReceiveWindow: 15},
	{Mode: wschannel.CompressionContext, Threshold: -1, SendWindow: 9, ReceiveWindow: 10},
	{Mode: wschannel.CompressionContext, Threshold: -1, SendWindow: 8, ReceiveWindow: 9},
}

// repeated are the scenarios that are gone through with each of them.
var repeated = []string{"text", "binary", "empty", "lengths", "order", "fragments from the peer", "fragments to the peer", "not UTF-8"}

// The scenarios, with messages compressed in both directions.
func TestNodeCompressed(t *testing.T)   { testCompressed(t, startNode) }
func TestPythonCompressed(t *testing.T) { testCompressed(t, startPython) }

func testCompressed(t *testing.T, start func(*testing.T) *library) {
	l := start(t)
	for i, z := range compressions {
		for _, role := range []string{"server", "client"} {
			for _, s := range scenarios {
				if i > 0 && !slices.Contains(repeated, s.name) {
					continue // once will do
				}
				t.Run(fmt.Sprintf("%s %d/%s/%s", z.Mode, z.SendWindow, role, s.name), func(t *testing.T) {
					t.Parallel()
					s.run(t, l, func() (*wschannel.Channel, *remote) {
						t.Helper()
						return meetCompressed(t, l, role, z)
					})
				})
			}
		}
	}
}

// meetCompressed returns a channel in that role which has agreed to compress.
func meetCompressed(t *testing.T, l *library, role string, z wschannel.Compression) (*wschannel.Channel, *remote) {
	t.Helper()
	r := l.newRemote()
	var c *wschannel.Channel
	if role == "server" {
		s := serve(t, &wschannel.AcceptOptions{Options: options, Compression: z})
		r.do(t, command{Do: "connect", URL: s.url})
		c = s.next(t)
	} else {
		var err error
		c, _, err = wschannel.Dialer{Options: options, Compression: z}.Connect(t.Context(), l.url("ws", r))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.CloseNow() })
	}
	open := r.await(t, "open")
	if got := c.Compression().Mode; got != z.Mode || !strings.Contains(open.Extensions, "permessage-deflate") {
		t.Errorf("agreed on %v, the peer on %q; want %v", got, open.Extensions, z.Mode)
	}
	return c, r
}

// What resembles earlier messages is sent as a reference to them, and the peer
// understands it; so do we.
func TestNodeTakeover(t *testing.T)   { testTakeover(t, startNode) }
func TestPythonTakeover(t *testing.T) { testTakeover(t, startPython) }

func testTakeover(t *testing.T, start func(*testing.T) *library) {
	l := start(t)
	for _, z := range compressions {
		for _, role := range []string{"server", "client"} {
			t.Run(fmt.Sprintf("%s %d/%s", z.Mode, z.SendWindow, role), func(t *testing.T) {
				t.Parallel()
				c, r := meetCompressed(t, l, role, z)
				news, err := wschannel.Prepare(wschannel.Message{Type: wschannel.Text, Data: []byte(strings.Repeat("news ", 100))})
				if err != nil {
					t.Fatal(err)
				}
				for i := range 200 {
					text := fmt.Sprintf(`{"sequence":%d,"side":"%s","price":"%d.%02d","text":"%s"}`, i, []string{"buy", "sell"}[i%2],
						i*7919%1000, i*31%100, strings.Repeat("é", i))
					if err := c.SendText(patiently(t), text); err != nil {
						t.Fatal(err)
					}
					r.wantArrived(t, wschannel.Text, text)
					r.do(t, command{Do: "send", Parts: [][]byte{[]byte(text)}})
					switch i % 3 {
					case 0:
						if _, _, err := c.NextReader(patiently(t)); err != nil { // dropped
							t.Fatal(err)
						}
					default:
						wantMessage(t, c, wschannel.Text, text)
					}
					if i%10 == 0 {
						if err := c.SendPrepared(patiently(t), news); err != nil {
							t.Fatal(err)
						}
						r.wantArrived(t, wschannel.Text, strings.Repeat("news ", 100))
					}
				}
			})
		}
	}
}
