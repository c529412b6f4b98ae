//go:build !js

package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
	"github.com/wschannel/wschannel/streamchannel"
)

// A visitor is who asks to come in.
type visitor struct{ room, name, tab string }

type visitorKey struct{}

// server returns what accepts the channels of the rooms: the path's last element
// is the room, and name and tab are in the query.
func (c *chat) server() *wschannel.Server {
	return &wschannel.Server{
		Upgrade: func(r *http.Request) (context.Context, error) {
			v := visitor{room: r.PathValue("room"), name: clean(r.FormValue("name"), maxName), tab: r.FormValue("tab")}
			if !isRoom(v.room) {
				return nil, &wschannel.HandshakeError{StatusCode: http.StatusNotFound, Text: noRoom}
			}
			return context.WithValue(r.Context(), visitorKey{}, v), nil
		},
		AcceptOptions: wschannel.AcceptOptions{Options: wschannel.Options{
			Protocols:    []string{jsonProtocol, linesProtocol},
			MessageLimit: 8 << 10,
		}},
		Handler: func(ctx context.Context, ch *wschannel.Channel) {
			c.serve(ctx, ch, ctx.Value(visitorKey{}).(visitor))
		},
	}
}

// serve is one member's stay. It ends with the channel.
func (c *chat) serve(ctx context.Context, ch *wschannel.Channel, v visitor) {
	link := lines(ch.TextChannel())
	if ch.Protocol() == jsonProtocol {
		link = streamchannel.JSON[post, event](ch.TextChannel(), nil)
	}
	m := &member{name: v.name, tab: v.tab, echo: ch.Protocol() == jsonProtocol}
	m.expel = func(why reason) {
		// This waits for the other side, and nobody here waits for that.
		go ch.CloseWith(why.code())
	}
	c.join(v.room, m)
	defer c.leave(m)
	// The server ends ctx when this returns, and so this goroutine.
	go m.send(ctx, link)
	for p, err := range streamchannel.Messages(ctx, link) {
		var bad *streamchannel.DecodeError
		if errors.As(err, &bad) {
			ch.CloseWith(status.InvalidFramePayloadData, "a message must be a text, in "+jsonProtocol+" a post")
		}
		if err != nil {
			return
		}
		c.say(m, p)
	}
}

// send sends what is queued for the member, for as long as the link is there.
func (m *member) send(ctx context.Context, link streamchannel.Sink[event]) {
	for {
		select {
		case e := <-m.queue:
			if link.Send(ctx, e) != nil {
				return // the link is over, which the receiver notices too
			}
		case <-ctx.Done():
			return
		}
	}
}

// code returns the close code and the reason. After the first a client may come
// back, which package reconnect does; after the second it must not.
func (why reason) code() (status.Code, string) {
	if why == tooSlow {
		return status.TryAgainLater, "too slow: the last messages are here when you come back"
	}
	return status.NormalClosure, "connected again"
}
