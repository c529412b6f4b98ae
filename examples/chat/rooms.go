//go:build !js

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

// The limits of rooms and members.
const (
	maxRecent = 50        // what was said last, for who joins
	maxQueue  = 256 << 10 // bytes that wait for a member to take them: more than all of that
	maxEmpty  = 100       // rooms that are kept though nobody is there
)

// memberOptions are those of each member's channel. Sending to a member never
// waits: who does not take what is said, for so long that the queue is full, is
// closed, and gets the last of it on coming back.
var memberOptions = wschannel.Options{
	Protocols:    []string{jsonProtocol, linesProtocol},
	MessageLimit: 8 << 10,
	WhenFull:     wschannel.CloseTryAgainLater,
	SendQueue:    maxQueue,
}

// A chat is all the rooms. One lock is enough for them, for nothing that is done
// while it is held waits for anybody.
type chat struct {
	now func() time.Time

	mu    sync.Mutex
	rooms map[string]*room
}

// A room is there from its first member on. An event is sent to each of two
// groups in the form that its members understand.
type room struct {
	name      string
	members   []*member // in the order in which they came
	pages     wschannel.Group
	terminals wschannel.Group
	recent    []event
}

// A member is somebody in a room.
type member struct {
	name string
	tab  string // the browser's page, which nobody else knows; "" in terminals
	page bool   // they get events as JSON, and what they say themselves too; in terminals not
	ch   *wschannel.Channel
	room *room
	gone bool // replaced by a newer connection of the same tab
}

func newChat() *chat {
	return &chat{now: time.Now, rooms: map[string]*room{}}
}

// join puts m into a room, with a name that is free there. The room hears of it,
// unless it is a tab that has come again before the end of its old connection
// was noticed: that one is replaced.
func (c *chat) join(name string, m *member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.rooms[name]
	if r == nil {
		r = &room{name: name}
		c.rooms[name] = r
		c.sweep()
	}
	m.room = r
	old := slices.IndexFunc(r.members, func(other *member) bool { return m.tab != "" && other.tab == m.tab })
	if old >= 0 {
		m.name = r.members[old].name
		r.members[old].replaced()
		r.members[old] = m
	} else {
		m.name = r.free(m.name)
		r.members = append(r.members, m)
	}
	m.tell(event{Kind: welcome, Room: r.name, Name: m.name, People: r.people(), Recent: slices.Clone(r.recent), Time: c.now()})
	if old < 0 {
		r.tell(event{Kind: joined, Name: m.name, People: r.people(), Time: c.now()})
	}
	m.audience().Join(m.ch)
}

// leave takes m out of its room.
func (c *chat) leave(m *member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := m.room
	i := slices.Index(r.members, m)
	if i < 0 {
		return // replaced
	}
	r.members = slices.Delete(r.members, i, i+1)
	m.audience().Leave(m.ch)
	r.tell(event{Kind: left, Name: m.name, People: r.people(), Time: c.now()})
	c.sweep()
}

// say tells the room what m says, once for each ID.
func (c *chat) say(m *member, p post) {
	text := clean(p.Text, maxText)
	if text == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r := m.room
	if m.gone || p.ID != "" && slices.ContainsFunc(r.recent, func(e event) bool { return e.ID == p.ID && e.Name == m.name }) {
		return
	}
	e := event{Kind: said, Name: m.name, ID: p.ID, Text: text, Time: c.now()}
	if len(r.recent) == maxRecent {
		r.recent = slices.Delete(r.recent, 0, 1)
	}
	r.recent = append(r.recent, e)
	if m.page {
		r.tell(e)
	} else {
		r.tell(e, m.ch)
	}
}

// sweep drops rooms that nobody is in, if there are too many of them.
func (c *chat) sweep() {
	var empty []string
	for name, r := range c.rooms {
		if len(r.members) == 0 {
			empty = append(empty, name)
		}
	}
	for len(empty) > maxEmpty {
		delete(c.rooms, empty[0])
		empty = empty[1:]
	}
}

func (r *room) people() []string {
	names := make([]string, len(r.members))
	for i, m := range r.members {
		names[i] = m.name
	}
	return names
}

// free returns the name, or one like it that nobody in the room has.
func (r *room) free(name string) string {
	stem, n := name, 1
	if name == "" {
		stem, name = "guest", "guest 1"
	}
	for slices.Contains(r.people(), name) {
		n++
		name = fmt.Sprintf("%s %d", stem, n)
	}
	return name
}

// tell tells an event to all members but those of except.
func (r *room) tell(e event, except ...*wschannel.Channel) {
	r.pages.Publish(text(e.json()), except...)
	e.lines(func(line string) { r.terminals.Publish(text(line), except...) })
}

// tell tells an event to m alone.
func (m *member) tell(e event) {
	send := func(s string) { m.ch.SendText(context.Background(), s) } // its end shows where it is received from
	if m.page {
		send(e.json())
	} else {
		e.lines(send)
	}
}

// audience is the group of the room that m belongs to.
func (m *member) audience() *wschannel.Group {
	if m.page {
		return &m.room.pages
	}
	return &m.room.terminals
}

// replaced ends the connection of a tab that has come again. A client must not
// come back after that, and package reconnect does not.
func (m *member) replaced() {
	m.gone = true
	m.audience().Leave(m.ch)
	// This waits for the other side, and nobody here waits for that.
	go m.ch.CloseWith(status.NormalClosure, "connected again")
}

// json is the event as a page gets it.
func (e event) json() string {
	text, err := json.Marshal(e)
	if err != nil {
		panic(err) // there is nothing in it that could not be
	}
	return string(text)
}

func text(s string) wschannel.Message {
	return wschannel.Message{Type: wschannel.Text, Data: []byte(s)}
}
