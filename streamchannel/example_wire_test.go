package streamchannel_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wschannel/wschannel/status"
	"github.com/wschannel/wschannel/streamchannel"
)

// Two parts of a program, connected by Go channels.
func ExampleFromChans() {
	ctx := context.Background()
	requests, replies := make(chan string), make(chan string)
	client := streamchannel.FromChans(replies, requests)
	go shout(ctx, streamchannel.FromChans(requests, replies))

	client.Send(ctx, "hello")
	answer, _ := client.Receive(ctx)
	fmt.Println(answer)
	client.Close()
	// Output: HELLO
}

// reader is a stream that ends with an error of its own.
type reader struct{ *strings.Reader }

func (r reader) Receive(context.Context) (rune, error) {
	c, _, err := r.ReadRune()
	return c, err
}

// printer is a sink that knows nothing of contexts.
type printer struct{}

func (printer) Send(_ context.Context, s string) error { fmt.Println(s); return nil }
func (printer) Close() error                           { return nil }

// Guard makes a channel of things that are far from being one.
func ExampleGuard() {
	ctx := context.Background()
	ch := streamchannel.Guard(reader{strings.NewReader("né")}, printer{})
	for c, err := range streamchannel.Messages(ctx, ch) {
		fmt.Println(string(c), err)
	}
	fmt.Println(ch.Err())
	// Output:
	// n <nil>
	// é <nil>
	// streamchannel: closed
}

// The channel is used before it exists.
func ExampleDeferred() {
	ctx := context.Background()
	d := streamchannel.NewDeferred[string, string](16)
	d.Send(ctx, "hello") // does not wait for the connection
	connect := func() (streamchannel.Channel[string, string], error) {
		client, server := streamchannel.Pair[string, string](0)
		go shout(ctx, server)
		return client, nil
	}
	go func() { d.Resolve(connect()) }()

	answer, _ := d.Receive(ctx)
	fmt.Println(answer)
	d.Close()
	// Output: HELLO
}

// Everybody who was let in can be put out at once.
func ExampleDisconnector() {
	ctx := context.Background()
	var d streamchannel.Disconnector
	near, far := streamchannel.Pair[string, string](0)
	ch := streamchannel.WithDisconnector(near, &d)

	d.Disconnect()
	fmt.Println(ch.Send(ctx, "hello"))
	<-far.Done()
	// Output: streamchannel: disconnected
}

// logged is a stream that shows what passes.
type logged struct{ streamchannel.Stream[string] }

func (l logged) Receive(ctx context.Context) (string, error) {
	m, err := l.Stream.Receive(ctx)
	if err == nil {
		fmt.Println("received", m)
	}
	return m, err
}

func ExampleWithStream() {
	ctx := context.Background()
	near, far := streamchannel.Pair[string, string](1)
	ch := streamchannel.WithStream(near, logged{near})
	far.Send(ctx, "hello")
	ch.Receive(ctx)
	// Output: received hello
}

// limited is a sink that refuses long messages.
type limited struct{ streamchannel.Sink[string] }

var errLong = errors.New("message is longer than 5 bytes")

func (l limited) Send(ctx context.Context, m string) error {
	if len(m) > 5 {
		return errLong
	}
	return l.Sink.Send(ctx, m)
}

func ExampleWithSink() {
	ctx := context.Background()
	near, _ := streamchannel.Pair[string, string](1)
	ch := streamchannel.WithSink(near, limited{near})
	fmt.Println(ch.Send(ctx, "hello"))
	fmt.Println(ch.Send(ctx, "hello, world"))
	// Output:
	// <nil>
	// message is longer than 5 bytes
}

// Two receivers of one stream. One of them may miss what it is too slow for.
func ExampleFanOut() {
	ctx := context.Background()
	near, far := streamchannel.Pair[int, int](5)
	fan := streamchannel.NewFanOut(near)
	all := fan.Subscribe(1, streamchannel.WaitWhenFull)
	latest := fan.Subscribe(1, streamchannel.DropWhenFull)

	streamchannel.SendAll(ctx, far, slices.Values([]int{1, 2, 3}))
	far.Close()
	for n := range streamchannel.Messages(ctx, all) {
		fmt.Println("all:", n)
	}
	for n := range streamchannel.Messages(ctx, latest) {
		fmt.Println("latest:", n)
	}
	fmt.Println("dropped:", latest.Dropped())
	// Output:
	// all: 1
	// all: 2
	// all: 3
	// latest: 3
	// dropped: 2
}

// coded stands for a channel that has close codes, as a WebSocket channel does.
type coded struct {
	streamchannel.Channel[string, string]
}

func (c coded) CloseWith(code status.Code, reason string) error {
	fmt.Println("closed with", code, reason)
	return c.Close()
}
func (c coded) CloseCode() status.Code { return 0 }
func (c coded) CloseReason() string    { return "" }

// The code reaches the channel below all that was put on it.
func ExampleCloseWith() {
	near, _ := streamchannel.Pair[string, string](0)
	values := streamchannel.JSON[int, int](coded{near}, nil)
	streamchannel.CloseWith(values, status.PolicyViolation, "no more numbers")
	// Output: closed with 1008 policy violation no more numbers
}
