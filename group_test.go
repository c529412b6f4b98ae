//go:build !js

package wschannel

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A crowd is a group whose members are read, each by a goroutine.
type crowd struct {
	Group
	near, far []*Channel
	got       [][]string
	all       sync.WaitGroup
}

func newCrowd(t *testing.T, n int, connect connector, o *Options) *crowd {
	g := &crowd{got: make([][]string, n)}
	for i := range n {
		far, near := channelPair(t, connect, o)
		g.near, g.far = append(g.near, near), append(g.far, far)
		if err := g.Join(near); err != nil {
			t.Fatal(err)
		}
		g.all.Go(func() {
			for m, err := range far.Messages(t.Context()) {
				if err != nil {
					t.Errorf("member %d: %v", i, err)
					return
				}
				g.got[i] = append(g.got[i], string(m.Data))
			}
		})
	}
	return g
}

// end closes the members and waits until all has been received.
func (g *crowd) end() {
	for _, c := range g.near {
		g.all.Go(func() { c.Close() })
	}
	g.all.Wait()
}

// publish publishes a text.
func (g *crowd) publish(t *testing.T, text string, except ...*Channel) {
	t.Helper()
	if err := g.Publish(Message{Text, []byte(text)}, except...); err != nil {
		t.Fatal(err)
	}
}

// numbered returns the texts 0 … n-1, as long as that.
func numbered(n, long int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%0*d", long, i)
	}
	return all
}

// One member never reads, among 100 others: these get everything at once, and the
// one is closed, or loses messages.
func TestMemberThatNeverReads(t *testing.T) {
	const count, long, limit = 50, 4000, 50_000
	for _, tt := range []struct {
		name        string
		members     int
		group, own  Policy
		stays       bool
		sent, least uint64 // to the one; dropped at least
	}{
		{"the default", 100, Block, Block, false, 0, 0},
		{"the group's", 20, DropOldest, Block, true, count, count / 4},
		{"its own", 20, DropOldest, DropNewest, true, 0, count / 4},
		{"its own fails", 20, DropOldest, Fail, true, 0, count / 4},
		{"its own closes", 20, DropOldest, ClosePolicyViolation, false, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newCrowd(t, tt.members, netPipe, silent)
				g.WhenFull = tt.group
				stuck, _ := withPeer(t, netPipe, RoleServer, &Options{WhenFull: tt.own, SendQueue: limit, WriteTimeout: -1, PingInterval: -1})
				if err := g.Join(stuck); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				texts := numbered(count, long)
				for _, text := range texts {
					g.publish(t, text)
					if n := stuck.QueueStats().Bytes; n > limit {
						t.Fatalf("%d bytes wait", n)
					}
					synctest.Wait()
				}
				for i, got := range g.got {
					if !slices.Equal(got, texts) {
						t.Fatalf("member %d has got %d messages, or others", i, len(got))
					}
				}
				wantAfter(t, "the last one", began, 0)
				s := g.Stats()
				members := uint64(tt.members)
				if s.Published != count || s.Dropped < tt.least || tt.sent > 0 && s.Sent != count*members+tt.sent || s.Sent < count*members {
					t.Errorf("%+v", s)
				}
				if !tt.stays {
					<-stuck.Done()
					synctest.Wait()
				}
				if left := g.Len() == tt.members; left == tt.stays || (s.Closed == 1) == tt.stays {
					t.Errorf("%d members, %+v", g.Len(), s)
				}
				g.end()
				synctest.Wait()
				if n := g.Len(); tt.stays != (n == 1) {
					t.Errorf("%d members in the end", n)
				}
			})
		})
	}
}

// Members come and go while others publish: all see the same order, and what
// was published while they were there.
func TestGroupInMotion(t *testing.T) {
	for _, on := range connectors {
		t.Run(on.name, func(t *testing.T) {
			const publishers, count = 3, 50
			g := newCrowd(t, 6, on.connect, &Options{SendQueue: 1 << 20})
			var all sync.WaitGroup
			for p := range publishers {
				all.Go(func() {
					for i := range count {
						g.publish(t, fmt.Sprint(p, " ", i))
					}
				})
				all.Go(func() {
					for range 10 {
						far, near := channelPair(t, on.connect, nil)
						if err := g.Join(near); err != nil {
							t.Errorf("Join: %v", err)
						}
						g.publish(t, "more")
						if _, err := far.Receive(t.Context()); err != nil {
							t.Errorf("Receive: %v", err)
						}
						g.Leave(near)
						far.CloseNow()
						near.CloseNow()
						for c := range g.Members() {
							if c == near {
								t.Error("who has left is a member")
							}
						}
					}
				})
			}
			all.Wait()
			g.end()
			eventually(t, "an empty group", func() bool { return g.Len() == 0 })
			for i, got := range g.got {
				if len(got) != publishers*(count+10) || !slices.Equal(got, g.got[0]) {
					t.Errorf("member %d has got %d messages, or in another order than the first", i, len(got))
				}
			}
		})
	}
}

// A channel leaves at its end, however that comes.
func TestMembersLeaveAtTheirEnd(t *testing.T) {
	for name, end := range map[string]func(near, far *Channel){
		"Close":            func(near, far *Channel) { near.Close() },
		"CloseNow":         func(near, far *Channel) { near.CloseNow() },
		"the peer's close": func(near, far *Channel) { far.Close() },
		"a loss":           func(near, far *Channel) { far.CloseNow() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var one, other Group
				far, near := channelPair(t, netPipe, nil)
				stays, _ := channelPair(t, netPipe, nil)
				for _, g := range []*Group{&one, &other, &one} {
					if g.Join(near) != nil || g.Join(stays) != nil {
						t.Fatal("Join fails")
					}
				}
				if one.Len() != 2 || other.Len() != 2 {
					t.Fatalf("%d and %d members", one.Len(), other.Len())
				}
				end(near, far)
				<-near.Done()
				synctest.Wait()
				if got := slices.Collect(one.Members()); !slices.Equal(got, []*Channel{stays}) || other.Len() != 1 {
					t.Errorf("%d and %d members", len(got), other.Len())
				}
				if err := one.Join(near); err != near.Err() {
					t.Errorf("Join: %v", err)
				}
				one.Leave(near)
				one.Leave(stays)
				one.Leave(stays)
				if one.Len() != 0 || other.Len() != 1 {
					t.Errorf("%d and %d members", one.Len(), other.Len())
				}
			})
		})
	}
}

// Publications and what is sent to a channel alone come in the order of the calls.
// The latter is not dropped: it waits, if the channel's own policy is Block.
func TestPublicationsAndOwnMessages(t *testing.T) {
	inBubble(t, func(t *testing.T, role Role) {
		g := Group{WhenFull: DropOldest}
		c, p := withPeer(t, netPipe, role, with(Block, 2))
		if err := g.Join(c); err != nil {
			t.Fatal(err)
		}
		publish := func(text string) {
			if err := g.Publish(Message{Text, []byte(text)}); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
		publish("clog")
		publish(noRoom)
		publish("1")
		ctx, cancel := context.WithCancel(t.Context())
		cancelled := async(func() error { return c.SendText(ctx, "withdrawn") })
		synctest.Wait()
		sent := async(func() error { return c.SendText(t.Context(), "own") })
		synctest.Wait()
		publish("2")
		publish("3") // drops 1
		if len(sent) > 0 {
			t.Error("Send with the policy Block has not waited")
		}
		cancel()
		if err := <-cancelled; err != context.Canceled {
			t.Errorf("Send: %v", err)
		}
		expectTexts(p, "clog", noRoom, "own", "2", "3")
		if err := <-sent; err != nil {
			t.Error(err)
		}
		if s := g.Stats(); s != (GroupStats{Published: 5, Sent: 5, Dropped: 1}) {
			t.Errorf("%+v", s)
		}
		synctest.Wait()
		go mustSend(t, c, "and on")
		p.expect(textFrame, "and on")
	})
}

// An author is left out; what must not be sent is refused.
func TestPublishExcept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newCrowd(t, 3, netPipe, nil)
		g.publish(t, "to all")
		g.publish(t, "not to 0", g.near[0])
		g.publish(t, "only to 2", g.near[:2]...)
		if err := g.Publish(Message{Text, []byte{0xFF}}); err != ErrInvalidUTF8 {
			t.Errorf("Publish: %v", err)
		}
		if err := g.Publish(Message{}); err != ErrInvalidType {
			t.Errorf("Publish: %v", err)
		}
		buffer := []byte("kept")
		g.Publish(Message{Binary, buffer})
		copy(buffer, "xxxx")
		g.end()
		want := [][]string{{"to all", "kept"}, {"to all", "not to 0", "kept"}, {"to all", "not to 0", "only to 2", "kept"}}
		if got := fmt.Sprint(g.got); got != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// Members have agreed on different compressions, or none. What is dropped was
// never compressed, so all that comes is whole, and in order; the last message is
// not dropped, also if what waits is flushed by a close.
func TestDroppedMessagesAreNotCompressed(t *testing.T) {
	for alone := range 3 { // which messages are sent to each alone: even, odd, all
		t.Run(fmt.Sprint(alone), func(t *testing.T) { dropCompressed(t, alone) })
	}
}

func dropCompressed(t *testing.T, alone int) {
	const count = 400
	letters := func(i int) []byte {
		r, b := rand.New(rand.NewPCG(uint64(i), 1)), make([]byte, 1000)
		for i := range b {
			b[i] = 'a' + byte(r.IntN(26))
		}
		return b
	}
	message := func(i int) []byte { // which refers to the one before, where it can
		return slices.Concat(binary.BigEndian.AppendUint32(nil, uint32(i)), letters(i), letters(i-1))
	}
	var g Group
	var all sync.WaitGroup
	var servers []*Channel
	begin := make(chan struct{}) // to receive: until then pipes hold next to nothing
	for _, on := range connectors[:2] {
		for mode := CompressionOff; mode <= CompressionContext; mode++ {
			near, far := on.connect(t)
			o := StreamOptions{Compression: Compression{Mode: mode}}
			client := New(near, RoleClient, &o)
			o.WhenFull, o.SendQueue = DropOldest, 10_000
			server := New(far, RoleServer, &o)
			t.Cleanup(func() { client.CloseNow(); server.CloseNow() })
			servers = append(servers, server)
			if err := g.Join(server); err != nil {
				t.Fatal(err)
			}
			all.Go(func() {
				<-begin
				last := -1
				for m, err := range client.Messages(t.Context()) {
					if err != nil {
						t.Errorf("%s, mode %d: %v", on.name, mode, err)
						return
					}
					n := int(binary.BigEndian.Uint32(m.Data))
					if n <= last || !bytes.Equal(m.Data, message(n)) {
						t.Errorf("%s, mode %d: message %d after %d, of %d bytes", on.name, mode, n, last, len(m.Data))
						return
					}
					last = n
				}
				if last != count-1 {
					t.Errorf("%s, mode %d: the last message is %d", on.name, mode, last)
				}
			})
		}
	}
	for i := range count {
		if i == count/2 {
			close(begin)
		}
		if alone < 2 && i%2 != alone {
			if err := g.Publish(Message{Binary, message(i)}); err != nil {
				t.Fatal(err)
			}
			continue
		}
		for _, c := range servers {
			if err := c.SendBinary(t.Context(), message(i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	dropped := uint64(0)
	for _, c := range servers {
		dropped += c.QueueStats().Dropped
		all.Go(func() { c.Close() })
	}
	all.Wait()
	if dropped < count/4 {
		t.Errorf("only %d messages were dropped", dropped)
	}
}

// A channel that leaves and joins again at the same time is not a member twice.
func TestLeaveBesideJoin(t *testing.T) {
	var g Group
	c, _ := channelPair(t, netPipe, nil)
	if err := g.Join(c); err != nil {
		t.Fatal(err)
	}
	most := 0
	for range 2000 {
		left := make(chan struct{})
		go func() {
			g.Leave(c)
			close(left)
		}()
		for looking := true; looking; {
			select {
			case <-left:
				looking = false
			default:
			}
			if err := g.Join(c); err != nil {
				t.Fatal(err)
			}
			most = max(most, g.Len())
		}
	}
	if most > 1 {
		t.Errorf("one channel was %d members", most)
	}
}
