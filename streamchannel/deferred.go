package streamchannel

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/wschannel/wschannel/status"
)

var (
	// ErrResolved is returned by Resolve of a [Deferred] that was resolved
	// before.
	ErrResolved = errors.New("streamchannel: deferred channel was resolved before")

	// ErrInvalidClose refuses a close code or reason that a WebSocket must not
	// send (RFC 6455 §7.4), where a channel that would refuse it itself is not
	// there yet. Nothing was changed.
	ErrInvalidClose = errors.New("streamchannel: invalid close code or reason")
)

// A Deferred is a channel that can be used before the real one exists. Until
// then it accepts up to a number of messages, a Receive waits, and a Close is
// remembered. The real channel gets all of that as soon as it is there:
//
//	d := streamchannel.NewDeferred[wschannel.Message, wschannel.Message](16)
//	go func() { d.Resolve(wschannel.Connect(ctx, url, nil)) }()
//	d.Send(ctx, hello) // does not wait for the connection
//
// A Deferred keeps the contract. Messages that it holds are copies as those of
// [Pair]. From Resolve to the end it has one goroutine.
type Deferred[R, S any] struct {
	there   chan struct{} // closed when ch is set
	sent    chan struct{} // closed when all that was held has been sent
	closing chan struct{} // closed by the first close of this side
	done    chan struct{}

	mu        sync.Mutex // guards the rest, and the closing of these
	receiving bool
	resolved  bool
	held      *queue[S]     // accepted before ch was there
	ch        Channel[R, S] // the real one
	early     *earlyClose   // a close before ch was there
	err       error
}

var (
	_ Channel[int, int] = (*Deferred[int, int])(nil)
	_ Coded             = (*Deferred[int, int])(nil)
)

// earlyClose is a close that waits for the channel that it closes.
type earlyClose struct {
	code   status.Code
	reason string
	coded  bool // CloseWith and not Close
}

func (e earlyClose) of(ch io.Closer) error {
	if e.coded {
		return CloseWith(ch, e.code, e.reason)
	}
	return ch.Close()
}

// NewDeferred returns a Deferred that accepts up to capacity messages before the
// real channel is there; a Send beyond that waits. A negative capacity panics.
func NewDeferred[R, S any](capacity int) *Deferred[R, S] {
	if capacity < 0 {
		panic("streamchannel: negative capacity")
	}
	return &Deferred[R, S]{
		there:   make(chan struct{}),
		sent:    make(chan struct{}),
		closing: make(chan struct{}),
		done:    make(chan struct{}),
		held:    newQueue[S](capacity),
	}
}

// Resolve says what the real channel is, which then belongs to the Deferred; or
// if err is not nil, why there is none: that ends the Deferred with an error
// that wraps err and is not clean. It waits for nothing and returns nil.
//
// The real channel gets what was accepted before. If it refuses a message of
// that, it is closed, and the Deferred ends with an error that wraps its error.
// If the Deferred was closed meanwhile, ch is closed in the same way, after it
// has got what was accepted, or after 5 s.
//
// A second Resolve changes nothing and returns [ErrResolved]: its ch remains the
// caller's.
func (d *Deferred[R, S]) Resolve(ch Channel[R, S], err error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.resolved {
		return ErrResolved
	}
	d.resolved = true
	if err != nil {
		d.finish(&failure{err})
		return nil
	}
	d.ch = ch
	close(d.there)
	go d.run(d.early)
	return nil
}

// run sends what is held, does the close that came early, and tells of the end.
func (d *Deferred[R, S]) run(early *earlyClose) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if early != nil {
		defer time.AfterFunc(closeTimeout, cancel).Stop()
	}
	err := d.sendHeld(ctx)
	switch {
	case early != nil:
		early.of(d.ch)
	case err != nil && !errors.Is(err, ErrClosed):
		d.mu.Lock()
		d.finish(&failure{err})
		d.mu.Unlock()
		d.ch.Close()
	}
	<-d.ch.Done()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.finish(d.ch.Err())
}

func (d *Deferred[R, S]) sendHeld(ctx context.Context) error {
	for {
		d.mu.Lock()
		m, ok := d.held.pop()
		if !ok {
			close(d.sent)
			d.mu.Unlock()
			return nil
		}
		d.mu.Unlock()
		if err := d.ch.Send(ctx, m); err != nil {
			return err
		}
	}
}

// finish decides the end, with mu held.
func (d *Deferred[R, S]) finish(err error) {
	if !isClosed(d.done) {
		d.err = err
		d.held.offers = nil // whoever waits was not accepted
		if d.early == nil {
			d.held.accepted = nil
		}
		close(d.done)
	}
}

// Done is that of [Channel].
func (d *Deferred[R, S]) Done() <-chan struct{} { return d.done }

// Err is that of [Channel].
func (d *Deferred[R, S]) Err() error {
	if isClosed(d.done) {
		return d.err
	}
	return nil
}

// Send is that of [Sink].
func (d *Deferred[R, S]) Send(ctx context.Context, m S) error {
	if isClosed(d.sent) && !isClosed(d.closing) && !isClosed(d.done) {
		return d.ch.Send(ctx, m)
	}
	m = own(m) // not under the lock: Clone is the user's code
	d.mu.Lock()
	defer d.mu.Unlock()
	o, err := d.hold(ctx, m)
	if o == nil {
		return err
	}

	d.mu.Unlock()
	select {
	case <-o.accepted:
	case <-d.closing:
	case <-d.done:
	case <-ctx.Done():
	}
	d.mu.Lock()

	switch {
	case o.isAccepted():
		return nil
	case isClosed(d.closing) || isClosed(d.done):
		return d.end()
	}
	d.held.withdraw(o)
	return ctx.Err()
}

// hold accepts m and returns nil, nil; or it returns the offer that m has
// become, or an error. mu is held.
func (d *Deferred[R, S]) hold(ctx context.Context, m S) (*offer[S], error) {
	switch {
	case isClosed(d.closing) || isClosed(d.done):
		return nil, d.end()
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case isClosed(d.sent):
		d.mu.Unlock()
		defer d.mu.Lock()
		return nil, d.ch.Send(ctx, m)
	}
	return d.held.push(m), nil
}

// end waits for the end, which has been decided, and returns it. mu is held,
// but not meanwhile.
func (d *Deferred[R, S]) end() error {
	d.mu.Unlock()
	<-d.done
	d.mu.Lock()
	return d.err
}

// Receive is that of [Stream].
func (d *Deferred[R, S]) Receive(ctx context.Context) (R, error) {
	var none R
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.receiving {
		return none, ErrConcurrentReceive
	}
	d.receiving = true
	defer func() { d.receiving = false }()
	for {
		switch {
		case isClosed(d.closing):
			return none, d.end()
		case d.ch != nil:
			d.mu.Unlock()
			m, err := d.ch.Receive(ctx)
			d.mu.Lock()
			if errors.Is(err, ErrClosed) {
				err = d.end()
			}
			return m, err
		case isClosed(d.done):
			return none, d.err
		case ctx.Err() != nil:
			return none, ctx.Err()
		}

		d.mu.Unlock()
		select {
		case <-d.there:
		case <-d.closing:
		case <-d.done:
		case <-ctx.Done():
		}
		d.mu.Lock()
	}
}

// Close is that of [Sink]. Before the real channel is there, it ends the
// Deferred with [ErrClosed].
func (d *Deferred[R, S]) Close() error {
	return d.close(earlyClose{})
}

// CloseWith is that of [Coded].
func (d *Deferred[R, S]) CloseWith(code status.Code, reason string) error {
	if !closable(code, reason) {
		if isClosed(d.there) {
			return CloseWith(d.ch, code, reason)
		}
		return ErrInvalidClose
	}
	return d.close(earlyClose{code, reason, true})
}

func (d *Deferred[R, S]) close(how earlyClose) error {
	d.mu.Lock()
	over := isClosed(d.done)
	if !isClosed(d.closing) {
		close(d.closing)
	}
	if d.ch == nil {
		defer d.mu.Unlock()
		switch {
		case !over:
			d.early = &how
			d.finish(ErrClosed)
		case how.coded:
			return d.err
		}
		return nil
	}
	d.mu.Unlock()

	late := time.NewTimer(closeTimeout)
	defer late.Stop()
	select {
	case <-d.sent:
	case <-d.ch.Done():
	case <-late.C:
	}
	return how.of(d.ch)
}

// CloseCode is that of [Coded].
func (d *Deferred[R, S]) CloseCode() status.Code {
	code, _ := d.ending()
	return code
}

// CloseReason is that of [Coded].
func (d *Deferred[R, S]) CloseReason() string {
	_, reason := d.ending()
	return reason
}

func (d *Deferred[R, S]) ending() (status.Code, string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.early != nil:
		return d.early.code, d.early.reason
	case d.ch != nil:
		return codeOf(d.ch)
	}
	return 0, ""
}

// closable reports whether a close frame may carry code and reason (RFC 6455
// §5.5 and §7.4). 0 stands for no code.
func closable(code status.Code, reason string) bool {
	return code == 0 && reason == "" || code.Valid() && len(reason) <= 123 && utf8.ValidString(reason)
}
