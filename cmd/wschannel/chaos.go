package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/internal/faultlink"
	"github.com/wschannel/wschannel/reconnect"
	"github.com/wschannel/wschannel/streamchannel"
)

const (
	chaosCuts = 20
	chaosPace = 2 * time.Millisecond // from one message to the next
)

// chaosOptions notice a silent peer soon.
var chaosOptions = wschannel.Options{
	HandshakeTimeout: 600 * time.Millisecond,
	PingInterval:     200 * time.Millisecond,
	PingTimeout:      400 * time.Millisecond,
	WriteTimeout:     600 * time.Millisecond,
}

// A chaos is a client that sends numbers to a server, over links that are cut.
type chaos struct {
	out    io.Writer
	random *rand.Rand
	relay  *faultlink.Relay
	tally  *tally

	mu       sync.Mutex
	cuts     int       // which have happened
	attempts int       // to connect
	links    int       // that were open
	told     bool      // how the last link was cut
	lost     time.Time // when the client lost its link; zero while it has one
}

// playChaos plays the demo of a client that survives, and writes to out.
func playChaos(ctx context.Context, out, complaints io.Writer) error {
	seed := faultlink.Seed()
	c := &chaos{out: out, random: rand.New(rand.NewPCG(seed, 0)), tally: newTally()}
	server := &wschannel.Server{Handler: c.tally.handle, Logger: slog.New(slog.NewTextHandler(complaints, &slog.HandlerOptions{Level: slog.LevelError})), AcceptOptions: wschannel.AcceptOptions{Options: chaosOptions}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	// What net/http has to say of links that are cut is no complaint.
	h := &http.Server{Handler: server, ReadHeaderTimeout: requestTime, ErrorLog: log.New(io.Discard, "", 0)}
	go h.Serve(listener)
	defer h.Close()
	if c.relay, err = faultlink.Listen(listener.Addr().String(), c.plan); err != nil {
		return err
	}
	defer c.relay.Close()

	c.line("A client sends numbered messages to a server, one every %v, and the server answers", chaosPace)
	c.line("each with its number. The link between them is cut %d times. The client connects", chaosCuts)
	c.line("again by itself, and sends again what was in doubt and is unanswered.")
	c.line("(%s=%d shows another run than this one, number %d.)", faultlink.SeedVariable, seed+1, seed)
	if err := c.send(ctx); err != nil {
		return err
	}
	if err := server.Shutdown(ctx); err != nil {
		return err
	}
	c.line("")
	c.line("The tally, held against what the server has really got:")
	c.line("")
	c.line("  %6d  cuts, %d attempts to connect, %d of them with success", c.cuts, c.attempts, c.links)
	return c.tally.close(c)
}

func (c *chaos) line(format string, args ...any) { fmt.Fprintf(c.out, format+"\n", args...) }

// send sends until the link was cut often enough, and a bit longer.
func (c *chaos) send(ctx context.Context) error {
	ch := c.connect()
	defer ch.CloseNow()
	var receiving sync.WaitGroup
	receiving.Go(func() {
		for m, err := range streamchannel.Messages(ctx, ch) {
			if err == nil {
				c.tally.answered(m)
			}
		}
	})
	tick := time.NewTicker(chaosPace)
	defer tick.Stop()
	for n, last := 1, 0; last == 0 || n <= last; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := ch.Send(ctx, strconv.Itoa(n)); err != nil {
			return err
		}
		c.tally.sent(n)
		if last == 0 && c.isCalm(ch) {
			last = n + 50
		}
	}
	err := ch.Close()
	receiving.Wait()
	if err != nil {
		return fmt.Errorf("expected that the last link is closed in good order, got %w", err)
	}
	c.line("")
	c.line("The client has closed the last link in good order.")
	return nil
}

// isCalm reports whether all cuts are over and the client is connected again.
func (c *chaos) isCalm(ch *reconnect.Channel[string, string]) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cuts == chaosCuts && c.lost.IsZero() && ch.State().Phase == reconnect.Open
}

// plan is what the relay does to the n-th connection.
func (c *chaos) plan(int) faultlink.Plan {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cuts == chaosCuts {
		return faultlink.Plan{}
	}
	kinds := []faultlink.Kind{faultlink.Reset, faultlink.Fin, faultlink.Silence, faultlink.Fin, faultlink.Reset, faultlink.Mute}
	return faultlink.Plan{
		Seed: c.random.Uint64(),
		Kind: kinds[c.cuts%len(kinds)],
		Way:  faultlink.Way(c.random.IntN(2)),
		At:   c.random.Int64N(1500),
	}
}

// tell tells how the last link was cut, unless it was told.
func (c *chaos) tell() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.told {
		return
	}
	c.told = true
	if c.lost.IsZero() {
		c.lost = time.Now()
	}
	c.line("")
	links := c.relay.Links()
	if len(links) == 0 || !isOver(links[len(links)-1].Hit()) {
		c.line("no cut, and no link either")
	} else {
		c.cuts++
		c.line("cut %2d  %s", c.cuts, cutText(links[len(links)-1].Plan()))
	}
	fmt.Fprint(c.out, "       ")
}

// cutText says what a link has done.
func cutText(p faultlink.Plan) string {
	from := map[faultlink.Way]string{faultlink.Forth: "client", faultlink.Back: "server"}[p.Way]
	what := map[faultlink.Kind]string{
		faultlink.Reset:   "the connection is reset",
		faultlink.Fin:     "the connection ends",
		faultlink.Silence: "it falls silent, both ways",
		faultlink.Mute:    "it falls silent, this way only",
	}[p.Kind]
	return fmt.Sprintf("after %d bytes from the %s %s", p.At, from, what)
}

func isOver(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// say adds to the line about what follows from a cut. The pause is the last of it.
func (c *chaos) say(format string, args ...any) { fmt.Fprintf(c.out, " "+format, args...) }

// connect returns the client's end. All functions that it is given are called one
// after the other.
func (c *chaos) connect() *reconnect.Channel[string, string] {
	return reconnect.New(
		func(ctx context.Context) (streamchannel.Channel[string, string], error) {
			c.mu.Lock()
			c.attempts++
			c.told = false
			c.mu.Unlock()
			ch, err := wschannel.Connect(ctx, addressURL("ws", c.relay.Addr(), "/"), &chaosOptions)
			if err != nil {
				return nil, err
			}
			return ch.TextChannel(), nil
		},
		&reconnect.Options[streamchannel.Channel[string, string], string]{
			BaseDelay:   50 * time.Millisecond,
			MaxDelay:    400 * time.Millisecond,
			StableAfter: 100 * time.Millisecond,
			DoubtLimit:  10_000,
			OnConnect: func(context.Context, streamchannel.Channel[string, string]) error {
				c.mu.Lock()
				defer c.mu.Unlock()
				c.links++
				if !c.lost.IsZero() {
					c.line("        open again after %v", time.Since(c.lost).Round(time.Millisecond))
				}
				c.lost = time.Time{}
				return nil
			},
			OnDoubt: func(d reconnect.Doubt[string]) []string {
				c.tell()
				again := c.tally.doubt(d.Messages)
				c.say("in doubt: %d, unanswered: %d;", len(d.Messages), len(again))
				return again
			},
			OnDrop: c.tally.drop,
			Retry: func(err error) bool {
				c.tell()
				c.say("%s;", loss(err))
				// net/http says 400 to a request of which the end is missing.
				refused, ok := errors.AsType[*wschannel.HandshakeError](err)
				return reconnect.Retryable(err) || ok && refused.StatusCode == http.StatusBadRequest
			},
			Jitter: func(limit time.Duration) time.Duration {
				d := rand.N(limit)
				c.say("waiting %v of up to %v\n", d.Round(time.Millisecond), limit)
				return d
			},
		})
}

// loss says in a few words why there is no link.
func loss(err error) string {
	what := "not connected"
	if refused, ok := errors.AsType[*wschannel.HandshakeError](err); ok {
		return fmt.Sprintf("%s: status %d", what, refused.StatusCode)
	}
	if _, ok := errors.AsType[*wschannel.CloseError](err); ok {
		what = "lost"
	}
	for _, known := range []struct {
		cause error
		text  string
	}{
		{syscall.ECONNRESET, "connection reset"},
		{syscall.EPIPE, "broken pipe"},
		{io.ErrUnexpectedEOF, "unexpected end"},
		{io.EOF, "unexpected end"},
		{context.DeadlineExceeded, "no answer"},
		{os.ErrDeadlineExceeded, "no sign of life"},
	} {
		if errors.Is(err, known.cause) {
			return what + ": " + known.text
		}
	}
	if what != "lost" {
		return what + ": half an answer"
	}
	return what + ": " + outcome(err)
}
