//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Stats are what a process under attack tells of itself.
type Stats struct {
	Live            int64 // bytes of the heap that are in use
	Resident        int64 // bytes of memory, all in all
	PeakResident    int64 // since the last base
	Goroutines      int
	PeakGoroutines  int
	Descriptors     int
	PeakDescriptors int
	Ends            map[string]int // how channels have ended since the last base
}

// A gauge measures its own process.
type gauge struct {
	mu          sync.Mutex
	goroutines  int // peaks
	descriptors int
	ends        map[string]int
}

// newGauge returns a gauge that looks for peaks all the time.
func newGauge() *gauge {
	g := &gauge{ends: map[string]int{}}
	go func() {
		for n := 0; ; n++ {
			time.Sleep(5 * time.Millisecond)
			descriptors := 0
			if n%10 == 0 {
				descriptors = countDescriptors()
			}
			g.mu.Lock()
			g.goroutines = max(g.goroutines, runtime.NumGoroutine())
			g.descriptors = max(g.descriptors, descriptors)
			g.mu.Unlock()
		}
	}()
	return g
}

// ended counts a channel that has ended.
func (g *gauge) ended(how string) {
	g.mu.Lock()
	g.ends[how]++
	g.mu.Unlock()
}

// begin forgets the peaks and the ends.
func (g *gauge) begin() {
	g.mu.Lock()
	g.goroutines, g.descriptors = 0, 0
	clear(g.ends)
	g.mu.Unlock()
	// The kernel forgets its peak for a process too (proc_pid_clear_refs(5)).
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		fmt.Fprintln(os.Stderr, "soak: peaks of memory are those since the start:", err)
	}
}

func (g *gauge) stats() Stats {
	s := Stats{Goroutines: runtime.NumGoroutine(), Descriptors: countDescriptors(), Ends: map[string]int{}}
	s.Resident, s.PeakResident = memory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s.Live = int64(m.HeapAlloc)
	g.mu.Lock()
	defer g.mu.Unlock()
	s.PeakGoroutines = max(g.goroutines, s.Goroutines)
	s.PeakDescriptors = max(g.descriptors, s.Descriptors)
	for how, n := range g.ends {
		s.Ends[how] = n
	}
	return s
}

// release frees what is not in use, also what pools keep for two collections.
func release() {
	runtime.GC()
	runtime.GC()
	debug.FreeOSMemory()
}

// memory returns the resident memory of this process and its peak, in bytes.
func memory() (resident, peak int64) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, 0
	}
	kib := func(name string) int64 {
		_, rest, _ := strings.Cut(string(status), name)
		fields := strings.Fields(rest)
		if len(fields) == 0 {
			return 0
		}
		n, _ := strconv.ParseInt(fields[0], 10, 64)
		return n << 10
	}
	return kib("VmRSS:"), kib("VmHWM:")
}

var counting sync.Mutex // reading the folder takes a descriptor

func countDescriptors() int {
	counting.Lock()
	defer counting.Unlock()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(names) - 1 // without that of the folder
}

// obey answers the lines that the soaking process sends, until there are no
// more: that ends this one. others has the commands besides the ones of a gauge;
// what they return is the answer.
func obey(g *gauge, others map[string]func(args string) any) {
	out := json.NewEncoder(os.Stdout)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		switch command, args, _ := strings.Cut(in.Text(), " "); command {
		case "base":
			release()
			g.begin()
			out.Encode(g.stats())
		case "stats":
			out.Encode(g.stats())
		case "rest":
			release()
			out.Encode(g.stats())
		default:
			out.Encode(others[command](args))
		}
	}
}
