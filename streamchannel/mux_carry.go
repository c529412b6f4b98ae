package streamchannel

import (
	"context"
	"errors"
)

// How a Mux receives and sends.

// A muxClose is a close to be sent.
type muxClose struct {
	out      uint64 // the id
	provoked bool   // by the peer
}

// maxCloses is how many closes may wait that the peer has brought about.
const maxCloses = 1024

func (m *Mux[R, S]) read() {
	for {
		e, err := m.ch.Receive(context.Background())
		switch {
		case err == nil && !m.dispatch(e):
			m.endAll(errFlooded)
			m.ch.Close()
			return
		case err == nil:
		case isDecodeError(err):
			m.mu.Lock()
			m.deliver(m.main, arrival[R]{err: err})
			m.mu.Unlock()
		default:
			m.endAll(asEnd(err))
			if !errors.Is(err, ErrClosed) {
				m.ch.Close()
			}
			return
		}
	}
}

// dispatch gives an envelope to its channel. It reports whether the peer is to be
// borne any longer.
func (m *Mux[R, S]) dispatch(e Envelope[R]) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.channels[e.ID]
	switch {
	case m.closing:
		return true
	case ok:
	case m.isPast(e.ID):
		return true // on its way when the channel was closed
	case m.pending >= m.backlog:
		if e.ID%2 == 1 && !e.Close { // it was opened by the peer, who has to know
			m.past.add(e.ID)
			m.tellClosed(e.ID+1, true)
		}
		return m.provoked <= maxCloses
	default:
		c = m.arrive(e.ID)
	}
	if !e.Close {
		m.deliver(c, arrival[R]{m: e.Message})
	} else if c.inbox.finish(ErrClosed) && !c.pending {
		m.remove(c)
	}
	return m.provoked <= maxCloses
}

// isPast reports whether a channel under which something came has been here.
func (m *Mux[R, S]) isPast(in uint64) bool {
	if in%2 == 1 {
		return m.past.has(in)
	}
	return in < m.nextID // the default one, and those that were opened here
}

// arrive adds a channel that the program has not asked for.
func (m *Mux[R, S]) arrive(in uint64) *MuxChannel[R, S] {
	m.pending++
	if in%2 == 0 { // Open will return it
		c := m.add(in-1, in, in-1)
		c.pending = true
		return c
	}
	c := m.add(in, in, in+1)
	c.pending = true
	m.waiting = append(m.waiting, c)
	notify(m.arrivals)
	return c
}

// deliver puts something into a channel's inbox, or ends a channel that has no
// room for it.
func (m *Mux[R, S]) deliver(c *MuxChannel[R, S], a arrival[R]) {
	if c.inbox.put(a, m.capacity) || !c.inbox.finish(ErrOverflow) {
		return
	}
	m.tellClosed(c.out, true)
	if !c.pending {
		m.remove(c)
	}
}

func (m *Mux[R, S]) write() {
	defer close(m.written)
	defer func() { m.closeErr = m.ch.Close() }()
	for {
		out, some, closing := m.nextClose()
		switch {
		case some:
			if m.ch.Send(m.ctx, Envelope[S]{ID: out, Close: true}) != nil {
				return
			}
			continue
		case closing:
			return
		}
		select {
		case r := <-m.requests:
			if err := r.c.Err(); err != nil { // and the close may have been sent
				r.result <- err
				continue
			}
			if !r.state.CompareAndSwap(muxWaiting, muxSending) {
				continue
			}
			err := m.ch.Send(m.ctx, Envelope[S]{ID: r.c.out, Message: r.m})
			r.result <- err
			if errors.Is(err, ErrClosed) {
				return
			}
		case <-m.wake:
		case <-m.done:
			return
		}
	}
}

// nextClose returns the next close to be sent, or whether there is none and the
// Mux is closing.
func (m *Mux[R, S]) nextClose() (out uint64, some, closing bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.closes) == 0 {
		m.closes = nil
		return 0, false, m.closing
	}
	c := m.closes[0]
	m.closes = m.closes[1:]
	if c.provoked {
		m.provoked--
	}
	return c.out, true, false
}

// idSet holds odd ids. It takes little room if they are added more or less in
// order.
type idSet struct {
	below  uint64              // all ids below this are in the set
	sparse map[uint64]struct{} // and these
}

// maxSparse is how many ids are kept one by one. With more, the smallest gap
// counts as filled: a peer that leaves so many of them is not waiting for one.
const maxSparse = 1024

func (s *idSet) has(id uint64) bool {
	_, ok := s.sparse[id]
	return ok || id < s.below
}

func (s *idSet) add(id uint64) {
	if s.sparse == nil {
		s.below, s.sparse = 1, map[uint64]struct{}{}
	}
	if id >= s.below {
		s.sparse[id] = struct{}{}
	}
	if len(s.sparse) > maxSparse {
		lowest := uint64(maxID)
		for id := range s.sparse {
			lowest = min(lowest, id)
		}
		s.below = lowest
	}
	for {
		if _, ok := s.sparse[s.below]; !ok {
			return
		}
		delete(s.sparse, s.below)
		s.below += 2
	}
}
