package main

import (
	"context"
	"io"
	"strings"
	"testing"
)

// The tally must notice what the demo is there to exclude.
func TestTallyNotices(t *testing.T) {
	for _, test := range []struct {
		name string
		goes func(s *tally)
		want string // in the error; "" for none
	}{
		{"all is well", func(*tally) {}, ""},
		{"sent again, lost before", func(s *tally) {
			s.sent(4)
			s.doubt([]string{"4"})
			s.arrive("4")
		}, ""},
		{"sent again, and came twice", func(s *tally) {
			s.doubt([]string{"3"})
			s.arrive("3")
		}, ""},
		{"a loss", func(s *tally) { s.sent(4) }, "message 4 has never arrived"},
		{"twice, unasked", func(s *tally) { s.arrive("2") }, "message 2 has arrived 2 times, and was sent again 0 times"},
		{"an answered one, twice", func(s *tally) {
			s.answered("3")
			s.doubt([]string{"2", "3"})
			s.arrive("3")
		}, "message 3 has arrived 2 times, and was sent again 0 times"},
		{"out of order", func(s *tally) {
			s.sent(5)
			s.arrive("5")
			s.arrive("4")
		}, "messages out of order: [4]"},
		{"altered", func(s *tally) { s.arrive("x") }, "1 messages have arrived that nobody sent"},
		{"from nowhere", func(s *tally) { s.arrive("9") }, "1 messages have arrived that nobody sent"},
		{"dropped", func(s *tally) { s.drop("3", nil) }, "1 messages were dropped"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newTally()
			s.sent(3)
			for _, m := range []string{"1", "2", "3"} {
				s.arrive(m)
			}
			test.goes(s)
			err := s.close(&chaos{out: io.Discard})
			if test.want == "" && err != nil || test.want != "" && (err == nil || err.Error() != test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestChaosIsBounded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := playChaos(ctx, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), context.Canceled.Error()) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}
