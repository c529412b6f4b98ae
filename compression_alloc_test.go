//go:build !race && !js

package wschannel

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

// Where compression is off, it costs a channel a nil pointer.
func TestAllocCompressionOff(t *testing.T) {
	client, _ := channelPair(t, tcpPair, nil)
	if client.engine.compression != nil || client.Compression() != (Compression{}) {
		t.Error("a channel without compression has some")
	}
}

// A compressed echo allocates nothing at either end.
func TestAllocCompressedEcho(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // it would empty the pools
	for _, mode := range []CompressionMode{CompressionStateless, CompressionContext} {
		for _, size := range []int{100, 1000, 20_000, 100_000} {
			t.Run(fmt.Sprintf("%s, %d bytes", mode, size), func(t *testing.T) {
				client, server := compressedPair(t, tcpPair, Compression{Mode: mode, Threshold: -1})
				go echo(t.Context(), server)
				message := []byte(strings.Repeat("Hello World! ", size/13+1)[:size])
				dst := make([]byte, 0, size)
				round := func() {
					if err := client.SendBinary(t.Context(), message); err != nil {
						t.Fatal(err)
					}
					if _, b, err := client.ReceiveAppend(t.Context(), dst); err != nil || len(b) != size {
						t.Fatal(len(b), err)
					}
				}
				for range 10 {
					round()
				}
				allocBudget(t, 0, round)
				if size > 50_000 {
					return // more than is kept for what is inflated
				}
				allocBudget(t, 1, func() { // the message
					if err := client.SendBinary(t.Context(), message); err != nil {
						t.Fatal(err)
					}
					if m, err := client.Receive(t.Context()); err != nil || len(m.Data) != size {
						t.Fatal(len(m.Data), err)
					}
				})
			})
		}
	}
}

// A Prepared costs no allocation for each channel that it is sent to.
func TestAllocPrepared(t *testing.T) {
	for _, c := range []Compression{{}, {Mode: CompressionStateless}, {Mode: CompressionContext}} {
		m, err := Prepare(Message{Text, []byte(strings.Repeat("Hello World! ", 100))})
		if err != nil {
			t.Fatal(err)
		}
		client, server := compressedPair(t, tcpPair, c)
		go func() {
			var buf []byte
			for {
				var err error
				if _, buf, err = client.ReceiveAppend(t.Context(), buf[:0]); err != nil {
					return
				}
			}
		}()
		allocBudget(t, 0, func() {
			if err := server.SendPrepared(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A thousand idle channels: what compression adds to each of them after an
// exchange of messages. All else is shared.
func TestAllocIdleCompressed(t *testing.T) {
	const channels = 1000
	text := strings.Repeat("0123456789abcdef", 4<<10)
	heap := func() int {
		runtime.GC()
		runtime.GC() // pools are emptied by the second one
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	// In all, and of this what hangs on the engines' compression.
	perChannel := func(c Compression, text string) (all, own int) {
		ends := make([]*Channel, 0, channels)
		before := heap()
		for range channels / 2 {
			client, server := compressedPair(t, netPipe, c)
			for _, to := range [][2]*Channel{{client, server}, {server, client}} {
				sent := make(chan error)
				go func() { sent <- to[0].SendText(t.Context(), text) }()
				if _, err := to[1].Receive(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := <-sent; err != nil {
					t.Fatal(err)
				}
			}
			ends = append(ends, client, server)
		}
		with := heap()
		for _, c := range ends {
			c.engine.compression = nil
		}
		own = with - heap()
		for _, c := range ends {
			c.CloseNow()
		}
		return (with - before) / channels, own / channels
	}
	plain, _ := perChannel(Compression{}, text[:100])
	for _, test := range []struct {
		c       Compression
		windows int
	}{
		{Compression{Mode: CompressionStateless}, 0},
		{Compression{Mode: CompressionContext, SendWindow: 10, ReceiveWindow: 10}, 2 << 10},
		{Compression{Mode: CompressionContext}, 8 << 10},
		{Compression{Mode: CompressionContext, SendWindow: 15, ReceiveWindow: 15}, 64 << 10},
	} {
		all, own := perChannel(test.c, text)
		t.Logf("%v, %d bits: %d bytes a channel, %d more than without", test.c.Mode, test.c.SendWindow, own, all-plain)
		if own > test.windows+200 {
			t.Errorf("%+v: %d bytes a channel; at most %d", test.c, own, test.windows+200)
		}
		// The rest is what other tests have left behind.
		if all-plain > test.windows+2000 {
			t.Errorf("%+v: %d bytes more a channel; at most %d", test.c, all-plain, test.windows+2000)
		}
	}
}
