package wasmtest

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

// A close of this side: what the peer sees of it, and what this side does.
func TestLocalClose(t *testing.T) {
	with := func(code status.Code, reason string) func(*wschannel.Channel) error {
		return func(c *wschannel.Channel) error { return c.CloseWith(code, reason) }
	}
	for _, tt := range []struct {
		name   string
		close  func(*wschannel.Channel) error
		code   status.Code
		reason string
	}{
		{"Close, T007", (*wschannel.Channel).Close, 1000, ""},
		{"no code, T006", with(0, ""), 1005, ""},
		{"1000, T007", with(1000, ""), 1000, ""},
		{"3000, T008", with(3000, ""), 3000, ""},
		{"4999, T009", with(4999, ""), 4999, ""},
		{"3000 and reason, T010", with(3000, "Client initiated closure"), 3000, "Client initiated closure"},
		{"3005 and reason, T050", with(3005, "please close"), 3005, "please close"},
		{"reason of 123 bytes, X04", with(3000, strings.Repeat("€", 41)), 3000, strings.Repeat("€", 41)},
		{"reason with a byte order mark", with(3000, "\uFEFFx"), 3000, "\uFEFFx"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id := newID()
			c := connect(t, "/observe?id="+id, nil)
			if err := tt.close(c); err != nil {
				t.Errorf("closing: %v", err)
			}
			wantReport(t, id, fmt.Sprintf("0 messages, %d %q", tt.code, tt.reason))
			wantEnd(t, c, tt.code, tt.reason, false) // T011, T012, T013
			if !errors.Is(c.Err(), wschannel.ErrLocalClose) {
				t.Errorf("Err is %v; want it to satisfy ErrLocalClose", c.Err())
			}
		})
	}
}

// A close right after connecting, and after 500 messages, which all
// arrive (X25).
func TestCloseFlushes(t *testing.T) {
	for _, n := range []int{0, 500} {
		id := newID()
		c := connect(t, "/observe?id="+id, nil)
		for range n {
			sendText(t, c, strings.Repeat("x", 1000))
		}
		if err := c.CloseWith(3678, "raisin"); err != nil {
			t.Errorf("CloseWith: %v", err)
		}
		wantReport(t, id, fmt.Sprintf(`%d messages, 3678 "raisin"`, n))
	}
}

// A close that is refused changes nothing (X03).
func TestInvalidClose(t *testing.T) {
	id := newID()
	c := connect(t, "/observe?id="+id, nil)
	for _, tt := range []struct {
		name   string
		code   status.Code
		reason string
	}{
		{"1004, T002", 1004, ""},
		{"2999, T003", 2999, ""},
		{"5000, T004", 5000, ""},
		{"reason of 124 bytes, T005", 3000, strings.Repeat("x", 124)},
		{"124 bytes, 42 characters, X04", 3000, strings.Repeat("€", 41) + "x"},
		{"not UTF-8", 3000, "\xff"},
		{"1005", 1005, ""},
		{"1006", 1006, ""},
		{"1015", 1015, ""},
		{"999", 999, ""},
		{"a reason without a code", 0, "x"},
	} {
		err := c.CloseWith(tt.code, tt.reason)
		if !errors.Is(err, wschannel.ErrInvalidClose) {
			t.Errorf("%s: %v; want ErrInvalidClose", tt.name, err)
		}
	}
	sendText(t, c, "still open")
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	wantReport(t, id, `1 messages, 1000 ""`)
}

// In place of codes that scripts must not send, 3000 more are sent.
func TestEveryCloseCode(t *testing.T) {
	for _, code := range []status.Code{1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000} {
		id := newID()
		c := connect(t, "/observe?id="+id, nil)
		if err := c.CloseWith(code, "why"); err != nil {
			t.Errorf("%d: %v", code, err)
		}
		told := code
		if browser && code < 3000 {
			told += 3000
		}
		wantReport(t, id, fmt.Sprintf(`0 messages, %d "why"`, told))
		wantEnd(t, c, code, "why", false)
	}
}

// What the peer sends while this side closes is dropped (T001, X02), and what
// had come too (X24).
func TestCloseDropsUnread(t *testing.T) {
	c := connect(t, "/flood", nil)
	if err := c.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	wantEnd(t, c, 1000, "", false)

	c = connect(t, "/flood", nil)
	wantMessage(t, c, wschannel.Text, "0")
	if err := c.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	wantEnd(t, c, 1000, "", false)
}

// Whoever waits is told of a close of this side.
func TestCloseWakes(t *testing.T) {
	c := connect(t, "/observe", nil)
	received := make(chan error, 1)
	go func() {
		_, err := c.Receive(patiently(t))
		received <- err
	}()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	wantClosed(t, "Receive", wait(t, "Receive", received), 1000, "", false)
}

// CloseNow waits for nobody, and its end is abnormal.
func TestCloseNow(t *testing.T) {
	id := newID()
	c := connect(t, "/observe?id="+id, nil)
	if err := c.CloseNow(); err != nil {
		t.Error(err)
	}
	select {
	case <-c.Done():
	default:
		t.Error("Done is not closed")
	}
	wantEnd(t, c, 1006, "", false)
	if browser {
		wantReport(t, id, `0 messages, 1005 ""`)
	} else {
		wantReport(t, id, `0 messages, 1006 ""`)
	}
}

// A peer that does not answer: the close takes CloseTimeout and no longer.
func TestCloseTimeout(t *testing.T) {
	c := connect(t, "/deaf", &wschannel.Options{CloseTimeout: 300 * time.Millisecond})
	err := c.Close()
	if !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), "close not completed: not done within 300ms") {
		t.Errorf("Close: %v; want it to say what was not done in time", err)
	}
	wantEnd(t, c, 1000, "", false)
}

// Both sides may close at once: neither fails (X01).
func TestCloseAtOnce(t *testing.T) {
	for range 20 {
		c := connect(t, "/echo", nil)
		sendText(t, c, "close")
		if err := c.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
	}
}

// Concurrent closes: one wins, all return.
func TestConcurrentClose(t *testing.T) {
	c := connect(t, "/echo", nil)
	results := make(chan error, 4)
	for i := range status.Code(4) {
		go func() { results <- c.CloseWith(3000+i, "") }()
	}
	won := 0
	for range 4 {
		err := wait(t, "CloseWith", results)
		if err == nil {
			won++
		} else {
			wantClosed(t, "CloseWith", err, c.CloseCode(), "", false)
		}
	}
	if won != 1 {
		t.Errorf("%d closes have won", won)
	}
}
