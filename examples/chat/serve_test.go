//go:build !js

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

// visit lets somebody in over a pipe, as the server would, and returns their end.
func visit(t *testing.T, c *chat, protocol string, v visitor) *wschannel.Channel {
	near, far := net.Pipe()
	o := &wschannel.StreamOptions{Protocol: protocol}
	client := wschannel.New(near, wschannel.RoleClient, o)
	o.Options = memberOptions
	server := wschannel.New(far, wschannel.RoleServer, o)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-server.Done()
		cancel()
	}()
	go func() {
		c.serve(ctx, server, v)
		server.Close()
	}()
	t.Cleanup(func() { client.CloseNow(); server.CloseNow() })
	return client
}

// next returns the next message.
func next(t *testing.T, ch *wschannel.Channel) string {
	t.Helper()
	m, err := ch.Receive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return string(m.Data)
}

func TestSlowMemberBlocksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChat()
		slow := visit(t, c, linesProtocol, visitor{room: "lobby", name: "Slow"})
		synctest.Wait() // it has joined, and takes nothing from now on
		ada := visit(t, c, linesProtocol, visitor{room: "lobby", name: "Ada"})
		next(t, ada)
		bob := visit(t, c, linesProtocol, visitor{room: "lobby", name: "Bob"})
		next(t, bob)
		next(t, ada)
		long := strings.Repeat("x", 900)
		for i := range 500 {
			text := fmt.Sprintf("%d %s", i, long)
			if err := ada.SendText(t.Context(), text); err != nil {
				t.Fatal(err)
			}
			for line := ""; !strings.HasSuffix(line, "Ada: "+text); line = next(t, bob) {
				if line != "" && !strings.HasPrefix(line, "* Slow has left") {
					t.Fatalf("Bob gets %.40q instead of message %d", line, i)
				}
			}
		}
		<-slow.Done()
		n := 0
		for _, err := range slow.Messages(t.Context()) {
			if err == nil {
				n++
			}
		}
		if n == 0 || n > 400 || slow.CloseCode() != status.TryAgainLater {
			t.Errorf("who is slow has got %d messages, and then %v", n, slow.Err())
		}
		back := visit(t, c, linesProtocol, visitor{room: "lobby", name: "Slow"})
		last := ""
		for range maxRecent {
			last = next(t, back)
		}
		if !strings.HasSuffix(last, "Ada: 499 "+long) {
			t.Errorf("the last message on coming back is %.40q", last)
		}
		if got := next(t, back); got != "* you are Slow in lobby; here: Ada, Bob" {
			t.Errorf("who comes back gets %q", got)
		}
	})
}

func TestWhatIsNoPost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			protocol string
			message  wschannel.Message
		}{
			{jsonProtocol, wschannel.Message{Type: wschannel.Text, Data: []byte("{")}},
			{jsonProtocol, wschannel.Message{Type: wschannel.Binary, Data: []byte("{}")}},
			{linesProtocol, wschannel.Message{Type: wschannel.Binary, Data: []byte("hi")}},
		} {
			ch := visit(t, newChat(), test.protocol, visitor{room: "lobby"})
			next(t, ch)
			if err := ch.Send(t.Context(), test.message); err != nil {
				t.Fatal(err)
			}
			_, err := ch.Receive(t.Context())
			if ch.CloseCode() != status.InvalidFramePayloadData {
				t.Errorf("%s, %v %q: %v", test.protocol, test.message.Type, test.message.Data, err)
			}
		}
	})
}

func TestHandshake(t *testing.T) {
	for _, test := range []struct {
		path    string
		offered []string
		want    string // the beginning of the first message, or of the error
	}{
		{"/lobby?name=Ada", nil, "* you are Ada in lobby"},
		{"/lobby?name=Ada", []string{linesProtocol}, "* you are Ada in lobby"},
		{"/lobby?name=%1b%0aAda%20%20B", []string{linesProtocol}, "* you are Ada B in lobby"},
		{"/lobby", []string{linesProtocol}, "* you are guest 1 in lobby"},
		{"/lobby?name=Ada", []string{linesProtocol, jsonProtocol}, `{"kind":"welcome","name":"Ada","room":"lobby","people":["Ada"],`},
		{"/No", []string{linesProtocol}, "404"},
	} {
		t.Run(test.path, func(t *testing.T) {
			rooms := newChat().server()
			s := httptest.NewServer(site(rooms, nil, nil))
			defer s.Close()
			url := strings.Replace(s.URL, "http", "ws", 1) + test.path
			ch, err := wschannel.Connect(t.Context(), url, &wschannel.Options{Protocols: test.offered})
			var refused *wschannel.HandshakeError
			if errors.As(err, &refused) {
				if got := fmt.Sprint(refused.StatusCode); got != test.want {
					t.Errorf("refused with %s (%v); want %q", got, err, test.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := next(t, ch); !strings.HasPrefix(got, test.want) {
				t.Errorf("the first message is %q; want %q", got, test.want)
			}
			ch.Close()
			if err := rooms.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestPages(t *testing.T) {
	s := site(newChat().server(), []byte("\x00asm"), []byte("//"))
	for _, test := range []struct {
		path   string
		status int
		kind   string
	}{
		{"/", http.StatusFound, "text/html; charset=utf-8"},
		{"/lobby", http.StatusOK, "text/html; charset=utf-8"},
		{"/favicon.ico", http.StatusNotFound, "text/plain; charset=utf-8"},
		{"/-/style.css", http.StatusOK, "text/css; charset=utf-8"},
		{"/-/icon.svg", http.StatusOK, "image/svg+xml"},
		{"/-/chat.wasm", http.StatusOK, "application/wasm"},
		{"/-/wasm_exec.js", http.StatusOK, "text/javascript; charset=utf-8"},
		{"/a/b", http.StatusNotFound, "text/plain; charset=utf-8"},
	} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", test.path, nil))
		h := w.Result().Header
		if w.Code != test.status || h.Get("Content-Type") != test.kind {
			t.Errorf("%s: %d, %s; want %d, %s", test.path, w.Code, h.Get("Content-Type"), test.status, test.kind)
		}
		if got := h.Get("Content-Security-Policy"); got != policy || strings.Contains(got, "'unsafe-") {
			t.Errorf("%s: the policy is %q", test.path, got)
		}
	}
}
