package streamchannel_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wschannel/wschannel/streamchannel"
)

type (
	textEnvelope = streamchannel.Envelope[string]
	textMux      = *streamchannel.Mux[string, string]
)

// onWire gives run a Mux over JSON and its peer, which speaks the wire format by
// hand.
func onWire(t *testing.T, o *streamchannel.MuxOptions, run func(t *testing.T, m textMux, w *wire)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		near, far := streamchannel.Pair[string, string](1000)
		m := streamchannel.NewMux(streamchannel.JSON[textEnvelope, textEnvelope](near, nil), o)
		defer m.Close()
		run(t, m, &wire{t, far})
	})
}

type wire struct {
	*testing.T
	streamchannel.Channel[string, string]
}

// says sends to the Mux, and returns when that has dealt with it.
func (w *wire) says(texts ...string) {
	w.Helper()
	sendAll(w.T, w.Channel, texts...)
	synctest.Wait()
}

// hears demands what the Mux has sent, and that it is all.
func (w *wire) hears(texts ...string) {
	w.Helper()
	synctest.Wait()
	for _, want := range texts {
		if got, err := w.Receive(w.Context()); got != want || err != nil {
			w.Errorf("on the wire: %s, %v, want %s", got, err, want)
		}
	}
}

func text(t *testing.T, s streamchannel.Stream[string], want string) {
	t.Helper()
	if got, err := s.Receive(t.Context()); got != want || err != nil {
		t.Errorf("received %q, %v, want %q", got, err, want)
	}
}

// The golden vectors of the wire format of Dart's MultiChannel: who opens a
// channel sends under its odd id, who has joined it under the even one above.
func TestMuxWireFormat(t *testing.T) {
	onWire(t, nil, func(t *testing.T, m textMux, w *wire) {
		sendAll(t, m.Default(), "hello")
		w.hears(`[0,"hello"]`)
		w.says(`[0,"hi"]`)
		text(t, m.Default(), "hi")

		first, _ := m.Open()
		second, _ := m.Open()
		sendAll(t, first, "a")
		sendAll(t, second, "b")
		w.hears(`[1,"a"]`, `[3,"b"]`)
		w.says(`[4,"to b"]`, `[2,"to a"]`)
		text(t, first, "to a")
		text(t, second, "to b")

		w.says(`[1,"peer's"]`)
		joined, err := m.Join(1)
		if err != nil {
			t.Fatal(err)
		}
		text(t, joined, "peer's")
		sendAll(t, joined, "answer")
		w.hears(`[2,"answer"]`)

		first.Close()
		w.hears(`[1]`)
		w.says(`[4]`)
		<-second.Done()
		w.says(`[1]`)
		<-joined.Done()
		m.Default().Close()
		w.hears(`[0]`)
		<-w.Done()
	})
}

// X29: JSON knows no integers.
func TestMuxFloatIDs(t *testing.T) {
	onWire(t, nil, func(t *testing.T, m textMux, w *wire) {
		for _, id := range []string{"0", "0.0", "-0", "0e5"} {
			w.says("[" + id + `,"x"]`)
			text(t, m.Default(), "x")
		}
		v, _ := m.Open()
		for _, id := range []string{"2", "2.0", "2e0", "20e-1", "0.2e1"} {
			w.says(" [ " + id + ` , "x" ] `)
			text(t, v, "x")
		}
		w.says("[2.0]")
		<-v.Done()
	})
}

// T147 X29: what is no envelope is an error of the default channel, and of no
// other. The Mux goes on.
func TestMuxBadEnvelopes(t *testing.T) {
	bad := []string{
		``, `{`, `null`, `1`, `"x"`, `{}`, `[]`, `[null]`, `["0"]`, `[true,1]`, `[[0]]`,
		`[-1]`, `[-2,"x"]`, `[0.5,"x"]`, `[1e400]`, `[1e30,"x"]`, `[NaN]`, `[9007199254740992]`, `[18446744073709551616]`,
		`[0,"x","y"]`, `[0,1]`, `[0,{}]`, `[0,"x"`, strings.Repeat("[", 20_000),
	}
	onWire(t, nil, func(t *testing.T, m textMux, w *wire) {
		v, _ := m.Open()
		for _, b := range bad {
			w.says(b)
			var decode *streamchannel.DecodeError
			if s, err := m.Default().Receive(t.Context()); !errors.As(err, &decode) {
				t.Errorf("%.40s: %q, %v", b, s, err)
			}
		}
		w.says(`[2,"still here"]`)
		text(t, v, "still here")
		m.Default().Close()
		w.says(`[`)
		w.says(`[2,"even so"]`)
		text(t, v, "even so")
	})
}

// A channel that nobody reads is ended when its buffer is full. The others are
// as before.
func TestMuxOverflow(t *testing.T) {
	onWire(t, &streamchannel.MuxOptions{Capacity: 2}, func(t *testing.T, m textMux, w *wire) {
		v, _ := m.Open()
		other, _ := m.Open()
		w.says(`[2,"a"]`, `[2,"b"]`, `[4,"for the other"]`)
		if err := v.Err(); err != nil {
			t.Errorf("ended before it was full: %v", err)
		}
		w.says(`[2,"c"]`, `[2,"d"]`)
		w.hears(`[1]`)
		text(t, v, "a")
		text(t, v, "b")
		if _, err := v.Receive(t.Context()); err != streamchannel.ErrOverflow || v.Err() != err {
			t.Errorf("Receive: %v, Err: %v", err, v.Err())
		}
		text(t, other, "for the other")
		w.says(`[2]`) // a Dart peer answers a close
		sendAll(t, other, "fine")
		w.hears(`[3,"fine"]`)
	})
}

// X29: what comes for channels that nobody has taken is bounded, in messages and
// in channels.
func TestMuxBacklog(t *testing.T) {
	onWire(t, &streamchannel.MuxOptions{Capacity: 2, Backlog: 3}, func(t *testing.T, m textMux, w *wire) {
		w.says(`[1,"a"]`, `[3,"b"]`, `[5,"c"]`, `[7,"too many"]`, `[7,"again"]`, `[9]`)
		w.hears(`[8]`)
		if _, err := m.Join(7); err == nil {
			t.Error("joined a channel that was refused")
		}
		w.says(`[100,"never opened"]`) // dropped: there is no room for it either

		w.says(`[1,"a2"]`, `[1,"one more than it holds"]`)
		w.hears(`[2]`)
		c, err := m.Accept(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		text(t, c, "a")
		text(t, c, "a2")
		if _, err := c.Receive(t.Context()); err != streamchannel.ErrOverflow {
			t.Errorf("Receive: %v", err)
		}

		w.says(`[11,"now there is room"]`) // the one that was taken made it
		for _, want := range []string{"b", "c", "now there is room"} {
			c, err := m.Accept(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			text(t, c, want)
		}
	})
}

// A peer that opens channels for ever and takes none of the answers is not borne
// for ever.
func TestMuxFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := streamchannel.Pair[textEnvelope, textEnvelope](0)
		m := streamchannel.NewMux(near, nil)
		sent := 0
		for id := uint64(1); ; id += 2 {
			if err := far.Send(t.Context(), textEnvelope{ID: id, Message: "x"}); err != nil {
				break
			}
			if sent++; sent > 5000 {
				t.Fatal("it bears everything")
			}
		}
		<-m.Done()
		if err := m.Err(); !errors.Is(err, streamchannel.ErrClosed) {
			t.Errorf("Err: %v", err)
		}
		if _, err := m.Default().Receive(t.Context()); err != m.Err() {
			t.Errorf("Receive: %v", err)
		}
	})
}

// What this end closes itself is not held against the peer, however much of it
// waits to be sent.
func TestMuxManyCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := streamchannel.Pair[textEnvelope, textEnvelope](0)
		m := streamchannel.NewMux(near, nil)
		const many = 5000
		for range many {
			c, err := m.Open()
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
		}
		if err := far.Send(t.Context(), textEnvelope{Message: "x"}); err != nil {
			t.Fatal(err)
		}
		text(t, m.Default(), "x")
		for i := range many {
			if e, err := far.Receive(t.Context()); err != nil || !e.Close || e.ID != uint64(2*i+1) {
				t.Fatalf("received %+v, %v, want the close of %d", e, err, 2*i+1)
			}
		}
		far.Close()
		<-m.Done()
	})
}

// IDs that come and go in whatever order are remembered in little room.
func TestMuxManyIDs(t *testing.T) {
	onWire(t, nil, func(t *testing.T, m textMux, w *wire) {
		for id := 1; id < 20_000; id += 4 { // every other one is left out
			w.says(fmt.Sprintf(`[%d]`, id))
			c, err := m.Accept(t.Context())
			if err != nil || c.ID() != uint64(id) {
				t.Fatalf("Accept: %v", err)
			}
			if _, err := m.Join(uint64(id)); err == nil {
				t.Fatalf("%d was joined again", id)
			}
		}
		w.says(`[40001,"x"]`)
		if c, err := m.Accept(t.Context()); err != nil || c.ID() != 40001 {
			t.Errorf("Accept: %v", err)
		}
	})
}

// An unencodable message is an error of that Send.
func TestMuxEncodeError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := streamchannel.Pair[string, string](10)
		m := streamchannel.NewMux(streamchannel.JSON[streamchannel.Envelope[any], streamchannel.Envelope[any]](near, nil), nil)
		defer m.Close()
		var encode *streamchannel.EncodeError
		if err := m.Default().Send(t.Context(), func() {}); !errors.As(err, &encode) {
			t.Errorf("Send: %v", err)
		}
		sendAll(t, m.Default(), any(1))
		text(t, far, "[0,1]")
	})
}

func TestCompactEnvelopes(t *testing.T) {
	compact := streamchannel.CompactEnvelopes()
	for _, tt := range []struct {
		hex string
		e   envelope
	}{
		{"00", envelope{Message: []byte{}}},
		{"01", envelope{Close: true}},
		{"02ff", envelope{ID: 1, Message: []byte{255}}},
		{"7f", envelope{ID: 63, Close: true}},
		{"80016869", envelope{ID: 64, Message: []byte("hi")}},
		{"feffffffffffff1f", envelope{ID: 1<<53 - 1, Message: []byte{}}},
		{"ffffffffffffff1f", envelope{ID: 1<<53 - 1, Close: true}},
	} {
		b, err := compact.Encode(tt.e)
		if got := hex.EncodeToString(b); got != tt.hex || err != nil {
			t.Errorf("%+v: %s, %v, want %s", tt.e, got, err, tt.hex)
		}
		e, err := compact.Decode(b)
		if err != nil || e.ID != tt.e.ID || e.Close != tt.e.Close || !bytes.Equal(e.Message, tt.e.Message) {
			t.Errorf("%s: %+v, %v", tt.hex, e, err)
		}
	}
	for _, bad := range []string{"", "80", "8000", "8100", "0100", "ffffffffffffff3f00", "ffffffffffffffffffff01", "80808080808080808001"} {
		b, _ := hex.DecodeString(bad)
		if e, err := compact.Decode(b); err == nil {
			t.Errorf("%s: %+v", bad, e)
		}
	}
	if _, err := compact.Encode(envelope{ID: 1 << 53}); err == nil {
		t.Error("an id that is too large is encoded")
	}
}

// Whatever comes, the Mux neither panics nor hangs, and what it takes for an
// envelope it would have written in the same way.
func FuzzMux(f *testing.F) {
	f.Add([]byte(`[1,"a"]`+"\n"+`[0]`+"\n"+`[2.0]`), true)
	f.Add([]byte("\x02a\n\x01\n\x04b"), false)
	f.Fuzz(func(t *testing.T, input []byte, json bool) {
		synctest.Test(t, func(t *testing.T) {
			near, far := bytesPair(1000)
			var carrier streamchannel.Channel[envelope, envelope]
			if json {
				carrier = streamchannel.JSON[envelope, envelope](near, nil)
			} else {
				carrier = streamchannel.CompactEnvelopes().Bind(near)
			}
			m := streamchannel.NewMux(carrier, &streamchannel.MuxOptions{Capacity: 2, Backlog: 2})
			m.Open()
			for i, message := range bytes.SplitN(input, []byte("\n"), 500) {
				far.Send(t.Context(), message)
				if i%3 == 0 {
					m.Accept(cancelled())
					m.Join(uint64(i))
				}
			}
			synctest.Wait()
			m.Close()
			<-m.Done()
		})
	})
}
