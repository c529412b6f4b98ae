//go:build !js

package wschannel

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
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel/internal/faultlink"
)

// linkOptions notice silence, after a minute.
var linkOptions = Options{CloseTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second}

// From the first byte of the handshake to the last one of a shutdown: whatever
// the link does, Connect and Shutdown return, and no connection is left.
func TestLinkFaultsInHandshakes(t *testing.T) {
	samples := faultlink.Samples(8)
	for i, secure := range []bool{false, true} {
		what := "a visit"
		if secure {
			what = "a visit over TLS"
		}
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(faultlink.Seed(), uint64(i)))
			play := func(p faultlink.Plan) (lengths [2]int64) {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
					defer cancel()
					near, far, l := faultlink.Pipe(p)
					defer l.Close()
					v := &visit{t: t, what: what, client: true, link: l, options: linkOptions, plan: &faultPlan{}}
					if secure {
						var err error
						if near, far, err = overTLS(ctx, near, far, RoleClient, true); err != nil {
							near.Close()
							far.Close()
							return
						}
					}
					v.perform(ctx, near, far, func(c net.Conn, _ *faultPlan) net.Conn { return c })
					if ctx.Err() != nil {
						v.errorf("it hangs")
					}
					<-time.After(linkOptions.CloseTimeout)
					synctest.Wait()
					v.checkClosed()
					lengths = [2]int64{l.Passed(faultlink.Forth), l.Passed(faultlink.Back)}
				})
				return lengths
			}
			for _, p := range faultPlans(random, play(faultlink.Plan{}), faultlink.Kinds, samples) {
				if play(p); t.Failed() {
					return
				}
			}
		})
	}
}

// Connect through a relay to a server of net/http: what goes wrong on the way, in
// the handshake of TLS too, comes out as an error of its type, and in time.
func TestConnectOverABadLink(t *testing.T) {
	before := footprint()
	samples := faultlink.Samples(2)
	for i, start := range []func(*httptest.Server){(*httptest.Server).Start, (*httptest.Server).StartTLS} {
		echo := &Server{Handler: func(ctx context.Context, c *Channel) {
			for m, err := range c.Messages(ctx) {
				if err != nil || c.Send(ctx, m) != nil {
					return
				}
			}
		}}
		quiet := log.New(io.Discard, "", 0)
		echo.Logger = slog.New(slog.DiscardHandler)
		server := httptest.NewUnstartedServer(echo)
		server.Config.ErrorLog = quiet
		start(server)
		random := rand.New(rand.NewPCG(faultlink.Seed(), uint64(i)))
		lengths := connectOverALink(t, server, faultlink.Plan{})
		for _, p := range faultPlans(random, lengths, []faultlink.Kind{faultlink.Fin, faultlink.Reset, faultlink.Silence, faultlink.Stall}, samples) {
			p.For /= 100
			connectOverALink(t, server, p)
		}
		echo.Shutdown(t.Context())
		server.Close()
	}
	eventually(t, "goroutines and descriptors to go", func() bool {
		after := footprint()
		return after.goroutines <= before.goroutines && after.descriptors <= before.descriptors
	})
}

func connectOverALink(t *testing.T, server *httptest.Server, p faultlink.Plan) (lengths [2]int64) {
	t.Helper()
	relay, err := faultlink.Listen(server.Listener.Addr().String(), func(int) faultlink.Plan { return p })
	if err != nil {
		t.Fatal(err)
	}
	defer relay.Close()
	o := playOptions
	if p.Kind == faultlink.Silence {
		o = Options{HandshakeTimeout: 300 * time.Millisecond, PingInterval: 200 * time.Millisecond,
			PingTimeout: 200 * time.Millisecond, CloseTimeout: 200 * time.Millisecond}
	}
	scheme, _, _ := strings.Cut(server.URL, ":")
	d := Dialer{Options: o, Proxy: func(*http.Request) (*url.URL, error) { return nil, nil }, TLSConfig: server.Client().Transport.(*http.Transport).TLSClientConfig}
	err = func() error {
		c, _, err := d.Connect(t.Context(), scheme+"://"+relay.Addr().String())
		if err != nil {
			return err
		}
		defer c.CloseNow()
		for _, m := range messagesOf(1000) {
			if err := c.Send(t.Context(), m); err != nil {
				return err
			}
			if _, err := c.Receive(t.Context()); err != nil {
				return err
			}
		}
		err = c.Close()
		if err == nil && c.CloseCode() != 1000 || err != nil && c.Err() == nil {
			err = fmt.Errorf("closed with %w, Err is %v", err, c.Err())
		}
		return err
	}()
	link := relay.Links()[0]
	hit := isClosed(link.Hit())
	if err != nil && (!hit || p.Kind.Harmless()) && p.Kind != faultlink.Silence {
		t.Errorf("%v over %v: %v", scheme, p, err)
	}
	var connect *ConnectError
	var handshake *HandshakeError
	var lost *CloseError
	if err != nil && !errors.As(err, &connect) && !errors.As(err, &handshake) && !errors.As(err, &lost) &&
		!strings.HasPrefix(err.Error(), "wschannel: close not completed: ") {
		t.Errorf("%v over %v: an error of another kind: %v", scheme, p, err)
	}
	return [2]int64{link.Passed(faultlink.Forth), link.Passed(faultlink.Back)}
}
