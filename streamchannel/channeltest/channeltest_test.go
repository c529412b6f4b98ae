package channeltest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/wschannel/wschannel/streamchannel"
	"github.com/wschannel/wschannel/streamchannel/channeltest"
)

func TestSoundChannel(t *testing.T) {
	connect := func(*testing.T) (near, far channeltest.Channel) { return streamchannel.Pair[[]byte, []byte](2) }
	channeltest.Run(t, connect)
	channeltest.RunInBubble(t, connect)
}

// defects are ways of breaking a rule, each with the rule that must notice.
var defects = []struct {
	name  string
	rule  string
	bring func(channeltest.Channel) channeltest.Channel
}{
	{"swaps messages", "1 order of one sender", func(c channeltest.Channel) channeltest.Channel { return &swapping{Channel: c} }},
	{"drops a message", "1 both directions", func(c channeltest.Channel) channeltest.Channel { return &dropping{Channel: c} }},
	{"sends though cancelled", "7 errors of send", func(c channeltest.Channel) channeltest.Channel { return unhurried{c} }},
	{"delivers after a local close", "2 local close drops", func(c channeltest.Channel) channeltest.Channel { return &persistent{Channel: c} }},
	{"closes when cancelled", "3 cancelled receive harms", func(c channeltest.Channel) channeltest.Channel { return touchy{c} }},
	{"says closed for a second receiver", "3 one receiver", func(c channeltest.Channel) channeltest.Channel { return rude{c} }},
	{"tells of another end each time", "4 after the end", func(c channeltest.Channel) channeltest.Channel { return fickle{c} }},
	{"is over before its end", "4 before the end", func(c channeltest.Channel) channeltest.Channel { return early{c} }},
	{"complains of a second close", "4 after the end", func(c channeltest.Channel) channeltest.Channel { return &fussy{Channel: c} }},
	{"hands out shared memory", "6 ownership", func(c channeltest.Channel) channeltest.Channel { return &sharing{Channel: c} }},
	{"hands out though cancelled", "7 errors of receive", func(c channeltest.Channel) channeltest.Channel { return eager{c} }},
	{"names no end", "4 after the end", func(c channeltest.Channel) channeltest.Channel { return nameless{c} }},
}

// The suite fails for each defect. A test that is meant to fail runs in a
// process of its own.
func TestDefectsAreFound(t *testing.T) {
	const variable = "CHANNELTEST_DEFECT"
	if name := os.Getenv(variable); name != "" {
		for _, d := range defects {
			if d.name == name {
				channeltest.RunInBubble(t, func(*testing.T) (near, far channeltest.Channel) {
					near, far = streamchannel.Pair[[]byte, []byte](2)
					return d.bring(near), d.bring(far)
				})
			}
		}
		return
	}
	for _, d := range defects {
		t.Run(d.name, func(t *testing.T) {
			rule := strings.ReplaceAll(d.rule, " ", "_")
			cmd := exec.Command(os.Args[0], "-test.run=^TestDefectsAreFound$/^"+rule, "-test.timeout=60s")
			cmd.Env = append(os.Environ(), variable+"="+d.name)
			out, err := cmd.CombinedOutput()
			if err == nil {
				t.Fatal("the suite finds nothing")
			}
			if !strings.Contains(string(out), "--- FAIL: TestDefectsAreFound/"+rule) {
				t.Errorf("not found by rule %q:\n%.3000s", d.rule, out)
			}
		})
	}
}

type swapping struct {
	channeltest.Channel
	n atomic.Int32
}

func (c *swapping) Receive(ctx context.Context) ([]byte, error) {
	if c.n.Add(1) != 1 {
		return c.Channel.Receive(ctx)
	}
	c.Channel.Receive(ctx)
	return c.Channel.Receive(ctx)
}

type dropping struct {
	channeltest.Channel
	n atomic.Int32
}

func (c *dropping) Send(ctx context.Context, m []byte) error {
	if c.n.Add(1) == 3 {
		return nil
	}
	return c.Channel.Send(ctx, m)
}

type unhurried struct{ channeltest.Channel }

func (c unhurried) Send(ctx context.Context, m []byte) error {
	return c.Channel.Send(context.WithoutCancel(ctx), m)
}

type persistent struct {
	channeltest.Channel
	left []byte
}

func (c *persistent) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 1) // of the bubble's time
	defer cancel()
	c.left, _ = c.Channel.Receive(ctx)
	return c.Channel.Close()
}

func (c *persistent) Receive(ctx context.Context) ([]byte, error) {
	if m := c.left; m != nil {
		c.left = nil
		return m, nil
	}
	return c.Channel.Receive(ctx)
}

type touchy struct{ channeltest.Channel }

func (c touchy) Receive(ctx context.Context) ([]byte, error) {
	m, err := c.Channel.Receive(ctx)
	if errors.Is(err, context.Canceled) {
		c.Close()
	}
	return m, err
}

type rude struct{ channeltest.Channel }

func (c rude) Receive(ctx context.Context) ([]byte, error) {
	m, err := c.Channel.Receive(ctx)
	if err == streamchannel.ErrConcurrentReceive {
		err = fmt.Errorf("%w: %w", err, streamchannel.ErrClosed)
	}
	return m, err
}

type fickle struct{ channeltest.Channel }

func (c fickle) Err() error {
	if err := c.Channel.Err(); err != nil {
		return fmt.Errorf("ended: %w", err)
	}
	return nil
}

type early struct{ channeltest.Channel }

func (c early) Err() error { return streamchannel.ErrClosed }

type fussy struct {
	channeltest.Channel
	closed atomic.Bool
}

func (c *fussy) Close() error {
	if c.closed.Swap(true) {
		return streamchannel.ErrClosed
	}
	return c.Channel.Close()
}

type sharing struct {
	channeltest.Channel
	last []byte
}

func (c *sharing) Receive(ctx context.Context) ([]byte, error) {
	m, err := c.Channel.Receive(ctx)
	if err != nil {
		return nil, err
	}
	c.last = append(c.last[:0], m...)
	return c.last, nil
}

type eager struct{ channeltest.Channel }

func (c eager) Receive(ctx context.Context) ([]byte, error) {
	if ctx.Err() != nil {
		if m, err := c.Channel.Receive(context.Background()); err == nil {
			return m, nil
		}
	}
	return c.Channel.Receive(ctx)
}

type nameless struct{ channeltest.Channel }

func (c nameless) Err() error {
	if c.Channel.Err() != nil {
		return errors.New("gone")
	}
	return nil
}
