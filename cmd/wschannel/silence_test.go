package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestSilence(t *testing.T) {
	const second = time.Second
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var broken time.Duration // when, 0 for not yet
		s := newSilence(second, func() { broken = time.Since(began) })
		want := func(want time.Duration) {
			t.Helper()
			synctest.Wait()
			if broken != want {
				t.Fatalf("after %v: broken at %v, want %v", time.Since(began), broken, want)
			}
		}

		s.wait()
		time.Sleep(10 * second)
		want(0) // it is not armed
		s.stop()
		s.arm()
		time.Sleep(10 * second)
		want(0) // nobody waits
		s.wait()
		time.Sleep(second / 2)
		s.stop()
		s.wait()
		time.Sleep(second * 3 / 4)
		want(0) // something had come
		if _, err := s.reader(strings.NewReader("x")).Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * second)
		want(0) // and again
		s.wait()
		time.Sleep(2 * second)
		want(time.Since(began) - second)
	})
	synctest.Test(t, func(t *testing.T) {
		broken := make(chan time.Time, 1)
		s := newSilence(second, func() { broken <- time.Now() })
		s.wait()
		time.Sleep(second / 2)
		s.arm()
		if at := time.Now(); (<-broken).Sub(at) != second {
			t.Errorf("it does not count from when it was armed")
		}
	})
}
