//go:build !js

package wschannel_test

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"net"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/streamchannel"
)

// JSON in text messages, with types of one's own.
func ExampleChannel_TextChannel() {
	type Greeting struct{ Hello string }

	url, stop := startServer(echoServer)
	defer stop()
	ctx := context.Background()
	ch, err := wschannel.Connect(ctx, url, nil)
	if err != nil {
		log.Fatal(err)
	}
	greetings := streamchannel.JSON[Greeting, Greeting](ch.TextChannel(), nil)
	defer greetings.Close()

	greetings.Send(ctx, Greeting{"world"})
	g, err := greetings.Receive(ctx)
	fmt.Println(g.Hello, err)
	// Output: world <nil>
}

// Many channels over one WebSocket, in compact binary messages.
func ExampleChannel_BinaryChannel() {
	near, far := net.Pipe()
	client := wschannel.New(near, wschannel.RoleClient, nil)
	server := wschannel.New(far, wschannel.RoleServer, nil)

	ctx := context.Background()
	envelopes := streamchannel.CompactEnvelopes()
	here := streamchannel.NewMux(envelopes.Bind(client.BinaryChannel()), nil)
	there := streamchannel.NewMux(envelopes.Bind(server.BinaryChannel()), nil)
	defer here.Close()

	question, err := here.Open()
	if err != nil {
		log.Fatal(err)
	}
	question.Send(ctx, []byte("hello"))
	asked, err := there.Accept(ctx)
	if err != nil {
		log.Fatal(err)
	}
	m, err := asked.Receive(ctx)
	fmt.Println(string(m), err)
	// Output: hello <nil>
}

// A protocol of lines, which knows nothing of WebSockets.
func ExampleNetConn() {
	url, stop := startServer(echoServer)
	defer stop()
	ch, err := wschannel.Connect(context.Background(), url, nil)
	if err != nil {
		log.Fatal(err)
	}
	conn := wschannel.NetConn(ch)
	defer conn.Close()

	fmt.Fprintf(conn, "hello, ")
	fmt.Fprintf(conn, "world\n")
	line, err := bufio.NewReader(conn).ReadString('\n')
	fmt.Printf("%q %v\n", line, err)
	// Output: "hello, world\n" <nil>
}
