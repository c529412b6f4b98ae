//go:build !js

package wschannel_test

import (
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/wschannel/wschannel"
)

// A policy that is none is found before anything is sent.
func TestPolicyMisuse(t *testing.T) {
	o := wschannel.Options{WhenFull: wschannel.ClosePolicyViolation + 1}
	const want = "Options.WhenFull is 6; expected one of the policies, Block to ClosePolicyViolation"
	_, _, err := wschannel.Dialer{Options: o}.Connect(patiently(t), "ws://127.0.0.1:1")
	if connect, ok := errors.AsType[*wschannel.ConnectError](err); !ok || !strings.Contains(connect.Error(), want) {
		t.Errorf("Connect: %v; want …%s", err, want)
	}
	hostport, accepted := accept(t, &wschannel.AcceptOptions{Options: o})
	head, _, _ := exchange(t, hostport, sample())
	checkUnusable(t, head, wait(t, "the error", accepted), want)
	checkPanic(t, "New", "wschannel: "+want, func() {
		one, _ := net.Pipe()
		wschannel.New(one, wschannel.RoleClient, &wschannel.StreamOptions{Options: o})
	})
}

// A Prepared that is none is refused.
func TestPreparedMisuse(t *testing.T) {
	one, _ := net.Pipe()
	c := wschannel.New(one, wschannel.RoleClient, nil)
	hangUpAfter(t, c)
	if err := c.SendPrepared(t.Context(), new(wschannel.Prepared)); err != wschannel.ErrInvalidType {
		t.Errorf("SendPrepared: %v, want %v", err, wschannel.ErrInvalidType)
	}
	checkPanic(t, "PublishPrepared", "wschannel: PublishPrepared of what Prepare has not made", func() {
		new(wschannel.Group).PublishPrepared(new(wschannel.Prepared))
	})
}

func checkPanic(t *testing.T, what, want string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if v := recover(); v != want {
			t.Errorf("%s: panicked with %v, want %s", what, v, want)
		}
	}()
	f()
}
