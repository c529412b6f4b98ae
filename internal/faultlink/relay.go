package faultlink

import (
	"net"
	"sync"
)

// A Relay accepts connections on a free port of 127.0.0.1, and makes a [Link] of
// each to where it relays to.
type Relay struct {
	listener net.Listener
	target   string
	plan     func(n int) Plan
	serving  sync.WaitGroup

	mu     sync.Mutex
	links  []*Link
	closed bool
}

// Listen starts a relay to a TCP address. plan is asked for each connection, one
// at a time; n counts them from 0 on.
func Listen(target string, plan func(n int) Plan) (*Relay, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Relay{listener: listener, target: target, plan: plan}
	r.serving.Go(r.serve)
	return r, nil
}

func (r *Relay) serve() {
	for n := 0; ; n++ {
		near, err := r.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", r.target)
		if err != nil {
			near.Close()
			continue
		}
		plan := r.plan(n)
		r.mu.Lock()
		link := Join(near, far, plan)
		r.links = append(r.links, link)
		closed := r.closed
		r.mu.Unlock()
		if closed {
			link.Close()
		}
	}
}

// Addr returns the address to connect to.
func (r *Relay) Addr() net.Addr { return r.listener.Addr() }

// Links returns the links that there have been, in order. That of a connection
// that was just accepted may be missing.
func (r *Relay) Links() []*Link {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.links[:len(r.links):len(r.links)]
}

// Close accepts no more connections, closes the links, and waits until nothing
// is left. It returns nil.
func (r *Relay) Close() error {
	r.listener.Close()
	r.mu.Lock()
	r.closed = true
	links := r.links
	r.mu.Unlock()
	for _, link := range links {
		link.Close()
	}
	r.serving.Wait()
	return nil
}
