package main

import (
	"io"
	"sync"
	"time"
)

// A silence calls a function when nothing has come for a while. Only time in
// which somebody waits counts, and none before it is armed.
type silence struct {
	limit time.Duration

	mu      sync.Mutex
	timer   *time.Timer
	armed   bool
	waiting bool
}

func newSilence(limit time.Duration, tooLong func()) *silence {
	timer := time.AfterFunc(forever, tooLong)
	timer.Stop()
	return &silence{limit: limit, timer: timer}
}

// arm says that from now on silence counts.
func (s *silence) arm() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed = true
	if s.waiting {
		s.timer.Reset(s.limit)
	}
}

// wait says that somebody begins to wait.
func (s *silence) wait() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = true
	if s.armed {
		s.timer.Reset(s.limit)
	}
}

// stop says that the waiting is over.
func (s *silence) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = false
	s.timer.Stop()
}

// reader returns a reader that waits while it reads from r.
func (s *silence) reader(r io.Reader) io.Reader { return &listener{r, s} }

type listener struct {
	r io.Reader
	s *silence
}

func (l *listener) Read(p []byte) (int, error) {
	l.s.wait()
	defer l.s.stop()
	return l.r.Read(p)
}
