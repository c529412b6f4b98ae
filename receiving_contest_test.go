//go:build !js

package wschannel

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Of many who want to receive at once one does, and the others are refused: every
// message comes to one of them, and to each in order.
func TestReceivingContest(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %#x", seed)
	for i, on := range connectors {
		t.Run(on.name, func(t *testing.T) {
			t.Parallel()
			contest(t, on.connect, rand.New(rand.NewPCG(seed, uint64(i))))
		})
	}
}

func contest(t *testing.T, connect connector, r *rand.Rand) {
	const messages = 4000
	c, p := withPeer(t, connect, RoleServer, nil)
	var seen [messages]atomic.Int32
	var count, refused atomic.Int32
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	inside := 0 // with the right to receive: the race detector watches
	take := func(data []byte, last *int) {
		text, _, _ := strings.Cut(string(data), " ")
		i, err := strconv.Atoi(text)
		if err != nil || i <= *last || i >= messages || seen[i].Add(1) > 1 {
			t.Errorf("got %q, after %d", data, *last)
			cancel()
			return
		}
		if *last = i; count.Add(1) == messages {
			cancel()
		}
	}
	failed := func(err error) {
		switch {
		case err == ErrConcurrentReceive:
			refused.Add(1)
		case err != nil && err != context.Canceled:
			t.Errorf("received: %v", err)
		}
	}
	var all sync.WaitGroup
	for range 4 {
		r := rand.New(rand.NewPCG(r.Uint64(), 0))
		all.Go(func() {
			last := -1
			for ctx.Err() == nil {
				ctx, cancel := context.WithCancel(ctx)
				switch r.IntN(4) {
				case 0:
					go cancel()
					fallthrough
				case 1:
					m, err := c.Receive(ctx)
					if failed(err); err == nil {
						take(m.Data, &last)
					}
				default:
					most, how := 1+r.IntN(40), r.IntN(3)
					last := last // a callback may outlive the turn
					ready := make(chan func(), 1)
					done := make(chan bool, 2)
					n := 0
					stop := formsOfListening[r.IntN(2)].listen(c, func(_ Type, data []byte) {
						inside++
						take(data, &last)
						if n++; n < most {
							return
						}
						done <- true
						if how == 0 {
							runtime.Goexit()
						}
						(<-ready)()
					}, func(err error) { failed(err); done <- true })
					ready <- stop
					if how < 2 {
						select {
						case <-done:
						case <-ctx.Done():
						}
					}
					stop()
				}
				cancel()
				runtime.Gosched()
			}
		})
	}
	written := async(func() error {
		var run []byte
		for i := range messages {
			run = append(run, p.frame(textFrame, fmt.Sprint(i, " ", letters(i%30)))...)
			if i%50 == 49 || i%7 == 0 {
				if _, err := p.conn.Write(run); err != nil {
					return err
				}
				run = nil
			}
		}
		_, err := p.conn.Write(run)
		return err
	})
	within(t, "the receivers", async(func() bool { all.Wait(); return true }))
	if err := within(t, "the peer", written); err != nil && !t.Failed() {
		t.Error(err)
	}
	if n := count.Load(); n != messages {
		t.Errorf("%d of %d messages came", n, messages)
	}
	eventually(t, "the right to receive", func() bool { return !c.engine.reading.isClaimed() })
	eventually(t, "all receivers to leave", func() bool { return !c.engine.reading.anybody() })
	t.Logf("%d were refused", refused.Load())
}
