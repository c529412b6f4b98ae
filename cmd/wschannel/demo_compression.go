package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/wschannel/wschannel"
)

// compressing sends the same messages in each mode of compression, and shows
// how many bytes went over the connection for them.
func (s *stage) compressing(ctx context.Context) error {
	var messages []string
	for i := range 100 {
		messages = append(messages, fmt.Sprintf(`{"sequence":%d,"product":"%s","bids":[{"price":"%d.%02d","amount":%d},`+
			`{"price":"%d.%02d","amount":%d}],"asks":[{"price":"%d.%02d","amount":%d}]}`,
			i, []string{"apples", "pears", "plums"}[i%3], 3+i*i%7, i*37%100, i*i%91, 4+i*i%5, i*41%100, i*i%67, 5+i*i%3, i*43%100, i*i%53))
	}
	total := len(strings.Join(messages, ""))
	s.goes("alice", "bob", "text    100 messages, %d bytes in all, such as", total)
	s.line("    %s", messages[10])
	plain := int64(0)
	for mode := wschannel.CompressionOff; mode <= wschannel.CompressionContext; mode++ {
		sent, err := sendCounted(ctx, mode, messages)
		if err != nil {
			return err
		}
		if mode == wschannel.CompressionOff {
			plain = sent
		}
		s.sees(mode.String(), "bytes on the wire: %d (measured), which is %d%% (measured)", sent, sent*100/plain)
		if mode == wschannel.CompressionContext && sent >= plain/2 {
			return fmt.Errorf("expected that context halves %d bytes at least, and %d were sent", plain, sent)
		}
	}
	return nil
}

// sendCounted sends messages from one program to another, with frames and all,
// and returns how many bytes that took.
func sendCounted(ctx context.Context, mode wschannel.CompressionMode, messages []string) (sent int64, err error) {
	compression := wschannel.Compression{Mode: mode, Threshold: -1}
	received := make(chan error, 1)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	server := &http.Server{ReadHeaderTimeout: requestTime, Handler: &wschannel.Server{
		AcceptOptions: wschannel.AcceptOptions{Compression: compression},
		Handler: func(ctx context.Context, bob *wschannel.Channel) {
			for _, want := range messages {
				if m, err := bob.Receive(ctx); err != nil || string(m.Data) != want {
					received <- fmt.Errorf("expected %s, got %s, %w", want, m.Data, err)
					return
				}
			}
			received <- nil
		},
	}}
	go server.Serve(listener)
	defer server.Close()
	var conn countedConn
	alice, _, err := wschannel.Dialer{
		Compression: compression,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, address)
			conn.Conn = c
			return &conn, err
		},
	}.Connect(ctx, addressURL("ws", listener.Addr(), "/"))
	if err != nil {
		return 0, err
	}
	defer alice.Close()
	if got := alice.Compression().Mode; got != mode {
		return 0, fmt.Errorf("expected that both sides agree on %v, got %v", mode, got)
	}
	before := conn.written.Load()
	for _, m := range messages {
		if err := alice.SendText(ctx, m); err != nil {
			return 0, err
		}
	}
	sent = conn.written.Load() - before
	select {
	case err = <-received:
	case <-ctx.Done():
		err = ctx.Err()
	}
	return sent, err
}

// A countedConn counts what is written to it.
type countedConn struct {
	net.Conn
	written atomic.Int64
}

func (c *countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.written.Add(int64(n))
	return n, err
}
