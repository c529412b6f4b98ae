package epoll

import (
	"bytes"
	"crypto/sha256"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A socket that is adopted is the same connection, with what lies in it, and
// without the one that it was adopted from.
func TestAdopt(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			near, far := kind.connect(t)
			local, remote := near.LocalAddr().String(), near.RemoteAddr().String()
			write(t, far, "sent before ")
			write(t, near, "written before ")
			c := adopt(t, near)
			write(t, far, "and after")
			write(t, c, "and after")
			wantRead(t, c, "sent before and after")
			wantRead(t, far, "written before and after")
			wantAddresses := func(when string) {
				t.Helper()
				if l, r := c.LocalAddr().String(), c.RemoteAddr().String(); l != local || r != remote {
					t.Errorf("%s: addresses are %q and %q, want %q and %q", when, l, r, local, remote)
				}
				if n := c.LocalAddr().Network(); n != near.LocalAddr().Network() {
					t.Errorf("%s: network is %q", when, n)
				}
			}
			wantAddresses("open")
			wantError(t, "CloseWrite", c.CloseWrite(), nil)
			if rest, err := io.ReadAll(far); len(rest) > 0 || err != nil {
				t.Errorf("the peer read %q, %v; want the end", rest, err)
			}
			far.Close()
			if rest, err := io.ReadAll(c); len(rest) > 0 || err != nil {
				t.Errorf("read %q, %v; want the end", rest, err)
			}
			eventually(t, "the hang-up", c.HungUp)
			wantAddresses("hung up")
			wantError(t, "Close", c.Close(), nil)
			wantAddresses("closed")
		})
	}
}

// The system forgets where a connection led that was reset.
func TestAddressesAfterAReset(t *testing.T) {
	near, far := tcpPair(t)
	remote := near.RemoteAddr().String()
	c := adopt(t, near)
	far.(*net.TCPConn).SetLinger(0)
	far.Close()
	_, err := c.Read(make([]byte, 1))
	wantError(t, "Read", err, syscall.ECONNRESET)
	for range 2 {
		if a := c.RemoteAddr(); a == nil || a.String() != remote {
			t.Errorf("RemoteAddr is %v, want %v", a, remote)
		}
		c.Close()
	}
}

// Close has everybody who waits return, and everybody after that.
func TestClose(t *testing.T) {
	onEach(t, func(t *testing.T, c *Conn, far net.Conn) {
		fill(t, c)
		raw, err := c.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		never := func(uintptr) bool { return false }
		reads := async(func() error { _, err := c.Read(make([]byte, 1)); return err })
		rawReads := async(func() error { return raw.Read(never) })
		writes := async(func() error { _, err := c.Write(make([]byte, 1)); return err })
		rawWrites := async(func() error { return raw.Write(never) })
		blocked(t, &c.in, 2)
		blocked(t, &c.out, 2)
		wantError(t, "Close", c.Close(), nil)
		for _, call := range []<-chan error{reads, rawReads, writes, rawWrites} {
			wantError(t, "who waits", await(t, "who waits", call), net.ErrClosed)
		}
		_, err = c.Read(nil)
		wantError(t, "Read", err, net.ErrClosed)
		_, err = c.Write(nil)
		wantError(t, "Write", err, net.ErrClosed)
		wantError(t, "Close", c.Close(), net.ErrClosed)
		wantError(t, "CloseWrite", c.CloseWrite(), net.ErrClosed)
		wantError(t, "SetDeadline", c.SetDeadline(time.Now()), net.ErrClosed)
		wantError(t, "SetWriteDeadline", c.SetWriteDeadline(time.Now()), net.ErrClosed)
		wantError(t, "Control", raw.Control(func(uintptr) { t.Error("called") }), net.ErrClosed)
		wantError(t, "Read", raw.Read(never), net.ErrClosed)
		wantError(t, "Write", raw.Write(never), net.ErrClosed)
		if rest, err := io.Copy(io.Discard, far); rest == 0 || err != nil {
			t.Errorf("the peer read %d bytes, %v", rest, err)
		}
	})
}

// A descriptor is not closed while somebody uses it: its number would be another's.
func TestCloseWhileInUse(t *testing.T) {
	c, far := adopted(t)
	raw, _ := c.SyscallConn()
	raw.Control(func(fd uintptr) {
		closing := make(chan error, 20)
		for range cap(closing) {
			go func() { closing <- c.Close() }()
		}
		closed := 0
		for range cap(closing) {
			if await(t, "Close", closing) == nil {
				closed++
			}
		}
		if closed != 1 {
			t.Errorf("%d times closed", closed)
		}
		if _, err := syscall.Getpeername(int(fd)); err != nil {
			t.Errorf("the descriptor: %v", err)
		}
	})
	if rest, err := io.ReadAll(far); len(rest) > 0 || err != nil {
		t.Errorf("the peer read %q, %v; want the end", rest, err)
	}
}

// Deadlines end reads and writes, before they begin and while they wait, can be
// moved, and cleared.
func TestDeadlines(t *testing.T) {
	onEach(t, func(t *testing.T, c *Conn, far net.Conn) {
		filled := fill(t, c)
		for _, way := range []struct {
			name string
			set  func(time.Time) error
			gate *gate
			do   func() error
		}{
			{"read", c.SetReadDeadline, &c.in, func() error { _, err := c.Read(make([]byte, 1)); return err }},
			{"write", c.SetWriteDeadline, &c.out, func() error { _, err := c.Write(make([]byte, 1)); return err }},
		} {
			set := func(at time.Time) { t.Helper(); wantError(t, way.name, way.set(at), nil) }
			for range 2 { // the second time there is a timer
				set(time.Unix(1, 0))
				wantError(t, way.name+" behind a deadline", way.do(), os.ErrDeadlineExceeded)
				wantError(t, way.name+" behind it once more", way.do(), os.ErrDeadlineExceeded)
				set(time.Time{})
				waits := async(way.do)
				blocked(t, way.gate, 1)
				set(time.Unix(1, 0))
				wantError(t, way.name+" that waits", await(t, way.name, waits), os.ErrDeadlineExceeded)

				set(time.Now().Add(time.Hour))
				waits = async(way.do)
				blocked(t, way.gate, 1)
				set(time.Now().Add(time.Millisecond)) // moved
				wantError(t, way.name+" with a deadline", await(t, way.name, waits), os.ErrDeadlineExceeded)

				set(time.Now().Add(time.Millisecond))
				set(time.Time{})
				waits = async(way.do)
				blocked(t, way.gate, 1)
				way.gate.expire() // as the timer of one that was cleared may
				if way.gate.is(passed) {
					t.Errorf("%s: a deadline that was cleared has passed", way.name)
				}
				wantError(t, way.name, c.SetDeadline(time.Unix(1, 0)), nil)
				wantError(t, way.name+" that waits", await(t, way.name, waits), os.ErrDeadlineExceeded)
				wantError(t, way.name, c.SetDeadline(time.Time{}), nil)
			}
		}
		// No harm was done.
		write(t, far, "still")
		wantRead(t, c, "still")
		if n, err := io.CopyN(io.Discard, far, int64(filled)); err != nil {
			t.Errorf("the peer read %d of %d bytes, %v", n, filled, err)
		}
		write(t, c, "here")
		wantRead(t, far, "here")
	})
}

// No timer is left of a socket that was closed while its deadline was set.
func TestDeadlineBesideClose(t *testing.T) {
	var g gate
	g.shut()
	g.setDeadline(time.Now().Add(time.Hour))
	if g.more != nil && g.more.timer != nil && g.more.timer.Stop() {
		t.Error("a timer is left")
	}
}

// Each of many that read gets something of what has come, however little the
// others take.
func TestConcurrentReads(t *testing.T) {
	for range 30 {
		c, far := adopted(t)
		const readers = 50
		var all sync.WaitGroup
		for range readers {
			all.Go(func() {
				if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil {
					t.Errorf("read %d, %v", n, err)
				}
			})
		}
		write(t, far, string(make([]byte, readers/2)))
		write(t, far, string(make([]byte, readers-readers/2)))
		await(t, "all of them", async(func() bool { all.Wait(); return true }))
		c.Close()
	}
}

// What does not fit is written when there is room, in order and as often as it has
// to wait.
func TestWriteBuffers(t *testing.T) {
	onEach(t, func(t *testing.T, c *Conn, far net.Conn) {
		long := bytes.Repeat([]byte("0123456789"), 200_000)
		syscall.SetsockoptInt(int(c.fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, 64<<10) // so that it does not fit
		far.(interface{ SetReadBuffer(int) error }).SetReadBuffer(64 << 10)
		for _, parts := range [][]string{
			{},
			{""},
			{"", ""},
			{"one"},
			{"", "two"},
			{"one", "", "two"},
			{"one", "two", "three", "", "five"},
			{string(long)},
			{"head", string(long)},
			{string(long), "", string(long), "tail"},
		} {
			var b net.Buffers
			want := ""
			for _, p := range parts {
				b = append(b, []byte(p))
				want += p
			}
			writes := async(func() error {
				n, err := c.WriteBuffers(&b)
				if int(n) != len(want) || len(b) > 0 {
					t.Errorf("wrote %d of %d bytes, left %d slices", n, len(want), len(b))
				}
				return err
			})
			if len(want) > len(long)-1 {
				blocked(t, &c.out, 1)
			}
			got := make([]byte, len(want))
			if n, err := io.ReadFull(far, got); err != nil || sha256.Sum256(got) != sha256.Sum256([]byte(want)) {
				t.Fatalf("the peer read %d of %d bytes, %v", n, len(want), err)
			}
			wantError(t, "WriteBuffers", await(t, "WriteBuffers", writes), nil)
		}
	})
}

// A write that is cut short tells what has left, and can go on.
func TestWriteBuffersCutShort(t *testing.T) {
	onEach(t, func(t *testing.T, c *Conn, far net.Conn) {
		long := bytes.Repeat([]byte("0123456789"), 1_000_000)
		b := net.Buffers{[]byte("head"), long}
		writes := async(func() int64 {
			n, err := c.WriteBuffers(&b)
			wantError(t, "WriteBuffers", err, os.ErrDeadlineExceeded)
			return n
		})
		blocked(t, &c.out, 1)
		c.SetWriteDeadline(time.Unix(1, 0))
		n := await(t, "WriteBuffers", writes)
		if left := len(bytes.Join(b, nil)); int(n)+left != 4+len(long) || left == 0 {
			t.Errorf("wrote %d, left %d of %d bytes", n, left, 4+len(long))
		}
		c.SetWriteDeadline(time.Time{})
		got := async(func() []byte { p, _ := io.ReadAll(far); return p })
		m, err := c.WriteBuffers(&b)
		if int(n+m) != 4+len(long) || err != nil {
			t.Errorf("wrote %d and %d of %d bytes, %v", n, m, 4+len(long), err)
		}
		c.Close()
		if p := await(t, "the peer", got); !bytes.Equal(p, append([]byte("head"), long...)) {
			t.Errorf("the peer read %d bytes", len(p))
		}
	})
}

// A peer that has gone away fails what is written.
func TestWriteToNobody(t *testing.T) {
	onEach(t, func(t *testing.T, c *Conn, far net.Conn) {
		far.Close()
		var err error
		eventually(t, "an error", func() bool {
			_, err = c.Write([]byte("hello"))
			return err != nil
		})
		if err != nil && !bytes.Contains([]byte(err.Error()), []byte("write: ")) {
			t.Errorf("Write: %v", err)
		}
	})
}
