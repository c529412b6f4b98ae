package wschannel

import (
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/wschannel/wschannel/status"
)

// Counters count what happens on all the channels whose [Options] name them,
// and to the handshakes that were to lead to these. The zero value is ready for
// use; it must not be copied after that. All methods may be called by any number
// of goroutines at the same time.
//
// A channel counts for itself, and [Counters.Snapshot] adds up: so channels do
// not wait for each other, and counting allocates nothing per message. Counters
// are an expvar.Var:
//
//	expvar.Publish("websocket", counters)
type Counters struct {
	snapshots sync.Mutex // who has it walks over the open channels

	mu    sync.Mutex
	open  *tally // of the channels that are open: the first of a list
	total Counts // but for what the open channels have counted
	walk  walk
}

// Counts are what [Counters] have counted up to a moment. All but Open and
// Buffered only grow.
type Counts struct {
	// Open is how many channels are not over.
	Open int64
	// Opened is how many channels there have been: Open, and all in Ended.
	Opened int64
	// Ended is how many channels are over, by the code of their [CloseError]:
	// 1006 for the lost ones. Codes from 3000 on are the application's, or
	// whatever a peer makes up.
	Ended map[status.Code]int64

	// MessagesIn and BytesIn are what the application has received: whole
	// messages, and parts of them if they are streamed; bytes as they are after
	// inflating. What was dropped unread is not among them.
	MessagesIn, BytesIn int64
	// MessagesOut and BytesOut are what was accepted for sending, and did not stay
	// in a send queue: whole messages, and bytes before compressing.
	MessagesOut, BytesOut int64
	// WireIn and WireOut are the bytes that were read from the transport and
	// written to it, after the handshake: with all framing, before TLS. Browsers
	// do not tell them.
	WireIn, WireOut int64
	// Buffered is how many bytes wait to be taken by the transport, as
	// [Channel.Buffered] tells, of all channels that are open.
	Buffered int64
	// Dropped is how many messages the policies for slow peers have dropped
	// after accepting them, Refused how many they have refused, as in
	// [QueueStats]. MessagesOut has neither.
	Dropped, Refused int64

	// Failed is how many handshakes have failed, by the HTTP status of the
	// answer that was sent or received: 0 where there was none, as when the
	// other side has vanished, could not be reached, or in browsers, which do
	// not tell.
	Failed map[int]int64
	// Limited is how many of these a [Server] has refused because of its
	// MaxChannels or MaxHandshakes.
	Limited int64

	// RoundTrips are the times from pings to their pongs: those of
	// [Channel.Ping] and those that are sent after a PingInterval. Browsers do
	// not tell them.
	RoundTrips RoundTrips
}

// roundTripBounds are the upper bounds of RoundTrips.Within.
var roundTripBounds = [...]time.Duration{
	1 * time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, time.Second, 5 * time.Second,
}

// RoundTrips are the times that pings have taken.
type RoundTrips struct {
	// Count is how many there were, Sum what they have taken together.
	Count int64
	Sum   time.Duration
	// Within is how many of them took no longer than 1, 5, 20, 50, 100 and 250
	// ms, 1 s and 5 s: cumulative, as the buckets of a histogram of Prometheus.
	Within [8]int64
}

// Bounds returns the upper bounds of Within.
func (RoundTrips) Bounds() [8]time.Duration { return roundTripBounds }

// Snapshot returns what has been counted. The maps are the caller's own. It
// looks at every open channel, which takes a millisecond or so for ten thousand
// of them, and holds up none. Open, Opened and Ended are of the moment in which
// it begins.
func (c *Counters) Snapshot() Counts {
	c.snapshots.Lock()
	defer c.snapshots.Unlock()
	s := c.startWalk()
	var some [stride]*engine
	for {
		engines := c.stroll(some[:0])
		if len(engines) == 0 {
			return *s
		}
		for _, e := range engines { // in browsers this calls JavaScript
			s.Buffered += int64(e.buffered())
			if q := e.queue.Load(); q != nil {
				s.Buffered += int64(q.waiting())
			}
		}
	}
}

// String returns a Snapshot as JSON, in the form of encoding/json.
func (c *Counters) String() string {
	s := c.Snapshot()
	b := []byte{'{'}
	number := func(name string, n int64) {
		b = strconv.AppendInt(append(append(append(b, '"'), name...), `":`...), n, 10)
		b = append(b, ',')
	}
	number("Open", s.Open)
	number("Opened", s.Opened)
	b = appendMap(append(b, `"Ended":`...), s.Ended)
	number("MessagesIn", s.MessagesIn)
	number("BytesIn", s.BytesIn)
	number("MessagesOut", s.MessagesOut)
	number("BytesOut", s.BytesOut)
	number("WireIn", s.WireIn)
	number("WireOut", s.WireOut)
	number("Buffered", s.Buffered)
	number("Dropped", s.Dropped)
	number("Refused", s.Refused)
	b = appendMap(append(b, `"Failed":`...), s.Failed)
	number("Limited", s.Limited)
	b = append(b, `"RoundTrips":{`...)
	number("Count", s.RoundTrips.Count)
	number("Sum", int64(s.RoundTrips.Sum))
	b = append(b, `"Within":[`...)
	for i, n := range s.RoundTrips.Within {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, n, 10)
	}
	return string(append(b, "]}}"...))
}

// appendMap appends m as JSON, with a comma.
func appendMap[K ~int | ~uint16](b []byte, m map[K]int64) []byte {
	if m == nil {
		return append(b, "null,"...)
	}
	b = append(b, '{')
	for i, k := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(b, '"'), int64(k), 10)
		b = strconv.AppendInt(append(b, `":`...), m[k], 10)
	}
	return append(b, "},"...)
}

// add adds what a channel has counted.
func (s *Counts) add(t traffic) {
	s.MessagesIn += t.in.messages
	s.BytesIn += t.in.bytes
	s.WireIn += t.in.wire
	s.MessagesOut += t.out.messages
	s.BytesOut += t.out.bytes
	s.WireOut += t.out.wire
	s.Dropped += t.dropped
	s.Refused += t.refused
}

// failed counts a handshake that has failed, with the status of the answer or 0.
// A nil *Counters counts nothing.
func (c *Counters) failed(status int) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.total.Failed == nil {
		c.total.Failed = make(map[int]int64)
	}
	c.total.Failed[status]++
}
