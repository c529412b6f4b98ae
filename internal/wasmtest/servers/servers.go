// Package servers is what the tests of package wasmtest connect to: servers
// that behave well, badly, or not at all. They run natively, in the process of
// the tests or in that of the program which runs the tests in a browser.
package servers

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/internal/wire"
	"github.com/wschannel/wschannel/status"
	"github.com/wschannel/wschannel/streamchannel"
)

// patience bounds what a server waits for, so that none is left over. Nothing is
// measured with it.
const patience = time.Minute

// Handler returns a handler with all the servers. What a request asks for is
// the path; its query says more. With the parameter id, what the server has
// seen can be read from /report with the same id, each report once.
//
//	/echo                  sends every message back; on the text "close" it
//	                       closes with 3001 and "you asked me to"
//	/observe               receives until the end; reports it
//	/flood                 sends 10,000 messages at once; reports the client's
//	                       close
//	/burst?n=5&size=7      sends n messages of a size, closes with 4000 "done"
//	/closer                on the first message it closes with 4123 and
//	                       "server closed the connection"
//	/pair?id=x             joins the two clients that come with the same id
//	/raisin                says "hello!", answers "ping" with "pong" and closes
//	                       with 3678 "raisin"
//	/protocol?answer=a     selects a whatever was offered; without answer
//	                       nothing; says what was offered; echoes
//	/frames?hex=8900       sends these bytes, and reads up to the client's close
//	/frames?hex=&after=1   sends them when something has come
//	/drop                  resets the connection when something comes
//	/stuck                 reads nothing until its report is asked for
//	/deaf                  reads, and answers nothing
//	/silent                does not answer the handshake; reports that the
//	                       client has come, then that it has left
//	/hangup                ends the connection instead of answering
//	/plain, /refuse        answer with status 200, 404
func Handler() http.Handler {
	s := &state{reports: map[string]chan string{}, first: map[string]chan *wschannel.Channel{}}
	mux := http.NewServeMux()
	channel := func(path string, handle func(ctx context.Context, r *http.Request, c *wschannel.Channel)) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			c, err := wschannel.Accept(w, r, nil)
			if err != nil {
				return
			}
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			defer c.Close()
			handle(ctx, r, c)
		})
	}
	raw := func(path string, handle func(r *http.Request, conn net.Conn)) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				return
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(patience))
			handle(r, conn)
		})
	}

	channel("/echo", echo)
	channel("/observe", s.observe)
	channel("/flood", s.flood)
	channel("/burst", burst)
	channel("/closer", closer)
	channel("/pair", s.pair)
	channel("/raisin", raisin)
	channel("/report", s.report)
	raw("/protocol", protocol)
	raw("/frames", frames)
	raw("/drop", func(r *http.Request, conn net.Conn) {
		io.WriteString(conn, switching(r))
		conn.Read(make([]byte, 1))
		reset(conn)
	})
	raw("/stuck", s.stuck)
	raw("/deaf", func(r *http.Request, conn net.Conn) {
		io.WriteString(conn, switching(r))
		io.Copy(io.Discard, conn)
	})
	raw("/silent", func(r *http.Request, conn net.Conn) {
		s.tell(r, "the client has come")
		io.Copy(io.Discard, conn)
		s.tell(r, "the client has left")
	})
	raw("/hangup", func(*http.Request, net.Conn) {})
	mux.HandleFunc("/plain", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/refuse", http.NotFound)
	return mux
}

func echo(ctx context.Context, _ *http.Request, c *wschannel.Channel) {
	for m, err := range c.Messages(ctx) {
		switch {
		case err != nil:
			return
		case m.Type == wschannel.Text && string(m.Data) == "close":
			c.CloseWith(3001, "you asked me to")
			return
		}
		if c.Send(ctx, m) != nil {
			return
		}
	}
}

func burst(ctx context.Context, r *http.Request, c *wschannel.Channel) {
	n, _ := strconv.Atoi(r.FormValue("n"))
	size, _ := strconv.Atoi(r.FormValue("size"))
	for i := range n {
		data := fmt.Appendf(nil, "%d", i)
		if size > 0 {
			data = make([]byte, size)
		}
		if c.SendBinary(ctx, data) != nil {
			return
		}
	}
	c.CloseWith(4000, "done")
}

func closer(ctx context.Context, _ *http.Request, c *wschannel.Channel) {
	c.Receive(ctx)
	c.CloseWith(4123, "server closed the connection")
}

func raisin(ctx context.Context, _ *http.Request, c *wschannel.Channel) {
	c.SendText(ctx, "hello!")
	if m, err := c.Receive(ctx); err == nil && string(m.Data) == "ping" {
		c.SendText(ctx, "pong")
		c.CloseWith(3678, "raisin")
	}
}

// switching is the response that accepts a request.
func switching(r *http.Request, fields ...string) string {
	return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + wschannel.SignKey(r.Header.Get("Sec-WebSocket-Key")) + "\r\n" +
		strings.Join(append(fields, ""), "\r\n") + "\r\n"
}

func protocol(r *http.Request, conn net.Conn) {
	var fields []string
	if r.URL.Query().Has("answer") {
		fields = append(fields, "Sec-WebSocket-Protocol: "+r.FormValue("answer"))
	}
	io.WriteString(conn, switching(r, fields...))
	c := wschannel.New(conn, wschannel.RoleServer, nil)
	defer c.Close()
	ctx := context.Background()
	c.SendText(ctx, fmt.Sprintf("%q", r.Header["Sec-Websocket-Protocol"]))
	echo(ctx, r, c)
}

func frames(r *http.Request, conn net.Conn) {
	io.WriteString(conn, switching(r))
	b, err := hex.DecodeString(r.FormValue("hex"))
	if err != nil {
		panic(err)
	}
	in := bufio.NewReader(conn)
	if r.FormValue("after") != "" {
		in.Peek(1)
	}
	conn.Write(b)
	// Browsers wait a while for a server that does not end the connection.
	for {
		h, err := readHeader(in)
		if err != nil {
			return
		}
		in.Discard(int(h.Length))
		if h.Opcode == wire.Close {
			return
		}
	}
}

func readHeader(r *bufio.Reader) (wire.Header, error) {
	var b []byte
	for {
		next, err := r.ReadByte()
		if err != nil {
			return wire.Header{}, err
		}
		b = append(b, next)
		if h, _, err := wire.ParseHeader(b); err == nil {
			return h, nil
		}
	}
}

// reset ends a connection in bad order.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

// A state is what the servers know of each other.
type state struct {
	mu      sync.Mutex
	reports map[string]chan string             // by id
	first   map[string]chan *wschannel.Channel // the first clients of pairs, by id
}

func (s *state) reportOf(r *http.Request) chan string {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := r.FormValue("id")
	if s.reports[id] == nil {
		s.reports[id] = make(chan string)
	}
	return s.reports[id]
}

// tell gives a report to whoever asks for it.
func (s *state) tell(r *http.Request, text string) {
	if r.FormValue("id") == "" {
		return
	}
	select {
	case s.reportOf(r) <- text:
	case <-time.After(patience):
	}
}

// report sends the report of another server as a message.
func (s *state) report(ctx context.Context, r *http.Request, c *wschannel.Channel) {
	select {
	case text := <-s.reportOf(r):
		c.SendText(ctx, text)
	case <-ctx.Done():
	}
}

// pair joins two clients.
func (s *state) pair(ctx context.Context, r *http.Request, c *wschannel.Channel) {
	id := r.FormValue("id")
	s.mu.Lock()
	second := s.first[id]
	if second == nil {
		second = make(chan *wschannel.Channel)
		s.first[id] = second
	} else {
		delete(s.first, id)
	}
	s.mu.Unlock()
	select {
	case second <- c: // to whoever came first
		<-c.Done()
	case other := <-second:
		streamchannel.Pipe(ctx, c, other)
	case <-ctx.Done():
	}
}

// observe reports how many messages came, and the code and reason of the end.
func (s *state) observe(ctx context.Context, r *http.Request, c *wschannel.Channel) {
	n := 0
	for {
		_, err := c.Receive(ctx)
		if err != nil {
			break
		}
		n++
	}
	// What a peer without a code, or without a frame, looks like.
	code := c.CloseCode()
	if code == 0 {
		code = status.AbnormalClosure
	}
	s.tell(r, fmt.Sprintf("%d messages, %d %q", n, int(code), c.CloseReason()))
}

func (s *state) flood(ctx context.Context, r *http.Request, c *wschannel.Channel) {
	c.Listen(nil, nil) // so that the client's close is seen at once
	for i := range 10_000 {
		if c.SendText(ctx, strconv.Itoa(i)) != nil {
			break
		}
	}
	<-c.Done()
	s.tell(r, fmt.Sprintf("%d %q", int(c.CloseCode()), c.CloseReason()))
}

func (s *state) stuck(r *http.Request, conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetReadBuffer(4 << 10)
	}
	io.WriteString(conn, switching(r))
	s.tell(r, "nothing was read")
	reset(conn)
}
