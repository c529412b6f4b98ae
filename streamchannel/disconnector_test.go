package streamchannel_test

import (
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wschannel/wschannel/status"
	"github.com/wschannel/wschannel/streamchannel"
)

// T113 T114: before it is used, a Disconnector is not noticed.
func TestDisconnectorBefore(t *testing.T) {
	near, far := streamchannel.Pair[int, int](3)
	ch := streamchannel.WithDisconnector(near, new(streamchannel.Disconnector))
	sendAll(t, far, 1, 2, 3)
	sendAll(t, ch, 4, 5, 6)
	far.Close()
	want(t, "received", collect(t, ch), 1, 2, 3)
	if err := ch.Err(); err != streamchannel.ErrClosed {
		t.Errorf("Err: %v", err)
	}
}

// T119 T120 T121 T122
func TestDisconnected(t *testing.T) {
	for _, before := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var d streamchannel.Disconnector
			near, far := streamchannel.Pair[int, int](3)
			sendAll(t, far, 1)
			if before {
				d.Disconnect()
			}
			ch := streamchannel.WithDisconnector(near, &d)
			if err := d.Disconnect(); err != nil {
				t.Error(err)
			}
			<-ch.Done()
			if err := ch.Err(); err != streamchannel.ErrDisconnected {
				t.Errorf("Err: %v", err)
			}
			want(t, "received", collect(t, ch)) // the end is clean
			for n := range 3 {
				if err := ch.Send(t.Context(), n); err != streamchannel.ErrDisconnected {
					t.Errorf("Send: %v", err)
				}
			}
			if err := ch.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			if err := ch.Send(t.Context(), 1); err != streamchannel.ErrDisconnected {
				t.Errorf("Send after Close: %v", err)
			}
			want(t, "sent", collect(t, far))
		})
	}
}

// T117: who is sending a sequence leaves it.
func TestDisconnectWhileSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d streamchannel.Disconnector
		near, _ := streamchannel.Pair[int, int](0)
		ch := streamchannel.WithDisconnector(near, &d)
		result := make(chan error, 1)
		left := false
		go func() {
			result <- streamchannel.SendAll(t.Context(), ch, func(yield func(int) bool) {
				for yield(1) {
				}
				left = true
			})
		}()
		synctest.Wait()
		d.Disconnect()
		if err := <-result; err != streamchannel.ErrDisconnected || !left {
			t.Errorf("SendAll: %v, left the sequence: %t", err, left)
		}
	})
}

// slowToClose takes a second.
type slowToClose struct {
	codedChannel
	err error
}

func (c *slowToClose) CloseWith(code status.Code, reason string) error {
	time.Sleep(time.Second)
	return errors.Join(c.codedChannel.CloseWith(code, reason), c.err)
}

// T118: Disconnect waits for all channels, but not for one after the other, and
// tells what went wrong.
func TestDisconnectWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d streamchannel.Disconnector
		var all []*slowToClose
		for range 10 {
			near, _ := streamchannel.Pair[int, int](0)
			c := &slowToClose{codedChannel{Channel: near}, nil}
			all = append(all, c)
			streamchannel.WithDisconnector(c, &d)
		}
		all[3].err = errRefused
		began := time.Now()
		second := make(chan error, 1)
		go func() { second <- d.Disconnect() }()
		for _, err := range []error{d.Disconnect(), <-second} {
			if !errors.Is(err, errRefused) {
				t.Errorf("Disconnect: %v", err)
			}
		}
		if d := time.Since(began); d != time.Second {
			t.Errorf("Disconnect took %v", d)
		}
		for i, c := range all {
			if c.Err() == nil || c.code != status.GoingAway {
				t.Errorf("channel %d: %v %v", i, c.Err(), c.code)
			}
		}
	})
}

// A channel that has ended by itself keeps its end.
func TestDisconnectAfterTheEnd(t *testing.T) {
	var d streamchannel.Disconnector
	near, far := streamchannel.Pair[int, int](0)
	ch := streamchannel.WithDisconnector(near, &d)
	far.Close()
	d.Disconnect()
	if err := ch.Err(); err != streamchannel.ErrClosed {
		t.Errorf("Err: %v", err)
	}
}

// A Disconnector does not collect what is over.
func TestDisconnectorForgets(t *testing.T) {
	var d streamchannel.Disconnector
	freed := make(chan struct{}, 1)
	for i := range 1000 {
		near, _ := streamchannel.Pair[int, int](0)
		near.Close()
		ch := &struct {
			streamchannel.Channel[int, int]
			big [64]byte
		}{Channel: near}
		if i == 0 {
			runtime.AddCleanup(ch, func(int) { freed <- struct{}{} }, 0)
		}
		streamchannel.WithDisconnector(ch, &d)
	}
	for {
		runtime.GC()
		select {
		case <-freed:
			runtime.KeepAlive(&d)
			return
		case <-time.After(10 * time.Millisecond):
			if t.Context().Err() != nil {
				return
			}
		}
	}
}

// What it forgets is only what is over.
func TestDisconnectorRemembers(t *testing.T) {
	var d streamchannel.Disconnector
	var open []streamchannel.Channel[int, int]
	for i := range 100 {
		near, _ := streamchannel.Pair[int, int](0)
		if i%2 == 0 {
			open = append(open, near)
		} else {
			near.Close()
		}
		streamchannel.WithDisconnector(near, &d)
	}
	d.Disconnect()
	for i, ch := range open {
		if ch.Err() == nil {
			t.Errorf("channel %d was not closed", i)
		}
	}
}
