//go:build !js

package reconnect_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/internal/faultlink"
	"github.com/wschannel/wschannel/reconnect"
	"github.com/wschannel/wschannel/status"
)

// A web is a server that can be reached only over links which break, and knows
// what has come to it. Messages are a sender, a number and what fills them up.
type web struct {
	t      *testing.T
	random *rand.Rand // of the dials, which follow one another
	memory bool       // the links are in memory, and time is fake
	kinds  []faultlink.Kind
	conns  chan net.Conn

	mu      sync.Mutex
	calm    bool
	storms  int // how many links there were before
	links   []*faultlink.Link
	arrived map[int][]string // by the number of the link
	replied map[int]int      // how many replies were accepted there
	greeted map[int]bool     // its first message was OnConnect's
	fenced  map[int]bool     // its last message has come, and all before it were handled
	closed  map[int]bool     // the server has closed it, and so may have dropped the last messages
}

func (w *web) plan(n int) faultlink.Plan {
	if w.calm {
		return faultlink.Plan{}
	}
	p := faultlink.Plan{
		Seed: w.random.Uint64(),
		Kind: w.kinds[w.random.IntN(len(w.kinds))],
		Way:  faultlink.Way(w.random.IntN(2)),
		// Links hold for longer and longer, or all that is repeated would never pass.
		At:  w.random.Int64N(int64(400 + 50*n)),
		For: time.Duration(w.random.IntN(3000)) * time.Millisecond,
	}
	if w.random.IntN(2) == 0 {
		p.Piece = 1 + w.random.IntN(200)
	}
	if !w.memory {
		p.For /= 100
	}
	return p
}

// dial connects over a new link. The server learns its number from the path.
func (w *web) dial(ctx context.Context) (*wschannel.Channel, error) {
	w.mu.Lock()
	n := len(w.links)
	plan := w.plan(n)
	var near, far net.Conn
	var link *faultlink.Link
	if w.memory {
		near, far, link = faultlink.Pipe(plan)
	} else {
		ends := [4]net.Conn{}
		ends[0], ends[1] = socketPair(w.t)
		ends[2], ends[3] = socketPair(w.t)
		near, far, link = ends[0], ends[3], faultlink.Join(ends[1], ends[2], plan)
	}
	w.links = append(w.links, link)
	w.mu.Unlock()
	w.conns <- far
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return near, nil },
	}}
	d := wschannel.Dialer{Options: w.options(), HTTPClient: client}
	c, _, err := d.Connect(ctx, "ws://server.test/"+strconv.Itoa(n))
	return c, err
}

func (w *web) options() wschannel.Options {
	return wschannel.Options{HandshakeTimeout: 300 * time.Millisecond, PingInterval: 200 * time.Millisecond,
		PingTimeout: 300 * time.Millisecond, WriteTimeout: 500 * time.Millisecond, CloseTimeout: 2 * time.Second}
}

func socketPair(t *testing.T) (a, b net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Error(err)
		return net.Pipe()
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err == nil {
		b, err = l.Accept()
	}
	if err != nil {
		t.Error(err)
		return net.Pipe()
	}
	return a, b
}

// Accept makes the web a listener.
func (w *web) Accept() (net.Conn, error) {
	if c, ok := <-w.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (w *web) Close() error   { return nil }
func (w *web) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

type linkNumber struct{}

// serve starts the server, and returns what ends it.
func (w *web) serve() (stop func()) {
	quiet := log.New(io.Discard, "", 0)
	server := &wschannel.Server{
		Handler: w.handle,
		Logger:  slog.New(slog.DiscardHandler),
		Upgrade: func(r *http.Request) (context.Context, error) {
			n, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
			if err == nil && w.breaks(n, 10) {
				err = &wschannel.HandshakeError{StatusCode: http.StatusServiceUnavailable,
					Header: map[string][]string{"Retry-After": {"0"}}}
			}
			return context.WithValue(r.Context(), linkNumber{}, n), err
		},
	}
	server.AcceptOptions.Options = w.options()
	h := &http.Server{Handler: server, ErrorLog: quiet}
	var serving sync.WaitGroup
	serving.Go(func() { h.Serve(w) })
	return func() {
		for _, l := range w.links {
			l.Close()
		}
		server.Shutdown(context.Background())
		close(w.conns)
		h.Close()
		serving.Wait()
	}
}

// breaks decides, from the number of a link, on one of so many.
func (w *web) breaks(n, of int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.calm && rand.New(rand.NewPCG(uint64(n), faultlink.Seed())).IntN(of) == 0
}

// handle replies to about every other message, and closes some links by itself.
func (w *web) handle(ctx context.Context, c *wschannel.Channel) {
	n := ctx.Value(linkNumber{}).(int)
	random := rand.New(rand.NewPCG(uint64(n), 1))
	left := 1 << 30
	if w.breaks(n, 2) {
		left = random.IntN(15)
	}
	for ; left > 0; left-- {
		m, err := c.Receive(ctx)
		if err != nil {
			return
		}
		w.mu.Lock()
		if !w.greeted[n] {
			w.greeted[n] = string(m.Data) == "hello "+strconv.Itoa(n)
			if !w.greeted[n] {
				w.t.Errorf("the first message on link %d is %.40q", n, m.Data)
			}
			w.mu.Unlock()
			continue
		}
		if string(m.Data) == fence {
			w.fenced[n] = true
			w.mu.Unlock()
			continue
		}
		w.arrived[n] = append(w.arrived[n], string(m.Data))
		k := w.replied[n]
		w.mu.Unlock()
		if random.IntN(2) == 0 && c.SendText(ctx, fmt.Sprintf("%d.%d", n, k)) == nil {
			w.mu.Lock()
			w.replied[n]++
			w.mu.Unlock()
		}
	}
	w.mu.Lock()
	w.closed[n] = true
	w.mu.Unlock()
	c.CloseWith([]status.Code{status.GoingAway, status.InternalError, 4000}[random.IntN(3)], "")
}

// fence is what is sent on the last link behind all else, and not replied to.
const fence = "fence"

// cutAll breaks what links there are, and lets those to come be good ones.
func (w *web) cutAll() {
	w.mu.Lock()
	w.calm, w.storms = true, len(w.links)
	links := slices.Clone(w.links)
	w.mu.Unlock()
	for _, l := range links {
		l.Close()
	}
}

// A fate is what is known of what became of a message.
type fate struct {
	accepted          bool // Send returned nil
	doubtful, dropped int  // how often that was reported
	arrived           int  // how often, at the server
}

// A ledger is what the application at the reconnecting channel knows.
type ledger struct {
	mu       sync.Mutex
	fates    map[string]*fate
	received []string
}

func (l *ledger) change(f func(*fate), messages ...wschannel.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range messages {
		if l.fates[string(m.Data)] == nil {
			l.fates[string(m.Data)] = new(fate)
		}
		f(l.fates[string(m.Data)])
	}
}

// A storm is one run of the model.
type storm struct {
	policy reconnect.Policy
	repeat bool // what is in doubt is sent again
	early  bool // the channel is closed while links still break
}

func (s storm) String() string {
	return fmt.Sprintf("%s, repeat %v, closed early %v", [...]string{"block", "fail", "drop oldest", "drop newest"}[s.policy], s.repeat, s.early)
}

func storms() (all []storm) {
	for _, policy := range []reconnect.Policy{reconnect.Block, reconnect.Fail, reconnect.DropOldest, reconnect.DropNewest} {
		for i := range 4 {
			all = append(all, storm{policy, i&1 != 0, i&2 != 0})
		}
	}
	return all
}

// Over real WebSockets and links that break anywhere, from the handshake to the
// close: of every message it is known whether it was delivered, is in doubt, was
// dropped or refused. None comes twice unasked, out of order or altered.
func TestModelOverWebSockets(t *testing.T) {
	for i, s := range storms() {
		t.Run(s.String(), func(t *testing.T) {
			for n := range faultlink.Samples(3) {
				synctest.Test(t, func(t *testing.T) {
					random := rand.New(rand.NewPCG(faultlink.Seed(), uint64(n*100+i)))
					s.rage(t, &web{t: t, random: random, memory: true, kinds: append(faultlink.Kinds, faultlink.None)})
				})
				if t.Failed() {
					t.Fatalf("run %d; again with %s=%d", n, faultlink.SeedVariable, faultlink.Seed())
				}
			}
		})
	}
}

// The same over TCP, in real time.
func TestModelOverSockets(t *testing.T) {
	for i, s := range storms() {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(faultlink.Seed(), uint64(i)))
			s.rage(t, &web{t: t, random: random, kinds: []faultlink.Kind{faultlink.Fin, faultlink.Reset, faultlink.Stall, faultlink.Silence}})
			if t.Failed() {
				t.Logf("again with %s=%d", faultlink.SeedVariable, faultlink.Seed())
			}
		})
	}
}

func (s storm) rage(t *testing.T, w *web) {
	random := rand.New(rand.NewPCG(w.random.Uint64(), 0))
	w.conns = make(chan net.Conn, 1000)
	w.arrived, w.replied, w.greeted, w.fenced, w.closed = map[int][]string{}, map[int]int{}, map[int]bool{}, map[int]bool{}, map[int]bool{}
	defer w.serve()()
	l := &ledger{fates: map[string]*fate{}}
	unit := time.Millisecond // of pauses
	if !w.memory {
		unit = 10 * time.Microsecond
	}
	dialed := -1
	c := reconnect.New(func(ctx context.Context) (*wschannel.Channel, error) {
		dialed++
		return w.dial(ctx)
	}, &webOptions{
		OnConnect: func(ctx context.Context, link *wschannel.Channel) error {
			return link.SendText(ctx, "hello "+strconv.Itoa(dialed))
		},
		Retry: func(err error) bool {
			// What net/http says to a request of which the end is missing.
			var refused *wschannel.HandshakeError
			return reconnect.Retryable(err) || errors.As(err, &refused) && refused.StatusCode == http.StatusBadRequest
		},
		WhenFull:    s.policy,
		QueueLimit:  random.IntN(5) - 1,
		BaseDelay:   100 * unit,
		MaxDelay:    1000 * unit,
		StableAfter: 500 * unit,
		DoubtLimit:  1000,
		OnDrop: func(m wschannel.Message, _ error) {
			l.change(func(f *fate) { f.dropped++ }, m)
		},
		OnDoubt: func(d reconnect.Doubt[wschannel.Message]) []wschannel.Message {
			l.change(func(f *fate) { f.doubtful++ }, d.Messages...)
			if s.repeat {
				return d.Messages
			}
			return nil
		},
	})

	const senders, each = 3, 40
	var sending, receiving sync.WaitGroup
	for sender := range senders {
		own := rand.New(rand.NewPCG(random.Uint64(), uint64(sender)))
		sending.Go(func() {
			for i := range each {
				time.Sleep(unit * time.Duration(own.IntN(3)*own.IntN(500)))
				m := text(fmt.Sprintf("%d-%d %s", sender, i, strings.Repeat("x", own.IntN(1<<own.IntN(12)))))
				ctx, cancel := context.WithCancel(t.Context())
				if own.IntN(4) == 0 {
					cancel()
					ctx, cancel = context.WithTimeout(t.Context(), unit*time.Duration(own.IntN(2000)))
				}
				err := c.Send(ctx, m)
				if err != nil && err != reconnect.ErrQueueFull && !errors.Is(err, ctx.Err()) {
					t.Errorf("Send: %v", err)
				}
				cancel()
				l.change(func(f *fate) { f.accepted = err == nil }, m)
			}
		})
	}
	reading, stop := context.WithCancel(t.Context())
	cancels := rand.New(rand.NewPCG(random.Uint64(), 9))
	receiving.Go(func() {
		for reading.Err() == nil {
			ctx, cancel := context.WithTimeout(reading, unit*time.Duration(1+cancels.IntN(3000)))
			m, err := c.Receive(ctx)
			cancel()
			if err == nil {
				l.mu.Lock()
				l.received = append(l.received, string(m.Data))
				l.mu.Unlock()
			} else if errors.Is(err, wschannel.ErrLocalClose) {
				return
			} else if !errors.Is(err, ctx.Err()) {
				t.Errorf("Receive: %v", err)
			}
		}
	})
	sending.Wait()
	if !s.early {
		w.cutAll()
		s.settle(t, c, w, l)
	}
	err := c.Close()
	stop()
	receiving.Wait()
	if !s.early && err != nil {
		t.Errorf("Close: %v", err)
	}
	<-c.Done()
	s.check(t, w, l)
}

// settle waits until all has arrived that can.
func (s storm) settle(t *testing.T, c *reconnect.Channel[wschannel.Message, wschannel.Message], w *web, l *ledger) {
	fencing, toSend := -1, false // the link that a fence is for, behind what is sent again there
	settled := func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		last := len(w.links) - 1
		if c.State().Phase != reconnect.Open || last < w.storms || !w.greeted[last] {
			return false
		}
		if last != fencing {
			fencing, toSend = last, true
		}
		if !w.fenced[last] {
			return false
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		var all []string
		for _, messages := range w.arrived {
			all = append(all, messages...)
		}
		for m, f := range l.fates {
			known := f.dropped > 0 || !s.repeat && f.doubtful > 0
			if f.accepted && !known && !slices.Contains(all, m) {
				return false
			}
		}
		got := 0
		for _, m := range l.received {
			if strings.HasPrefix(m, strconv.Itoa(last)+".") {
				got++
			}
		}
		return got == w.replied[last]
	}
	for late := time.Now().Add(30 * time.Second); !settled() && time.Now().Before(late); {
		if toSend {
			toSend = c.Send(t.Context(), text(fence)) != nil
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// check holds what the server got, and what it has sent, against what the
// application at the other end knows.
func (s storm) check(t *testing.T, w *web, l *ledger) {
	w.mu.Lock()
	defer w.mu.Unlock()
	newest := map[string]int{} // of each sender, in all links
	for _, n := range slices.Sorted(maps.Keys(w.arrived)) {
		here := map[string]int{} // and in this one
		for _, m := range w.arrived[n] {
			f := l.fates[m]
			if f == nil {
				t.Errorf("link %d has brought %.40q, which nobody has sent", n, m)
				continue
			}
			f.arrived++
			id, _, _ := strings.Cut(m, " ")
			sender, number, _ := strings.Cut(id, "-")
			i, _ := strconv.Atoi(number)
			i++
			if f.arrived == 1 && i < newest[sender] || i <= here[sender] {
				t.Errorf("link %d has brought %s of sender %s behind %d or %d", n, number, sender, newest[sender]-1, here[sender]-1)
			}
			newest[sender], here[sender] = max(i, newest[sender]), i
		}
	}
	for m, f := range l.fates {
		if s.early && f.accepted && f.arrived+f.dropped == 0 && w.closed[len(w.links)-1] {
			continue // both ends have closed, and the server has dropped what it had not read
		}
		if !f.legal(s) {
			t.Errorf("%.20q: %+v", m, *f)
		}
	}
	w.checkReceived(t, l.received)
	t.Logf("%d links, %d messages", len(w.links), len(l.fates))
}

// legal reports whether a message may have that fate.
func (f fate) legal(s storm) bool {
	switch {
	case !f.accepted: // the sender knows
		return f.arrived+f.doubtful+f.dropped == 0
	case f.dropped > 1:
		return false
	case s.repeat && s.early: // what was to be sent again may be dropped at the end
		return f.arrived+f.dropped > 0 && f.arrived <= f.doubtful+1
	case s.repeat:
		return (f.arrived > 0) != (f.dropped > 0) && f.arrived <= f.doubtful+1
	case f.dropped > 0:
		return f.arrived+f.doubtful == 0
	}
	return f.doubtful <= 1 && f.arrived <= 1 && f.doubtful+f.arrived > 0
}

// checkReceived checks that of each link the beginning of what was sent has come,
// one link after the other, and all of it if the last one was closed in calm.
func (w *web) checkReceived(t *testing.T, received []string) {
	link, next := -1, 0
	for _, m := range received {
		from, number, _ := strings.Cut(m, ".")
		n, _ := strconv.Atoi(from)
		k, _ := strconv.Atoi(number)
		if n > link {
			link, next = n, 0
		}
		if n != link || k != next || k > w.replied[n] {
			t.Errorf("received %s, want %d.%d; the server has sent %d on that link", m, link, next, w.replied[n])
		}
		next = k + 1
	}
	if w.calm && link == len(w.links)-1 && next != w.replied[link] {
		t.Errorf("received %d messages of the last link, of %d", next, w.replied[link])
	}
}
