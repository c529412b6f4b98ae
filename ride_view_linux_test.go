package wschannel

import (
	"bytes"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
)

// held returns how much memory the reader of c has for a message, and how much of
// it is filled.
func held(t testing.TB, c *Channel) (size, filled int) {
	t.Helper()
	e := &c.engine
	eventually(t, "the right to read", e.reading.try)
	defer e.reading.release()
	p, _ := e.in.Lent()
	return cap(p), len(p)
}

// A view of a long message takes memory as it comes, never for what was claimed,
// and none when it is gone.
func TestRideLongViews(t *testing.T) {
	for _, on := range sockets {
		t.Run(on.name, func(t *testing.T) {
			c, p := withPeer(t, on.connect, RoleServer, nil)
			lengths := make(chan int, 10)
			message := letters(1 << 20)
			c.ListenView(func(v View) {
				if string(v.Data) != message {
					t.Errorf("got %d bytes, or others than were sent", len(v.Data))
				}
				lengths <- len(v.Data)
			}, nil)
			wantRiding(t, c)
			frame := p.frame(binaryFrame, message)
			for _, piece := range []int{10, 14, 1000, 30_000, 100_000, 500_000} {
				for rest := frame; len(rest) > 0; {
					n := min(piece, len(rest))
					writePart(t, c, p, rest[:n])
					rest = rest[n:]
					if piece < 1000 {
						piece = len(frame)
					}
					if len(rest) == 0 {
						break
					}
					wantRiding(t, c)
					if size, filled := held(t, c); size > 4*(len(frame)-len(rest))+readBuffer && size > 4*filled {
						t.Fatalf("%d bytes have come, and memory for %d is held", len(frame)-len(rest), size)
					}
				}
				if n := within(t, "the view", lengths); n != len(message) {
					t.Fatalf("got %d bytes", n)
				}
				wantRiding(t, c)
				if size, _ := held(t, c); size > 0 {
					t.Fatalf("nothing has come, and memory for %d bytes is held", size)
				}
			}
		})
	}
}

// A view is valid during the call, and no longer; what Listen brings is the
// callback's own.
func TestRideOwnership(t *testing.T) {
	for _, size := range []int{10, 40_000, 300_000} {
		riding(t, func(t *testing.T, connect connector, role Role, listen listenFunc) {
			near, far := connect(t)
			c, other := newOn(t, near, role, nil), newOn(t, far, RoleClient+RoleServer-role, nil)
			messages := make([][]byte, 20)
			for i := range messages {
				messages[i] = bytes.Repeat([]byte{byte('a' + i)}, size)
			}
			views := strings.Contains(t.Name(), "ListenView")
			var kept [][]byte
			seen := make(chan int, len(messages))
			listen(c, func(_ Type, data []byte) {
				i := len(kept)
				if !bytes.Equal(data, messages[i]) {
					t.Errorf("message %d is another one", i)
				}
				for j, k := range kept {
					switch is := bytes.Equal(k, messages[j]); {
					case !views && !is:
						t.Errorf("message %d has changed", j)
					case views && is && poisoning:
						t.Errorf("view %d is still valid", j)
					}
				}
				kept = append(kept, data)
				seen <- i
			}, nil)
			for _, m := range messages {
				if err := other.SendBinary(t.Context(), m); err != nil {
					t.Fatal(err)
				}
				within(t, "the callback", seen)
			}
		})
	}
}

// Callbacks that block in sending, for their peers do not read, hold up no other
// channel: there are more of them than loops.
func TestRideBlockedInSending(t *testing.T) {
	riding(t, func(t *testing.T, connect connector, role Role, listen listenFunc) {
		n := 2*runtime.GOMAXPROCS(0) + 1
		long := make([]byte, 16<<20)
		var blocked atomic.Int32
		var stuck []*Channel
		returned := make(chan error, n)
		for range n {
			c, p := withPeer(t, connect, role, &Options{WriteTimeout: -1, PingInterval: -1})
			listen(c, func(Type, []byte) {
				blocked.Add(1)
				returned <- c.SendBinary(t.Context(), long)
			}, nil)
			wantRiding(t, c)
			p.send(textFrame, "go")
			stuck = append(stuck, c)
		}
		for range n {
			near, far := connect(t)
			c, other := newOn(t, near, role, nil), newOn(t, far, RoleClient+RoleServer-role, nil)
			listen(c, func(typ Type, data []byte) { c.Send(t.Context(), Message{typ, data}) }, nil)
			for range 20 {
				if err := other.SendText(t.Context(), "hello"); err != nil {
					t.Fatal(err)
				}
				wantMessage(t, other, "hello")
			}
		}
		eventually(t, "all to send", func() bool { return int(blocked.Load()) == n })
		if len(returned) > 0 {
			t.Fatalf("Send: %v", <-returned)
		}
		for _, c := range stuck {
			c.CloseNow()
			if err := within(t, "Send", returned); err == nil {
				t.Error("what nobody has read was sent")
			}
		}
	})
}
