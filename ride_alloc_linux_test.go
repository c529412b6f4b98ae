//go:build !race

package wschannel

import (
	"context"
	"fmt"
	"testing"
)

// An echo of a view allocates nothing, whatever its size.
func TestAllocRide(t *testing.T) {
	for _, on := range sockets {
		for _, size := range []int{0, 32, 16 << 10, 40_000, 100_000, 1 << 20} {
			t.Run(fmt.Sprintf("%s, %d bytes", on.name, size), func(t *testing.T) {
				client, server := channelPair(t, on.connect, nil)
				ctx := t.Context()
				server.ListenView(func(v View) {
					if err := server.Send(ctx, Message(v)); err != nil {
						t.Error(err)
					}
				}, nil)
				wantRiding(t, server)
				message := make([]byte, size)
				dst := make([]byte, 0, size)
				allocBudget(t, 0, func() {
					if err := client.SendBinary(ctx, message); err != nil {
						t.Fatal(err)
					}
					if _, b, err := client.ReceiveAppend(ctx, dst); err != nil || len(b) != size {
						t.Fatal(len(b), err)
					}
				})
			})
		}
	}
}

// A channel that a loop looks after has no goroutine either. The connection that it
// was made of is still held by this test, though it is closed.
func TestAllocIdleListener(t *testing.T) {
	idleBudget(t, 1650, func(ctx context.Context, c *Channel) {
		c.ListenView(func(v View) {
			if err := c.Send(ctx, Message(v)); err != nil {
				t.Error(err)
			}
		}, nil)
	})
}
