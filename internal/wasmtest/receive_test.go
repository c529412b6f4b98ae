package wasmtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

func cancelled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// A receive that is cancelled harms nothing and takes nothing.
func TestReceiveCancelled(t *testing.T) {
	c := connect(t, "/echo", nil)
	if _, err := c.Receive(cancelled(t)); err != context.Canceled {
		t.Errorf("Receive: %v; want context.Canceled", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	received := make(chan error, 1)
	go func() {
		_, err := c.Receive(ctx)
		received <- err
	}()
	cancel()
	if err := wait(t, "Receive", received); err != context.Canceled {
		t.Errorf("Receive: %v; want context.Canceled", err)
	}
	sendText(t, c, "hello")
	wantMessage(t, c, wschannel.Text, "hello")
	dst := []byte("kept")
	if _, got, err := c.ReceiveAppend(cancelled(t), dst); err != context.Canceled || string(got) != "kept" {
		t.Errorf("ReceiveAppend: %q, %v; want what was given, and context.Canceled", got, err)
	}
}

// A done ctx is not looked at any more when the channel is over.
func TestReceiveCancelledAtTheEnd(t *testing.T) {
	c := connect(t, "/burst?n=1", nil)
	wait(t, "the end", c.Done())
	if m, err := c.Receive(cancelled(t)); err != nil || string(m.Data) != "0" {
		t.Errorf("%q, %v; want the message", m.Data, err)
	}
	_, err := c.Receive(cancelled(t))
	wantClosed(t, "Receive", err, 4000, "done", true)
	wantClosed(t, "Send", c.SendText(cancelled(t), ""), 4000, "done", true)
}

// ReceiveAppend appends to the caller's memory.
func TestReceiveAppend(t *testing.T) {
	c := connect(t, "/echo", nil)
	sendText(t, c, "hello")
	dst := append(make([]byte, 0, 64), "say "...)
	typ, got, err := c.ReceiveAppend(patiently(t), dst)
	if err != nil || typ != wschannel.Text || string(got) != "say hello" || &got[0] != &dst[0] {
		t.Errorf("%v %q, %v", typ, got, err)
	}
}

// A second receiver gets an error, never a message (X23).
func TestConcurrentReceive(t *testing.T) {
	c := connect(t, "/echo", nil)
	received := make(chan error)
	for range 2 {
		go func() {
			_, err := c.Receive(patiently(t))
			received <- err
		}()
	}
	// Whoever comes second is refused; the other one gets the message.
	if err := wait(t, "the second receiver", received); err != wschannel.ErrConcurrentReceive {
		t.Errorf("the second receiver: %v; want ErrConcurrentReceive", err)
	}
	sendText(t, c, "hello")
	if err := wait(t, "the first receiver", received); err != nil {
		t.Errorf("the first receiver: %v", err)
	}
}

// Messages ends without an error after a clean end, and with one after another.
func TestMessages(t *testing.T) {
	c := connect(t, "/raisin", nil)
	sendText(t, c, "ping")
	var got []string
	for m, err := range c.Messages(patiently(t)) {
		if err != nil {
			wantClosed(t, "Messages", err, 3678, "raisin", true)
			got = append(got, "end")
			continue
		}
		got = append(got, string(m.Data))
	}
	if s := strings.Join(got, " "); s != "hello! pong end" {
		t.Errorf("got %s", s)
	}

	c = connect(t, "/frames?hex=810161"+"810162"+"880203e8", nil)
	got = nil
	for m, err := range c.Messages(patiently(t)) {
		if err != nil {
			t.Errorf("after a clean end: %v", err)
		}
		got = append(got, string(m.Data))
		break // does not close (X23)
	}
	for m := range c.Messages(patiently(t)) {
		got = append(got, string(m.Data))
	}
	if s := strings.Join(got, " "); s != "a b" {
		t.Errorf("got %s", s)
	}
}

// Listen calls, in order, and its stop gives the channel back.
func TestListen(t *testing.T) {
	c := connect(t, "/burst?n=100", nil)
	got := make(chan string, 200)
	var stop func()
	began := make(chan struct{})
	stop = c.Listen(func(m wschannel.Message) {
		<-began
		got <- string(m.Data)
		if string(m.Data) == "9" {
			stop()
		}
	}, func(error) { got <- "onDone" })
	close(began)
	for i := range 10 {
		if s := wait(t, "a call", got); s != decimal(i) {
			t.Fatalf("got %s; want %d", s, i)
		}
	}
	// A call that is running is what the next receiver waits for.
	var m wschannel.Message
	for err := wschannel.ErrConcurrentReceive; err == wschannel.ErrConcurrentReceive; runtime.Gosched() {
		m, err = c.Receive(patiently(t))
	}
	if string(m.Data) != "10" {
		t.Errorf("after stop: %q; want 10", m.Data)
	}
	done := make(chan error, 1)
	n := 11
	c.ListenView(func(v wschannel.View) {
		if string(v.Data) != decimal(n) {
			t.Errorf("got %q; want %d", v.Data, n)
		}
		n++
	}, func(err error) { done <- err })
	wantClosed(t, "onDone", wait(t, "onDone", done), 4000, "done", true)
	if n != 100 || len(got) != 0 {
		t.Errorf("%d messages, and %d calls after stop; want 100 and none", n, len(got))
	}
}

// A message over the limit ends the channel with 1009 (X17); what came before
// is received first.
func TestMessageLimit(t *testing.T) {
	for _, tt := range []struct {
		name, query string
		binary      bool
	}{
		{"binary", "/echo", true},
		{"text", "/echo", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := connect(t, "/echo", &wschannel.Options{MessageLimit: 70_000})
			typ := wschannel.Text
			if tt.binary {
				typ = wschannel.Binary
			}
			for _, n := range []int{70_000, 70_001} {
				m := wschannel.Message{Type: typ, Data: bytes.Repeat([]byte("x"), n)}
				if err := c.Send(patiently(t), m); err != nil {
					t.Fatal(err)
				}
			}
			wantMessage(t, c, typ, strings.Repeat("x", 70_000))
			end := wantLost(t, c, status.MessageTooBig)
			if _, ok := errors.AsType[*wschannel.ProtocolError](end); !ok {
				t.Errorf("the cause is %v; want a ProtocolError", end.Cause)
			}
			wait(t, "the end", c.Done())
		})
	}
	t.Run("text of more bytes than characters", func(t *testing.T) {
		c := connect(t, "/echo", &wschannel.Options{MessageLimit: 8})
		sendText(t, c, "12345€")
		wantMessage(t, c, wschannel.Text, "12345€")
		sendText(t, c, "123456€")
		wantLost(t, c, status.MessageTooBig)
	})
	t.Run("what the peer is told", func(t *testing.T) {
		c := connect(t, "/echo", &wschannel.Options{MessageLimit: -1})
		long := strings.Repeat("x", 1<<20)
		w, err := c.NextWriter(patiently(t), wschannel.Text)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, long)
		io.WriteString(w, "x")
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		wantEnd(t, c, 1009, "message of 1048577 bytes or more, the limit is 1048576", true)
	})
}

// NextReader and NextWriter stream a message.
func TestStreams(t *testing.T) {
	c := connect(t, "/echo", nil)
	w, err := c.NextWriter(patiently(t), wschannel.Text)
	if err != nil {
		t.Fatal(err)
	}
	sent := make(chan error, 1)
	go func() { sent <- c.SendText(patiently(t), "after it") }()
	for _, piece := range []string{"a \xe2", "\x82", "\xac ", strings.Repeat("x", 10_000)} {
		if n, err := io.WriteString(w, piece); err != nil || n != len(piece) {
			t.Fatalf("Write: %d, %v", n, err)
		}
	}
	if n, err := io.WriteString(w, "\xff"); n != 0 || err != wschannel.ErrInvalidUTF8 {
		t.Errorf("Write of what is not UTF-8: %d, %v", n, err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != wschannel.ErrWriterClosed {
		t.Errorf("Close again: %v", err)
	}
	if err := wait(t, "the other send", sent); err != nil {
		t.Error(err)
	}

	typ, r, err := c.NextReader(patiently(t))
	if err != nil || typ != wschannel.Text {
		t.Fatal(typ, err)
	}
	start := make([]byte, 4)
	if _, err := io.ReadFull(r, start); err != nil || string(start) != "a \xe2\x82" {
		t.Errorf("read %q, %v", start, err)
	}
	if n, err := r.Read(nil); n != 0 || err != nil {
		t.Errorf("Read of nothing: %d, %v", n, err)
	}
	rest, err := io.ReadAll(r)
	if err != nil || string(rest) != "\xac "+strings.Repeat("x", 10_000) {
		t.Errorf("read %d bytes, %v", len(rest), err)
	}
	if n, err := r.Read(start); n != 0 || err != io.EOF {
		t.Errorf("Read at the end: %d, %v", n, err)
	}
	wantMessage(t, c, wschannel.Text, "after it")
	if _, err := r.Read(start); err != wschannel.ErrReaderStale {
		t.Errorf("Read of a stale reader: %v", err)
	}
}

// A writer whose ctx is done gives its message up, and others go on.
func TestNextWriterCancelled(t *testing.T) {
	c := connect(t, "/echo", nil)
	ctx, cancel := context.WithCancel(t.Context())
	w, err := c.NextWriter(ctx, wschannel.Text)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, "half a mess")
	cancel()
	sendText(t, c, "whole")
	if err := w.Close(); err != context.Canceled {
		t.Errorf("Close: %v; want context.Canceled", err)
	}
	wantMessage(t, c, wschannel.Text, "whole")

	w, err = c.NextWriter(patiently(t), wschannel.Text)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, "half a character \xe2")
	if err := w.Close(); err != wschannel.ErrInvalidUTF8 {
		t.Errorf("Close inside a character: %v", err)
	}
	sendText(t, c, "on")
	wantMessage(t, c, wschannel.Text, "on")
}

// Ping is answered natively, and refused by browsers.
func TestPing(t *testing.T) {
	c := connect(t, "/echo", nil)
	_, err := c.Ping(patiently(t))
	if browser != errors.Is(err, errors.ErrUnsupported) || !browser && err != nil {
		t.Errorf("Ping: %v", err)
	}
	sendText(t, c, "still open")
	wantMessage(t, c, wschannel.Text, "still open")
}
