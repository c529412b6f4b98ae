//go:build !js

package wschannel

import (
	"testing"
	"time"
)

// The timer may fire while the clock is being stopped. It must not set itself again
// for another alarm: a channel that is over would be held for as long as that takes.
func TestClockEndsWithTheChannel(t *testing.T) {
	near, far := tcpPair(t)
	defer near.Close()
	c := newOn(t, far, RoleServer, &Options{PingInterval: time.Hour})
	c.CloseNow()
	<-c.Done()
	e := &c.engine
	e.clock.stop() // what made the channel over may still be about to
	e.ring()
	if e.clock.timer == nil {
		t.Fatal("no alarm was ever set")
	}
	if e.clock.timer.Stop() {
		t.Error("the timer of a channel that is over is set")
	}
}
