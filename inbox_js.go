package wschannel

import (
	"errors"
	"strconv"
	"syscall/js"

	"github.com/wschannel/wschannel/status"
)

// An inbox holds the messages that have come and were not received yet.
type inbox struct {
	messages fifo[*received]
	size     int // in bytes, as InboundQueue counts them
}

// A received message waits in the inbox.
type received struct {
	t    Type
	data []byte
}

func (m *received) size() int { return len(m.data) + messageOverhead }

// fits reports whether there is room for a message of n bytes. An empty inbox
// takes any, so that a message within its own limit can always be received.
func (b *inbox) fits(n, limit int) bool {
	return b.messages.len() == 0 || n+messageOverhead <= limit-b.size
}

func (b *inbox) add(m *received) {
	b.messages.push(m)
	b.size += m.size()
}

// take removes the first message; it returns nil if there is none.
func (b *inbox) take() *received {
	if b.messages.len() == 0 {
		return nil
	}
	m := b.messages.pop()
	b.size -= m.size()
	return m
}

// putBack makes a message the first.
func (b *inbox) putBack(m *received) {
	b.messages.putBack(m)
	b.size += m.size()
}

// take takes the data of a message event: a string or an ArrayBuffer. It is
// copied at once, for a reference would keep the memory of JavaScript until Go
// collects its own.
func (e *engine) take(data js.Value) {
	if isClosed(e.ended) {
		return // closed by this side, or unable to go on
	}
	limit := e.set.messageLimit
	m := &received{t: Text}
	var view js.Value
	var size int
	if data.Type() == js.TypeString {
		m.data, size = stringToGo(data, limit)
	} else {
		m.t = Binary
		var ok bool
		if view, size, ok = bytesOf(data); !ok {
			text := "binary messages come as something else than an ArrayBuffer: the socket's binaryType was changed"
			e.fail(status.UnsupportedData, "", errors.New(text))
			return
		}
	}
	if size > limit {
		text := "message of " + strconv.Itoa(size) + " bytes or more, the limit is " + strconv.Itoa(limit)
		e.fail(status.MessageTooBig, text, &ProtocolError{Section: "7.4.1", Text: text})
		return
	}
	e.mu.Lock()
	fits := e.inbox.fits(size, e.set.inboundQueue)
	e.mu.Unlock()
	if !fits {
		e.fail(status.PolicyViolation, "too many messages wait to be received", ErrInboundQueueFull)
		return
	}
	if m.t == Binary {
		m.data = make([]byte, size)
		js.CopyBytesToGo(m.data, view)
	}
	e.mu.Lock()
	if !isClosed(e.deaf) {
		e.inbox.add(m)
	}
	e.mu.Unlock()
	select {
	case e.arrived <- struct{}{}:
	default:
	}
}
