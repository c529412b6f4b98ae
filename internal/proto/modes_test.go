package proto

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A change of mode in the middle of things, and what the messages become: a
// message that has begun to be streamed is dropped if drops is true, all others
// come, in one form or the other.
var changes = []struct {
	name  string
	first mode
	then  func(tr *transport)
	drops bool
}{
	{"collect, Release, collect in new memory", collectInto(500), func(tr *transport) {
		tr.r.Release()
		tr.collect(nil)
	}, false},
	{"collect, Release and no more", collectInto(500), func(tr *transport) {
		tr.dst = ""
		tr.r.Release()
	}, false},
	{"collect, Release twice", collectInto(2), func(tr *transport) {
		tr.r.Release()
		tr.r.Release()
		tr.collect(nil)
	}, false},
	{"collect elsewhere", collectInto(500), func(tr *transport) {
		tr.collect(append(make([]byte, 0, 400), "other"...))
	}, false},
	{"collect in short memory, then in short memory", collectInto(1), func(tr *transport) {
		tr.collect(append(make([]byte, 0, 6), "short"...))
	}, false},
	{"collect in new memory, then elsewhere", collectNew, func(tr *transport) {
		tr.r.Release()
		tr.collect([]byte("other"))
	}, false},
	{"collect, stream", collectInto(500), func(tr *transport) {
		tr.mode = streamIn(7)
		tr.mode(tr, Event{})
	}, false},
	{"collect in new memory, stream in long memory", collectNew, func(tr *transport) {
		tr.mode = streamIn(1000)
		tr.mode(tr, Event{})
	}, false},
	{"collect, stream without memory, stream", collectNew, func(tr *transport) {
		tr.r.Stream(nil)
		tr.r.Release()
		tr.mode = streamIn(1)
		tr.mode(tr, Event{})
	}, false},
	{"collect, stream, collect: nothing has begun to be streamed", collectInto(500), func(tr *transport) {
		tr.r.Stream(make([]byte, 10))
		tr.collect([]byte("other"))
	}, false},
	{"stream, Release, stream", streamIn(500), func(tr *transport) {
		tr.r.Release()
		tr.mode(tr, Event{})
	}, false},
	{"stream, stream elsewhere", streamIn(500), func(tr *transport) {
		tr.r.Stream(make([]byte, 1))
	}, false},
	{"stream, collect", streamIn(500), func(tr *transport) {
		tr.mode = collectInto(500)
		tr.mode(tr, Event{})
	}, true},
	{"stream, collect, stream", streamIn(1), func(tr *transport) {
		tr.r.Collect(make([]byte, 10))
		tr.r.Stream(make([]byte, 10))
	}, true},
	{"stream, Release, collect", streamIn(500), func(tr *transport) {
		tr.r.Release()
		tr.mode = collectNew
		tr.collect(nil)
	}, true},
	{"stream, Skip, stream", streamIn(500), func(tr *transport) {
		tr.r.Skip()
	}, true},
	{"stream, Skip, collect", streamIn(500), func(tr *transport) {
		tr.r.Skip()
		tr.mode = collectInto(0)
		tr.mode(tr, Event{})
	}, true},
}

// TestChangeAnywhere changes the mode behind every byte of a message, before
// and after Next has looked at it.
func TestChangeAnywhere(t *testing.T) {
	plain := []byte("\x01\x03Hel\x89\x01p\x00\x7E\x00\xA0" + strings.Repeat("é", 80) + "\x80\x02lo")
	long := record{"message text", "Hel" + strings.Repeat("é", 80) + "lo"}
	ping, next := record{"ping", "p"}, record{"message binary", "next"}
	for _, change := range changes {
		t.Run(change.name, func(t *testing.T) {
			for _, server := range []bool{false, true} {
				cfg := unlimited
				cfg.Server = server
				m := masker{plain: !server}
				sent := m.mask(plain)
				ends := len(sent)
				begins := 2 // length of the first header
				if server {
					begins += 4
				}
				sent = append(sent, m.mask([]byte("\x82\x04next"))...)
				for cut := range len(sent) + 1 {
					for _, seen := range []int{cut, cut - 1} { // how much of that has Next seen
						if seen < 0 {
							continue
						}
						name := fmt.Sprintf("server %t, behind byte %d, of which %d are seen", server, cut, seen)
						tr := newTransport(t, cfg, MinBuffer, change.first)
						tr.feed(sent[:seen], upTo(8, uint64(cut)))
						rest := sent[seen:]
						if cut > seen {
							tr.fill(&rest, 1)
						}
						change.then(tr)
						tr.drain()
						tr.feed(rest, whole)

						want := []record{ping, long, next}
						dropped := change.drops && seen >= begins && seen < ends
						if change.drops && seen >= ends+begins && seen < len(sent) {
							want = want[:2]
						} else if dropped {
							want = []record{ping, next}
						}
						if got := collected(tr.got); !slices.Equal(got, want) {
							t.Fatalf("%s:\n got %q\nwant %q", name, got, want)
						}
						if tr.r.Held() != 0 {
							t.Fatalf("%s: %d bytes are held at the end", name, tr.r.Held())
						}
					}
				}
			}
		})
	}
}

// Discard drops the message under way, whatever has become of it, and all that
// follow; control frames, and violations, still come.
func TestDiscard(t *testing.T) {
	plain := []byte("\x01\x03Hel\x89\x01p\x00\x7E\x00\xA0" + strings.Repeat("é", 80) + "\x80\x02lo")
	for _, first := range []mode{collectNew, collectInto(500), streamIn(500), skip} {
		for cut := range len(plain) + 1 {
			for _, seen := range []int{cut, max(0, cut-1)} {
				tr := newTransport(t, Config{MessageLimit: 165, FragmentLimit: 3}, MinBuffer, first)
				tr.feed(plain[:seen], whole)
				rest := plain[seen:]
				if cut > seen {
					tr.fill(&rest, 1)
				}
				before := without(tr.got, "ping")
				tr.r.Discard()
				tr.drain()
				tr.feed(rest, whole)
				tr.mode = func(*transport, Event) {}
				tr.r.Stream(make([]byte, 10)) // changes nothing
				tr.feed([]byte("\x01\x7E\x00\xC8"+strings.Repeat("a", 200)+"\x89\x00\x80\x00"), whole)
				tr.r.Collect(make([]byte, 0, 500))
				tr.feed([]byte("\x82\x7E\x00\xC8"+strings.Repeat("a", 200)+"\x8A\x00\x81\x01\xFF"), whole)

				var controls []record
				for _, r := range tr.got {
					if !slices.Contains([]string{"start text", "part", "last", "message text"}, r.what) {
						controls = append(controls, r)
					}
				}
				want := []record{{"ping", "p"}, {"ping", ""}, {"pong", ""}, {"violation 1007 8.1", ""}}
				if after := without(tr.got, "ping", "pong", "violation"); !slices.Equal(controls, want) || !slices.Equal(before, after) {
					t.Fatalf("behind byte %d, seen %d: %q", cut, seen, tr.got)
				}
			}
		}
	}
}
