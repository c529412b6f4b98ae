package interop

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

// TestNode and TestPython go through the same with both libraries.
func TestNode(t *testing.T)   { testLibrary(t, startNode) }
func TestPython(t *testing.T) { testLibrary(t, startPython) }

func testLibrary(t *testing.T, start func(*testing.T) *library) {
	l := start(t)
	for _, role := range []struct {
		name string
		meet func(*testing.T, *library) (*wschannel.Channel, *remote)
	}{{"server", meetClient}, {"client", meetServer}} {
		for _, s := range scenarios {
			t.Run(role.name+"/"+s.name, func(t *testing.T) {
				t.Parallel()
				s.run(t, l, func() (*wschannel.Channel, *remote) {
					t.Helper()
					return role.meet(t, l)
				})
			})
		}
	}
	for _, h := range handshakes {
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			h.run(t, l)
		})
	}
	t.Run("killed", func(t *testing.T) {
		t.Parallel()
		testKilled(t, start(t))
	})
}

// meetClient returns a channel that the peer has connected to.
func meetClient(t *testing.T, l *library) (*wschannel.Channel, *remote) {
	t.Helper()
	r := l.newRemote()
	s := serve(t, &wschannel.AcceptOptions{Options: options})
	r.do(t, command{Do: "connect", URL: s.url})
	c := s.next(t)
	checkPlain(t, r.await(t, "open"))
	return c, r
}

// meetServer returns a channel that has connected to the peer.
func meetServer(t *testing.T, l *library) (*wschannel.Channel, *remote) {
	t.Helper()
	r := l.newRemote()
	c := connect(t, l.url("ws", r), &options)
	checkPlain(t, r.await(t, "open"))
	return c, r
}

// checkPlain looks at a connection for which nothing was asked for. Both
// libraries offer and accept permessage-deflate, and do without.
func checkPlain(t *testing.T, open event) {
	t.Helper()
	if open.Protocol != "" || open.Extensions != "" {
		t.Errorf("the peer has agreed on protocol %q, extensions %q", open.Protocol, open.Extensions)
	}
}

func connect(t *testing.T, url string, o *wschannel.Options) *wschannel.Channel {
	t.Helper()
	c, err := wschannel.Connect(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow() })
	return c
}

// A server hands out the channels that it accepts.
type server struct {
	*httptest.Server
	url      string
	accepted chan *wschannel.Channel
	refused  chan error
}

func newServer(o *wschannel.AcceptOptions) *server {
	s := &server{accepted: make(chan *wschannel.Channel, 10), refused: make(chan error, 10)}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := wschannel.Accept(w, r, o)
		if err != nil {
			s.refused <- err
			return
		}
		s.accepted <- c
	}))
	return s
}

func serve(t *testing.T, o *wschannel.AcceptOptions) *server {
	t.Helper()
	s := newServer(o)
	s.Start()
	s.url = "ws" + strings.TrimPrefix(s.URL, "http")
	t.Cleanup(s.Close)
	return s
}

// next returns the next channel that is accepted.
func (s *server) next(t *testing.T) *wschannel.Channel {
	t.Helper()
	select {
	case c := <-s.accepted:
		t.Cleanup(func() { c.CloseNow() })
		return c
	case err := <-s.refused:
		t.Fatalf("refused: %v", err)
	case <-patiently(t).Done():
		t.Fatal("waited in vain for a channel")
	}
	return nil
}

// wantRefusal waits until a request is refused, and returns why.
func (s *server) wantRefusal(t *testing.T) error {
	t.Helper()
	select {
	case err := <-s.refused:
		return err
	case <-patiently(t).Done():
		t.Fatal("waited in vain for a refusal")
	}
	return nil
}

// binaryOf returns bytes with a long period, so that what is out of place shows.
func binaryOf(size int) []byte {
	const period = 1<<12 + 1
	b := make([]byte, period, max(size, period))
	for i := range b {
		b[i] = byte(i%251 + i>>8)
	}
	for len(b) < size {
		b = append(b, b[:min(period, size-len(b))]...)
	}
	return b[:size]
}

// wantMessage receives a message.
func wantMessage(t *testing.T, c *wschannel.Channel, typ wschannel.Type, data string) {
	t.Helper()
	m, err := c.Receive(patiently(t))
	if err != nil {
		t.Fatal(err)
	}
	if m.Type != typ || string(m.Data) != data {
		t.Fatalf("received %v of %d bytes %.100q, want %v of %d bytes %.100q", m.Type, len(m.Data), m.Data, typ, len(data), data)
	}
}

// wantArrived checks what the peer has received next.
func (r *remote) wantArrived(t *testing.T, typ wschannel.Type, data string) {
	t.Helper()
	e := r.await(t, "message")
	sum := sha256.Sum256([]byte(data))
	if e.Binary != (typ == wschannel.Binary) || e.Size != len(data) || e.SHA256 != hex.EncodeToString(sum[:]) {
		t.Fatalf("the peer has received %+v, want %v of %d bytes %.100q", e, typ, len(data), data)
	}
}

// wantEnd receives to the end and checks it. It returns the end's cause.
func wantEnd(t *testing.T, c *wschannel.Channel, code status.Code, reason string, remote bool) error {
	t.Helper()
	_, err := c.Receive(patiently(t))
	end, ok := errors.AsType[*wschannel.CloseError](err)
	if !ok || end.Code != code || end.Reason != reason || end.Remote != remote {
		t.Fatalf("ended with %v, want code %d, reason %q, remote %v", err, code, reason, remote)
	}
	return end.Cause
}

// wantClosed checks how the connection ended for the peer.
func (r *remote) wantClosed(t *testing.T, code status.Code, reason string) {
	t.Helper()
	if e := r.await(t, "closed"); e.Code != int(code) || e.Text != reason {
		t.Errorf("it ended for the peer with %d %q, want %d %q", e.Code, e.Text, code, reason)
	}
}
