package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/wschannel/wschannel"
)

// A tally knows what has become of numbered messages: what the client says, and
// what the server has got.
type tally struct {
	mu       sync.Mutex
	last     int         // the last number that the client has sent
	answer   int         // the last number that was answered
	doubted  int         // messages that were in doubt
	again    map[int]int // how often each was sent again
	dropped  int
	arrived  map[int]int // how often each has
	highest  int         // of those that have arrived
	disorder []int       // those that came first behind a higher one
	strange  []string    // what came and is no number
}

func newTally() *tally { return &tally{again: map[int]int{}, arrived: map[int]int{}} }

// handle is the server's Handler.
func (t *tally) handle(ctx context.Context, c *wschannel.Channel) {
	for m, err := range c.Messages(ctx) {
		if err != nil {
			return
		}
		t.arrive(string(m.Data))
		if c.Send(ctx, m) != nil {
			return
		}
	}
}

func (t *tally) arrive(m string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, err := strconv.Atoi(m)
	if err != nil {
		t.strange = append(t.strange, m)
		return
	}
	t.arrived[n]++
	if t.arrived[n] == 1 && n < t.highest {
		t.disorder = append(t.disorder, n)
	}
	t.highest = max(t.highest, n)
}

// sent takes note that the client's message n was accepted.
func (t *tally) sent(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = n
}

func (t *tally) answered(m string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n, err := strconv.Atoi(m); err == nil {
		t.answer = max(t.answer, n)
	}
}

// doubt returns which of the messages in doubt are to be sent again: those that
// the server has not answered.
func (t *tally) doubt(messages []string) (again []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.doubted += len(messages)
	for _, m := range messages {
		if n, err := strconv.Atoi(m); err == nil && n > t.answer {
			t.again[n]++
			again = append(again, m)
		}
	}
	return again
}

func (t *tally) drop(string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dropped++
}

// close prints the tally, and returns what is wrong with it.
func (t *tally) close(out interface{ line(string, ...any) }) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var wrong []error
	distinct, repeats, lost, twice := 0, 0, 0, 0
	for n := 1; n <= t.last; n++ {
		arrived, again := t.arrived[n], t.again[n]
		if arrived == 0 {
			wrong = append(wrong, fmt.Errorf("message %d has never arrived", n))
			continue
		}
		distinct++
		if arrived > 1+again {
			wrong = append(wrong, fmt.Errorf("message %d has arrived %d times, and was sent again %d times", n, arrived, again))
		}
		repeats += again
		twice += arrived - 1
		lost += 1 + again - arrived
	}
	if len(t.arrived) > distinct || len(t.strange) > 0 {
		wrong = append(wrong, fmt.Errorf("%d messages have arrived that nobody sent", len(t.arrived)-distinct+len(t.strange)))
	}
	if len(t.disorder) > 0 {
		wrong = append(wrong, fmt.Errorf("messages out of order: %v", t.disorder))
	}
	if t.dropped > 0 {
		wrong = append(wrong, fmt.Errorf("%d messages were dropped", t.dropped))
	}
	out.line("  %6d  messages accepted from the client", t.last)
	out.line("  %6d  of them arrived, %d out of order, %d altered", distinct, len(t.disorder), len(t.strange))
	out.line("  %6d  times one was in doubt, and %d times one was sent again:", t.doubted, repeats)
	out.line("  %6d    for it had been lost on the way,", lost)
	out.line("  %6d    though it had arrived; the server knows it by its number", twice)
	out.line("  %6d  dropped", t.dropped)
	out.line("  %6d  of which nobody knows what became of them", t.last-distinct)
	return errors.Join(wrong...)
}
