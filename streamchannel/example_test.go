package streamchannel_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/wschannel/wschannel/streamchannel"
)

// shout answers every message of ch, whatever kind of channel it is.
func shout(ctx context.Context, ch streamchannel.Channel[string, string]) error {
	for {
		m, err := ch.Receive(ctx)
		if err != nil {
			return err
		}
		if err := ch.Send(ctx, strings.ToUpper(m)); err != nil {
			return err
		}
	}
}

// The end of a channel is an error that satisfies ErrClosed. What was sent
// before it has been received by then.
func Example() {
	ctx := context.Background()
	near, far := streamchannel.Pair[string, string](0)

	go func() {
		for _, m := range []string{"one", "two"} {
			far.Send(ctx, m)
		}
		far.Close()
	}()

	for {
		m, err := near.Receive(ctx)
		if errors.Is(err, streamchannel.ErrClosed) {
			fmt.Println("over")
			break
		} else if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Println(m)
	}
	// Output:
	// one
	// two
	// over
}

// A pair stands in for a network: the function is tested without one.
func ExamplePair() {
	ctx := context.Background()
	client, server := streamchannel.Pair[string, string](0)
	go shout(ctx, server)

	client.Send(ctx, "hello")
	answer, _ := client.Receive(ctx)
	fmt.Println(answer)

	client.Close()
	<-server.Done()
	fmt.Println(server.Err())
	// Output:
	// HELLO
	// streamchannel: closed
}

// A proxy between a client and a server, which both know nothing of it.
func ExamplePipe() {
	ctx := context.Background()
	client, front := streamchannel.Pair[string, string](0)
	back, server := streamchannel.Pair[string, string](0)
	go shout(ctx, server)

	proxy := make(chan error)
	go func() { proxy <- streamchannel.Pipe(ctx, front, back) }()

	client.Send(ctx, "hello")
	answer, _ := client.Receive(ctx)
	fmt.Println(answer)

	client.Close()
	fmt.Println("proxy:", <-proxy)
	<-server.Done()
	// Output:
	// HELLO
	// proxy: <nil>
}

// A Sink is all that a function needs which only sends.
func ExampleSink() {
	countdown := func(ctx context.Context, sink streamchannel.Sink[int]) error {
		for n := range 3 {
			if err := sink.Send(ctx, 3-n); err != nil {
				return err
			}
		}
		return sink.Close()
	}

	ctx := context.Background()
	near, far := streamchannel.Pair[int, int](3)
	if err := countdown(ctx, far); err != nil {
		fmt.Println(err)
	}
	for {
		n, err := near.Receive(ctx)
		if err != nil {
			break
		}
		fmt.Println(n)
	}
	// Output:
	// 3
	// 2
	// 1
}
