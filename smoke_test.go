package wschannel

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestSmoke(t *testing.T) {
	s := &Server{Handler: func(ctx context.Context, c *Channel) {
		for m, err := range c.Messages(ctx) {
			if err != nil {
				t.Log(err)
				return
			}
			if err := c.Send(ctx, m); err != nil {
				t.Log(err)
				return
			}
		}
	}, AcceptOptions: AcceptOptions{Options: Options{Protocols: []string{"a"}}}}
	hs := httptest.NewServer(s)
	defer hs.Close()
	ctx := context.Background()
	c, err := Connect(ctx, strings.Replace(hs.URL, "http", "ws", 1), &Options{Protocols: []string{"b", "a"}, MessageLimit: -1})
	if err != nil {
		t.Fatal(err)
	}
	if c.Protocol() != "a" {
		t.Fatal(c.Protocol())
	}
	for _, n := range []int{0, 1, 125, 126, 65535, 65536, 1 << 20} {
		b := bytes.Repeat([]byte("x"), n)
		if err := c.SendText(ctx, string(b)); err != nil {
			t.Fatal(err)
		}
		m, err := c.Receive(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(m.Data, b) {
			t.Fatal("differ")
		}
	}
	d, err := c.Ping(ctx)
	t.Log(d, err)
	w, err := c.NextWriter(ctx, Text)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 1000; i++ {
		if _, err := w.Write(bytes.Repeat([]byte("ä"), 100)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	_, r, err := c.NextReader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil || len(b) != 200000 {
		t.Fatal(len(b), err)
	}
	tctx, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if _, err := c.Receive(tctx); err != context.DeadlineExceeded {
		t.Fatal(err)
	}
	if err := c.CloseWith(3678, "raisin"); err != nil {
		t.Fatal(err)
	}
	t.Log(c.Err())
	if err := s.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestSmokePipe(t *testing.T) {
	a, b := net.Pipe()
	x, y := New(a, RoleClient, nil), New(b, RoleServer, nil)
	go x.SendText(context.Background(), "hi")
	m, err := y.Receive(context.Background())
	t.Log(string(m.Data), err)
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = y.Receive(context.Background())
	t.Log(err, y.Err())
}
