//go:build !js

package wschannel

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel/internal/faultlink"
	"github.com/wschannel/wschannel/status"
)

// A linkTest performs a play over a link that goes wrong.
type linkTest struct {
	t    *testing.T
	what string
	link *faultlink.Link
	late bool // real time may be too short for a peer to be judged
}

func (f *linkTest) errorf(format string, args ...any) {
	f.t.Helper()
	p := f.link.Plan()
	f.t.Errorf("%s, %v: %s\nagain with %s=%d go test -run '^%s$'", f.what, p, fmt.Sprintf(format, args...),
		faultlink.SeedVariable, faultlink.Seed(), strings.Split(f.t.Name(), "/")[0])
}

// hit reports whether the link has gone wrong.
func (f *linkTest) hit() bool { return isClosed(f.link.Hit()) }

// perform plays p, and checks what both ends make of it.
func (f *linkTest) perform(ctx context.Context, p play, long int, near, far *Channel) {
	f.t.Helper()
	n, m, nearErr, farErr := p.perform(ctx, long, near, far)
	if ctx.Err() != nil {
		f.errorf("it hangs: %v; %v", near.Err(), far.Err())
		return
	}
	kind := f.link.Plan().Kind
	if !f.hit() || kind.Harmless() {
		if f.late && !kind.Harmless() {
			return
		}
		if nearErr != nil || farErr != nil || n.closed != nil || m.closed != nil {
			f.errorf("%v; %v; Close returned %v and %v", nearErr, farErr, n.closed, m.closed)
		}
		for _, c := range []*Channel{near, far} {
			if c.CloseCode() != status.NormalClosure {
				f.errorf("ended with %v", c.Err())
			}
		}
	}
	f.checkEnd("near", n, m, nearErr)
	f.checkEnd("far", m, n, farErr)
	f.checkMessages("near to far", n, m)
	f.checkMessages("far to near", m, n)
}

// checkEnd checks how one end has ended: with the code of a closing handshake if
// it has closed, or the peer's close frame has come, and otherwise as lost, with
// a cause that fits.
func (f *linkTest) checkEnd(who string, s, other *stage, err error) {
	f.t.Helper()
	end, ok := s.c.Err().(*CloseError)
	if !ok {
		f.errorf("%s: Err is %v", who, s.c.Err())
		return
	}
	if err != nil && !errors.Is(err, ErrClosed) && !errors.Is(err, s.closed) || errors.Is(err, io.EOF) {
		f.errorf("%s: an error that is not the end: %v", who, err)
	}
	if err := s.receiveNothing(); err != error(end) {
		f.errorf("%s: Receive after the end: %v, Err is %v", who, err, end)
	}
	if err := s.c.SendText(s.ctx, "late"); err != error(end) {
		f.errorf("%s: Send after the end: %v, Err is %v", who, err, end)
	}
	switch {
	case end.local() && end.Code == status.NormalClosure:
		// Close has told whether the handshake was completed.
		if s.closed == nil && other.c.CloseCode() != status.NormalClosure {
			f.errorf("%s: Close returned nil, and the peer has ended with %v", who, other.c.Err())
		}
	case end.Remote && end.Code == status.NormalClosure:
		if other.c.CloseCode() != status.NormalClosure {
			f.errorf("%s: closed by a peer that has ended with %v", who, other.c.Err())
		}
	case end.Remote || end.Code != status.AbnormalClosure || end.Cause == nil ||
		errors.Is(end, net.ErrClosed) || errors.Is(end, ErrLocalClose) || errors.Is(end, io.EOF):
		f.errorf("%s: ended with %v, cause %v", who, end, end.Cause)
	default:
		f.checkCause(who, end)
	}
}

// checkCause holds the cause of a loss against what the link has done.
func (f *linkTest) checkCause(who string, end *CloseError) {
	f.t.Helper()
	late := errors.Is(end, os.ErrDeadlineExceeded)
	gone := slices.ContainsFunc([]error{io.ErrUnexpectedEOF, io.ErrClosedPipe, syscall.ECONNRESET, syscall.EPIPE},
		func(err error) bool { return errors.Is(end, err) })
	switch kind := f.link.Plan().Kind; kind {
	case faultlink.Fin, faultlink.Reset:
		if !gone || late {
			f.errorf("%s: ended with %v", who, end)
		}
	case faultlink.Silence:
		if !late {
			f.errorf("%s: ended with %v", who, end)
		}
	case faultlink.Mute: // whoever finds out first hangs up
		if !late && !gone {
			f.errorf("%s: ended with %v", who, end)
		}
	default:
		f.errorf("%s: ended with %v", who, end)
	}
}

// checkMessages sees to it that what has come is the beginning of what was sent,
// and all of it if the channel was closed in good order after that.
func (f *linkTest) checkMessages(way string, from, to *stage) {
	f.t.Helper()
	if len(to.received) > len(from.tried) {
		f.errorf("%s: %d messages sent, %d received", way, len(from.tried), len(to.received))
		return
	}
	for i, m := range to.received {
		if m.Type != from.tried[i].Type || string(m.Data) != string(from.tried[i].Data) {
			f.errorf("%s: message %d is %v %.40q, want %v %.40q", way, i, m.Type, m.Data, from.tried[i].Type, from.tried[i].Data)
		}
	}
	end := to.c.Err().(*CloseError)
	if len(to.received) < len(from.accepted) && end.Remote && end.Code == status.NormalClosure {
		f.errorf("%s: %d messages accepted, %d received, and a clean end: %v", way, len(from.accepted), len(to.received), end)
	}
}

// linkModes are what plays are performed with, over a link.
var linkModes = []struct {
	name string
	c    Compression
	tls  bool
}{
	{name: "plain"},
	{name: "stateless", c: Compression{Mode: CompressionStateless, Threshold: -1}},
	{name: "context", c: Compression{Mode: CompressionContext, Threshold: -1}},
	{name: "TLS", tls: true},
}

// overTLS returns the ends of a TLS connection over a link, and whether its
// handshake went well. Without shake it is left to whoever reads or writes first.
func overTLS(ctx context.Context, near, far net.Conn, role Role, shake bool) (a, b net.Conn, err error) {
	client, server := near, far
	if role == RoleServer {
		client, server = far, near
	}
	c := tls.Client(client, &tls.Config{InsecureSkipVerify: true})
	s := tls.Server(server, &tls.Config{Certificates: []tls.Certificate{testCertificate()}, SessionTicketsDisabled: true})
	if shake {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		other := async(func() error { return s.HandshakeContext(ctx) })
		err = errors.Join(c.HandshakeContext(ctx), <-other)
	}
	if role == RoleServer {
		return s, c, err
	}
	return c, s, err
}

// A crossing is a play, in one mode and with the near end in one role.
type crossing struct {
	p    play
	mode int
	role Role
	long int
}

func (x crossing) String() string {
	return fmt.Sprintf("%s in %s, %s", roleName(x.role), x.p.name, linkModes[x.mode].name)
}

// over performs the crossing on the ends of a link. In the fake time of a bubble
// the handshake of TLS must not be done by two goroutines at once: one of them
// waits for a mutex then.
func (x crossing) over(ctx context.Context, t *testing.T, near, far net.Conn, l *faultlink.Link, o Options, bubble bool) {
	defer l.Close()
	mode := linkModes[x.mode]
	f := &linkTest{t: t, what: x.String(), link: l, late: !bubble && (o.PingInterval > 0)}
	if mode.tls {
		var err error
		near, far, err = overTLS(ctx, near, far, x.role, bubble)
		if err != nil {
			if !f.hit() {
				f.errorf("TLS: %v", err)
			}
			near.Close()
			far.Close()
			return
		}
	}
	so := &StreamOptions{Options: o, Compression: mode.c}
	a, b := New(near, x.role, so), New(far, RoleClient+RoleServer-x.role, so)
	f.perform(ctx, x.p, x.long, a, b)
}

// crossings returns all plays in all modes, with the roles in turn.
func crossings(long int) (all []crossing) {
	for mode := range linkModes {
		for i, p := range plays {
			all = append(all, crossing{p, mode, Role(1 + (i+mode)%2), long})
		}
	}
	return all
}

// faultPlans returns what a link is to do in one crossing. lengths are how many
// bytes go each way if nothing goes wrong.
func faultPlans(random *rand.Rand, lengths [2]int64, kinds []faultlink.Kind, samples int) (plans []faultlink.Plan) {
	for _, kind := range kinds {
		for _, w := range faultlink.Ways {
			for _, at := range faultlink.Points(random, lengths[w], samples) {
				p := faultlink.Plan{Seed: random.Uint64(), Kind: kind, Way: w, At: at, For: time.Duration(random.IntN(4)) * time.Second}
				switch random.IntN(4) {
				case 0:
					p.Piece = 1
				case 1:
					p.Piece = 1 + random.IntN(100)
				case 2: // few pieces, or all together would take too long
					p.Piece = 1000
					p.Delay = time.Duration(random.IntN(10)) * time.Millisecond
				}
				plans = append(plans, p)
			}
		}
	}
	return plans
}

// What a link may do to the bytes of a channel, at any of them, is known at both
// ends for what it is: nothing is made of it that was not sent, and nobody waits
// for ever. Nothing is left either: the bubble has to come to its end.
func TestLinkFaults(t *testing.T) {
	samples := faultlink.Samples(1)
	for i, x := range crossings(700) {
		t.Run(x.String(), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(faultlink.Seed(), uint64(i)))
			play := func(p faultlink.Plan) (lengths [2]int64) {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
					defer cancel()
					near, far, l := faultlink.Pipe(p)
					x.over(ctx, t, near, far, l, linkOptions, true)
					lengths = [2]int64{l.Passed(faultlink.Forth), l.Passed(faultlink.Back)}
				})
				return lengths
			}
			lengths := play(faultlink.Plan{})
			for _, p := range faultPlans(random, lengths, faultlink.Kinds, samples) {
				if play(p); t.Failed() {
					return
				}
			}
		})
	}
}

// The same on sockets, where the ends of the two ways are told apart, writes are
// taken that never arrive, and a reset destroys what lies in between.
func TestLinkFaultsOnASocket(t *testing.T) {
	samples := faultlink.Samples(1)
	before := footprintOfListening(t)
	var all sync.WaitGroup
	limit := make(chan struct{}, 32)
	for i, x := range crossings(20_000) {
		all.Go(func() {
			random := rand.New(rand.NewPCG(faultlink.Seed(), uint64(i)))
			play := func(p faultlink.Plan) (lengths [2]int64) {
				limit <- struct{}{}
				defer func() { <-limit }()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				o := playOptions
				if p.Kind == faultlink.Silence || p.Kind == faultlink.Mute {
					o = Options{PingInterval: 200 * time.Millisecond, PingTimeout: 200 * time.Millisecond,
						CloseTimeout: 400 * time.Millisecond, WriteTimeout: 400 * time.Millisecond}
				}
				p.For /= 100
				near, a := tcpPair(t)
				far, b := tcpPair(t)
				l := faultlink.Join(a.(net.Conn), b.(net.Conn), p)
				x.over(ctx, t, near.(net.Conn), far.(net.Conn), l, o, false)
				return [2]int64{l.Passed(faultlink.Forth), l.Passed(faultlink.Back)}
			}
			lengths := play(faultlink.Plan{})
			for _, p := range faultPlans(random, lengths, faultlink.Kinds, samples) {
				if play(p); t.Failed() {
					return
				}
			}
		})
	}
	all.Wait()
	eventually(t, "goroutines and descriptors to go", func() bool {
		after := footprint()
		return after.goroutines <= before.goroutines && after.descriptors <= before.descriptors
	})
}

// footprintOfListening returns the footprint after what Listen needs on sockets is
// there: it is made once and stays.
func footprintOfListening(t *testing.T) measure {
	for range 2 * runtime.GOMAXPROCS(0) {
		near, far := tcpPair(t)
		p := play{near: (*stage).listen, far: (*stage).sendPrepared}
		a, b := newOn(t, near, RoleServer, &playOptions), newOn(t, far, RoleClient, &playOptions)
		p.perform(t.Context(), 100, a, b)
	}
	return footprint()
}
