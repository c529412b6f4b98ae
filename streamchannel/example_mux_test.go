package streamchannel_test

import (
	"context"
	"fmt"

	"github.com/wschannel/wschannel/streamchannel"
)

// Two Muxes over one channel of texts. Each question gets a channel of its own.
func ExampleMux() {
	type mux = *streamchannel.Mux[string, string]
	newMux := func(texts streamchannel.Channel[string, string]) mux {
		return streamchannel.NewMux(streamchannel.JSON[streamchannel.Envelope[string], streamchannel.Envelope[string]](texts, nil), nil)
	}
	ctx := context.Background()
	near, far := streamchannel.Pair[string, string](0)
	client, server := newMux(near), newMux(far)
	go func() {
		for {
			ch, err := server.Accept(ctx)
			if err != nil {
				return
			}
			go shout(ctx, ch)
		}
	}()

	for _, question := range []string{"hello", "how are you"} {
		ch, err := client.Open()
		if err != nil {
			fmt.Println(err)
			return
		}
		ch.Send(ctx, question)
		answer, _ := ch.Receive(ctx)
		fmt.Println(ch.ID(), answer)
		ch.Close()
	}
	client.Close()
	// Output:
	// 1 HELLO
	// 3 HOW ARE YOU
}

// What a Dart peer sees.
func ExampleEnvelope() {
	ctx := context.Background()
	near, peer := streamchannel.Pair[string, string](3)
	m := streamchannel.NewMux(streamchannel.JSON[streamchannel.Envelope[string], streamchannel.Envelope[string]](near, nil), nil)
	defer m.Close()

	m.Default().Send(ctx, "on the default channel")
	ch, _ := m.Open()
	ch.Send(ctx, "on one of its own")
	ch.Close()
	for range 3 {
		text, _ := peer.Receive(ctx)
		fmt.Println(text)
	}
	// Output:
	// [0,"on the default channel"]
	// [1,"on one of its own"]
	// [1]
}

// Between two programs in Go, envelopes need not be JSON.
func ExampleCompactEnvelopes() {
	ctx := context.Background()
	near, far := streamchannel.Pair[[]byte, []byte](0)
	compact := streamchannel.CompactEnvelopes()
	client := streamchannel.NewMux(compact.Bind(near), nil)
	server := streamchannel.NewMux(compact.Bind(far), nil)

	client.Default().Send(ctx, []byte("hello"))
	m, _ := server.Default().Receive(ctx)
	fmt.Println(string(m))
	client.Close()
	<-server.Done()
	// Output: hello
}
