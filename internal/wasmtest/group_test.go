package wasmtest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wschannel/wschannel"
)

// A group's members get the same, in the same order, between what is sent to them
// alone, and leave at their end.
func TestGroup(t *testing.T) {
	var g wschannel.Group
	var members []*wschannel.Channel
	for range 3 {
		c := connect(t, "/echo", nil)
		members = append(members, c)
		if err := g.Join(c); err != nil {
			t.Fatal(err)
		}
	}
	p, err := wschannel.Prepare(wschannel.Message{Type: wschannel.Binary, Data: []byte("prepared")})
	if err != nil {
		t.Fatal(err)
	}
	g.PublishPrepared(p)
	for i, c := range members {
		sendText(t, c, fmt.Sprint("own ", i))
	}
	if err := g.Publish(wschannel.Message{Type: wschannel.Text, Data: []byte("not to 1")}, members[1]); err != nil {
		t.Fatal(err)
	}
	for i, c := range members {
		if err := c.SendPrepared(patiently(t), p); err != nil {
			t.Fatal(err)
		}
		wantMessage(t, c, wschannel.Binary, "prepared")
		wantMessage(t, c, wschannel.Text, fmt.Sprint("own ", i))
		if i != 1 {
			wantMessage(t, c, wschannel.Text, "not to 1")
		}
		wantMessage(t, c, wschannel.Binary, "prepared")
	}
	if s := g.Stats(); s.Published != 2 || s.Sent != 5 || s.Dropped != 0 {
		t.Errorf("%+v", s)
	}
	members[0].Close()
	g.Leave(members[1])
	if err := g.Join(members[0]); err != members[0].Err() {
		t.Errorf("Join after the end: %v", err)
	}
	for g.Len() > 1 {
		<-time.After(time.Millisecond) // it leaves soon
	}
	if all := slices.Collect(g.Members()); !slices.Equal(all, members[2:]) {
		t.Errorf("%d members", len(all))
	}
}
