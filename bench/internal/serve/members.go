package serve

import "sync"

// Members are the connections that a broadcast goes to.
type Members[C comparable] struct {
	mu  sync.Mutex
	all map[C]struct{}
}

// Join adds a connection.
func (m *Members[C]) Join(c C) {
	m.mu.Lock()
	if m.all == nil {
		m.all = map[C]struct{}{}
	}
	m.all[c] = struct{}{}
	m.mu.Unlock()
}

// Leave removes it.
func (m *Members[C]) Leave(c C) {
	m.mu.Lock()
	delete(m.all, c)
	m.mu.Unlock()
}

// Each calls f for every connection.
func (m *Members[C]) Each(f func(C)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for c := range m.all {
		f(c)
	}
}
