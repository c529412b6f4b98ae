package drive

import (
	"errors"
	"fmt"
	"testing"
)

// A queue is an echo server in memory, which notes how many messages are in flight.
type queue struct {
	cfg           *Config
	sent, flying  int
	highest       int
	wrong         int // the number of the reply that is not what was sent, from 1
	answered      int
	failSendAfter int
}

func (q *queue) send() error {
	if q.failSendAfter > 0 && q.sent == q.failSendAfter {
		return errors.New("sending failed")
	}
	q.sent++
	q.flying++
	q.highest = max(q.highest, q.flying)
	return nil
}

func (q *queue) receive() ([]byte, error) {
	if q.flying == 0 {
		return nil, errors.New("nothing is in flight")
	}
	q.flying--
	q.answered++
	if q.answered == q.wrong {
		return q.cfg.Payload[1:], nil
	}
	return q.cfg.Payload, nil
}

func TestEcho(t *testing.T) {
	for _, test := range []struct{ messages, depth int }{{1, 1}, {10, 1}, {10, 4}, {3, 16}, {16, 16}} {
		for _, events := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d messages, %d in flight, events %v", test.messages, test.depth, events), func(t *testing.T) {
				q := &queue{cfg: &Config{Depth: test.depth, Payload: []byte("abc")}}
				var c Conn = Blocking{q.cfg, q.send, q.receive}
				for range 2 { // it can be asked again
					q.sent, q.highest = 0, 0
					if events {
						c = eventsOn(q)
					}
					if err := c.Echo(test.messages); err != nil {
						t.Fatal(err)
					}
					if q.sent != test.messages || q.flying != 0 || q.highest != min(test.depth, test.messages) {
						t.Errorf("%d were sent, %d not received, %d in flight", q.sent, q.flying, q.highest)
					}
				}
			})
		}
	}
}

// eventsOn delivers a reply when as many messages are in flight as may be.
func eventsOn(q *queue) *Events {
	e := &Events{Config: q.cfg}
	e.Send = func() error {
		if err := q.send(); err != nil {
			return err
		}
		if q.sent == min(e.messages, q.cfg.Depth) {
			for q.flying > 0 {
				reply, err := q.receive()
				if err != nil {
					return err
				}
				e.Reply(reply)
			}
		}
		return nil
	}
	return e
}

func TestEchoFails(t *testing.T) {
	q := &queue{cfg: &Config{Depth: 2, Payload: []byte("abc")}, wrong: 5}
	if err := (Blocking{q.cfg, q.send, q.receive}).Echo(10); err == nil {
		t.Error("a wrong reply was taken")
	}
	q = &queue{cfg: &Config{Depth: 2, Payload: []byte("abc")}, failSendAfter: 3}
	if err := (Blocking{q.cfg, q.send, q.receive}).Echo(10); err == nil {
		t.Error("an error of Send was dropped")
	}
	q = &queue{cfg: &Config{Depth: 2, Payload: []byte("abc")}, wrong: 5}
	if err := eventsOn(q).Echo(10); err == nil {
		t.Error("a wrong reply was taken from an event")
	}
}
