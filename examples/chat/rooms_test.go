//go:build !js

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

// A guest is a member, and what they have heard.
type guest struct {
	*member
	far   *wschannel.Channel
	mu    sync.Mutex
	heard []string
}

// enter lets somebody join over a pipe: a page if there is a tab.
func enter(t *testing.T, c *chat, room, name, tab string) *guest {
	near, far := net.Pipe()
	o := &wschannel.StreamOptions{Options: memberOptions}
	g := &guest{far: wschannel.New(near, wschannel.RoleClient, nil)}
	g.member = &member{name: name, tab: tab, page: tab != "", ch: wschannel.New(far, wschannel.RoleServer, o)}
	t.Cleanup(func() { g.far.CloseNow(); g.ch.CloseNow() })
	go g.listen(t.Context())
	c.join(room, g.member)
	return g
}

func (g *guest) listen(ctx context.Context) {
	for m := range g.far.Messages(ctx) {
		g.mu.Lock()
		g.heard = append(g.heard, string(m.Data))
		g.mu.Unlock()
	}
}

// hears is what somebody has heard since the last call: an event in short, or the
// line without the time.
func (g *guest) hears(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, text := range g.heard {
		if g.page {
			var e event
			if err := json.Unmarshal([]byte(text), &e); err != nil {
				t.Fatal(err)
			}
			g.heard[i] = strings.TrimSpace(fmt.Sprintf("%s %s %s", e.Kind, e.Name, e.Text))
		} else if _, said, ok := strings.Cut(text, " "); ok && text[0] != '*' {
			g.heard[i] = said
		}
	}
	if !slices.Equal(g.heard, want) {
		t.Errorf("%s has heard %q; want %q", g.name, g.heard, want)
	}
	g.heard = nil
}

func TestRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChat()
		ada := enter(t, c, "lobby", "Ada", "a")
		bob := enter(t, c, "lobby", "Bob", "b")
		cyd := enter(t, c, "lobby", "Cyd", "") // in a terminal
		eve := enter(t, c, "cellar", "Eve", "e")
		c.say(bob.member, post{Text: "  hello\n\x1b[31mthere "})
		c.say(bob.member, post{Text: " \t "})
		c.say(cyd.member, post{Text: "quietly"})
		c.leave(bob.member)
		ada.hears(t, "welcome Ada", "joined Bob", "joined Cyd", "said Bob hello [31mthere", "said Cyd quietly", "left Bob")
		bob.hears(t, "welcome Bob", "joined Cyd", "said Bob hello [31mthere", "said Cyd quietly")
		cyd.hears(t, "* you are Cyd in lobby; here: Ada, Bob", "Bob: hello [31mthere", "* Bob has left")
		eve.hears(t, "welcome Eve")

		late := enter(t, c, "lobby", "Late", "")
		late.hears(t, "Bob: hello [31mthere", "Cyd: quietly", "* you are Late in lobby; here: Ada, Cyd")
	})
}

func TestNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChat()
		var got []string
		for _, name := range []string{"Ada", "", "Ada", "", "Ada 2", "Ada"} {
			got = append(got, enter(t, c, "lobby", name, "").name)
		}
		if want := []string{"Ada", "guest 1", "Ada 2", "guest 2", "Ada 2 2", "Ada 3"}; !slices.Equal(got, want) {
			t.Errorf("they are called %q; want %q", got, want)
		}
	})
}

func TestTabComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChat()
		bob := enter(t, c, "lobby", "Bob", "other")
		old := enter(t, c, "lobby", "Ada", "tab")
		c.say(old.member, post{ID: "1", Text: "once"})
		again := enter(t, c, "lobby", "Ada", "tab")
		c.say(again.member, post{ID: "1", Text: "once"})
		c.say(again.member, post{ID: "2", Text: "twice"})
		c.say(old.member, post{ID: "3", Text: "from the past"})
		c.leave(old.member)
		bob.hears(t, "welcome Bob", "joined Ada", "said Ada once", "said Ada twice")
		old.hears(t, "welcome Ada", "said Ada once")
		again.hears(t, "welcome Ada", "said Ada twice")
		if <-old.far.Done(); old.far.CloseCode() != status.NormalClosure {
			t.Errorf("the old connection has ended with %v", old.far.Err())
		}
		c.leave(again.member)
		bob.hears(t, "left Ada")
	})
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChat()
		kept := enter(t, c, "kept", "Ada", "")
		for i := range 2 * maxRecent {
			c.say(kept.member, post{Text: fmt.Sprint(i)})
		}
		if n := len(kept.room.recent); n != maxRecent || kept.room.recent[n-1].Text != fmt.Sprint(2*maxRecent-1) {
			t.Errorf("%d messages are kept, up to %+v", n, kept.room.recent[n-1])
		}
		for i := range 2 * maxEmpty {
			c.leave(enter(t, c, fmt.Sprintf("room-%d", i), "Bob", "").member)
		}
		if n := len(c.rooms); n != maxEmpty+1 || c.rooms["kept"] != kept.room {
			t.Errorf("%d rooms are kept", n)
		}
	})
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
