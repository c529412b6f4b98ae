package main

import (
	"context"
	"crypto/rand"
	"sync"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/reconnect"
	"github.com/wschannel/wschannel/streamchannel"
)

// maxUnsent is how many posts wait for the channel before the page takes no more.
const maxUnsent = 64

func main() {
	p := openPage()
	name := p.askName()
	talk(context.Background(), p, p.channelURL(name, rand.Text()))
	// The page still calls this program.
	select {}
}

type link = streamchannel.Channel[event, post]

// talk connects the page to its room, again and again, until the server wants no
// more. Only its goroutine changes the page.
func talk(ctx context.Context, p *page, url string) {
	var unconfirmed unconfirmed
	ch := reconnect.New(func(ctx context.Context) (link, error) {
		ch, err := wschannel.Connect(ctx, url, &wschannel.Options{Protocols: []string{jsonProtocol}})
		if err != nil {
			return nil, err
		}
		return streamchannel.JSON[event, post](ch.TextChannel(), nil), nil
	}, &reconnect.Options[link, post]{
		OnDoubt: func(d reconnect.Doubt[post]) []post { return unconfirmed.among(d.Messages) },
	})
	defer ch.Close()

	events, states, outgoing := make(chan event), make(chan reconnect.State), make(chan post)
	go func() {
		for e, err := range streamchannel.Messages(ctx, ch) {
			if err != nil {
				return // the state says so too
			}
			events <- e
		}
	}()
	go func() {
		for s := range ch.States(ctx) {
			states <- s
		}
		close(states)
	}()
	go func() {
		for m := range outgoing {
			if ch.Send(ctx, m) != nil {
				return
			}
		}
	}()

	var unsent []post
	for {
		posted, send, next := p.posted, (chan<- post)(nil), post{}
		if len(unsent) >= maxUnsent {
			posted = nil
		}
		if len(unsent) > 0 {
			send, next = outgoing, unsent[0]
		}
		select {
		case text := <-posted:
			m := post{ID: rand.Text(), Text: text}
			unconfirmed.add(m)
			unsent = append(unsent, m)
			p.showPending(m)
		case send <- next:
			unsent = unsent[1:]
		case e := <-events:
			unconfirmed.remove(e)
			p.show(e)
		case s, more := <-states:
			if !more {
				return
			}
			p.showLink(s)
		}
	}
}

// unconfirmed are the IDs of posts of which the server has not told.
type unconfirmed struct {
	mu  sync.Mutex
	ids map[string]struct{}
}

func (u *unconfirmed) add(m post) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ids == nil {
		u.ids = map[string]struct{}{}
	}
	u.ids[m.ID] = struct{}{}
}

func (u *unconfirmed) remove(e event) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.ids, e.ID)
	for _, old := range e.Recent {
		delete(u.ids, old.ID)
	}
}

func (u *unconfirmed) among(posts []post) []post {
	u.mu.Lock()
	defer u.mu.Unlock()
	var left []post
	for _, m := range posts {
		if _, ok := u.ids[m.ID]; ok {
			left = append(left, m)
		}
	}
	return left
}
