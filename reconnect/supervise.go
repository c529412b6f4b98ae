package reconnect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/streamchannel"
)

// maxBacklog is how many messages of earlier links may wait to be received
// before the channel connects again. So the memory of one from which nobody
// receives is bounded, and nothing is lost.
const maxBacklog = 1024

// run is the channel's goroutine: it gets a link, serves it to its end, and
// begins again.
func (c *Channel[R, S]) run() {
	stopWatch := c.set.network.Watch(func() { signal(c.wake) })
	pauses := &backoff{
		base: c.set.baseDelay, max: c.set.maxDelay, maxElapsed: c.set.maxElapsed, jitter: c.set.jitter,
		since: time.Now(),
	}
	var err error // why there is no link
	for d := time.Duration(0); c.pause(d, pauses, err); {
		var linked bool
		linked, err = c.attempt(pauses, err)
		if c.hasEnd() {
			break
		}
		wanted := false
		c.call(func() { wanted = c.set.retry(err) })
		if !wanted && linked {
			c.decide(err)
			break
		}
		var inTime bool
		d, inTime = pauses.next(err, time.Now())
		if !wanted || !inTime {
			c.decide(&GiveUpError{Attempts: pauses.attempts, Err: err})
			break
		}
	}
	stopWatch()
	c.finish()
}

// attempt tries to get a link and serves it. It returns why there is none any
// more, and whether there was one.
func (c *Channel[R, S]) attempt(pauses *backoff, before error) (linked bool, err error) {
	pauses.attempts++
	c.mu.Lock()
	c.show(State{Phase: Connecting, Attempt: pauses.attempts, Err: before})
	c.mu.Unlock()

	ctx, stop := c.ctx, context.CancelFunc(func() {})
	if c.set.connectTimeout > 0 {
		ctx, stop = context.WithTimeout(c.ctx, c.set.connectTimeout)
	}
	var ch streamchannel.Channel[R, S]
	c.call(func() { ch, err = c.connect(ctx) })
	stop()
	if err != nil {
		if ch != nil { // OnConnect has failed
			stop := context.AfterFunc(c.ctx, func() { hangUp(ch) })
			ch.Close()
			stop()
		}
		return false, err
	}

	opened := time.Now()
	c.serve(ch, pauses.attempts)
	if now := time.Now(); now.Sub(opened) >= c.set.stableAfter {
		pauses.reset(now)
	}
	return true, ch.Err()
}

// serve makes ch the link until it ends or the channel is closed.
func (c *Channel[R, S]) serve(ch streamchannel.Channel[R, S], attempt int) {
	stop := context.AfterFunc(c.ctx, func() { hangUp(ch) })
	defer stop()
	l := &link[R, S]{Channel: ch}
	c.mu.Lock()
	c.link, c.flushed = l, c.isQueueEmpty()
	c.show(State{Phase: Open, Attempt: attempt})
	c.mu.Unlock()

	c.flush(l)
	intact := false
	select {
	case <-ch.Done():
	case <-c.closing:
		err := ch.Err()
		if c.ctx.Err() != nil {
			hangUp(ch)
		}
		closeErr := c.closeLink(ch)
		<-ch.Done()
		intact = err == nil && closeErr == nil && isOurs(ch.Err())
		c.mu.Lock()
		c.closeErr = closeErr
		c.mu.Unlock()
	}
	c.retire(l)
	if len(l.taken)+l.earlier > 0 && !intact {
		c.report(l)
	}
}

// isOurs reports whether this side has closed a link with such an end. One that
// is not a WebSocket does not say so.
func isOurs(end error) bool {
	return end == streamchannel.ErrClosed || errors.Is(end, wschannel.ErrLocalClose)
}

// flush gives a link what is queued, until there is no more of it.
func (c *Channel[R, S]) flush(l *link[R, S]) {
	for {
		c.mu.Lock()
		if isClosed(l.Done()) {
			c.mu.Unlock()
			return
		}
		m, ok := c.pop()
		if !ok {
			c.flushed = true
			c.broadcast()
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()

		err := l.Send(c.ctx, m)
		switch {
		case err == nil || errors.Is(err, streamchannel.ErrClosed):
			c.mu.Lock()
			c.took(l, m)
			c.mu.Unlock()
			if err != nil {
				return
			}
		case c.ctx.Err() != nil:
			c.mu.Lock()
			c.again = slices.Insert(c.again, 0, m)
			c.mu.Unlock()
			return
		default:
			c.call(func() { c.drop(m, err) })
		}
	}
}

// retire takes a link out of use that is over, and keeps what it still has.
func (c *Channel[R, S]) retire(l *link[R, S]) {
	c.mu.Lock()
	c.link, c.flushed = nil, false
	c.broadcast()
	if l.users > 0 {
		l.quiet = make(chan struct{})
		c.mu.Unlock()
		<-l.quiet
		c.mu.Lock()
	}
	dropped := c.dropped
	c.mu.Unlock()
	if dropped {
		return
	}

	var left []arrival[R]
	for {
		m, err := l.Receive(context.Background()) // which does not wait: l is over
		if errors.Is(err, streamchannel.ErrClosed) || errors.Is(err, streamchannel.ErrConcurrentReceive) {
			break
		}
		left = append(left, arrival[R]{m, err})
	}
	c.mu.Lock()
	if !c.dropped {
		c.backlog = append(c.backlog, left...)
	}
	c.broadcast()
	c.mu.Unlock()
}

// report tells which messages are in doubt after the end of a link.
func (c *Channel[R, S]) report(l *link[R, S]) {
	var again []S
	c.call(func() {
		again = c.set.onDoubt(Doubt[S]{Messages: l.taken, Forgotten: l.earlier, Err: l.Err()})
	})
	c.mu.Lock()
	c.again = slices.Concat(again, c.again)
	c.mu.Unlock()
}

// call runs a function of the user's.
func (c *Channel[R, S]) call(f func()) {
	c.setCalling(true)
	defer c.setCalling(false)
	f()
}

func (c *Channel[R, S]) setCalling(calling bool) {
	c.mu.Lock()
	c.calling = calling
	c.mu.Unlock()
}

// pause waits before an attempt. It returns false if there is to be none.
func (c *Channel[R, S]) pause(d time.Duration, pauses *backoff, why error) bool {
	select {
	case <-c.wake: // of before
	default:
	}
	until := time.Now().Add(d)
	timer := time.NewTimer(d)
	defer timer.Stop()
	left, limited := pauses.left(time.Now())
	limit := time.NewTimer(left)
	defer limit.Stop()
	for {
		var elapsed, tooLate <-chan time.Time
		waiting := State{Phase: Waiting, Attempt: pauses.attempts, Err: why}
		switch ready := c.set.network.Online() && !c.isFull(); {
		case ready && d <= 0:
			return c.ctx.Err() == nil
		case ready:
			waiting.Until = until
			elapsed = timer.C
		case limited:
			tooLate = limit.C
		}
		c.mu.Lock()
		c.show(waiting)
		c.mu.Unlock()

		select {
		case <-elapsed:
			return c.ctx.Err() == nil
		case <-c.wake:
			d = 0 // once it is online
		case <-c.drained:
		case <-tooLate:
			c.decide(&GiveUpError{Attempts: pauses.attempts, Err: why})
			return false
		case <-c.closing:
			return c.ctx.Err() == nil
		}
	}
}

// isFull reports whether too much waits to be received.
func (c *Channel[R, S]) isFull() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.backlog) > maxBacklog
}

// decide makes an error the end, unless a close was first.
func (c *Channel[R, S]) decide(end error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end == nil {
		c.end = end
		c.broadcast()
	}
}

func (c *Channel[R, S]) hasEnd() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.end != nil
}

// finish ends the channel, whose end is decided.
func (c *Channel[R, S]) finish() {
	dropped := 0
	for {
		c.mu.Lock()
		m, ok := c.pop()
		c.mu.Unlock()
		if !ok {
			break
		}
		dropped++
		c.call(func() { c.drop(m, c.end) })
	}
	c.cancel()

	c.mu.Lock()
	defer c.mu.Unlock()
	if c.linger != nil {
		c.linger.Stop()
	}
	if dropped > 0 {
		c.closeErr = errors.Join(fmt.Errorf("reconnect: closed with %d messages that were not sent", dropped), c.closeErr)
	}
	c.over = true
	c.show(State{Phase: Closed, Attempt: c.state.Attempt, Err: c.end})
	close(c.done)
}
