package main

import (
	"context"
	"errors"
	"io"

	"github.com/wschannel/wschannel"
)

// A relay is the server of the demo. It joins the channels that come, two by
// two: what one of them sends goes to the other.
type relay struct {
	lobby chan guest
	ended chan *wschannel.CloseError // how the channels were closed that a client has closed
}

// A guest is a channel that waits for a partner.
type guest struct {
	channel *wschannel.Channel
	partner chan *wschannel.Channel
}

// partner returns the channel to join c with, and nil if c ends before there is
// one.
func (r *relay) partner(ctx context.Context, c *wschannel.Channel) *wschannel.Channel {
	me := guest{c, make(chan *wschannel.Channel, 1)}
	select {
	case r.lobby <- me:
		return <-me.partner
	case first := <-r.lobby:
		first.partner <- c
		return first.channel
	case <-ctx.Done():
		return nil
	}
}

// handle is a Handler of a wschannel.Server. It passes messages on while they
// come, and holds no more than a buffer of them. When the client closes the
// channel, its partner is closed in the same way.
func (r *relay) handle(ctx context.Context, c *wschannel.Channel) {
	partner := r.partner(ctx, c)
	if partner == nil {
		return
	}
	defer partner.Close()
	err := passOn(ctx, partner, c)
	if end, ok := errors.AsType[*wschannel.CloseError](err); ok && end.Remote {
		partner.CloseWith(end.Code, end.Reason)
		r.ended <- end
	}
}

// passOn sends to one channel what is received from another, until one of them
// ends.
func passOn(ctx context.Context, to, from *wschannel.Channel) error {
	for {
		t, in, err := from.NextReader(ctx)
		if err != nil {
			return err
		}
		out, err := to.NextWriter(ctx, t)
		if err != nil {
			return err
		}
		if _, err := io.Copy(out, in); err != nil {
			return err
		}
		if err := out.Close(); err != nil {
			return err
		}
	}
}
