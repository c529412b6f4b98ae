package epoll

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A loop waits for events of the sockets in its table. One goroutine at a time
// is it; others that were have been left behind in a handler.
type loop struct {
	fd   int
	file *os.File // the same descriptor, to be waited for in Go's own poller
	raw  syscall.RawConn

	// busy is odd while a handler runs. Who runs it makes it even again, or finds
	// that somebody else did: then it was left behind.
	busy     atomic.Uint64
	watchdog watchdog

	// Of the goroutine that is the loop.
	batch   []happening // what is to be served
	store   []happening // its memory
	again   []*Conn     // have more to do
	current *Conn       // whose handler runs
	polls   func(uintptr) bool
	runs    func() // run, made once
	events  [batchSize]syscall.EpollEvent
	n       int // how many of them are filled

	mu       sync.Mutex
	conns    []*Conn // by id
	free     []uint32
	count    int
	enlisted int32 // how many there have been
}

// batchSize is how many events are taken at a time.
const batchSize = 128

// A happening is what an event says about a socket.
type happening struct {
	c      *Conn
	events uint32
}

const (
	readable = syscall.EPOLLIN | syscall.EPOLLRDHUP | syscall.EPOLLHUP | syscall.EPOLLERR
	writable = syscall.EPOLLOUT | syscall.EPOLLHUP | syscall.EPOLLERR
	hangUp   = syscall.EPOLLRDHUP | syscall.EPOLLHUP | syscall.EPOLLERR
	urgent   = syscall.EPOLLPRI
	noted    = hangUp | urgent
	// watched are those that a socket is looked after for.
	watched = readable | writable | urgent | edge
	// edge is EPOLLET, which package syscall has as a negative number.
	edge = 1 << 31
)

// loops are those that have sockets.
var loops struct {
	sync.Mutex
	all  []*loop
	next int
}

// enlist gives a socket to one of as many loops as there are processors.
func enlist(c *Conn) error {
	loops.Lock()
	defer loops.Unlock()
	if len(loops.all) >= runtime.GOMAXPROCS(0) {
		loops.next = (loops.next + 1) % len(loops.all)
		return loops.all[loops.next].enlist(c)
	}
	l, err := newLoop()
	if err != nil {
		return err
	}
	if err := l.enlist(c); err != nil {
		l.file.Close()
		return err
	}
	loops.all = append(loops.all, l)
	go l.runs()
	return nil
}

func newLoop() (*loop, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	l := &loop{fd: fd}
	// Go's poller looks after a descriptor that does not block.
	if err = syscall.SetNonblock(fd, true); err == nil {
		l.file = os.NewFile(uintptr(fd), "epoll")
		l.raw, err = l.file.SyscallConn()
	}
	if err == nil {
		err = l.file.SetReadDeadline(time.Time{}) // if it does look after it
	}
	if err != nil {
		if l.file != nil {
			l.file.Close()
		} else {
			syscall.Close(fd)
		}
		return nil, err
	}
	l.runs = l.run
	l.polls = func(uintptr) bool { return l.poll() }
	l.watchdog.timer = time.AfterFunc(1<<63-1, l.look)
	l.watchdog.timer.Stop()
	return l, nil
}

func (l *loop) enlist(c *Conn) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.loop = l
	if n := len(l.free); n > 0 {
		c.id = l.free[n-1]
		l.free = l.free[:n-1]
		l.conns[c.id] = c
	} else {
		c.id = uint32(len(l.conns))
		l.conns = append(l.conns, c)
	}
	l.count++
	l.enlisted++
	c.serial = l.enlisted
	// Not the descriptor: that, and the id, may be another socket's by the time an
	// event is looked at.
	ev := syscall.EpollEvent{Events: watched, Fd: int32(c.id), Pad: c.serial}
	if err := syscall.EpollCtl(l.fd, syscall.EPOLL_CTL_ADD, int(c.fd), &ev); err != nil {
		l.remove(c)
		return os.NewSyscallError("epoll_ctl", err)
	}
	return nil
}

// dismiss forgets a socket that is about to be closed. A loop without sockets
// ends.
func (l *loop) dismiss(c *Conn) {
	loops.Lock()
	defer loops.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	syscall.EpollCtl(l.fd, syscall.EPOLL_CTL_DEL, int(c.fd), &syscall.EpollEvent{})
	l.remove(c)
	if l.count > 0 {
		return
	}
	for i, o := range loops.all {
		if o == l {
			loops.all = append(loops.all[:i], loops.all[i+1:]...)
			l.file.SetReadDeadline(time.Unix(1, 0))
			return
		}
	}
}

// remove takes c out of the table. The caller has l.mu.
func (l *loop) remove(c *Conn) {
	l.conns[c.id] = nil
	l.free = append(l.free, c.id)
	l.count--
}

// run is the loop, until it is left behind or there are no sockets.
func (l *loop) run() {
	for more := true; more; more = l.gather() {
		for len(l.batch) > 0 { // which one that was left behind has not served
			h := l.batch[0]
			l.batch = l.batch[1:]
			if !l.serve(h) {
				return
			}
		}
	}
	l.watchdog.timer.Stop()
	l.file.Close()
}

// serve does what a happening asks for. It returns false if the goroutine is not
// the loop any more.
func (l *loop) serve(h happening) bool {
	c := h.c
	if h.events&noted != 0 {
		c.events.Or(h.events & noted)
	}
	if h.events&writable != 0 {
		c.out.open()
	}
	if h.events&readable == 0 {
		return true
	}
	c.in.open()
	if c.handler.Load() == nil || !c.begin() {
		return true
	}
	if c.isDistant() || l.isWary() {
		go c.handle()
		return true
	}
	l.current = c
	turn := l.busy.Add(1)
	l.wakeWatchdog()
	ended := true
	defer func() {
		if ended && l.busy.CompareAndSwap(turn, turn+1) {
			go l.runs() // the handler has ended the goroutine of the loop
		}
	}()
	more := c.attempt()
	ended = false
	if l.busy.CompareAndSwap(turn, turn+1) {
		if more {
			l.again = append(l.again, c)
		}
		return true
	}
	if more && c.begin() {
		c.handle()
	}
	return false
}

// gather fills the batch with what has happened, and with whoever has more to do.
// If there is neither, it waits. It returns false when there are no sockets any
// more.
func (l *loop) gather() bool {
	if len(l.again) > 0 {
		l.poll()
	} else if l.raw.Read(l.polls) != nil { // it polls before it waits
		return false
	}
	l.fill()
	return true
}

// fill makes a batch of the events.
func (l *loop) fill() {
	l.batch = l.store[:0]
	l.mu.Lock()
	for _, ev := range l.events[:l.n] {
		// One that was closed since then is not there any more.
		if c := l.conns[ev.Fd]; c != nil && c.serial == ev.Pad {
			l.batch = append(l.batch, happening{c, ev.Events})
		}
	}
	l.mu.Unlock()
	for _, c := range l.again {
		l.batch = append(l.batch, happening{c, syscall.EPOLLIN})
	}
	clear(l.again)
	l.again = l.again[:0]
	l.store = l.batch
}

// poll asks for events without waiting, and reports whether there are any.
func (l *loop) poll() bool {
	l.n = pollNow(l.fd, l.events[:])
	return l.n > 0
}
