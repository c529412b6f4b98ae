package faultlink

import (
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// A Link carries bytes between two endpoints, as its [Plan] says. Its methods
// may be called by any number of goroutines at the same time.
type Link struct {
	plan   Plan
	ends   [2]net.Conn // towards the near and the far endpoint
	closed chan struct{}
	once   sync.Once
	done   chan struct{}
	hit    chan struct{} // closed when the fault happens
	silent chan struct{} // closed when nothing is to pass any more

	mu     sync.Mutex
	passed [2]int64
}

// Join connects two connections, the ends towards the near and the far endpoint,
// until both directions have ended. They belong to the link, which closes them.
// An end of one is passed on to the other: in one direction, if they have a
// method CloseWrite, and otherwise in both.
func Join(near, far net.Conn, p Plan) *Link {
	l := &Link{
		plan:   p,
		ends:   [2]net.Conn{near, far},
		closed: make(chan struct{}),
		done:   make(chan struct{}),
		hit:    make(chan struct{}),
		silent: make(chan struct{}),
	}
	var ways sync.WaitGroup
	ended := [2]chan struct{}{make(chan struct{}), make(chan struct{})}
	for _, w := range Ways {
		ways.Go(func() {
			// A way that is only held back is at its end with the other one.
			held := l.carry(w)
			close(ended[w])
			if held {
				select {
				case <-ended[1-w]:
				case <-l.closed:
				}
			}
		})
	}
	go func() {
		ways.Wait()
		l.hangUp()
		close(l.done)
	}()
	return l
}

// Pipe returns the ends of a link in memory, for one endpoint each.
func Pipe(p Plan) (near, far net.Conn, l *Link) {
	near, a := net.Pipe()
	far, b := net.Pipe()
	return near, far, Join(a, b, p)
}

// Plan returns what the link is to do.
func (l *Link) Plan() Plan { return l.plan }

// Hit returns a channel that is closed when the fault happens.
func (l *Link) Hit() <-chan struct{} { return l.hit }

// Done returns a channel that is closed when nothing of the link is left. A link
// that has fallen silent has to be closed for that.
func (l *Link) Done() <-chan struct{} { return l.done }

// Passed returns how many bytes have arrived in one direction.
func (l *Link) Passed(w Way) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.passed[w]
}

// Close cuts both connections off, and waits until nothing is left. It returns
// nil.
func (l *Link) Close() error {
	l.hangUp()
	<-l.done
	return nil
}

func (l *Link) hangUp() {
	l.once.Do(func() { close(l.closed) })
	for _, end := range l.ends {
		end.Close()
	}
}

// carry passes on what comes one way until that ends. It reports whether it
// merely stopped, so that it is not known to either endpoint.
func (l *Link) carry(w Way) (held bool) {
	from, to := l.ends[w], l.ends[1-w]
	s := &splitter{random: l.plan.random(w), longest: l.plan.Piece}
	var delays *rand.Rand
	if l.plan.Delay > 0 {
		delays = l.plan.random(w + 2) // so that a delay does not change the pieces
	}
	buf := make([]byte, 4<<10)
	for {
		if stop, held := l.fault(w); stop {
			return held
		}
		n, err := from.Read(buf)
		for rest := buf[:n]; len(rest) > 0; {
			piece := s.next(rest)
			if left := l.left(w); left < int64(len(piece)) {
				piece = piece[:left]
			}
			if delays != nil {
				l.wait(time.Duration(delays.Int64N(int64(l.plan.Delay) + 1)))
			}
			if l.isSilent() {
				return true
			}
			n, err := to.Write(piece)
			l.mu.Lock()
			l.passed[w] += int64(n)
			l.mu.Unlock()
			if l.isSilent() {
				return true
			}
			if err != nil {
				// Whoever was to get it is gone. The other way tells its
				// partner so, behind all that had come before.
				l.swallow(from)
				return false
			}
			s.passed(len(piece))
			rest = rest[len(piece):]
			if stop, held := l.fault(w); stop {
				return held
			}
		}
		if err != nil {
			if l.isSilent() {
				return true
			}
			if isReset(err) {
				reset(to)
			} else {
				closeWrite(to)
			}
			return false
		}
	}
}

// left returns how many bytes may pass one way before the fault.
func (l *Link) left(w Way) int64 {
	if l.plan.Kind == None || l.plan.Way != w || isClosed(l.hit) {
		return 1 << 62
	}
	return l.plan.At - l.Passed(w)
}

// fault does what goes wrong if it is time for that. It reports whether the way
// is at its end then, and whether nobody has been told.
func (l *Link) fault(w Way) (stop, held bool) {
	if l.left(w) > 0 {
		return false, false
	}
	close(l.hit)
	from, to := l.ends[w], l.ends[1-w]
	switch l.plan.Kind {
	case Fin:
		closeWrite(to)
		l.swallow(from)
		return true, false
	case Reset:
		reset(from)
		reset(to)
		return true, false
	case Silence:
		close(l.silent)
		for _, end := range l.ends {
			end.SetDeadline(time.Unix(1, 0)) // wakes the other way
		}
		<-l.closed
		return true, false
	case Mute:
		return true, true
	case Stall:
		l.wait(l.plan.For)
	}
	return false, false
}

func (l *Link) isSilent() bool { return isClosed(l.silent) }

// wait waits for a time, or until the link is closed.
func (l *Link) wait(d time.Duration) {
	if d == 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.closed:
	}
}

// swallow takes what a sender has to send, so that it does not notice anything.
func (l *Link) swallow(from net.Conn) {
	scrap := make([]byte, 4<<10)
	for {
		if _, err := from.Read(scrap); err != nil {
			return
		}
	}
}

// A splitter divides one direction into pieces. Where they end depends on their
// lengths alone, and not on what comes together.
type splitter struct {
	random  *rand.Rand
	longest int
	left    int // of the present piece
}

// next returns the part of b that belongs to the present piece.
func (s *splitter) next(b []byte) []byte {
	if s.longest == 0 {
		return b
	}
	if s.left == 0 {
		s.left = 1 + s.random.IntN(s.longest)
	}
	return b[:min(s.left, len(b))]
}

// passed takes note that n bytes of the present piece are on their way.
func (s *splitter) passed(n int) {
	if s.longest > 0 {
		s.left -= n
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
