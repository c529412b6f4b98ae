// Package process is what servers and clients under measurement tell of themselves.
package process

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"runtime"
	"runtime/pprof"
)

// Stats are an answer to "stats".
type Stats struct {
	Mallocs    uint64 // objects allocated since it was started
	Goroutines int
}

// AnswerStats answers "stats".
func AnswerStats() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	Answer(Stats{m.Mallocs, runtime.NumGoroutine()})
}

// Answer prints a line of JSON.
func Answer(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", b)
}

// Profile writes a CPU profile of the time until stop is called; it does nothing if
// file is "".
func Profile(file string) (stop func()) {
	if file == "" {
		return func() {}
	}
	f, err := os.Create(file)
	if err == nil {
		err = pprof.StartCPUProfile(f)
	}
	if err != nil {
		log.Fatal(err)
	}
	return pprof.StopCPUProfile
}
