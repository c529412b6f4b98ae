package wasmtest

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

// origin is where the servers are: a URL with the scheme ws, without a path.
var origin string

// patience is how long a test waits for what has to come. Nothing is measured
// with it.
const patience = 30 * time.Second

// patiently returns a context for what has to come.
func patiently(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// wait returns what comes out of c, or its closing.
func wait[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

// connect returns a channel to a server, which is hung up after the test.
func connect(t *testing.T, path string, o *wschannel.Options) *wschannel.Channel {
	t.Helper()
	c, err := wschannel.Connect(patiently(t), origin+path, o)
	if err != nil {
		t.Fatalf("Connect to %s: %v", path, err)
	}
	t.Cleanup(func() { c.CloseNow() })
	return c
}

func sendText(t *testing.T, c *wschannel.Channel, s string) {
	t.Helper()
	if err := c.SendText(patiently(t), s); err != nil {
		t.Fatalf("SendText: %v", err)
	}
}

// wantMessage receives a message.
func wantMessage(t *testing.T, c *wschannel.Channel, typ wschannel.Type, data string) {
	t.Helper()
	m, err := c.Receive(patiently(t))
	if err != nil {
		t.Fatalf("Receive: %v; want a %v message", err, typ)
	}
	if m.Type != typ || string(m.Data) != data || m.Data == nil {
		t.Fatalf("received %v %.40q (%d bytes); want %v %.40q (%d bytes)", m.Type, m.Data, len(m.Data), typ, data, len(data))
	}
}

// wantClosed checks that an error is the end of a channel.
func wantClosed(t *testing.T, what string, err error, code status.Code, reason string, remote bool) {
	t.Helper()
	end, ok := errors.AsType[*wschannel.CloseError](err)
	if !ok || end.Code != code || end.Reason != reason || end.Remote != remote || !errors.Is(err, wschannel.ErrClosed) {
		t.Errorf("%s: %#v; want the end with %d %q, remote: %t", what, err, code, reason, remote)
	}
}

// wantEnd checks that nothing comes any more but this end, everywhere.
func wantEnd(t *testing.T, c *wschannel.Channel, code status.Code, reason string, remote bool) {
	t.Helper()
	ctx := patiently(t)
	_, err := c.Receive(ctx)
	wantClosed(t, "Receive", err, code, reason, remote)
	wait(t, "the end", c.Done())
	wantClosed(t, "Err", c.Err(), code, reason, remote)
	_, err = c.Receive(ctx)
	wantClosed(t, "Receive again", err, code, reason, remote)
	wantClosed(t, "SendText", c.SendText(ctx, "late"), code, reason, remote)
	wantClosed(t, "SendBinary", c.SendBinary(ctx, make([]byte, 10)), code, reason, remote)
	wantClosed(t, "CloseWith", c.CloseWith(3001, "again"), code, reason, remote)
	if err := errors.Join(c.Close(), c.CloseNow()); err != nil {
		t.Errorf("Close, CloseNow: %v; want nil", err)
	}
	if c.CloseCode() != code || c.CloseReason() != reason || c.Buffered() != 0 {
		t.Errorf("code %d, reason %q, %d bytes buffered; want %d, %q, 0", c.CloseCode(), c.CloseReason(), c.Buffered(), code, reason)
	}
}

// wantLost checks that the channel has ended without being closed, with one of
// these codes, and returns the end.
func wantLost(t *testing.T, c *wschannel.Channel, codes ...status.Code) *wschannel.CloseError {
	t.Helper()
	_, err := c.Receive(patiently(t))
	end, ok := errors.AsType[*wschannel.CloseError](err)
	if !ok || end.Remote || end.Cause == nil || errors.Is(err, wschannel.ErrLocalClose) || end.Clean() {
		t.Fatalf("Receive: %#v; want a lost channel", err)
	}
	for _, code := range codes {
		if end.Code == code {
			return end
		}
	}
	t.Errorf("lost with %v; want a code of %v", err, codes)
	return end
}

var lastID atomic.Int64

// newID returns an id for a report that no other test uses.
func newID() string {
	return strconv.FormatInt(time.Now().UnixNano(), 36) + "-" + strconv.FormatInt(lastID.Add(1), 10)
}

// report returns what the server has seen that was connected to with an id.
func report(t *testing.T, id string) string {
	t.Helper()
	c := connect(t, "/report?id="+id, nil)
	m, err := c.Receive(patiently(t))
	if err != nil {
		t.Fatalf("no report: %v", err)
	}
	c.Close()
	return string(m.Data)
}

// wantReport checks what a server has seen.
func wantReport(t *testing.T, id, want string) {
	t.Helper()
	if got := report(t, id); got != want {
		t.Errorf("the server reports %q; want %q", got, want)
	}
}
