package reconnect

import (
	"errors"
	"time"
	"unicode/utf8"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
	"github.com/wschannel/wschannel/streamchannel"
)

// Close closes the channel with 1000. A link that is open is given what is queued
// and then closed. Without one the channel makes one more attempt, at once, if
// anything is queued. All that may take up to CloseTimeout; then what is left is
// dropped and the link cut off. Messages that were not received are dropped.
//
// If the channel is over or being closed already, Close waits for the end and
// returns nil. Any other error says that messages were dropped, or why the link
// was not closed in good order; the channel is closed all the same.
func (c *Channel[R, S]) Close() error {
	_, err := c.close(status.NormalClosure, "", streamchannel.Channel[R, S].Close)
	return err
}

// CloseWith is Close with another code and a reason, if the link is
// streamchannel.Coded. Those that an endpoint must not send are refused with
// wschannel.ErrInvalidClose, and change nothing. CloseWith(0, "") closes without
// a code.
//
// If the channel is over or being closed already, CloseWith returns the error of
// that end.
func (c *Channel[R, S]) CloseWith(code status.Code, reason string) error {
	const longestReason = 123 // RFC 6455 §5.5
	ours := code
	if code == 0 && reason == "" {
		ours = status.NoStatusReceived
	} else if !code.Valid() || len(reason) > longestReason || !utf8.ValidString(reason) {
		return wschannel.ErrInvalidClose
	}
	first, err := c.close(ours, reason, func(link streamchannel.Channel[R, S]) error {
		return streamchannel.CloseWith(link, code, reason)
	})
	if !first && err == nil {
		err = c.Err()
	}
	return err
}

// CloseNow closes the channel without bringing anything out: what is queued is
// dropped, and the link is cut off, with its own CloseNow if it has one. It does
// not wait for dial or a function of [Options] that is running. It always returns
// nil.
func (c *Channel[R, S]) CloseNow() error {
	c.close(status.AbnormalClosure, "", streamchannel.Channel[R, S].Close)
	return nil
}

// CloseCode returns 0 until Done is closed, then the code of [Channel.Err], 0 if
// that is no *wschannel.CloseError.
func (c *Channel[R, S]) CloseCode() status.Code { return c.closeError().Code }

// CloseReason returns "" until Done is closed, then the reason of [Channel.Err].
func (c *Channel[R, S]) CloseReason() string { return c.closeError().Reason }

func (c *Channel[R, S]) closeError() wschannel.CloseError {
	if end, ok := c.Err().(*wschannel.CloseError); ok {
		return *end
	}
	return wschannel.CloseError{}
}

// close closes the channel, and the link, when it is time, with closeLink. It
// reports whether this was the first close.
func (c *Channel[R, S]) close(code status.Code, reason string, closeLink func(streamchannel.Channel[R, S]) error) (first bool, err error) {
	now := code == status.AbnormalClosure
	c.mu.Lock()
	first = c.end == nil
	if first {
		// As the end of a WebSocket channel that this side has closed.
		c.end = &wschannel.CloseError{Code: code, Reason: reason}
		c.closeLink = closeLink
		close(c.closing)
	}
	c.dropped, c.backlog = true, nil
	if c.interrupt != nil {
		c.interrupt()
	}
	c.broadcast()
	idle := c.link == nil && c.isQueueEmpty()
	if now || first && idle {
		c.cancel()
	} else if first && c.set.closeTimeout > 0 {
		c.linger = time.AfterFunc(c.set.closeTimeout, c.cancel)
	}
	calling := c.calling
	c.mu.Unlock()

	if now && calling {
		return first, nil // perhaps it is that function which has called
	}
	if err := c.awaitEnd(); err != nil || !first {
		return first, err
	}
	return first, c.closeErr
}

// awaitEnd waits until the channel is over. It gives a function that does not
// heed its ctx, or that has called Close itself, a second.
func (c *Channel[R, S]) awaitEnd() error {
	select {
	case <-c.done:
		return nil
	case <-c.ctx.Done():
	}
	tooLong := time.NewTimer(time.Second)
	defer tooLong.Stop()
	select {
	case <-c.done:
		return nil
	case <-tooLong.C:
		return errors.New("reconnect: closed, and still waiting for dial, for a function of Options, or for the link")
	}
}
