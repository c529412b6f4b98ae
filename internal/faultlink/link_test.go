package faultlink

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

const text = "What is sent here is long enough to be cut in many places. "

// ends are the endpoints of a link, the sender of a way first.
func ends(near, far net.Conn, w Way) (sender, receiver net.Conn) {
	if w == Back {
		near, far = far, near
	}
	return near, far
}

// The pieces are no longer than asked for, and lie where the seed says, however
// the bytes come.
func TestPieces(t *testing.T) {
	cuts := func(seed uint64, size int) (at []int) {
		synctest.Test(t, func(t *testing.T) {
			near, far, l := Pipe(Plan{Seed: seed, Piece: 7})
			defer l.Close()
			go func() {
				for b := range slices.Chunk([]byte(text), size) {
					near.Write(b)
				}
				near.Close()
			}()
			var got []byte
			buf := make([]byte, 100)
			for {
				n, err := far.Read(buf)
				if err != nil {
					break
				}
				if n > 7 {
					t.Errorf("a piece of %d bytes", n)
				}
				got = append(got, buf[:n]...)
				at = append(at, len(got))
			}
			if string(got) != text || l.Passed(Forth) != int64(len(text)) {
				t.Errorf("%q has arrived, %d bytes", got, l.Passed(Forth))
			}
		})
		return at
	}
	first := cuts(1, len(text))
	if again := cuts(1, len(text)); !slices.Equal(first, again) {
		t.Errorf("the same seed has cut at %v and at %v", first, again)
	}
	if other := cuts(2, len(text)); slices.Equal(first, other) {
		t.Errorf("another seed has cut at %v, too", other)
	}
	// What comes in more writes is cut there too, and nowhere else.
	in10 := cuts(1, 10)
	for _, at := range first {
		if !slices.Contains(in10, at) {
			t.Errorf("cut at %v, want also at %d", in10, at)
		}
	}
}

func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far, l := Pipe(Plan{Seed: 3, Piece: 1, Delay: time.Second})
		defer l.Close()
		start := time.Now()
		go near.Write([]byte(text))
		if _, err := io.ReadFull(far, make([]byte, len(text))); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 10*time.Second || took > time.Duration(len(text))*time.Second {
			t.Errorf("%d pieces took %v, each is to be held back for half a second or so", len(text), took)
		}
	})
}

// A stall holds back what comes behind, and loses nothing.
func TestStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far, l := Pipe(Plan{Kind: Stall, At: 5, For: time.Minute})
		defer l.Close()
		start := time.Now()
		go near.Write([]byte(text))
		got := make([]byte, len(text))
		io.ReadFull(far, got[:5])
		if time.Since(start) != 0 {
			t.Errorf("the first bytes took %v", time.Since(start))
		}
		if _, err := io.ReadFull(far, got[5:]); err != nil || string(got) != text {
			t.Errorf("got %q and %v", got, err)
		}
		if time.Since(start) != time.Minute || !isClosed(l.Hit()) {
			t.Errorf("the rest came after %v", time.Since(start))
		}
	})
}

// pairs are the connections that links are tested between.
var pairs = []struct {
	name string
	link func(t *testing.T, p Plan) (near, far net.Conn, l *Link)
}{
	{"pipe", func(_ *testing.T, p Plan) (near, far net.Conn, l *Link) { return Pipe(p) }},
	{"TCP", func(t *testing.T, p Plan) (near, far net.Conn, l *Link) {
		near, a := socketPair(t)
		far, b := socketPair(t)
		return near, far, Join(a, b, p)
	}},
}

func socketPair(t *testing.T) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return a, b
}

// Exactly so many bytes arrive before the fault, and then what its kind says.
func TestFaults(t *testing.T) {
	const at = 23
	for _, pair := range pairs {
		for _, kind := range []Kind{Fin, Reset, Silence, Mute} {
			for _, w := range Ways {
				for _, piece := range []int{0, 1, 10} {
					p := Plan{Seed: 5, Piece: piece, Kind: kind, Way: w, At: at}
					t.Run(pair.name+"/"+p.String(), func(t *testing.T) {
						near, far, l := pair.link(t, p)
						defer near.Close()
						defer far.Close()
						testFault(t, near, far, l, pair.name == "TCP")
					})
				}
			}
		}
	}
}

func testFault(t *testing.T, near, far net.Conn, l *Link, isTCP bool) {
	p := l.Plan()
	sender, receiver := ends(near, far, p.Way)
	written := make(chan error, 1)
	go func() {
		_, err := sender.Write([]byte(text))
		written <- err
	}()
	got := make([]byte, p.At)
	arrived, err := io.ReadFull(receiver, got)
	mayLose := p.Kind == Reset && isTCP // what is under way
	if string(got[:arrived]) != text[:arrived] || err != nil && !mayLose {
		t.Fatalf("got %q and %v, want %q", got, err, text[:p.At])
	}
	<-l.Hit()

	const silence = 20 * time.Millisecond // long enough for what must not come
	receiver.SetReadDeadline(time.Now().Add(silence))
	n, err := receiver.Read(make([]byte, 1))
	wrong := n > 0
	switch p.Kind {
	case Fin:
		wrong = wrong || err != io.EOF
	case Reset:
		wrong = wrong || !errors.Is(err, syscall.ECONNRESET) && (isTCP || err != io.EOF)
	case Silence, Mute:
		wrong = wrong || !errors.Is(err, os.ErrDeadlineExceeded)
	}
	if wrong {
		t.Errorf("behind the fault %d bytes and %v", n, err)
	}

	// The other way: a pipe has only one end.
	go receiver.Write([]byte("back"))
	sender.SetReadDeadline(time.Now().Add(silence))
	if p.Kind == Mute || p.Kind == Fin && isTCP {
		sender.SetReadDeadline(time.Now().Add(30 * time.Second))
	}
	back := make([]byte, 4)
	_, err = io.ReadFull(sender, back)
	switch p.Kind {
	case Fin, Mute:
		wrong = err != nil || string(back) != "back"
		if p.Kind == Fin && !isTCP {
			wrong = err != io.EOF
		}
	case Reset:
		wrong = !errors.Is(err, syscall.ECONNRESET) && (isTCP || err != io.EOF)
	case Silence:
		wrong = !errors.Is(err, os.ErrDeadlineExceeded)
	}
	if wrong {
		t.Errorf("the other way %q and %v", back, err)
	}
	if passed := l.Passed(p.Way); passed != p.At {
		t.Errorf("%d bytes have passed, want %d", passed, p.At)
	}
	if p.Kind == Silence && isClosed(l.Done()) {
		t.Error("a silent link is over, and so the endpoints know")
	}
	l.Close()
	<-written
	receiver.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := receiver.Read(back); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after Close: %v", err)
	}
}

// Without a fault a link is as good as none: each end of a direction, and a
// reset, get to the other side behind all that was sent.
func TestEndsArePassedOn(t *testing.T) {
	near, far, l := pairs[1].link(t, Plan{Piece: 9})
	defer l.Close()
	sent := bytes.Repeat([]byte(text), 100)
	go func() {
		near.Write(sent)
		near.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(far)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes and %v, want %d", len(got), err, len(sent))
	}
	if _, err := far.Write([]byte("late")); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadFull(near, make([]byte, 4)); err != nil {
		t.Error(err)
	}
	reset(far)
	if _, err := near.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the reset came as %v", err)
	}
	near.Close()
	<-l.Done()
}

func TestRelay(t *testing.T) {
	target, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	go func() {
		for {
			conn, err := target.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(conn, conn)
				conn.Close()
			}()
		}
	}()
	r, err := Listen(target.Addr().String(), func(n int) Plan { return Plan{Kind: Fin, Way: Back, At: int64(n)} })
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		conn, err := net.Dial("tcp", r.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conn.Write([]byte("echo"))
		if got, err := io.ReadAll(conn); err != nil || string(got) != "echo"[:n] {
			t.Errorf("connection %d got %q and %v", n, got, err)
		}
		conn.Close()
	}
	for _, l := range r.Links() {
		<-l.Done()
	}
	r.Close()
	if conn, err := net.Dial("tcp", r.Addr().String()); err == nil {
		conn.Close()
		t.Error("a relay that is closed accepts")
	}
}

func TestPoints(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, tt := range []struct {
		total int64
		n     int
	}{{0, 1}, {0, 5}, {4, 5}, {4, 100}, {99, 10}, {1000, 7}} {
		points := Points(random, tt.total, tt.n)
		want := min(tt.n, int(tt.total)+1)
		if len(points) != want || !slices.IsSorted(points) || len(slices.Compact(slices.Clone(points))) != want {
			t.Errorf("%d points up to %d: %v", tt.n, tt.total, points)
		}
		for i, p := range points {
			if part := p * int64(want) / (tt.total + 1); part < int64(i)-1 || part > int64(i) {
				t.Errorf("%d points up to %d: %v, number %d is not in its part", tt.n, tt.total, points, i)
			}
		}
	}
}

func TestVariables(t *testing.T) {
	t.Setenv(SeedVariable, "")
	t.Setenv(SamplesVariable, "12")
	if Seed() != 1 || Samples(3) != 12 {
		t.Errorf("seed %d, %d samples", Seed(), Samples(3))
	}
	t.Setenv(SeedVariable, "many")
	defer func() {
		if why, _ := recover().(string); !strings.Contains(why, `WSCHANNEL_SEED is "many"`) {
			t.Errorf("a wrong variable: %q", why)
		}
	}()
	Seed()
}
