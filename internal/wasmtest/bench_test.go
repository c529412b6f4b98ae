package wasmtest

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/wschannel/wschannel"
)

// One message there and back.
func BenchmarkEcho(b *testing.B) {
	for _, typ := range []wschannel.Type{wschannel.Text, wschannel.Binary} {
		for _, size := range []int{32, 64 << 10, 1 << 20} {
			b.Run(fmt.Sprintf("%v/%d", typ, size), func(b *testing.B) {
				ctx := context.Background()
				c, err := wschannel.Connect(ctx, origin+"/echo", nil)
				if err != nil {
					b.Fatal(err)
				}
				defer c.CloseNow()
				m := wschannel.Message{Type: typ, Data: bytes.Repeat([]byte("x"), size)}
				buf := make([]byte, 0, size)
				b.SetBytes(int64(size))
				for b.Loop() {
					if err := c.Send(ctx, m); err != nil {
						b.Fatal(err)
					}
					if _, _, err := c.ReceiveAppend(ctx, buf); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
