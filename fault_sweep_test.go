//go:build !js

package wschannel

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// The n-th call goes wrong, n = 0, 1, 2 … until the play passes without.
func TestFaultsOnAPipe(t *testing.T) {
	for _, on := range faultWrappers {
		for i, kind := range faultKinds {
			if !on.prompt && kind.err == os.ErrDeadlineExceeded {
				continue // it has none
			}
			t.Run(on.name+"/"+kind.name, func(t *testing.T) {
				t.Parallel()
				for j, p := range plays {
					role := Role(1 + (i+j)%2)
					again := true
					for n := 0; again && !t.Failed(); n++ {
						synctest.Test(t, func(t *testing.T) {
							plan := &faultPlan{kind: kind, at: n}
							f := &faultTest{t: t, what: roleName(role) + " in " + p.name, exact: on.exact, prompt: on.prompt, plan: plan, long: pendingLimit + 1}
							near, far := net.Pipe()
							a, b := newFaultPair(t, near, far, on.wrap, role, plan)
							ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
							defer cancel()
							again = f.perform(ctx, p, a, b)
							if ctx.Err() != nil {
								f.errorf("it hangs")
							}
						})
					}
				}
			})
		}
	}
}

// The same on sockets, where writing and polling go other ways.
func TestFaultsOnASocket(t *testing.T) {
	before := footprint()
	var parts sync.WaitGroup
	limit := make(chan struct{}, 64)
	for i, kind := range faultKinds {
		for j, p := range plays {
			on := faultWrappers[(i+j)%2]
			if kind.inexact || kind.some || strings.HasPrefix(p.name, "listen") { // which goes on a loop
				on = faultWrappers[1]
			}
			parts.Go(func() {
				limit <- struct{}{}
				defer func() { <-limit }()
				again := true
				for n := 0; again && !t.Failed(); n++ {
					role := Role(1 + (i+j+n)%2)
					plan := &faultPlan{kind: kind, at: n}
					f := &faultTest{t: t, what: roleName(role) + " in " + p.name + " " + on.name, exact: on.exact, plan: plan, long: pendingLimit + 1}
					near, far := tcpPair(t)
					a, b := newFaultPair(t, near.(net.Conn), far.(net.Conn), on.wrap, role, plan)
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					again = f.perform(ctx, p, a, b)
					if ctx.Err() != nil {
						f.errorf("it hangs")
					}
					cancel()
				}
			})
		}
	}
	parts.Wait()
	eventually(t, "goroutines and descriptors to go", func() bool {
		after := footprint()
		return after.goroutines <= before.goroutines && after.descriptors <= before.descriptors
	})
}

// The same with reads and writes that move less than they are asked to: what
// is cut, and where the fault comes, is anywhere in a frame.
func TestFaultsInPieces(t *testing.T) {
	for _, on := range []struct {
		size  int
		exact bool
	}{{7, true}, {300, false}} {
		for i, kind := range faultKinds {
			t.Run(fmt.Sprintf("%d bytes/%s", on.size, kind.name), func(t *testing.T) {
				t.Parallel()
				for j, p := range plays {
					role := Role(1 + (i+j)%2)
					again := true
					for n := 0; again && !t.Failed(); n++ {
						synctest.Test(t, func(t *testing.T) {
							again = faultInPieces(t, p, on.size, on.exact, role, &faultPlan{kind: kind, at: n})
						})
					}
				}
			})
		}
	}
}

func faultInPieces(t *testing.T, p play, size int, exact bool, role Role, plan *faultPlan) (again bool) {
	f := &faultTest{t: t, what: roleName(role) + " in " + p.name, exact: exact, prompt: true, plan: plan, long: 10 * size}
	wrap := func(c net.Conn, p *faultPlan) io.ReadWriteCloser {
		c = &choppyConn{c, size, exact}
		if exact {
			return &faultSocket{faultConn{Conn: c, plan: p}}
		}
		return &faultConn{Conn: c, plan: p}
	}
	near, far := net.Pipe()
	a, b := newFaultPair(t, near, &choppyConn{far, size, false}, wrap, role, plan)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	again = f.perform(ctx, p, a, b)
	if ctx.Err() != nil {
		f.errorf("it hangs")
	}
	return again
}
