package wasmtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"syscall/js"
	"testing"
	"time"

	"github.com/wschannel/wschannel"
)

// Sending waits while the platform holds a MiB or more, and goes on.
func TestSendWaits(t *testing.T) {
	f := newFake(t, open)
	c := f.channel(t, nil)
	f.Set("bufferedAmount", 1<<20-1)
	sendText(t, c, "one")
	f.Set("bufferedAmount", 1<<20)
	if c.Buffered() != 1<<20 {
		t.Errorf("Buffered is %d", c.Buffered())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := c.SendText(ctx, "withdrawn"); err != context.DeadlineExceeded {
		t.Errorf("SendText: %v; want context.DeadlineExceeded", err)
	}
	sent := make(chan error, 2)
	go func() { sent <- c.SendText(patiently(t), "two") }()
	time.AfterFunc(50*time.Millisecond, func() { f.Set("bufferedAmount", 0) })
	if err := wait(t, "SendText", sent); err != nil {
		t.Error(err)
	}
	if want := []any{"one", "two"}; !reflect.DeepEqual(f.sent, want) {
		t.Errorf("sent %q; want %q", f.sent, want)
	}
}

// Whoever waits to send is told of the end; bufferedAmount does not fall then.
func TestSendWaitsForTheEnd(t *testing.T) {
	f := newFake(t, open)
	c := f.channel(t, nil)
	f.Set("bufferedAmount", 1<<30)
	time.AfterFunc(time.Millisecond, func() { f.closes(1001, "", true) })
	wantClosed(t, "SendText", c.SendText(patiently(t), "x"), 1001, "", true)
	if c.Buffered() != 0 {
		t.Errorf("after the end %d bytes are buffered", c.Buffered())
	}

	f = newFake(t, open)
	c = f.channel(t, nil)
	f.Set("bufferedAmount", 1<<30)
	sent := make(chan error, 1)
	go func() { sent <- c.SendText(patiently(t), "x") }()
	time.AfterFunc(time.Millisecond, func() { c.Close() })
	wantClosed(t, "SendText", wait(t, "SendText", sent), 1000, "", false)

	// The peer's close is known, the event is still to come.
	f = newFake(t, open)
	c = f.channel(t, nil)
	f.Set("readyState", closing)
	time.AfterFunc(time.Millisecond, func() { f.closes(1001, "", true) })
	wantClosed(t, "SendText", c.SendText(patiently(t), "x"), 1001, "", true)
	if len(f.sent) != 0 {
		t.Errorf("sent %q", f.sent)
	}
}

// A peer that takes nothing for WriteTimeout is given up; one that takes little
// is not.
func TestWriteTimeout(t *testing.T) {
	f := newFake(t, open)
	looks := 0
	amount := js.FuncOf(func(js.Value, []js.Value) any {
		looks++
		return 2<<20 - min(looks, 30)
	})
	defer amount.Release()
	js.Global().Get("Object").Call("defineProperty", f.Value, "bufferedAmount", map[string]any{"get": amount})
	c := f.channel(t, &wschannel.Options{WriteTimeout: 200 * time.Millisecond})
	start := time.Now()
	err := c.SendText(patiently(t), "x")
	end, ok := errors.AsType[*wschannel.CloseError](err)
	if !ok || end.Code != 1006 || !errors.Is(err, os.ErrDeadlineExceeded) || looks <= 30 || time.Since(start) < 700*time.Millisecond {
		t.Errorf("%v after %d looks and %v; want a lost channel after more than 30, each at most 32 ms later", err, looks, time.Since(start))
	}
	if !slices.Equal(f.closed, []string{""}) || c.Err() != err {
		t.Errorf("close was called: %q; the end is %v", f.closed, c.Err())
	}
}

// An exception in send ends the channel.
func TestSendThrows(t *testing.T) {
	f := newFake(t, open)
	f.Set("send", js.Global().Get("decodeURIComponent").Call("bind", js.Null(), "%"))
	c := f.channel(t, nil)
	err := c.SendText(patiently(t), "x")
	end, ok := errors.AsType[*wschannel.CloseError](err)
	if !ok || end.Code != 1006 || end.Cause == nil || !strings.Contains(err.Error(), "connection lost: ") {
		t.Errorf("%v; want a lost channel", err)
	}
}

// What the closing handshake may look like from this side.
func TestCloseCalls(t *testing.T) {
	for _, tt := range []struct {
		close func(*wschannel.Channel) error
		want  string
	}{
		{(*wschannel.Channel).Close, " 1000 "},
		{func(c *wschannel.Channel) error { return c.CloseWith(0, "") }, ""},
		{func(c *wschannel.Channel) error { return c.CloseWith(4000, "bye") }, " 4000 bye"},
		{(*wschannel.Channel).CloseNow, ""},
	} {
		f := newFake(t, open)
		c := f.channel(t, nil)
		time.AfterFunc(0, func() { f.closes(1000, "", true) })
		if err := tt.close(c); err != nil {
			t.Error(err)
		}
		if !slices.Equal(f.closed, []string{tt.want}) {
			t.Errorf("close was called: %q; want %q", f.closed, tt.want)
		}
	}
}

// A connection that is lost while this side closes is told by Close.
func TestCloseLost(t *testing.T) {
	f := newFake(t, open)
	c := f.channel(t, nil)
	time.AfterFunc(0, func() { f.closes(1006, "", false) })
	err := c.Close()
	if want := "wschannel: close not completed: the connection was lost before the peer's close frame came"; err == nil || err.Error() != want {
		t.Errorf("%v; want %s", err, want)
	}
	wantEnd(t, c, 1000, "", false)
}

// A peer that reads nothing: the platform's buffer fills up, sending waits, and
// the channel is given up in the end.
func TestStuckPeer(t *testing.T) {
	id := newID()
	c := connect(t, "/stuck?id="+id, &wschannel.Options{WriteTimeout: 300 * time.Millisecond})
	data := make([]byte, 1<<20)
	var err error
	for range 100 {
		if err = c.SendBinary(patiently(t), data); err != nil {
			break
		}
		if c.Buffered() > 2<<20 {
			t.Fatalf("%d bytes are buffered", c.Buffered())
		}
	}
	if end, ok := errors.AsType[*wschannel.CloseError](err); !ok || end.Code != 1006 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("SendBinary: %v; want a lost channel", err)
	}
	wantReport(t, id, "nothing was read")
}

// Long messages do not pile up in the memory of JavaScript, to which Go's
// garbage collector pays no regard.
func TestSentMemoryIsGivenBack(t *testing.T) {
	f := newFake(t, open)
	// Messages are made by map.
	var arrays []js.Value
	array := js.Global().Get("Array").Get("prototype")
	mapping := array.Get("map")
	spy := js.FuncOf(func(this js.Value, args []js.Value) any {
		arrays = append(arrays, mapping.Call("call", this, args[0]))
		return arrays[len(arrays)-1]
	})
	defer spy.Release()
	array.Set("map", spy)
	defer array.Set("map", mapping)
	c := f.channel(t, nil)
	sendText(t, c, "text")
	if err := c.SendBinary(patiently(t), []byte("bytes")); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%q", f.sent); got != `["text" "bytes"]` {
		t.Errorf("sent %s", got)
	}
	for _, a := range arrays {
		if a.Length() != 1 || !a.Index(0).Equal(js.ValueOf(0)) {
			t.Error("a message is still held")
		}
	}
	if len(arrays) != 2 {
		t.Errorf("%d messages were seen; want 2", len(arrays))
	}
}

// A platform that refuses a close code is asked to close without one: the
// connection must not stay open behind a channel that is over.
func TestCloseThrows(t *testing.T) {
	f := newFake(t, open)
	calls := 0
	called := js.FuncOf(func(js.Value, []js.Value) any {
		calls++
		return ""
	})
	defer called.Release()
	// It asks for the text of what it is bound to, and throws if it has an argument.
	normalize := js.Global().Get("String").Get("prototype").Get("normalize")
	f.Set("close", normalize.Call("bind", map[string]any{"toString": called}))
	c := f.channel(t, nil)
	if err := c.CloseWith(4000, "bye"); err == nil {
		t.Error("CloseWith: no error")
	}
	if calls != 2 {
		t.Errorf("close was called %d times, want once with the code and once without", calls)
	}
}
