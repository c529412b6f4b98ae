//go:build unix && !darwin

package guides

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel"
)

func TestSendWaitsNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		ch, peer := pair()
		defer peer.CloseNow()
		defer ch.CloseNow()

		for ctx.Err() == nil {
			short, cancel := context.WithTimeout(ctx, 5*time.Second)
			err := ch.SendBinary(short, make([]byte, 32<<10))
			cancel()
			if errors.Is(err, context.DeadlineExceeded) && ch.Err() == nil {
				// nothing of it was sent, and the channel can be used on
			}

			switch {
			case errors.Is(err, context.DeadlineExceeded):
				return
			case err != nil:
				t.Fatal(err)
			}
		}
	})
}

func Example_room() {
	var room wschannel.Group // ready for use
	chat := &wschannel.Server{
		Handler: func(ctx context.Context, ch *wschannel.Channel) {
			room.Join(ch) // it leaves by itself
			for m, err := range ch.Messages(ctx) {
				if err != nil || room.Publish(m, ch) != nil { // to all but ch, the author
					return
				}
			}
		},
	}

	url, stop := local(chat)
	defer stop()
	ctx := context.Background()
	ada, err := wschannel.Connect(ctx, url, nil)
	if err != nil {
		log.Fatal(err)
	}
	bob, err := wschannel.Connect(ctx, url, nil)
	if err != nil {
		log.Fatal(err)
	}
	for tick := time.Tick(time.Millisecond); room.Len() < 2; {
		<-tick
	}
	ada.SendText(ctx, "hello")
	m, err := bob.Receive(ctx)
	fmt.Println(string(m.Data), err)
	// Output: hello <nil>
}

// publish sends the same message to several groups.
func publish(m wschannel.Message, groups ...*wschannel.Group) error {
	news, err := wschannel.Prepare(m)
	if err != nil {
		return err // not UTF-8
	}
	for _, g := range groups {
		g.PublishPrepared(news)
	}
	return nil
}

func TestPublishPrepared(t *testing.T) {
	var rooms [2]wschannel.Group
	var peers [2]*wschannel.Channel
	for i := range rooms {
		ch, peer := pair()
		defer peer.CloseNow()
		defer ch.CloseNow()
		rooms[i].Join(ch)
		peers[i] = peer
	}
	if err := publish(wschannel.Message{Type: wschannel.Text, Data: []byte("for all of you")}, &rooms[0], &rooms[1]); err != nil {
		t.Fatal(err)
	}
	for _, peer := range peers {
		if m, err := peer.Receive(t.Context()); string(m.Data) != "for all of you" {
			t.Errorf("received %q, %v", m.Data, err)
		}
	}
	if err := publish(wschannel.Message{Type: wschannel.Text, Data: []byte{0xFF}}, &rooms[0]); err != wschannel.ErrInvalidUTF8 {
		t.Errorf("what is not UTF-8: %v", err)
	}
}

func TestRidOfSlowPeers(t *testing.T) {
	ctx := t.Context()
	told := make(chan error, 1)
	url, stop := local(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		options := wschannel.AcceptOptions{Options: wschannel.Options{
			WhenFull:  wschannel.CloseTryAgainLater, // or ClosePolicyViolation
			SendQueue: 1 << 20,
		}}
		ch, err := wschannel.Accept(w, r, &options)
		if err != nil {
			return
		}
		err = ch.SendText(ctx, "never waits for the peer")
		if slow, ok := errors.AsType[*wschannel.SlowPeerError](err); ok {
			fmt.Println(slow.Messages, "messages waited in vain")
		}

		told <- err
		for err == nil {
			err = ch.SendBinary(ctx, make([]byte, 256<<10))
		}
		ch.CloseNow()
		told <- err
	}))
	defer stop()
	conn, err := net.Dial("tcp", url[len("ws://"):])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	if err := <-told; err != nil {
		t.Error(err)
	}
	if slow, ok := errors.AsType[*wschannel.SlowPeerError](<-told); !ok || slow.Messages == 0 {
		t.Error(slow)
	}
}

func Example_onlyTheNewest() {
	defer host("example.com", echo)()
	ctx := context.Background()

	d := wschannel.Dialer{Options: wschannel.Options{
		WhenFull:  wschannel.DropOldest,
		SendQueue: -1,
	}}
	ch, _, err := d.Connect(ctx, "wss://example.com/position")

	fmt.Println(ch != nil, err)
	// Output: true <nil>
}

func Example_decide() {
	ctx := context.Background()
	a, _ := net.Pipe()
	ch := wschannel.New(a, wschannel.RoleServer, &wschannel.StreamOptions{Options: wschannel.Options{WhenFull: wschannel.Fail, SendQueue: -1}})
	for ch.SendBinary(ctx, make([]byte, 64<<10)) == nil {
	}

	channels := []*wschannel.Channel{ch} // made with WhenFull: wschannel.Fail
	for _, ch := range channels {
		switch err := ch.SendText(ctx, "tick"); {
		case errors.Is(err, wschannel.ErrQueueFull):
			// remember that this one has to get everything anew, later
		case err != nil:
			// the channel is over
		}
	}

	fmt.Println(ch.QueueStats().Refused)
	ch.CloseNow()
	// Output: 2
}

func Example_whoIsSlow() {
	ch, stop := connected(echo.Handler)
	defer stop()

	fmt.Println(ch.Buffered())   // bytes that wait for the transport, now
	fmt.Println(ch.QueueStats()) // what waits in the queue, and has waited, was dropped, was refused

	var room wschannel.Group
	for member := range room.Members() {
		if q := member.QueueStats(); q.Bytes > 32<<10 {
			fmt.Println(member.Underlying().RemoteAddr(), "is behind by", q.Messages, "messages")
		}
	}
	fmt.Println(room.Stats()) // published, sent, dropped, closed
	// Output:
	// 0
	// {0 0 0 0 0}
	// {0 0 0 0}
}
