package wasmtest

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

// Counters count in browsers too, but for what these do not tell.
func TestCounters(t *testing.T) {
	counters := new(wschannel.Counters)
	o := &wschannel.Options{Counters: counters}
	c := connect(t, "/echo", o)
	connect(t, "/echo", o)
	for _, s := range []string{"one", "three", ""} {
		sendText(t, c, s)
		wantMessage(t, c, wschannel.Text, s)
	}
	if _, err := wschannel.Connect(patiently(t), "ftp://localhost/", o); err == nil {
		t.Error("connected to ftp")
	}
	if got := counters.Snapshot(); got.Open != 2 || got.Opened != 2 || len(got.Ended) != 0 {
		t.Errorf("while they are open: %+v", got)
	}
	if err := c.CloseWith(4000, ""); err != nil {
		t.Fatal(err)
	}
	got := counters.Snapshot()
	want := wschannel.Counts{
		Open: 1, Opened: 2, Ended: map[status.Code]int64{4000: 1},
		MessagesIn: 3, BytesIn: 8, MessagesOut: 3, BytesOut: 8,
		WireIn: got.WireIn, WireOut: got.WireOut,
		Failed: map[int]int64{0: 1},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if b, err := json.Marshal(got); err != nil || counters.String() != string(b) {
		t.Errorf("String returns %s, want %s (%v)", counters, b, err)
	}
}
