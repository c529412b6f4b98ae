//go:build !js

package wschannel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel/status"
)

// countedPair returns a client and a server with Counters of their own.
func countedPair(t *testing.T, connect connector, z Compression) (client, server *Channel, cc, sc *Counters) {
	t.Helper()
	near, far := connect(t)
	cc, sc = new(Counters), new(Counters)
	client = New(near, RoleClient, &StreamOptions{Options: Options{Counters: cc}, Compression: z})
	server = New(far, RoleServer, &StreamOptions{Options: Options{Counters: sc}, Compression: z})
	t.Cleanup(func() { client.CloseNow(); server.CloseNow() })
	return client, server, cc, sc
}

// Messages and bytes are counted once each, whatever the way in and out, the
// transport and the compression. What one side writes the other one reads.
func TestCountersCountMessages(t *testing.T) {
	sentence := strings.Repeat("all of it once more, ", 500)
	sends := []struct {
		name string
		send func(ctx context.Context, c *Channel, s string) error
	}{
		{"SendText", func(ctx context.Context, c *Channel, s string) error { return c.SendText(ctx, s) }},
		{"SendPlain", func(ctx context.Context, c *Channel, s string) error {
			return c.SendPlain(ctx, Message{Binary, []byte(s)})
		}},
		{"SendPrepared", func(ctx context.Context, c *Channel, s string) error {
			p, err := Prepare(Message{Text, []byte(s)})
			return errors.Join(err, c.SendPrepared(ctx, p))
		}},
		{"NextWriter", func(ctx context.Context, c *Channel, s string) error {
			w, err := c.NextWriter(ctx, Text)
			if err != nil {
				return err
			}
			_, err = io.WriteString(w, s[:len(s)/3])
			_, err2 := io.WriteString(w, s[len(s)/3:])
			return errors.Join(err, err2, w.Close())
		}},
	}
	receives := []func(ctx context.Context, c *Channel) (int, error){
		func(ctx context.Context, c *Channel) (int, error) {
			m, err := c.Receive(ctx)
			return len(m.Data), err
		},
		func(ctx context.Context, c *Channel) (int, error) {
			_, b, err := c.ReceiveAppend(ctx, []byte("before"))
			return len(b) - len("before"), err
		},
		func(ctx context.Context, c *Channel) (int, error) {
			_, r, err := c.NextReader(ctx)
			if err != nil {
				return 0, err
			}
			n, err := io.Copy(io.Discard, r)
			return int(n), err
		},
	}
	for _, on := range connectors {
		for _, z := range []Compression{{}, {Mode: CompressionStateless}, {Mode: CompressionContext}} {
			t.Run(fmt.Sprint(on.name, " ", z.Mode), func(t *testing.T) {
				client, server, cc, sc := countedPair(t, on.connect, z)
				var messages, bytes int64
				for i, send := range sends {
					for j, receive := range receives {
						sizes := []int{0, 7, len(sentence)}
						sent := async(func() error {
							for _, size := range sizes {
								if err := send.send(t.Context(), client, sentence[:size]); err != nil {
									return err
								}
							}
							return nil
						})
						for _, size := range sizes {
							n, err := receive(t.Context(), server)
							if err != nil || n != size {
								t.Fatalf("%s %d, receive %d: %d bytes, %v", send.name, i, j, n, err)
							}
							messages++
							bytes += int64(size)
						}
						if err := within(t, send.name, sent); err != nil {
							t.Fatal(send.name, err)
						}
					}
				}
				closed := async(client.Close)
				server.Receive(t.Context())
				if err := within(t, "Close", closed); err != nil {
					t.Fatal(err)
				}
				within(t, "the end", server.Done())

				out, in := cc.Snapshot(), sc.Snapshot()
				want := Counts{Opened: 1, Ended: map[status.Code]int64{1000: 1}, MessagesOut: messages, BytesOut: bytes, WireIn: out.WireIn, WireOut: out.WireOut}
				if !reflect.DeepEqual(out, want) {
					t.Errorf("the client has counted\n%+v, want\n%+v", out, want)
				}
				want = Counts{Opened: 1, Ended: map[status.Code]int64{1000: 1}, MessagesIn: messages, BytesIn: bytes, WireIn: out.WireOut, WireOut: out.WireIn}
				if !reflect.DeepEqual(in, want) {
					t.Errorf("the server has counted\n%+v, want\n%+v", in, want)
				}
				if short := out.WireOut < bytes; short != (z.Mode != 0) {
					t.Errorf("%d bytes went over the wire for %d", out.WireOut, bytes)
				}
			})
		}
	}
}

// Whoever listens counts the same, on a readiness loop too.
func TestCountersCountListening(t *testing.T) {
	for _, on := range connectors {
		for _, z := range []Compression{{}, {Mode: CompressionContext}} {
			for _, form := range formsOfListening {
				t.Run(fmt.Sprint(on.name, " ", z.Mode, " ", form.name), func(t *testing.T) {
					client, server, cc, sc := countedPair(t, on.connect, z)
					ended := make(chan error, 1)
					form.listen(server, func(typ Type, data []byte) {
						server.Send(t.Context(), Message{typ, data})
					}, func(err error) { ended <- err })
					total := 0
					for _, size := range []int{0, 1, 100, 5000, 100_000} {
						if err := client.SendBinary(t.Context(), make([]byte, size)); err != nil {
							t.Fatal(err)
						}
						if m, err := client.Receive(t.Context()); err != nil || len(m.Data) != size {
							t.Fatal(len(m.Data), err)
						}
						total += size
					}
					client.Close()
					within(t, "onDone", ended)
					in, out := sc.Snapshot(), cc.Snapshot()
					want := Counts{
						Opened: 1, Ended: map[status.Code]int64{1000: 1},
						MessagesIn: 5, BytesIn: int64(total), MessagesOut: 5, BytesOut: int64(total),
						WireIn: out.WireOut, WireOut: out.WireIn,
					}
					if !reflect.DeepEqual(in, want) {
						t.Errorf("the server has counted\n%+v, want\n%+v", in, want)
					}
				})
			}
		}
	}
}

// What is refused, withdrawn or lost is not counted.
func TestCountersCountNoFailures(t *testing.T) {
	client, _, cc, _ := countedPair(t, netPipe, Compression{})
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if client.SendText(t.Context(), "\xff") == nil || client.Send(t.Context(), Message{}) == nil || client.SendText(cancelled, "x") == nil {
		t.Error("what cannot be sent was sent")
	}
	if _, err := client.Receive(cancelled); err == nil {
		t.Error("something was received")
	}
	w, err := client.NextWriter(t.Context(), Text)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, "abc")
	client.CloseNow()
	if w.Close() == nil || client.SendText(t.Context(), "late") == nil {
		t.Error("sent on a channel that is over")
	}
	want := Counts{Opened: 1, Ended: map[status.Code]int64{1006: 1}}
	if got := cc.Snapshot(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// What had come before the peer's close is counted when it is received, also
// after the end.
func TestCountersAfterTheEnd(t *testing.T) {
	for _, on := range connectors {
		client, server, cc, sc := countedPair(t, on.connect, Compression{})
		for range 3 {
			if err := client.SendText(t.Context(), "late"); err != nil {
				t.Fatal(err)
			}
		}
		client.CloseWith(4000, "")
		within(t, "the end", server.Done())
		if n := sc.Snapshot(); n.Open != 0 || n.Ended[4000] != 1 || n.MessagesIn != 0 {
			t.Errorf("%s: at the end: %+v", on.name, n)
		}
		for range server.Messages(t.Context()) {
		}
		if n := sc.Snapshot(); n.MessagesIn != 3 || n.BytesIn != 12 || n.WireIn != cc.Snapshot().WireOut {
			t.Errorf("%s: after receiving: %+v", on.name, n)
		}
	}
}

// Pings that come back are counted, with their times: those of Ping, and those
// of the keepalive.
func TestCountersRoundTrips(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		counters := new(Counters)
		c, p := withPeer(t, netPipe, role, &Options{Counters: counters})
		pinged := async(func() error {
			_, err := c.Ping(t.Context())
			return err
		})
		p.expect(pingFrame, pingBody(1))
		time.Sleep(20 * time.Millisecond)
		p.send(pongFrame, pingBody(1))
		p.send(pongFrame, pingBody(1)) // unsolicited
		p.send(pongFrame, pingBody(9)) // never sent
		if err := within(t, "Ping", pinged); err != nil {
			t.Fatal(err)
		}
		p.expect(pingFrame, pingBody(2)) // after 30 s
		time.Sleep(2 * time.Second)
		p.send(pongFrame, pingBody(2))
		synctest.Wait()
		want := RoundTrips{Count: 2, Sum: 2020 * time.Millisecond, Within: [8]int64{0, 0, 1, 1, 1, 1, 1, 2}}
		got := counters.Snapshot().RoundTrips
		if got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if b := got.Bounds(); b[1] >= 20*time.Millisecond || b[2] != 20*time.Millisecond || b[6] >= 2*time.Second || b[7] < 2*time.Second {
			t.Errorf("the bounds are %v", b)
		}
	})
}

// Buffered is what waits in all open channels.
func TestCountersBuffered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counters := new(Counters)
		for range 3 {
			c, _ := withPeer(t, netPipe, RoleServer, &Options{Counters: counters, WriteTimeout: -1})
			go c.SendBinary(t.Context(), make([]byte, 1000))
		}
		synctest.Wait()
		if got := counters.Snapshot(); got.Buffered != 3*1004 || got.Open != 3 {
			t.Errorf("got %+v", got)
		}
	})
}

// What a policy for slow peers drops or refuses is counted as that, and not as
// sent; what waits is buffered.
func TestCountersOfPolicies(t *testing.T) {
	for _, policy := range []Policy{Fail, DropOldest, DropNewest, CloseTryAgainLater} {
		t.Run(fmt.Sprint(policy), func(t *testing.T) {
			counters := new(Counters)
			c, _ := withPeer(t, tcpPair, RoleServer, &Options{Counters: counters, WhenFull: policy, SendQueue: 1 << 20})
			accepted := int64(0)
			for range 200 { // of 100 KiB: more than a socket holds
				if c.SendBinary(t.Context(), make([]byte, 100<<10)) == nil {
					accepted++
				}
			}
			q := c.QueueStats()
			n := counters.Snapshot()
			if n.Dropped != int64(q.Dropped) || n.Refused != int64(q.Refused) || q.Dropped+q.Refused == 0 {
				t.Errorf("counted %d dropped and %d refused; the channel has %+v", n.Dropped, n.Refused, q)
			}
			if policy != CloseTryAgainLater && n.Buffered < 100<<10 {
				t.Errorf("%d bytes are said to wait", n.Buffered)
			}
			c.CloseNow()
			eventually(t, "all is counted", func() bool {
				n := counters.Snapshot()
				return n.MessagesOut > 0 && n.MessagesOut+n.Dropped <= accepted && n.MessagesOut+n.Dropped >= accepted-2
			})
		})
	}
}

// Handshakes that fail are counted by status, on both sides.
func TestCountersFailed(t *testing.T) {
	accepting, dialing := new(Counters), new(Counters)
	options := AcceptOptions{Options: Options{Counters: accepting}}
	servers := map[string]http.Handler{
		"/accept": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { Accept(w, r, &options) }),
		"/server": &Server{AcceptOptions: options, Handler: func(context.Context, *Channel) {}, Upgrade: func(*http.Request) (context.Context, error) {
			return nil, &HandshakeError{StatusCode: http.StatusUnauthorized}
		}},
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { servers[r.URL.Path].ServeHTTP(w, r) }))
	defer s.Close()
	url := "ws" + strings.TrimPrefix(s.URL, "http")
	d := Dialer{Options: Options{Counters: dialing}}
	for range 2 {
		d.Connect(t.Context(), url+"/server")
	}
	d.Header = http.Header{"Origin": {"https://evil.example"}}
	d.Connect(t.Context(), url+"/accept")
	d.Connect(t.Context(), "ftp://localhost/")
	d.Header = nil
	c, _, err := d.Connect(t.Context(), url+"/accept")
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	// The client may know of its channel before the server.
	eventually(t, "the channel is counted", func() bool { return accepting.Snapshot().Opened == 1 })
	if got := accepting.Snapshot(); !reflect.DeepEqual(got.Failed, map[int]int64{401: 2, 403: 1}) || got.Limited != 0 {
		t.Errorf("the server has counted %+v", got)
	}
	if got := dialing.Snapshot(); !reflect.DeepEqual(got.Failed, map[int]int64{401: 2, 403: 1, 0: 1}) || got.Opened != 1 {
		t.Errorf("the client has counted %+v", got)
	}
}

// String is the Snapshot as encoding/json writes it, of the zero value too.
func TestCountersString(t *testing.T) {
	counters := new(Counters)
	for _, fill := range []func(){
		func() {},
		func() { counters.failed(404) },
		func() { counters.failed(0); counters.limited(); counters.roundTrip(3 * time.Second) },
		func() {
			c := newOn(t, struct{ io.ReadWriteCloser }{nothing{}}, RoleServer, &Options{Counters: counters})
			c.CloseNow()
			newTally(&c.engine, counters).finish(&CloseError{Code: 4999})
		},
	} {
		fill()
		want, err := json.Marshal(counters.Snapshot())
		if err != nil || counters.String() != string(want) {
			t.Errorf("got %s, want %s (%v)", counters, want, err)
		}
	}
}

// nothing is a stream on which nothing ever comes.
type nothing struct{}

func (nothing) Read([]byte) (int, error)    { return 0, io.EOF }
func (nothing) Write(p []byte) (int, error) { return len(p), nil }
func (nothing) Close() error                { return nil }

// However many channels come and go, each Snapshot adds up, and at the end
// nothing has been forgotten.
func TestCountersAddUp(t *testing.T) {
	counters := new(Counters)
	o := &Options{Counters: counters}
	const channels, messages = 20, 30
	done := make(chan struct{})
	var watching, working sync.WaitGroup
	watching.Go(func() {
		for last := (Counts{}); !isClosed(done); {
			s := counters.Snapshot()
			sum := s.Open
			for _, n := range s.Ended {
				sum += n
			}
			if s.Opened != sum || s.MessagesIn < last.MessagesIn || s.WireOut < last.WireOut {
				t.Errorf("%+v after %+v", s, last)
				return
			}
			last = s
		}
	})
	for range channels {
		working.Go(func() {
			client, server := channelPair(t, netPipe, o)
			var both sync.WaitGroup
			both.Go(func() {
				for range messages {
					client.SendText(t.Context(), "hello")
				}
				client.Close()
			})
			for range server.Messages(t.Context()) {
			}
			both.Wait()
			<-server.Done()
		})
	}
	working.Wait()
	close(done)
	watching.Wait()
	s := counters.Snapshot()
	want := Counts{
		Opened: 2 * channels, Ended: map[status.Code]int64{1000: 2 * channels},
		MessagesIn: channels * messages, MessagesOut: channels * messages,
		BytesIn: 5 * channels * messages, BytesOut: 5 * channels * messages,
		WireIn: s.WireOut, WireOut: s.WireOut,
	}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("got %+v, want %+v", s, want)
	}
}
