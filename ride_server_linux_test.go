package wschannel_test

import (
	"context"
	"log/slog"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

// rideServer serves channels that listen with these callbacks, and outlive their
// handlers.
func rideServer(t *testing.T, views bool, onMessage func(c *wschannel.Channel, text string), onDone func(error)) (s *wschannel.Server, url string, rec *recorder) {
	rec = &recorder{}
	s = &wschannel.Server{Logger: slog.New(slog.NewTextHandler(rec, nil)), Handler: func(_ context.Context, c *wschannel.Channel) {
		if views {
			c.ListenView(func(v wschannel.View) { onMessage(c, string(v.Data)) }, onDone)
		} else {
			c.Listen(func(m wschannel.Message) { onMessage(c, string(m.Data)) }, onDone)
		}
	}}
	return s, serve(t, s), rec
}

func answer(c *wschannel.Channel, text string) { c.SendText(context.Background(), text) }

func connectTo(t *testing.T, url string) *wschannel.Channel {
	t.Helper()
	c, err := wschannel.Connect(patiently(t), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	hangUpAfter(t, c)
	return c
}

// Shutdown closes channels that are listened to, and waits for their last
// callbacks.
func TestRideShutdown(t *testing.T) {
	for _, views := range []bool{false, true} {
		var dones atomic.Int32
		s, url, _ := rideServer(t, views, answer, func(err error) { runtime.Gosched(); dones.Add(1) })
		var clients []*wschannel.Channel
		for range 20 {
			c := connectTo(t, url)
			checkEcho(t, c)
			clients = append(clients, c)
		}
		for _, c := range clients {
			go c.Receive(context.Background())
		}
		if err := wait(t, "Shutdown", shutDown(patiently(t), s)); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if n := dones.Load(); n != 20 {
			t.Errorf("%d onDones of 20 have returned", n)
		}
		for _, c := range clients {
			wait(t, "the end", c.Done())
			if c.CloseCode() != status.GoingAway {
				t.Errorf("ended with %v", c.Err())
			}
		}
	}
}

// A panic in a callback closes its channel with 1011, and no other; one that ends
// its goroutine ends the listening. Shutdown waits for neither.
func TestRidePanics(t *testing.T) {
	for _, views := range []bool{false, true} {
		dones := make(chan error, 10)
		s, url, log := rideServer(t, views, func(c *wschannel.Channel, text string) {
			switch text {
			case "panic":
				panic("a panic for the test")
			case "exit":
				runtime.Goexit()
			}
			answer(c, text)
		}, func(err error) { dones <- err })
		other := connectTo(t, url)
		for range 5 {
			c := connectTo(t, url)
			checkEcho(t, c)
			if err := c.SendText(patiently(t), "panic"); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Receive(patiently(t)); err == nil || c.CloseCode() != status.InternalError {
				t.Errorf("Receive: %v", err)
			}
			wait(t, "onDone", dones)
			checkMatch(t, "the log", log.String(), "a panic for the test")

			c = connectTo(t, url)
			checkEcho(t, c)
			if err := c.SendText(patiently(t), "exit"); err != nil {
				t.Fatal(err)
			}
			checkEcho(t, other)
		}
		if err := wait(t, "Shutdown", shutDown(patiently(t), s)); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	}
}
