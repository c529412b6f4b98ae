package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

func (s *stage) connecting(ctx context.Context) error {
	var err error
	if s.alice, err = s.connect(ctx, "alice", "talk.v3", "talk.v1"); err != nil {
		return err
	}
	s.bob, err = s.connect(ctx, "bob", "talk.v1")
	return err
}

func (s *stage) connect(ctx context.Context, who string, protocols ...string) (*wschannel.Channel, error) {
	c, err := wschannel.Connect(ctx, s.url, &wschannel.Options{Protocols: protocols})
	if err != nil {
		return nil, err
	}
	s.goes(who, "server", "connect, offering %s", strings.Join(protocols, ", "))
	if c.Protocol() != "talk.v1" {
		return nil, fmt.Errorf("expected the subprotocol talk.v1, got %q", c.Protocol())
	}
	s.goes("server", who, "accepted with %s", c.Protocol())
	return c, nil
}

func (s *stage) messages(ctx context.Context) error {
	text := func(s string) wschannel.Message { return wschannel.Message{Type: wschannel.Text, Data: []byte(s)} }
	binary := func(b []byte) wschannel.Message { return wschannel.Message{Type: wschannel.Binary, Data: b} }
	large, err := io.ReadAll(noise(256 << 10))
	if err != nil {
		return err
	}
	for _, exchange := range [...]struct{ fromAlice, fromBob wschannel.Message }{
		{text("Hello Bob! Grüße, καλημέρα, 你好 👋"), text("Hello Alice, loud and clear.")},
		{binary([]byte{0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff}), binary(large)},
		{text(""), text("That one was empty.")},
	} {
		if err := s.pass(ctx, "alice", "bob", s.alice, s.bob, exchange.fromAlice); err != nil {
			return err
		}
		if err := s.pass(ctx, "bob", "alice", s.bob, s.alice, exchange.fromBob); err != nil {
			return err
		}
	}
	return nil
}

// pass sends a message from one to another.
func (s *stage) pass(ctx context.Context, from, to string, sender, receiver *wschannel.Channel, m wschannel.Message) error {
	if err := sender.Send(ctx, m); err != nil {
		return err
	}
	got, err := receiver.Receive(ctx)
	if err != nil {
		return err
	}
	if got.Type != m.Type || !bytes.Equal(got.Data, m.Data) {
		return fmt.Errorf("%s sent a %v message of %s, %s received another one: %v, %s",
			from, m.Type, size(len(m.Data)), to, got.Type, size(len(got.Data)))
	}
	content := "arrived unchanged"
	switch {
	case got.Type == wschannel.Text:
		content = strconv.Quote(string(got.Data))
	case len(got.Data) <= 16:
		content = fmt.Sprintf("% x", got.Data)
	}
	s.goes(from, to, "%-6v  %s (%s)", got.Type, content, size(len(got.Data)))
	return nil
}

// streaming sends a message that neither the clients nor the server hold as a
// whole.
func (s *stage) streaming(ctx context.Context) error {
	const total, piece = 8 << 20, 64 << 10
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began := time.Now()
	sent, received := sha256.New(), sha256.New()
	written := make(chan error, 1)
	go func() {
		err := write(ctx, s.alice, io.TeeReader(noise(total), sent), piece)
		if err != nil {
			cancel() // nothing more will come
		}
		written <- err
	}()
	t, r, err := s.bob.NextReader(ctx)
	var n int64
	if err == nil {
		n, err = io.Copy(received, r)
	}
	if err != nil {
		cancel()
		return errors.Join(<-written, err)
	}
	took := time.Since(began)
	if err := <-written; err != nil {
		return err
	}
	if t != wschannel.Binary || n != total || !bytes.Equal(sent.Sum(nil), received.Sum(nil)) {
		return fmt.Errorf("alice sent %s of binary with SHA-256 %x, bob received %s of %v with %x",
			size(total), sent.Sum(nil), size(int(n)), t, received.Sum(nil))
	}
	s.goes("alice", "bob", "%-6v  %s, written in pieces of %s", t, size(int(n)), size(piece))
	s.sees("alice", "sent      SHA-256 %.8x…", sent.Sum(nil))
	s.sees("bob", "received  SHA-256 %.8x…, in %s (measured)", received.Sum(nil), rounded(took))
	return nil
}

// write sends what it reads as one binary message.
func write(ctx context.Context, c *wschannel.Channel, from io.Reader, piece int) error {
	w, err := c.NextWriter(ctx, wschannel.Binary)
	if err != nil {
		return err
	}
	if _, err := io.CopyBuffer(w, from, make([]byte, piece)); err != nil {
		return err
	}
	return w.Close()
}

func (s *stage) givingUp(ctx context.Context) error {
	const half, patience = 64 << 10, 50 * time.Millisecond
	text := strings.Repeat("In the middle of a message. ", 2*half)[:2*half]
	w, err := s.alice.NextWriter(ctx, wschannel.Text)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, text[:half]); err != nil {
		return err
	}
	s.goes("alice", "bob", "text    the first half of a message, %s", size(half))

	impatient, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	m, err := s.bob.Receive(impatient)
	if !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("expected that bob's receive gives up, got a message of %s and the error %v", size(len(m.Data)), err)
	}
	s.sees("bob", "waits %v for the whole message and gives up: %v", patience, err)

	if _, err := io.WriteString(w, text[half:]); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	s.goes("alice", "bob", "text    the second half, %s", size(half))
	if m, err = s.bob.Receive(ctx); err != nil {
		return err
	}
	if m.Type != wschannel.Text || string(m.Data) != text {
		return fmt.Errorf("bob received %v, %s, and it is not what alice sent", m.Type, size(len(m.Data)))
	}
	s.sees("bob", "receives again, and has all of it: %s", size(len(m.Data)))
	return nil
}

func (s *stage) pinging(ctx context.Context) error {
	trip, err := s.alice.Ping(ctx)
	if err != nil {
		return err
	}
	s.goes("alice", "server", "ping")
	s.goes("server", "alice", "pong, after %s (measured)", rounded(trip))
	return nil
}

func (s *stage) closing(ctx context.Context) error {
	const code, reason = status.Code(4001), "the story is told"
	if err := s.alice.CloseWith(code, reason); err != nil {
		return err
	}
	s.goes("alice", "server", "close %v %q", code, reason)
	select {
	case end := <-s.relay.ended:
		if end.Code != code || end.Reason != reason {
			return fmt.Errorf("expected that the server sees %v %q, got %w", code, reason, end)
		}
		s.sees("server", "sees: %s", outcome(end))
	case <-ctx.Done():
		return ctx.Err()
	}
	s.sees("alice", "sees: %s", outcome(s.alice.Err()))
	s.goes("server", "bob", "close, passed on")
	return s.expectEnd(ctx, "bob", s.bob, code, reason)
}

func (s *stage) shutdown(ctx context.Context) error {
	carol, err := s.connect(ctx, "carol", "talk.v1")
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- s.server.Shutdown(ctx) }()
	s.sees("server", "shuts down")
	if err := s.expectEnd(ctx, "carol", carol, status.GoingAway, ""); err != nil {
		return err
	}
	if err := <-done; err != nil {
		return err
	}
	_, err = wschannel.Connect(ctx, s.url, nil)
	refused, ok := errors.AsType[*wschannel.HandshakeError](err)
	if !ok || refused.StatusCode != http.StatusServiceUnavailable {
		return fmt.Errorf("expected that dave is refused with status 503, got %v", err)
	}
	s.goes("dave", "server", "connect")
	s.goes("server", "dave", "refused with status %d: %s", refused.StatusCode, strings.TrimSpace(string(refused.Body)))
	return nil
}

// expectEnd expects that a channel is closed by the server.
func (s *stage) expectEnd(ctx context.Context, who string, c *wschannel.Channel, code status.Code, reason string) error {
	m, err := c.Receive(ctx)
	end, ok := errors.AsType[*wschannel.CloseError](err)
	if !ok || !end.Remote || end.Code != code || end.Reason != reason {
		return fmt.Errorf("expected that %s sees a close with %v %q, got %v %s and the error %v", who, code, reason, m.Type, size(len(m.Data)), err)
	}
	s.sees(who, "sees: %s", outcome(end))
	return nil
}

// noise returns a reader of n bytes, always the same.
func noise(n int64) io.Reader { return io.LimitReader(rand.NewChaCha8([32]byte{}), n) }

// outcome returns the end of a channel as it is shown.
func outcome(end error) string { return strings.TrimPrefix(end.Error(), "wschannel: ") }

// rounded returns a duration for humans.
func rounded(d time.Duration) time.Duration {
	if d > 10*time.Millisecond {
		return d.Round(time.Millisecond)
	}
	return d.Round(time.Microsecond)
}
