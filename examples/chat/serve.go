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
		AcceptOptions: wschannel.AcceptOptions{Options: memberOptions},
		Handler: func(ctx context.Context, ch *wschannel.Channel) {
			c.serve(ctx, ch, ctx.Value(visitorKey{}).(visitor))
		},
	}
}

// serve is one member's stay. It ends with the channel.
func (c *chat) serve(ctx context.Context, ch *wschannel.Channel, v visitor) {
	m := &member{name: v.name, tab: v.tab, page: ch.Protocol() == jsonProtocol, ch: ch}
	posts := lines(ch.TextChannel())
	if m.page {
		posts = streamchannel.JSON[post, event](ch.TextChannel(), nil)
	}
	c.join(v.room, m)
	defer c.leave(m)
	for p, err := range streamchannel.Messages(ctx, posts) {
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
