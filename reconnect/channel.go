package reconnect

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"time"

	"github.com/wschannel/wschannel/streamchannel"
)

// A Channel is a channel over one link after the other. It keeps the contract
// that package streamchannel states: all methods may be called by any number of
// goroutines at the same time, except that only one may receive.
//
// It has one goroutine until it is over, and so it must be closed.
type Channel[R, S any] struct {
	set settings[S]
	// connect is the dial function and OnConnect.
	connect func(context.Context) (streamchannel.Channel[R, S], error)

	ctx     context.Context // ends when there is no time left to close in good order
	cancel  context.CancelFunc
	closing chan struct{} // closed by the first close of this side
	done    chan struct{}
	wake    chan struct{} // holds a token when Network has called
	drained chan struct{} // holds a token when the backlog may have become short
	room    chan struct{} // holds a token when the queue may have room

	mu       sync.Mutex    // guards the rest
	changed  chan struct{} // closed, and made anew, when something changes for those who wait
	state    State
	version  int // of state
	link     *link[R, S]
	flushed  bool // link has taken what was queued: a Send may go to it directly
	again    []S  // goes before the queue
	queue    []S
	backlog  []arrival[R] // of links that are no more
	closeErr error        // of the first close
	// closeLink closes a link as the first close wants it.
	closeLink func(streamchannel.Channel[R, S]) error
	linger    *time.Timer // cancels ctx
	calling   bool        // a function of the user's is running

	receiving bool
	interrupt context.CancelFunc // of a Receive on a link that Close may have to leave open for a while
	dropped   bool               // a local close has dropped what is unread
	end       error              // from when it is decided
	over      bool
}

// arrival is what a Receive of a link returned.
type arrival[R any] struct {
	m   R
	err error
}

// New returns a channel that connects with dial, now and whenever the link is
// lost. It does not wait for the first one: State and States tell when it is
// there. A nil *Options means all the defaults; New panics if dial is nil.
//
// dial is called for each link, by the channel's goroutine. It is the place to
// get a fresh token, or to choose another address. It must return when ctx is
// done; the link that it returns belongs to the channel and must not depend on
// ctx. The end of a link that has a method CloseNow can be forced with it, which
// has the channel connect again.
func New[C streamchannel.Channel[R, S], R, S any](dial func(ctx context.Context) (C, error), o *Options[C, S]) *Channel[R, S] {
	if dial == nil {
		panic("reconnect: New without a function that connects")
	}
	if o == nil {
		o = new(Options[C, S])
	}
	onConnect := o.OnConnect
	c := &Channel[R, S]{
		set: o.settings(),
		connect: func(ctx context.Context) (streamchannel.Channel[R, S], error) {
			link, err := dial(ctx)
			if err != nil {
				return nil, err // and not link, which may be a nil pointer
			}
			if v := reflect.ValueOf(link); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
				return nil, errNoLink
			}
			if onConnect != nil {
				err = onConnect(ctx, link)
			}
			return link, err
		},
		closing: make(chan struct{}),
		done:    make(chan struct{}),
		wake:    make(chan struct{}, 1),
		drained: make(chan struct{}, 1),
		room:    make(chan struct{}, 1),
		changed: make(chan struct{}),
		state:   State{Phase: Connecting, Attempt: 1}, // shown by run, once
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	go c.run()
	return c
}

// errNoLink stands for what a dial function does that returns nothing at all. It
// would do so again.
var errNoLink = errors.New("reconnect: the function that connects returned neither a channel nor an error")

// Send sends a message, or queues it while there is no link. It waits until it
// is accepted or ctx is done. A nil error means accepted; the package's
// documentation says what can become of it. m is not kept after the call: what
// is queued is a copy if m is a []byte or has a method Clone.
//
// When the queue is full, WhenFull of [Options] applies. At the end of the
// channel Send returns the error of [Channel.Err].
func (c *Channel[R, S]) Send(ctx context.Context, m S) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.hint() // whoever was woken for the room may not have needed it
	for copied := false; ; {
		if c.end != nil {
			return c.end
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if l := c.open(); l != nil {
			return c.hand(ctx, l, m)
		}
		if !copied {
			c.unlocked(func() { m = own(m) }) // Clone is the user's code
			copied = true
			continue
		}
		if len(c.queue) < c.set.queueLimit {
			c.queue = append(c.queue, m)
			return nil
		}
		switch c.set.whenFull {
		case Fail:
			return ErrQueueFull
		case DropOldest:
			if len(c.queue) > 0 {
				c.queue, m = append(c.queue[1:], m), c.queue[0]
			}
			fallthrough
		case DropNewest:
			c.unlocked(func() { c.drop(m, ErrQueueFull) })
			return nil
		}
		c.wait(ctx, c.room)
	}
}

// hand gives a message to a link. The caller holds mu, which hand releases
// meanwhile.
func (c *Channel[R, S]) hand(ctx context.Context, l *link[R, S], m S) (err error) {
	l.users++
	defer l.leave()
	c.unlocked(func() {
		err = l.Send(ctx, m)
		if c.set.onDoubt != nil {
			m = own(m)
		}
	})
	if errors.Is(err, streamchannel.ErrClosed) {
		l.ending = true
		if c.end != nil {
			return c.end
		}
		if ctx.Err() != nil {
			return ctx.Err() // it may be what has ended the link
		}
	} else if err != nil {
		return err
	}
	// Also after an error: the link may have been in the middle of it.
	c.took(l, m)
	return nil
}

// Receive waits for the next message, of whatever link, and returns it. When a
// link is lost it waits for the next one. At the end of the channel it first
// hands out what had arrived and then returns the error of [Channel.Err], for
// ever; a local close drops what was not received. A second receiver at the same
// time gets streamchannel.ErrConcurrentReceive.
func (c *Channel[R, S]) Receive(ctx context.Context) (R, error) {
	var none R
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.receiving {
		return none, streamchannel.ErrConcurrentReceive
	}
	c.receiving = true
	defer func() { c.receiving = false }()
	for ended := (*link[R, S])(nil); ; {
		if c.dropped {
			return none, c.end
		}
		if err := ctx.Err(); err != nil && !c.over {
			return none, err
		}
		if len(c.backlog) > 0 {
			return c.takeBacklog()
		}
		if c.over {
			return none, c.end
		}
		if c.link == nil || c.link == ended {
			c.wait(ctx, nil)
			continue
		}
		l := c.link
		m, err := c.receiveFrom(ctx, l)
		if err == nil || !errors.Is(err, streamchannel.ErrClosed) {
			if c.dropped {
				return none, c.end
			}
			return m, err
		}
		ended = l
	}
}

// receiveFrom receives from a link. The caller holds mu, which receiveFrom
// releases meanwhile.
func (c *Channel[R, S]) receiveFrom(ctx context.Context, l *link[R, S]) (m R, err error) {
	if !c.flushed {
		// A Close would leave the link open until the queue is out, and has to
		// end this all the same.
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		c.interrupt = cancel
	}
	l.users++
	defer l.leave()
	c.unlocked(func() { m, err = l.Receive(ctx) })
	c.interrupt = nil
	return m, err
}

// wait returns after a change, a token, or when ctx is done. The caller holds
// mu, which wait releases meanwhile.
func (c *Channel[R, S]) wait(ctx context.Context, token <-chan struct{}) {
	changed := c.changed
	c.unlocked(func() {
		select {
		case <-changed:
		case <-token:
		case <-ctx.Done():
		}
	})
}

// unlocked calls f without mu, which the caller holds.
func (c *Channel[R, S]) unlocked(f func()) {
	c.mu.Unlock()
	defer c.mu.Lock() // also if f panics
	f()
}

// broadcast wakes all who wait. The caller holds mu.
func (c *Channel[R, S]) broadcast() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// Done returns a channel that is closed when this one is over, and not when a
// link is lost. OnDrop and OnDoubt have been called for all messages by then.
func (c *Channel[R, S]) Done() <-chan struct{} { return c.done }

// Err returns nil until Done is closed, then why: a *wschannel.CloseError that
// satisfies wschannel.ErrLocalClose after Close and CloseNow; the error of a
// link after whose end Retry did not want another one; or a *[GiveUpError]. All
// of them satisfy errors.Is(err, streamchannel.ErrClosed).
func (c *Channel[R, S]) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		return nil
	}
	return c.end
}
