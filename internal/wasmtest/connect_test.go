package wasmtest

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wschannel/wschannel"
)

// URLs that are refused before anything is dialed (X20, T019).
func TestConnectRefusesURL(t *testing.T) {
	for _, tt := range []struct{ url, shown, want string }{
		{"ftp://127.0.0.1/", "ftp://127.0.0.1/", `the URL has the scheme "ftp"; expected ws:// or wss://`},
		{"/echo", "/echo", "the URL has no scheme; expected ws:// or wss://"},
		{"ws:///echo", "ws:///echo", "the URL has no host; expected one like wss://host/path"},
		{"ws://127.0.0.1/#x", "ws://127.0.0.1/#x", "the URL has a fragment; expected none, and %23 for a # that starts none"},
		{"ws://me:secret@127.0.0.1/#x", "ws://me:xxxxx@127.0.0.1/#x", "the URL has a fragment; expected none, and %23 for a # that starts none"},
	} {
		_, err := wschannel.Connect(patiently(t), tt.url, nil)
		failed, ok := errors.AsType[*wschannel.ConnectError](err)
		if !ok || failed.URL != tt.shown || failed.Err.Error() != tt.want {
			t.Errorf("%s: %v; want %q for %q", tt.url, err, tt.want, tt.shown)
		}
	}
	for _, url := range []string{"ws://127.0.0.1:0/", "ws://127.0.0.1:65536/", "ws://me:secret@127.0.0.1:x/", "ws://me:sec/ret@127.0.0.1/", "ws://[::1/"} {
		_, err := wschannel.Connect(patiently(t), url, nil)
		if _, ok := errors.AsType[*wschannel.ConnectError](err); !ok || strings.Contains(err.Error(), "sec") {
			t.Errorf("%s: %v; want a ConnectError without the password", url, err)
		}
	}
}

// An option that is out of its range is refused before anything is dialed.
func TestConnectRefusesPolicy(t *testing.T) {
	const want = "Options.WhenFull is 77; expected one of the policies, Block to ClosePolicyViolation"
	_, err := wschannel.Connect(patiently(t), origin+"/echo", &wschannel.Options{WhenFull: 77})
	if failed, ok := errors.AsType[*wschannel.ConnectError](err); !ok || failed.Err.Error() != want {
		t.Errorf("%v; want %q", err, want)
	}
}

// http is taken as ws (T019).
func TestConnectTakesHTTP(t *testing.T) {
	o := &wschannel.Options{HandshakeTimeout: patience} // which does not disturb later, T060
	c, err := wschannel.Connect(patiently(t), "http"+strings.TrimPrefix(origin, "ws")+"/echo", o)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// Servers that do not let anybody in.
func TestNobodyLetsIn(t *testing.T) {
	for _, tt := range []struct {
		name, url string
		status    int // where that is told
	}{
		{"status 200, T021", origin + "/plain", 200},
		{"status 404, T057", origin + "/refuse", 404},
		{"the connection ends at once, T070", origin + "/hangup", 0},
		{"nobody knows the name, T042", "ws://unknown.invalid/", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := wschannel.Connect(patiently(t), tt.url, nil)
			if c != nil || err == nil {
				t.Fatal("connected")
			}
			refused, told := errors.AsType[*wschannel.HandshakeError](err)
			if told && (browser || refused.StatusCode != tt.status) {
				t.Errorf("%v; want status %d", err, tt.status)
			}
			if tt.status == 0 || browser {
				if failed, ok := errors.AsType[*wschannel.ConnectError](err); !ok || failed.URL != tt.url {
					t.Errorf("%#v; want a ConnectError for %s", err, tt.url)
				}
			}
		})
	}
}

// The subprotocols that are offered and agreed upon.
func TestProtocol(t *testing.T) {
	const chat, text = "chat.example.com", "text.example.com"
	for _, tt := range []struct {
		name    string
		offered []string
		query   string
		want    string
		server  string // what it was offered
	}{
		{"none, T032", nil, "", "", `[]`},
		{"the one, T033", []string{chat}, "?answer=" + chat, chat, `["chat.example.com"]`},
		{"the second, T034", []string{chat, text}, "?answer=" + text, text, `["chat.example.com, text.example.com"]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := connect(t, "/protocol"+tt.query, &wschannel.Options{Protocols: tt.offered})
			if c.Protocol() != tt.want {
				t.Errorf("Protocol is %q; want %q", c.Protocol(), tt.want)
			}
			// A proxy or a browser may spell the list without spaces.
			m, err := c.Receive(patiently(t))
			if got := strings.ReplaceAll(string(m.Data), ", ", ","); err != nil || got != strings.ReplaceAll(tt.server, ", ", ",") {
				t.Errorf("the server was offered %s, %v; want %s", m.Data, err, tt.server)
			}
			sendText(t, c, "hello")
			wantMessage(t, c, wschannel.Text, "hello")
		})
	}
	for _, tt := range []struct {
		name    string
		offered []string
		query   string
	}{
		{"another, T035", []string{chat}, "?answer=example.example.com"},
		{"one that was not offered, X22", nil, "?answer=" + chat},
		{"by another case", []string{chat}, "?answer=Chat.example.com"},
		{"both", []string{chat, text}, "?answer=" + chat + ",+" + text},
		{"offered twice, 4.1", []string{chat, chat}, "?answer=" + chat},
		{"offered what is no token, 4.1", []string{"a b"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := wschannel.Connect(patiently(t), origin+"/protocol"+tt.query, &wschannel.Options{Protocols: tt.offered})
			if err != nil {
				return
			}
			defer c.CloseNow()
			// Firefox does not mind a selection that it had not asked for, and
			// does not tell of it.
			if !browser || tt.offered != nil || c.Protocol() != "" {
				t.Errorf("connected, with subprotocol %q", c.Protocol())
			}
		})
	}
}

// RFC 6455 lets a server select none of what was offered; browsers do not, and
// Firefox has to be told.
func TestProtocolNotSelected(t *testing.T) {
	c, err := wschannel.Connect(patiently(t), origin+"/protocol", &wschannel.Options{Protocols: []string{"chat"}})
	if browser {
		if _, ok := errors.AsType[*wschannel.ConnectError](err); !ok {
			t.Errorf("%v; want a ConnectError", err)
		}
		return
	}
	if err != nil || c.Protocol() != "" {
		t.Fatalf("%v; want a channel without a subprotocol", err)
	}
	c.CloseNow()
}

// A ctx that is done ends the connecting, and the socket is closed (X06).
func TestConnectCancelled(t *testing.T) {
	id := newID()
	ctx, cancel := context.WithCancelCause(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := wschannel.Connect(ctx, origin+"/silent?id="+id, nil)
		failed <- err
	}()
	if !firefox { // which connects once at a time
		wantReport(t, id, "the client has come")
	}
	reason := errors.New("changed my mind")
	cancel(reason)
	err := wait(t, "Connect", failed)
	if !errors.Is(err, context.Canceled) || !errors.Is(err, reason) {
		t.Errorf("%v; want it to satisfy context.Canceled and the cause", err)
	}
	if !firefox { // which keeps what is not answered, whatever a script does
		wantReport(t, id, "the client has left")
	}
}

// So does the time-out, whoever sets it (T061, X07).
func TestConnectTimeout(t *testing.T) {
	_, err := wschannel.Connect(t.Context(), origin+"/silent", &wschannel.Options{HandshakeTimeout: 300 * time.Millisecond})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "not done within 300ms") {
		t.Errorf("%v; want it to satisfy context.DeadlineExceeded, and to say how long", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = wschannel.Connect(ctx, origin+"/silent", nil)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v; want it to satisfy context.DeadlineExceeded", err)
	}
}

// A ctx that was done before dials nobody.
func TestConnectCancelledBefore(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := wschannel.Connect(ctx, origin+"/echo", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%v; want it to satisfy context.Canceled", err)
	}
}

// The end of the ctx of Connect is not the end of the channel.
func TestConnectContextIsForConnecting(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, err := wschannel.Connect(ctx, origin+"/echo", nil)
	cancel()
	if err != nil {
		t.Fatal(err)
	}
	sendText(t, c, "hello")
	wantMessage(t, c, wschannel.Text, "hello")
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// Many channels at once, each with its own messages.
func TestManyChannels(t *testing.T) {
	var channels []*wschannel.Channel
	for range 20 {
		channels = append(channels, connect(t, "/echo", nil))
	}
	for i, c := range channels {
		sendText(t, c, strings.Repeat("x", i))
	}
	for i, c := range slices.Backward(channels) {
		wantMessage(t, c, wschannel.Text, strings.Repeat("x", i))
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Channels leave nothing running behind (X30).
func TestNoGoroutineIsLeft(t *testing.T) {
	cycle := func() {
		c := connect(t, "/echo", nil)
		sendText(t, c, "hello")
		wantMessage(t, c, wschannel.Text, "hello")
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	cycle()
	before := runtime.NumGoroutine()
	for range 50 {
		cycle()
	}
	// The last ones may be about to end.
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for late := time.After(patience); runtime.NumGoroutine() > before+5; {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}
