//go:build !race && !js

package wschannel

import (
	"context"
	"fmt"
	"net"
	"testing"
)

// allocBudget fails if f allocates more than that many times a run. What it
// allocates itself it does every time; what a busy machine adds, by goroutines that
// come late, it does not.
func allocBudget(t *testing.T, want float64, f func()) {
	t.Helper()
	f() // buffers grow once
	var got float64
	for range 5 {
		if got = testing.AllocsPerRun(200, f); got <= want {
			return
		}
	}
	t.Errorf("%v allocations, the budget is %v", got, want)
}

// allocContexts are those with which a message may be received and sent.
func allocContexts(t *testing.T) map[string]context.Context {
	cancellable, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return map[string]context.Context{
		"Background":   context.Background(),
		"cancellable":  cancellable,
		"with a value": context.WithValue(cancellable, t, "value"),
	}
}

// An echo allocates nothing at either end: ReceiveAppend and Send there, Send
// and ReceiveAppend here. It runs over sockets, and over a net.Pipe without
// deadlines, for each of these allocates.
func TestAllocEcho(t *testing.T) {
	for _, on := range []struct {
		name    string
		connect connector
		options *Options
	}{
		{"TCP", tcpPair, nil}, {"unix", unixPair, nil}, {"net.Pipe", netPipe, silent},
		{"TCP, counted", tcpPair, &Options{Counters: new(Counters)}},
	} {
		for name, ctx := range allocContexts(t) {
			for _, size := range []int{0, 10, 125, 1000, 5000, 40_000, 100_000} {
				t.Run(fmt.Sprintf("%s, %s, %d bytes", on.name, name, size), func(t *testing.T) {
					client, server := channelPair(t, on.connect, on.options)
					go echo(ctx, server)
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
}

func echo(ctx context.Context, c *Channel) {
	var buf []byte
	for {
		typ, b, err := c.ReceiveAppend(ctx, buf[:0])
		if err != nil {
			return
		}
		if c.Send(ctx, Message{typ, b}) != nil {
			return
		}
		buf = b
	}
}

// Receive allocates what it returns and nothing else.
func TestAllocReceive(t *testing.T) {
	for name, ctx := range allocContexts(t) {
		for _, size := range []int{1, 10, 125, 1000, 3000} {
			t.Run(fmt.Sprintf("%s, %d bytes", name, size), func(t *testing.T) {
				client, server := channelPair(t, tcpPair, nil)
				go echo(ctx, server)
				text := string(make([]byte, size))
				allocBudget(t, 1, func() {
					if err := client.SendText(ctx, text); err != nil {
						t.Fatal(err)
					}
					if m, err := client.Receive(ctx); err != nil || len(m.Data) != size {
						t.Fatal(len(m.Data), err)
					}
				})
			})
		}
	}
}

// Fragments, and control frames that ask for no answer, cost nothing.
func TestAllocReceiveWithFragments(t *testing.T) {
	near, far := tcpPair(t)
	c := newOn(t, near, RoleServer, nil)
	var b []byte
	for range 10 {
		b = append(b, frameBytes(binaryBegin, true, "one")...)
		b = append(b, frameBytes(pongFrame, true, "unsolicited")...)
		b = append(b, frameBytes(continuation, true, "")...)
		b = append(b, frameBytes(lastFragment, true, "two")...)
	}
	dst := make([]byte, 0, 100)
	allocBudget(t, 0, func() {
		if _, err := far.(net.Conn).Write(b); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			if _, m, err := c.ReceiveAppend(context.Background(), dst); err != nil || string(m) != "onetwo" {
				t.Fatalf("%q %v", m, err)
			}
		}
	})
}
