//go:build !race && !js

package wschannel

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"
	"unsafe"
)

// Memory is given out in steps: 640, 704, 768 bytes, of which eight are the
// runtime's. A field that does not fit and is rarely used belongs behind a pointer,
// as those of control, inbox and blockage.
func TestAllocSizeOfChannel(t *testing.T) {
	const budget = 704 - 8
	if size := unsafe.Sizeof(Channel{}); strconv.IntSize == 64 && size > budget {
		t.Errorf("a Channel has %d bytes, the budget is %d", size, budget)
	}
}

// An idle channel is one that somebody receives from, with the ctx of a handler
// and keepalive, after an echo. Its socket, and the goroutine, are not counted.
func TestAllocIdleChannel(t *testing.T) {
	idleBudget(t, 1400, echo)
}

// idleBudget fails if an idle channel takes more than so many bytes, when begin is
// called for it on a goroutine. It is measured in a process where nothing else goes
// on; what the test itself keeps for a channel is in it.
func idleBudget(t *testing.T, budget int, begin func(context.Context, *Channel)) {
	const alone = "WSCHANNEL_TEST_ALONE"
	if os.Getenv(alone) == "" {
		var out []byte
		err := errors.New("not begun")
		for i := 0; i < 3 && err != nil; i++ { // a busy machine has more on the heap
			c := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
			c.Env = append(os.Environ(), alone+"=1")
			out, err = c.CombinedOutput()
		}
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	const channels = 1000
	type pair struct{ near, far io.ReadWriteCloser }
	var pairs []pair
	begins := make(chan func(), channels)
	for range channels {
		near, far := tcpPair(t)
		pairs = append(pairs, pair{near, far})
		go func() { (<-begins)() }()
	}
	open := make([]*Channel, channels)
	before := heapInUse()
	for i, p := range pairs {
		c := newOn(t, p.near, RoleServer, nil)
		ctx := &handlerContext{c: c, values: context.Background()}
		open[i] = c
		begins <- func() { begin(ctx, c) }
		if _, err := p.far.Write(frameBytes(textFrame, true, "hello")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(p.far, make([]byte, 7)); err != nil {
			t.Fatal(err)
		}
	}
	if each := (heapInUse() - before) / channels; each > budget {
		t.Errorf("an idle channel takes %d bytes, the budget is %d", each, budget)
	} else {
		t.Logf("an idle channel takes %d bytes", each)
	}
	runtime.KeepAlive(open)
}

func heapInUse() int {
	for range 3 { // twice to empty the pools, and once more for what had a finalizer
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
