//go:build linux

package main

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// A resident is the resident memory of a server with so many idle connections.
type resident struct {
	connections int
	bytes       int
}

// idle has ever more connections opened, up to what the limit of open files allows,
// and looks at the server's memory each time. There are some already.
func (b *bench) idle(serving, loading *child, connections int) ([]resident, error) {
	steps := []int{1000, 5000, 10_000, idleLimit()}
	if b.scale < 1 {
		steps = []int{connections, connections + 200}
	}
	var all []resident
	for _, n := range steps {
		if n < connections {
			continue
		}
		if n > connections {
			if _, err := loading.ask(fmt.Sprint("connect ", n-connections)); err != nil {
				return nil, err
			}
			connections = n
		}
		bytes, err := settled(serving)
		if err != nil {
			return nil, err
		}
		all = append(all, resident{n, bytes})
	}
	return all, nil
}

// idleLimit is how many connections a server and the load generator can hold: each
// needs a descriptor for one, and some for itself. More than 100,000 would tell no
// more.
func idleLimit() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 10_000
	}
	return int(min(limit.Cur*19/20, 100_000))
}

// slope returns by how many bytes the memory grows with one more connection, from
// the first step to the last.
func slope(all []resident) float64 {
	if len(all) < 2 {
		return 0
	}
	first, last := all[0], all[len(all)-1]
	return float64(last.bytes-first.bytes) / float64(last.connections-first.connections)
}

// settled returns the resident memory when the server has come to rest and given
// back what it does not need: the Go servers all with debug.FreeOSMemory.
func settled(serving *child) (int, error) {
	for range 3 {
		time.Sleep(200 * time.Millisecond)
		if _, err := serving.ask("free"); err != nil {
			return 0, err
		}
	}
	return serving.resident()
}
