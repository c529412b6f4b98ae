package streamchannel

import (
	"bytes"
	"context"
	"slices"
	"sync"
)

// Pair returns the two ends of a channel in memory: what is sent into one is
// received from the other. Both keep the whole contract of this package.
//
// Each direction holds up to capacity messages that were accepted and not yet
// received. When it is full, and always with a capacity of 0, a Send waits its
// turn until a Receive has made room; with 0 it returns when its message has
// been received. A negative capacity panics.
//
// Closing either end ends both at once, with [ErrClosed]. The other end still
// hands out the messages that had been accepted. A Send that is waiting, at
// whichever end, returns ErrClosed and its message is delivered to nobody.
//
// So that sender and receiver share no memory, Send copies a message that is a
// []byte, and calls Clone on one whose type T has a method Clone() T. Every
// other message is passed on by assignment, and what it refers to is given
// away with it.
//
// A Pair uses no goroutine; an end that is forgotten needs no Close.
func Pair[A, B any](capacity int) (Channel[A, B], Channel[B, A]) {
	if capacity < 0 {
		panic("streamchannel: negative capacity")
	}
	shared := &pair{done: make(chan struct{})}
	as, bs := newQueue[A](capacity), newQueue[B](capacity)
	return &end[A, B]{pair: shared, in: as, out: bs},
		&end[B, A]{pair: shared, in: bs, out: as}
}

// pair is what both ends share. One lock for both queues puts all that happens
// to a pair into one order.
type pair struct {
	mu   sync.Mutex
	done chan struct{} // closed with mu held
}

func (p *pair) over() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *pair) Done() <-chan struct{} { return p.done }

func (p *pair) Err() error {
	if p.over() {
		return ErrClosed
	}
	return nil
}

type end[R, S any] struct {
	*pair
	in        *queue[R]
	out       *queue[S]
	receiving bool
}

func (e *end[R, S]) Send(ctx context.Context, m S) error {
	m = own(m) // not under the lock: Clone is the user's code
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over() {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	o := e.out.push(m)
	if o == nil {
		return nil
	}

	e.mu.Unlock()
	select {
	case <-o.accepted:
	case <-e.done:
	case <-ctx.Done():
	}
	e.mu.Lock()

	// Several may have happened by now. Acceptance stands, as the message may
	// have been received; then the end precedes ctx.
	switch {
	case o.isAccepted():
		return nil
	case e.over():
		return ErrClosed
	}
	e.out.withdraw(o)
	return ctx.Err()
}

func (e *end[R, S]) Receive(ctx context.Context) (R, error) {
	var none R
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.receiving {
		return none, ErrConcurrentReceive
	}
	e.receiving = true
	defer func() { e.receiving = false }()
	for {
		over := e.over()
		if err := ctx.Err(); err != nil && !over {
			return none, err
		}
		if m, ok := e.in.pop(); ok {
			return m, nil
		}
		if over {
			return none, ErrClosed
		}

		e.mu.Unlock()
		select {
		case <-e.in.pushed:
		case <-e.done:
		case <-ctx.Done():
		}
		e.mu.Lock()
	}
}

func (e *end[R, S]) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.in.accepted = nil // unread, and dropped by a local close at any time
	if !e.over() {
		e.in.offers, e.out.offers = nil, nil
		close(e.done)
	}
	return nil
}

// queue is one direction of a pair. The pair's lock guards it.
type queue[T any] struct {
	capacity int
	accepted []T           // in order, at most capacity
	offers   []*offer[T]   // of senders that wait, in order; only behind a full queue
	pushed   chan struct{} // holds a token after a push; the receiver may find nothing all the same
}

// offer is a message whose Send is waiting.
type offer[T any] struct {
	m        T
	accepted chan struct{} // closed when it is
}

func newQueue[T any](capacity int) *queue[T] {
	return &queue[T]{capacity: capacity, pushed: make(chan struct{}, 1)}
}

// push accepts m and returns nil, or returns the offer that m has become.
func (q *queue[T]) push(m T) (o *offer[T]) {
	if len(q.accepted) < q.capacity {
		q.accepted = append(q.accepted, m)
	} else {
		o = &offer[T]{m: m, accepted: make(chan struct{})}
		q.offers = append(q.offers, o)
	}
	select {
	case q.pushed <- struct{}{}:
	default: // one token is enough for one receiver, which looks at everything
	}
	return o
}

// pop takes the oldest message and accepts the oldest offer in its place. With
// a capacity of 0 the two are the same.
func (q *queue[T]) pop() (m T, ok bool) {
	if len(q.offers) > 0 {
		o := q.offers[0]
		q.offers = slices.Delete(q.offers, 0, 1)
		q.accepted = append(q.accepted, o.m)
		close(o.accepted)
	}
	if len(q.accepted) == 0 {
		return m, false
	}
	m = q.accepted[0]
	clear(q.accepted[:1]) // the queue keeps nothing of what it has handed out
	q.accepted = q.accepted[1:]
	return m, true
}

func (q *queue[T]) withdraw(o *offer[T]) {
	i := slices.Index(q.offers, o)
	q.offers = slices.Delete(q.offers, i, i+1)
}

func (o *offer[T]) isAccepted() bool {
	select {
	case <-o.accepted:
		return true
	default:
		return false
	}
}

// own returns m, or a copy that shares no memory with it where it is known how
// to make one.
func own[T any](m T) T {
	switch v := any(m).(type) {
	case []byte:
		return any(bytes.Clone(v)).(T)
	case interface{ Clone() T }:
		return v.Clone()
	}
	return m
}
