//go:build !js

package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// enter lets somebody join and returns them; closed collects who is expelled.
func enter(c *chat, room, name, tab string, closed *[]string) *member {
	m := &member{name: name, tab: tab, echo: true}
	m.expel = func(why reason) {
		code, _ := why.code()
		*closed = append(*closed, fmt.Sprintf("%s %d", m.name, code))
	}
	c.join(room, m)
	return m
}

// heard empties the queue of a member, and returns it in short.
func heard(m *member) []string {
	var all []string
	for len(m.queue) > 0 {
		e := <-m.queue
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %s %s", e.Kind, e.Name, e.Text)))
	}
	return all
}

func wantHeard(t *testing.T, m *member, want ...string) {
	t.Helper()
	if got := heard(m); !slices.Equal(got, want) {
		t.Errorf("%s has heard %q; want %q", m.name, got, want)
	}
}

func TestRoom(t *testing.T) {
	c := newChat()
	var closed []string
	ada := enter(c, "lobby", "Ada", "", &closed)
	bob := enter(c, "lobby", "Bob", "", &closed)
	eve := enter(c, "cellar", "Eve", "", &closed)
	c.say(bob, post{Text: "  hello\n\x1b[31mthere "})
	c.say(bob, post{Text: " \t "})
	bob.echo = false
	c.say(bob, post{Text: "quietly"})
	c.leave(bob)
	wantHeard(t, ada, "welcome Ada", "joined Bob", "said Bob hello [31mthere", "said Bob quietly", "left Bob")
	wantHeard(t, bob, "welcome Bob", "said Bob hello [31mthere")
	wantHeard(t, eve, "welcome Eve")

	late := enter(c, "lobby", "Late", "", &closed)
	e := <-late.queue
	if e.Room != "lobby" || !slices.Equal(e.People, []string{"Ada", "Late"}) || len(e.Recent) != 2 || e.Recent[1].Text != "quietly" {
		t.Errorf("who is late gets %+v", e)
	}
	if closed != nil {
		t.Errorf("expelled: %q", closed)
	}
}

func TestNames(t *testing.T) {
	c := newChat()
	var closed, got []string
	for _, name := range []string{"Ada", "", "Ada", "", "Ada 2", "Ada"} {
		got = append(got, enter(c, "lobby", name, "", &closed).name)
	}
	if want := []string{"Ada", "guest 1", "Ada 2", "guest 2", "Ada 2 2", "Ada 3"}; !slices.Equal(got, want) {
		t.Errorf("they are called %q; want %q", got, want)
	}
}

func TestTabComesBack(t *testing.T) {
	c := newChat()
	var closed []string
	bob := enter(c, "lobby", "Bob", "", &closed)
	old := enter(c, "lobby", "Ada", "tab", &closed)
	c.say(old, post{ID: "1", Text: "once"})
	again := enter(c, "lobby", "Ada", "tab", &closed)
	c.say(again, post{ID: "1", Text: "once"})
	c.say(again, post{ID: "2", Text: "twice"})
	c.say(old, post{ID: "3", Text: "from the past"})
	c.leave(old)
	wantHeard(t, bob, "welcome Bob", "joined Ada", "said Ada once", "said Ada twice")
	wantHeard(t, again, "welcome Ada", "said Ada twice")
	if !slices.Equal(closed, []string{"Ada 1000"}) {
		t.Errorf("expelled: %q", closed)
	}
	c.leave(again)
	wantHeard(t, bob, "left Ada")
}

func TestQueueIsBounded(t *testing.T) {
	c := newChat()
	var closed []string
	slow := enter(c, "lobby", "Slow", "", &closed)
	<-slow.queue
	ada := enter(c, "lobby", "Ada", "", &closed)
	for i := range 2 * maxQueue {
		c.say(ada, post{Text: fmt.Sprint(i)})
		if len(heard(ada)) == 0 {
			t.Fatalf("message %d has not come", i)
		}
	}
	if got := heard(slow); len(got) != maxQueue || got[0] != "joined Ada" || got[1] != "said Ada 0" {
		t.Errorf("who is slow gets %d events: %.2q …", len(got), got)
	}
	if !slices.Equal(closed, []string{"Slow 1013"}) {
		t.Errorf("expelled: %q", closed)
	}
	if n := len(c.rooms["lobby"].recent); n != maxRecent {
		t.Errorf("%d messages are kept", n)
	}
}

func TestEmptyRoomsAreBounded(t *testing.T) {
	c := newChat()
	var closed []string
	kept := enter(c, "kept", "Ada", "", &closed)
	for i := range 2 * maxEmpty {
		c.leave(enter(c, fmt.Sprintf("room-%d", i), "Bob", "", &closed))
	}
	if n := len(c.rooms); n != maxEmpty+1 || c.rooms["kept"] != kept.room {
		t.Errorf("%d rooms are kept", n)
	}
}

func TestClean(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"control characters", "a\x00\x1b[2Jb\u009b", "a[2Jb"},
		{"line breaks and spaces", "\r\n a \t\n\u2028 b ", "a b"},
		{"turning the direction", "a\u202eb\u2066c", "abc"},
		{"not UTF-8", "a\xffb", "ab"},
		{"joined emoji", "👩‍💻", "👩‍💻"},
		{"too long", "äöü aaa", "äöü a"},
		{"cut behind a space", "aaaa aaa", "aaaa"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := clean(test.in, 5); got != test.want {
				t.Errorf("clean(%q) is %q; want %q", test.in, got, test.want)
			}
		})
	}
}

func TestRoomNames(t *testing.T) {
	for name, want := range map[string]bool{
		"lobby": true, "go-1-26": true, strings.Repeat("a", maxName): true,
		"": false, "Lobby": false, "a b": false, "ä": false, "favicon.ico": false, strings.Repeat("a", maxName+1): false,
	} {
		if isRoom(name) != want {
			t.Errorf("isRoom(%q) is %v", name, !want)
		}
	}
}

func TestLines(t *testing.T) {
	at := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	for _, test := range []struct {
		name string
		event
		want []string
	}{
		{"alone", event{Kind: welcome, Name: "Ada", Room: "lobby", People: []string{"Ada"}}, []string{"* you are Ada in lobby; nobody else is here"}},
		{"with others", event{Kind: welcome, Name: "Ada", Room: "lobby", People: []string{"Bob", "Ada", "Eve"}, Recent: []event{{Kind: said, Name: "Bob", Text: "hi", Time: at}}},
			[]string{"15:04 Bob: hi", "* you are Ada in lobby; here: Bob, Eve"}},
		{"joined", event{Kind: joined, Name: "Bob", People: []string{"Ada", "Bob"}}, []string{"* Bob has joined"}},
		{"left", event{Kind: left, Name: "Bob"}, []string{"* Bob has left"}},
		{"said", event{Kind: said, Name: "Bob", Text: "hello: world", Time: at}, []string{"15:04 Bob: hello: world"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			test.lines(func(line string) { got = append(got, line) })
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q; want %q", got, test.want)
			}
		})
	}
}
