package streamchannel

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"
)

// Defaults of [MuxOptions].
const (
	DefaultMuxCapacity = 256 // messages that a channel of a Mux holds unreceived
	DefaultMuxBacklog  = 64  // channels that the peer opened and nobody took yet
)

// MuxOptions are what [NewMux] can be told. 0 means the default; there is no way
// to have no limit.
type MuxOptions struct {
	// Capacity is how many messages each channel holds that were not received;
	// the default is 256. When one more comes, that channel ends behind them with
	// [ErrOverflow], its peer is told, and the others are as before: the format
	// knows no way to ask for a pause.
	Capacity int
	// Backlog is how many channels may wait for Accept, Join or Open, with the
	// messages that came for them; the default is 64. Any further one is closed.
	Backlog int
}

// An IDError is returned by Join of a [Mux] for an id that it cannot join.
type IDError struct {
	ID   uint64 // what Join was given
	Text string // why it cannot be joined
}

// Error returns the id and why it cannot be joined.
func (e *IDError) Error() string {
	return "streamchannel: cannot join channel " + strconv.FormatUint(e.ID, 10) + ": " + e.Text
}

// A Mux carries many channels over one. Its peer is another Mux, or a
// MultiChannel of Dart's package stream_channel if the envelopes go as [JSON]:
//
//	m := streamchannel.NewMux(streamchannel.JSON[streamchannel.Envelope[In], streamchannel.Envelope[Out]](ch, nil), nil)
//
// One channel is there from the beginning: Default. Any other one is opened at
// one end with Open. The other end learns of it by its first message, from
// Accept, or is told its ID by the program, for Join. The format has no word for
// an opening by itself.
//
// Each channel closes by itself. When all are closed, the default one too, the
// Mux closes what it runs on.
//
// A Mux uses two goroutines until it is over: one receives, so that a channel
// that nobody reads holds up no other; one sends, so that what is cancelled in
// one channel cannot cut the message of another in two. All methods may be
// called by any number of goroutines at the same time.
type Mux[R, S any] struct {
	ch       Channel[Envelope[R], Envelope[S]]
	capacity int
	backlog  int
	ctx      context.Context // of sending
	cancel   context.CancelFunc
	requests chan *muxRequest[R, S]
	wake     chan struct{} // holds a token after closes or closing have changed
	arrivals chan struct{} // holds a token after waiting has got one more
	written  chan struct{} // closed when the writer has closed ch
	closeErr error         // of that
	done     chan struct{}

	mu       sync.Mutex // guards the rest
	main     *MuxChannel[R, S]
	channels map[uint64]*MuxChannel[R, S] // by the id of what comes for them
	nextID   uint64                       // for Open: odd, as the peer's are, in its own count
	past     idSet                        // the peer's channels that were here and have gone
	pending  int                          // channels that nobody took yet
	waiting  []*MuxChannel[R, S]          // for Accept; some may have been taken by Join
	closes   []muxClose                   // to be sent
	provoked int                          // how many of them the peer has brought about
	closing  bool
	late     *time.Timer // when closing takes too long
	err      error
}

// NewMux returns a Mux on a channel of envelopes, which from then on belongs to
// it. A nil *MuxOptions means the defaults. A negative option panics.
func NewMux[R, S any](ch Channel[Envelope[R], Envelope[S]], o *MuxOptions) *Mux[R, S] {
	var options MuxOptions
	if o != nil {
		options = *o
	}
	if options.Capacity < 0 || options.Backlog < 0 {
		panic("streamchannel: negative option of a Mux")
	}
	m := &Mux[R, S]{
		ch:       ch,
		capacity: options.Capacity,
		backlog:  options.Backlog,
		requests: make(chan *muxRequest[R, S]),
		wake:     make(chan struct{}, 1),
		arrivals: make(chan struct{}, 1),
		written:  make(chan struct{}),
		done:     make(chan struct{}),
		channels: map[uint64]*MuxChannel[R, S]{},
		nextID:   1,
	}
	if m.capacity == 0 {
		m.capacity = DefaultMuxCapacity
	}
	if m.backlog == 0 {
		m.backlog = DefaultMuxBacklog
	}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.main = m.add(0, 0, 0)
	go m.read()
	go m.write()
	return m
}

// Default returns the channel with the ID 0, which both ends have from the
// beginning. An envelope that cannot be decoded is a *[DecodeError] of this
// channel.
func (m *Mux[R, S]) Default() *MuxChannel[R, S] { return m.main }

// Open returns a new channel. Its ID is for Join at the other end. Once the Mux
// is closing or over it returns the error of that end.
func (m *Mux[R, S]) Open() (*MuxChannel[R, S], error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closing {
		return nil, m.endLocked()
	}
	id := m.nextID
	m.nextID += 2
	if c, ok := m.channels[id+1]; ok { // the peer was early
		m.take(c)
		return c, nil
	}
	return m.add(id, id+1, id), nil
}

// Join returns the channel that the peer has opened under this ID, with the
// messages that have come for it. An ID that no Open returns, or that is or was
// in use here, is an *[IDError]. Once the Mux is closing or over it returns the
// error of that end, but still hands out a channel that had arrived.
func (m *Mux[R, S]) Join(id uint64) (*MuxChannel[R, S], error) {
	if id%2 == 0 || id >= maxID {
		return nil, &IDError{id, "it is none of an opened channel, which are odd and below 1<<53-1"}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.channels[id]
	switch {
	case ok && c.pending:
		m.take(c)
		return c, nil
	case m.closing:
		return nil, m.endLocked()
	case ok:
		return nil, &IDError{id, "it is in use"}
	case m.past.has(id):
		return nil, &IDError{id, "it was closed"}
	}
	return m.add(id, id, id+1), nil
}

// Accept returns the next channel that the peer has opened, in the order in which
// their first messages came. It waits for one until ctx is done. At the end of
// the Mux it first hands out those that had arrived, then returns its error.
func (m *Mux[R, S]) Accept(ctx context.Context) (*MuxChannel[R, S], error) {
	for {
		if c, err := m.accept(ctx); c != nil || err != nil {
			return c, err
		}
		select {
		case <-m.arrivals:
		case <-m.done:
		case <-ctx.Done():
		}
	}
}

func (m *Mux[R, S]) accept(ctx context.Context) (*MuxChannel[R, S], error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil && !m.closing {
		return nil, err
	}
	for len(m.waiting) > 0 {
		c := m.waiting[0]
		m.waiting[0] = nil
		m.waiting = m.waiting[1:]
		if c.pending {
			m.take(c)
			if len(m.waiting) > 0 {
				notify(m.arrivals) // for others that wait here
			}
			return c, nil
		}
	}
	if m.closing {
		return nil, m.endLocked()
	}
	return nil, nil
}

// Close closes all channels, and what the Mux runs on after what they had
// accepted, or after 5 s. It returns the error of closing that; if the Mux is
// over or being closed already, nil.
func (m *Mux[R, S]) Close() error {
	m.mu.Lock()
	first := !m.closing
	for _, c := range m.channels {
		c.inbox.abandon(ErrClosed)
	}
	clear(m.channels)
	m.waiting = nil
	m.shut()
	m.mu.Unlock()
	<-m.written
	if !first {
		return nil
	}
	return m.closeErr
}

// Done returns a channel that is closed when the Mux is over, and with it all of
// its channels.
func (m *Mux[R, S]) Done() <-chan struct{} { return m.done }

// Err returns nil until Done is closed, and then why: the end of what the Mux ran
// on.
func (m *Mux[R, S]) Err() error {
	if isClosed(m.done) {
		return m.err
	}
	return nil
}

// endLocked waits for the end, which is near, and returns it. mu is held, but not
// meanwhile.
func (m *Mux[R, S]) endLocked() error {
	m.mu.Unlock()
	<-m.done
	m.mu.Lock()
	return m.err
}

// What follows is called with mu held.

func (m *Mux[R, S]) add(id, in, out uint64) *MuxChannel[R, S] {
	c := &MuxChannel[R, S]{mux: m, inbox: newInbox[R](), id: id, in: in, out: out}
	m.channels[in] = c
	return c
}

// take gives a channel that had arrived to the program.
func (m *Mux[R, S]) take(c *MuxChannel[R, S]) {
	c.pending = false
	m.pending--
	if isClosed(c.inbox.done) {
		m.remove(c)
	}
}

// remove forgets a channel that is over and that the program has. The last one
// shuts the Mux.
func (m *Mux[R, S]) remove(c *MuxChannel[R, S]) {
	delete(m.channels, c.in)
	if c.in%2 == 1 {
		m.past.add(c.in)
	}
	if len(m.channels) == 0 {
		m.shut()
	}
}

// shut makes the writer close ch.
func (m *Mux[R, S]) shut() {
	if !m.closing {
		m.closing = true
		m.late = time.AfterFunc(closeTimeout, m.cancel)
		notify(m.wake)
	}
}

// tellClosed has a close sent under an id, which the peer may have brought about.
func (m *Mux[R, S]) tellClosed(out uint64, provoked bool) {
	m.closes = append(m.closes, muxClose{out, provoked})
	if provoked {
		m.provoked++
	}
	notify(m.wake)
}

// endAll is the end of ch.
func (m *Mux[R, S]) endAll(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closing = true
	m.err = err
	for _, c := range m.channels {
		c.inbox.finish(err)
	}
	if m.late != nil {
		m.late.Stop()
	}
	m.cancel()
	close(m.done)
}

var errFlooded = &failure{errors.New("the peer opens more channels than it takes closes")}
