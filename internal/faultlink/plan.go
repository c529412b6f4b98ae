// Package faultlink is a link between two endpoints that goes wrong as networks
// do: it splits what it carries into pieces, delays it, and at a chosen byte ends
// in good order or with a reset, falls silent, or stalls for a while. [Join]
// makes one between any two connections, [Pipe] one in memory, which works in
// the fake time of testing/synctest, and [Listen] relays connections on loopback.
//
// What a link does is fixed by its [Plan], and so by a seed: what has failed can
// be played again. It acts on bytes under way. How an endpoint takes errors of
// single calls is another question, which tests answer with transports of their
// own.
package faultlink

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Way is one of the two directions of a link.
type Way int

// The directions. The near end is the one that has dialed.
const (
	Forth Way = iota // from the near end to the far end
	Back             // from the far end to the near end
)

// Ways are both of them.
var Ways = []Way{Forth, Back}

// String returns "forth" or "back".
func (w Way) String() string { return [...]string{"forth", "back"}[w] }

// A Kind is how a link goes wrong.
type Kind int

// The kinds.
const (
	None    Kind = iota // it does not
	Fin                 // the one way ends in good order; its sender is not told
	Reset               // both connections are reset; a pipe is closed
	Silence             // nothing comes through any more either way, no end either
	Mute                // the same one way; the other is as before
	Stall               // nothing comes through that way for a time
)

// Kinds are all that do harm or may.
var Kinds = []Kind{Fin, Reset, Silence, Mute, Stall}

// String returns the name in lower case.
func (k Kind) String() string {
	return [...]string{"none", "fin", "reset", "silence", "mute", "stall"}[k]
}

// Harmless reports whether endpoints may not notice.
func (k Kind) Harmless() bool { return k == None || k == Stall }

// A Plan is what a link is to do. The zero Plan passes everything on as it comes.
type Plan struct {
	// Seed determines all that is random.
	Seed uint64
	// Piece is the length in bytes of the longest piece that is passed on at a
	// time; each is of a random length from 1 on. 0 means as long as they come.
	Piece int
	// Delay is the longest time that a piece is held back; each is held back
	// for a random time.
	Delay time.Duration

	// Kind is how the link goes wrong.
	Kind Kind
	// Way is the direction that goes wrong, or whose bytes are counted until
	// both do.
	Way Way
	// At is how many bytes of it arrive before.
	At int64
	// For is how long a Stall lasts.
	For time.Duration
}

// String returns the plan as it is told when a test has failed.
func (p Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v after %d bytes %v", p.Kind, p.At, p.Way)
	if p.Kind == None {
		b.Reset()
		b.WriteString("no fault")
	}
	if p.Kind == Stall {
		fmt.Fprintf(&b, " for %v", p.For)
	}
	if p.Piece > 0 {
		fmt.Fprintf(&b, ", pieces of up to %d bytes", p.Piece)
	}
	if p.Delay > 0 {
		fmt.Fprintf(&b, ", up to %v late", p.Delay)
	}
	fmt.Fprintf(&b, " (seed %d)", p.Seed)
	return b.String()
}

// random returns the numbers of one direction.
func (p Plan) random(w Way) *rand.Rand { return rand.New(rand.NewPCG(p.Seed, uint64(w))) }

// The environment variables that say what a run of the tests tries.
const (
	SeedVariable    = "WSCHANNEL_SEED"
	SamplesVariable = "WSCHANNEL_SAMPLES"
)

// Seed returns the seed of this run: WSCHANNEL_SEED, or 1. It panics if that is
// not a number.
func Seed() uint64 { return variable(SeedVariable, 1) }

// Samples returns at how many bytes of each scenario something is to go wrong:
// WSCHANNEL_SAMPLES, or the default. It panics if that is not a number.
func Samples(byDefault int) int { return int(variable(SamplesVariable, uint64(byDefault))) }

func variable(name string, byDefault uint64) uint64 {
	value := os.Getenv(name)
	if value == "" {
		return byDefault
	}
	n, err := strconv.ParseUint(value, 10, 32)
	if err != nil {
		panic(fmt.Sprintf("%s is %q, want a number", name, value))
	}
	return n
}

// Points returns n different numbers from 0 to total, both included, in order:
// one from each of n parts of equal length, so that no part is left out. There
// are fewer if total is less than n.
func Points(random *rand.Rand, total int64, n int) []int64 {
	all := total + 1
	if int64(n) >= all {
		n = int(all)
	}
	points := make([]int64, 0, n)
	for i := range int64(n) {
		from, to := all*i/int64(n), all*(i+1)/int64(n)
		points = append(points, from+random.Int64N(to-from))
	}
	slices.Sort(points)
	return points
}
