//go:build !js

package main

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// The limits of rooms and members.
const (
	maxRecent = 50  // what was said last, for who joins
	maxQueue  = 128 // events that wait for a member to take them
	maxEmpty  = 100 // rooms that are kept though nobody is there
)

// A chat is all the rooms. One lock is enough for them, for nothing is sent
// while it is held: an event is put into the queue of each member, which the
// member's own goroutine sends from.
type chat struct {
	now func() time.Time

	mu    sync.Mutex
	rooms map[string]*room
}

// A room is there from its first member on.
type room struct {
	name    string
	members []*member // in the order in which they came
	recent  []event
}

// A member is somebody in a room.
type member struct {
	name  string
	tab   string // the browser's page, which nobody else knows; "" in terminals
	echo  bool   // what they say themselves comes back to them
	room  *room
	queue chan event

	// expel closes the member's channel without waiting for that, for being too
	// slow or for having come again. Events for who was expelled are dropped.
	expel    func(why reason)
	expelled bool
}

// A reason is why a member's channel is closed.
type reason int

const (
	tooSlow reason = iota
	cameAgain
)

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
	m.queue = make(chan event, maxQueue)
	old := slices.IndexFunc(r.members, func(other *member) bool { return m.tab != "" && other.tab == m.tab })
	if old >= 0 {
		m.name = r.members[old].name
		r.members[old].remove(cameAgain)
		r.members[old] = m
	} else {
		m.name = r.free(m.name)
		r.members = append(r.members, m)
	}
	m.tell(event{Kind: welcome, Room: r.name, Name: m.name, People: r.people(), Recent: slices.Clone(r.recent), Time: c.now()})
	if old < 0 {
		r.tell(event{Kind: joined, Name: m.name, People: r.people(), Time: c.now()}, m)
	}
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
	r.tell(event{Kind: left, Name: m.name, People: r.people(), Time: c.now()}, nil)
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
	if m.expelled || p.ID != "" && slices.ContainsFunc(r.recent, func(e event) bool { return e.ID == p.ID && e.Name == m.name }) {
		return
	}
	e := event{Kind: said, Name: m.name, ID: p.ID, Text: text, Time: c.now()}
	if len(r.recent) == maxRecent {
		r.recent = slices.Delete(r.recent, 0, 1)
	}
	r.recent = append(r.recent, e)
	except := m
	if m.echo {
		except = nil
	}
	r.tell(e, except)
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

func (r *room) tell(e event, except *member) {
	for _, m := range r.members {
		if m != except {
			m.tell(e)
		}
	}
}

// tell queues an event. It never waits: who does not take what is said, for so
// long that the queue is full, is expelled, and gets the last of it on coming
// back.
func (m *member) tell(e event) {
	if m.expelled {
		return
	}
	select {
	case m.queue <- e:
	default:
		m.remove(tooSlow)
	}
}

func (m *member) remove(why reason) {
	if !m.expelled {
		m.expelled = true
		m.expel(why)
	}
}
