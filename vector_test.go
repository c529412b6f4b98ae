//go:build unix

package wschannel

import (
	"context"
	"strings"
	"testing"

	"github.com/wschannel/wschannel/internal/proto"
	"github.com/wschannel/wschannel/internal/wire"
)

// A long message that is withdrawn before a byte of it has left takes nothing
// along of what was accepted before it. X27
func TestWithdrawnLongMessageLeavesTheOthers(t *testing.T) {
	client, server := channelPair(t, unixPair, nil)
	e := &server.engine
	// The socket is filled up, so that nothing else leaves.
	const filling = "what fills the socket"
	w := proto.NewWriter(true)
	frame := w.AppendMessage(nil, wire.Text, []byte(filling), [4]byte{})
	fillings := 0
	for rest := 0; rest == 0; fillings++ {
		n, err := e.writeSocket(frame)
		if err != nil {
			t.Fatal(err)
		}
		if rest = len(frame) - n; rest > 0 {
			e.outbox.putBack(frame[n:])
		}
	}
	if a, _ := e.enqueue(wire.Text, 0, []byte("accepted")); a != accepted {
		t.Fatal("not accepted")
	}
	ctx, cancel := context.WithCancel(t.Context())
	sent := async(func() error { return server.SendText(ctx, strings.Repeat("x", vectorFrom+1)) })
	eventually(t, "the long message waits", func() bool {
		b := e.blockage.Load()
		return b != nil && b.unsent.Load() > vectorFrom
	})
	cancel()
	if err := within(t, "Send", sent); err != context.Canceled {
		t.Errorf("Send: %v", err)
	}
	next := async(func() error { return server.SendText(t.Context(), "and on") })
	for range fillings {
		wantMessage(t, client, filling)
	}
	wantMessage(t, client, "accepted")
	wantMessage(t, client, "and on")
	if err := within(t, "Send", next); err != nil {
		t.Error(err)
	}
}
