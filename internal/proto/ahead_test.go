package proto

import "testing"

// What is collected on behalf of nobody yet, and exceeds the limits, is left to
// whoever comes.
func TestCollectAhead(t *testing.T) {
	tooLong := func(t *testing.T, r *Reader) {
		t.Helper()
		for range 2 {
			r.CollectAhead()
			for range 2 {
				if ev := r.Next(); ev.Kind != TooLong {
					t.Fatalf("got kind %d, want TooLong", ev.Kind)
				}
			}
		}
	}
	tooBig := record{"violation 1009 7.4.1", ""}
	for _, tt := range []struct{ name, first, rest, all string }{
		{"long frame", "\x81\x04", "Hell", "Hell"},
		{"long in sum", "\x01\x02He\x80\x02", "ll", "Hell"},
		{"many fragments", "\x01\x01H\x00\x00\x80\x00", "", "H"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			begin := func() *Reader {
				r := NewReader(Config{MessageLimit: 3, FragmentLimit: 2}, make([]byte, MinBuffer))
				r.CollectAhead()
				give(t, &r, []byte("\x82\x03abc"))
				want(t, &r, record{"message binary", "abc"})
				r.CollectAhead()
				give(t, &r, []byte(tt.first))
				tooLong(t, &r)
				return &r
			}
			r := begin()
			r.Collect(nil)
			want(t, r, tooBig)

			r = begin()
			r.Stream(make([]byte, 100))
			want(t, r, record{"start text", ""})
			give(t, r, []byte(tt.rest))
			got := ""
			for len(got) < len(tt.all) {
				got += string(r.Next().Data)
				r.Stream(make([]byte, 100))
			}
			if got != tt.all {
				t.Errorf("streamed %q, want %q", got, tt.all)
			}

			r = begin()
			r.Discard()
			give(t, r, []byte(tt.rest+"\x89\x01p"))
			want(t, r, record{"ping", "p"})
		})
	}

	// Other rules are for whoever comes.
	r := NewReader(Config{MessageLimit: 3, FragmentLimit: 2}, make([]byte, MinBuffer))
	r.CollectAhead()
	give(t, &r, []byte("\xC1\x04"))
	want(t, &r, record{"violation 1002 5.2", ""})
}
