//go:build linux

package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"log"
	"time"

	"github.com/wschannel/wschannel"
)

// members are the channels, healthy and hostile, that get all that is published.
type members struct{ group wschannel.Group }

// publish sends the members something all the time, numbered.
func (m *members) publish() {
	news := noise(8 << 10)
	for n := uint64(0); ; n++ {
		time.Sleep(5 * time.Millisecond)
		binary.BigEndian.PutUint64(news, n)
		if err := m.group.Publish(wschannel.Message{Type: wschannel.Binary, Data: news}); err != nil {
			log.Fatal(err)
		}
	}
}

// serve makes a channel a member.
func (m *members) serve(ctx context.Context, c *wschannel.Channel) {
	if m.group.Join(c) != nil {
		return
	}
	for range c.Messages(ctx) {
	}
}

// follow is a healthy member: it gets all that is published from its joining on, in
// order. It returns what was wrong.
func follow(c *wschannel.Channel) error {
	next := uint64(0)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		m, err := c.Receive(ctx)
		cancel()
		if err != nil {
			return err
		}
		if len(m.Data) < 8 {
			return fmt.Errorf("received %d bytes", len(m.Data))
		}
		n := binary.BigEndian.Uint64(m.Data)
		if next > 0 && n != next {
			return fmt.Errorf("received publication %d; expected %d", n, next)
		}
		next = n + 1
	}
}
