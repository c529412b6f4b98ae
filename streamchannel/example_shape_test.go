package streamchannel_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/wschannel/wschannel/streamchannel"
)

// A channel of numbers over one of texts.
func ExampleTransform() {
	ctx := context.Background()
	texts, peer := streamchannel.Pair[string, string](1)
	numbers := streamchannel.Transform(texts,
		streamchannel.Map(strconv.Atoi),
		streamchannel.Map(func(n int) (string, error) { return strconv.Itoa(n), nil }))

	peer.Send(ctx, "20")
	n, _ := numbers.Receive(ctx)
	numbers.Send(ctx, n+1)
	answer, _ := peer.Receive(ctx)
	fmt.Println(answer)
	// Output: 21
}

// The peer sends text in pieces; what is received are lines.
func ExampleTransformStream() {
	ctx := context.Background()
	texts, peer := streamchannel.Pair[string, string](3)
	lines := streamchannel.TransformStream(texts, streamchannel.Lines(0))

	streamchannel.SendAll(ctx, peer, slices.Values([]string{"hel", "lo\nwor", "ld"}))
	peer.Close()
	for line := range streamchannel.Messages(ctx, lines) {
		fmt.Println(line)
	}
	// Output:
	// hello
	// world
}

// Empty messages are not worth sending.
func ExampleTransformSink() {
	ctx := context.Background()
	texts, peer := streamchannel.Pair[string, string](3)
	sparing := streamchannel.TransformSink(texts, streamchannel.Filter(func(s string) bool { return s != "" }))

	streamchannel.SendAll(ctx, sparing, slices.Values([]string{"a", "", "b"}))
	sparing.Close()
	for m := range streamchannel.Messages(ctx, peer) {
		fmt.Println(m)
	}
	// Output:
	// a
	// b
}

// A message that cannot be mapped is an error of its own, and no more.
func ExampleMap() {
	ctx := context.Background()
	texts, peer := streamchannel.Pair[string, string](3)
	numbers := streamchannel.TransformStream(texts, streamchannel.Map(strconv.Atoi))

	streamchannel.SendAll(ctx, peer, slices.Values([]string{"1", "zwei", "3"}))
	peer.Close()
	for n, err := range streamchannel.Messages(ctx, numbers) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(n)
	}
	// Output:
	// 1
	// streamchannel: cannot decode message: strconv.Atoi: parsing "zwei": invalid syntax
	// 3
}

func ExampleFilter() {
	ctx := context.Background()
	numbers, peer := streamchannel.Pair[int, int](3)
	odd := streamchannel.TransformStream(numbers, streamchannel.Filter(func(n int) bool { return n%2 != 0 }))

	streamchannel.SendAll(ctx, peer, slices.Values([]int{1, 2, 3}))
	peer.Close()
	for n := range streamchannel.Messages(ctx, odd) {
		fmt.Println(n)
	}
	// Output:
	// 1
	// 3
}

// Numbers are received in batches of two; the last batch may be smaller.
func ExampleStateful() {
	batches := streamchannel.Stateful(func() (step func(int, func([]int)) error, flush func(func([]int))) {
		var batch []int
		step = func(n int, emit func([]int)) error {
			if batch = append(batch, n); len(batch) == 2 {
				emit(batch)
				batch = nil
			}
			return nil
		}
		flush = func(emit func([]int)) {
			if len(batch) > 0 {
				emit(batch)
			}
		}
		return step, flush
	})

	ctx := context.Background()
	numbers, peer := streamchannel.Pair[int, int](3)
	streamchannel.SendAll(ctx, peer, slices.Values([]int{1, 2, 3}))
	peer.Close()
	for batch := range streamchannel.Messages(ctx, streamchannel.TransformStream(numbers, batches)) {
		fmt.Println(batch)
	}
	// Output:
	// [1 2]
	// [3]
}

// Lines can be put on the side that sends, too.
func ExampleLines() {
	ctx := context.Background()
	texts, peer := streamchannel.Pair[string, string](3)
	lines := streamchannel.TransformSink(texts, streamchannel.Lines(80))

	streamchannel.SendAll(ctx, lines, slices.Values([]string{"roses are", " red\nviolets are", " blue"}))
	lines.Close()
	for line := range streamchannel.Messages(ctx, peer) {
		fmt.Println(line)
	}
	// Output:
	// roses are red
	// violets are blue
}

// What is not JSON is an error for that message; the channel goes on.
func ExampleJSON() {
	type Question struct{ A, B int }
	type Answer struct{ Sum int }

	ctx := context.Background()
	texts, peer := streamchannel.Pair[string, string](2)
	calculator := streamchannel.JSON[Question, Answer](texts, nil)

	streamchannel.SendAll(ctx, peer, slices.Values([]string{`{"A": 1,`, `{"A": 1, "B": 2}`}))
	for range 2 {
		q, err := calculator.Receive(ctx)
		var bad *streamchannel.DecodeError
		switch {
		case errors.As(err, &bad):
			fmt.Println(bad)
		case err == nil:
			calculator.Send(ctx, Answer{q.A + q.B})
		}
	}
	answer, _ := peer.Receive(ctx)
	fmt.Println(answer)
	// Output:
	// streamchannel: cannot decode message: unexpected end of JSON input
	// {"Sum":3}
}

// Point has a binary form of eight bytes.
type Point struct{ X, Y int32 }

// A Codec for any encoding: here that of package encoding/binary.
func ExampleCodec() {
	points := streamchannel.Codec[[]byte, Point, Point]{
		Decode: func(b []byte) (p Point, err error) {
			n, err := binary.Decode(b, binary.BigEndian, &p)
			if err == nil && n != len(b) {
				err = errors.New("more than a point")
			}
			return p, err
		},
		Encode: func(p Point) ([]byte, error) { return binary.Append(nil, binary.BigEndian, p) },
	}

	ctx := context.Background()
	bytes, peer := streamchannel.Pair[[]byte, []byte](1)
	ch := points.Bind(bytes)
	ch.Send(ctx, Point{1, -1})
	b, _ := peer.Receive(ctx)
	fmt.Printf("% x\n", b)
	peer.Send(ctx, b)
	p, _ := ch.Receive(ctx)
	fmt.Println(p)
	// Output:
	// 00 00 00 01 ff ff ff ff
	// {1 -1}
}

func ExampleMessages() {
	ctx := context.Background()
	near, far := streamchannel.Pair[string, string](2)
	far.Send(ctx, "one")
	far.Send(ctx, "two")
	far.Close()
	for m, err := range streamchannel.Messages(ctx, near) {
		if err != nil {
			fmt.Println("lost:", err)
			return
		}
		fmt.Println(m)
	}
	fmt.Println("over")
	// Output:
	// one
	// two
	// over
}

// Any sequence will do. SendAll takes from it as fast as the peer receives.
func ExampleSendAll() {
	ctx := context.Background()
	near, far := streamchannel.Pair[string, string](0)
	go func() {
		defer far.Close()
		streamchannel.SendAll(ctx, far, strings.FieldsSeq("any sequence of messages"))
	}()
	for m := range streamchannel.Messages(ctx, near) {
		fmt.Println(m)
	}
	// Output:
	// any
	// sequence
	// of
	// messages
}
