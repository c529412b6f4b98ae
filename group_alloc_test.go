//go:build !race && unix

package wschannel

import (
	"context"
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"unsafe"
)

// A channel whose sends never wait allocates no more than others.
func TestAllocEchoWithAPolicy(t *testing.T) {
	for _, on := range connectors[:3] {
		t.Run(on.name, func(t *testing.T) {
			o := *silent
			o.WhenFull = DropOldest
			client, server := channelPair(t, on.connect, &o)
			ctx := t.Context()
			go echo(ctx, server)
			message, dst := make([]byte, 1000), make([]byte, 0, 1000)
			allocBudget(t, 0, func() {
				if err := client.SendBinary(ctx, message); err != nil {
					t.Fatal(err)
				}
				if _, b, err := client.ReceiveAppend(ctx, dst); err != nil || len(b) != len(message) {
					t.Fatal(len(b), err)
				}
			})
		})
	}
}

// countedWrites counts the writes to a socket.
type countedWrites struct {
	syscall.RawConn
	n *atomic.Int32
}

func (c countedWrites) Write(f func(uintptr) bool) error {
	c.n.Add(1)
	return c.RawConn.Write(f)
}

// A publication allocates nothing, however many members there are, and each of
// them costs one call of the system.
func TestAllocPublish(t *testing.T) {
	const members = 100
	for _, mode := range []CompressionMode{CompressionOff, CompressionStateless, CompressionContext} {
		for _, size := range []int{10, 1000, 20_000} {
			t.Run(fmt.Sprintf("mode %d, %d bytes", mode, size), func(t *testing.T) {
				var g Group
				var writes atomic.Int32
				received := make(chan struct{}, members)
				for range members {
					near, far := tcpPair(t)
					o := StreamOptions{Compression: Compression{Mode: mode}}
					client, server := New(near, RoleClient, &o), New(far, RoleServer, &o)
					t.Cleanup(func() { client.CloseNow(); server.CloseNow() })
					server.engine.raw = countedWrites{server.engine.raw, &writes}
					if err := g.Join(server); err != nil {
						t.Fatal(err)
					}
					go func() {
						var buf []byte
						for {
							_, b, err := client.ReceiveAppend(context.Background(), buf[:0])
							if err != nil {
								return
							}
							buf = b
							received <- struct{}{}
						}
					}()
				}
				p, err := Prepare(Message{Binary, make([]byte, size)})
				if err != nil {
					t.Fatal(err)
				}
				author := &Channel{}
				publish := func() {
					g.PublishPrepared(p, author)
					for range members {
						<-received
					}
				}
				publish()
				writes.Store(0)
				publish()
				if n := writes.Load(); n != members {
					t.Errorf("%d writes for %d members", n, members)
				}
				// Not of the publication: the goroutines that receive are moved
				// about, and take buffers from pools.
				allocBudget(t, 1, publish)
			})
		}
	}
}

// A channel without a policy has a pointer more than without policies, and one
// with a policy, or in a group, this:
func TestAllocSendQueueIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(sendQueue{}); n > 192 {
		t.Errorf("a send queue takes %d bytes", n)
	}
}
