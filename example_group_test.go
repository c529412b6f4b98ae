//go:build !js

package wschannel_test

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/wschannel/wschannel"
)

// A room: what one says, the others hear.
func ExampleGroup() {
	ctx := context.Background()
	var room wschannel.Group
	enter := func() (near, far *wschannel.Channel) {
		a, b := net.Pipe()
		near, far = wschannel.New(a, wschannel.RoleServer, nil), wschannel.New(b, wschannel.RoleClient, nil)
		room.Join(near)
		return near, far
	}
	ada, _ := enter()
	_, bob := enter()
	_, eve := enter()

	room.Publish(wschannel.Message{Type: wschannel.Text, Data: []byte("hello")}, ada)
	for _, ch := range []*wschannel.Channel{bob, eve} {
		m, err := ch.Receive(ctx)
		fmt.Println(string(m.Data), err)
	}
	fmt.Println(room.Len(), room.Stats().Sent)
	// Output:
	// hello <nil>
	// hello <nil>
	// 3 2
}

// A peer that takes nothing, and a sender that only wants the newest to arrive.
func ExamplePolicy() {
	ctx := context.Background()
	a, b := net.Pipe()
	ch := wschannel.New(a, wschannel.RoleServer, &wschannel.StreamOptions{Options: wschannel.Options{
		WhenFull:  wschannel.DropOldest,
		SendQueue: -1, // at most one message waits
	}})
	long := make([]byte, 100_000) // so that a pipe's own room does not show
	for i := range 10 {
		long[0] = byte(i)
		if err := ch.SendBinary(ctx, long); err != nil { // it never waits
			fmt.Println(err)
		}
	}
	peer := wschannel.New(b, wschannel.RoleClient, nil)
	go ch.Close() // what waits is sent before that
	last := byte(0)
	for m, err := range peer.Messages(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		last = m.Data[0]
	}
	fmt.Println("the last one is", last)
	// Output: the last one is 9
}

// Peers that are too slow are closed, and can be told from others.
func ExampleSlowPeerError() {
	ctx := context.Background()
	a, _ := net.Pipe()
	ch := wschannel.New(a, wschannel.RoleServer, &wschannel.StreamOptions{Options: wschannel.Options{
		WhenFull:  wschannel.CloseTryAgainLater,
		SendQueue: 64 << 10,
	}})
	var err error
	for err == nil {
		err = ch.SendBinary(ctx, make([]byte, 10_000))
	}
	slow, ok := errors.AsType[*wschannel.SlowPeerError](err)
	fmt.Println(ok, slow.Messages, slow.Bytes)
	ch.CloseNow() // an example does not wait for CloseTimeout
	fmt.Println(ch.CloseCode())
	// Output:
	// true 6 60384
	// 1013 try again later
}
