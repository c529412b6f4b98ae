//go:build !js

package wschannel

import (
	"errors"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
)

// X30: whatever way a channel ends, nothing of it is left: no goroutine, no
// descriptor, no memory.
func TestNoLeakInTenThousandCycles(t *testing.T) {
	const cycles = 10_000
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	connect := func(i int) (near, far net.Conn, err error) {
		if i%8 != 0 {
			near, far = net.Pipe()
			return near, far, nil
		}
		near, err = net.Dial("tcp", l.Addr().String())
		if err != nil {
			return nil, nil, err
		}
		far, err = l.Accept() // of any of the dials that go on
		return near, far, err
	}
	var accepting sync.Mutex // so that it is the one just made
	run := func(cycles int) {
		const workers = 4
		var all sync.WaitGroup
		for w := range workers {
			all.Go(func() {
				for i := w; i < cycles; i += workers {
					accepting.Lock()
					near, far, err := connect(i)
					accepting.Unlock()
					if err != nil {
						t.Errorf("cycle %d: %v", i, err)
						return
					}
					o := &StreamOptions{}
					if i%8 != 0 {
						o.Options = *silent // a net.Pipe would keep the timers of its deadlines
					}
					cycle(t, i, New(near, RoleClient, o), New(far, RoleServer, o))
				}
			})
		}
		all.Wait()
	}

	run(200) // what is made once
	before := footprint()
	run(cycles)
	var after measure
	eventually(t, "goroutines and descriptors to go", func() bool {
		after = footprint()
		return after.goroutines <= before.goroutines && after.descriptors <= before.descriptors
	})
	// 25 bytes a cycle: less than anything that could be left, more than noise.
	if grown := after.heap - before.heap; grown > 250_000 {
		t.Errorf("the heap has grown by %d bytes, %d a cycle", grown, grown/cycles)
	}
	t.Logf("before %+v, after %+v", before, after)
}

// cycle uses a pair of channels and ends it in one of several ways.
func cycle(t *testing.T, i int, client, server *Channel) {
	sent := async(func() error { return client.SendText(t.Context(), "hello") })
	m, err := server.Receive(t.Context())
	if err := errors.Join(err, <-sent); err != nil || string(m.Data) != "hello" {
		t.Errorf("cycle %d: %q %v", i, m.Data, err)
	}
	first, second := client, server
	if i%2 == 0 {
		first, second = server, client
	}
	received := async(func() error { return receiveError(second) })
	switch i / 2 % 4 {
	case 0:
		err = first.Close()
	case 1:
		other := async(second.Close)
		err = errors.Join(first.Close(), <-other)
	case 2:
		err = first.CloseNow()
	case 3:
		err = first.engine.link.Load().Close() // lost
	}
	if err != nil {
		t.Errorf("cycle %d: %v", i, err)
	}
	if err := <-received; !errors.Is(err, ErrClosed) {
		t.Errorf("cycle %d: Receive: %v", i, err)
	}
	for _, c := range []*Channel{first, second} {
		if i/2%4 == 3 {
			c.CloseNow() // nobody receives here that could notice
		}
		<-c.Done()
	}
}

type measure struct{ goroutines, descriptors, heap int }

func footprint() measure {
	runtime.GC()
	runtime.GC() // for what finalizers have freed
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fds, _ := os.ReadDir("/proc/self/fd") // where there is none, none is counted
	return measure{runtime.NumGoroutine(), len(fds), int(m.HeapAlloc)}
}
