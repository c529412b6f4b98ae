package interop

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

// A meet function returns the two ends of a new connection.
type meet func() (*wschannel.Channel, *remote)

// The scenarios are gone through in both roles.
var scenarios = []struct {
	name string
	run  func(t *testing.T, l *library, m meet)
}{
	{"text", func(t *testing.T, l *library, m meet) {
		testMessages(t, m, wschannel.Text, "Hello", "Grüße, 你好 👋", "\x00")
	}},
	{"binary", func(t *testing.T, l *library, m meet) {
		testMessages(t, m, wschannel.Binary, "\x00\x01\x7f\x80\xfe\xff", "Grüße")
	}},
	{"empty", func(t *testing.T, l *library, m meet) {
		testMessages(t, m, wschannel.Text, "", "")
		testMessages(t, m, wschannel.Binary, "", "")
	}},
	// The lengths at which the header of a frame changes its form (§5.2).
	{"lengths", func(t *testing.T, l *library, m meet) {
		for _, n := range []int{125, 126, 127, 65_535, 65_536} {
			testMessages(t, m, wschannel.Binary, string(binaryOf(n)))
			testMessages(t, m, wschannel.Text, strings.Repeat("x", n))
		}
	}},
	{"16 MiB to the peer", testLargeOut},
	{"16 MiB from the peer", testLargeIn},
	{"order", testOrder},
	{"fragments from the peer", testFragmentsIn},
	{"fragments to the peer", testFragmentsOut},
	{"ping", testPing},
	{"be pinged", testBePinged},
	{"not UTF-8", testNotUTF8},
	{"too long", testTooLong},
	{"close", testClose},
	{"close without a code", testCloseWithoutCode},
	{"be closed", testBeClosed},
	{"be closed without a code", testBeClosedWithoutCode},
	{"both close", testBothClose},
	{"hang up", testHangUp},
	{"be hung up on", testBeHungUpOn},
}

// testMessages sends messages to and fro.
func testMessages(t *testing.T, m meet, typ wschannel.Type, messages ...string) {
	t.Helper()
	c, r := m()
	for _, data := range messages {
		if err := c.Send(patiently(t), wschannel.Message{Type: typ, Data: []byte(data)}); err != nil {
			t.Fatal(err)
		}
		r.wantArrived(t, typ, data)
		r.do(t, command{Do: "send", Binary: typ == wschannel.Binary, Parts: [][]byte{[]byte(data)}})
		wantMessage(t, c, typ, data)
	}
}

// large is the size of the largest message; all sides have a limit that is a
// MiB higher.
const large = 16 << 20

func testLargeOut(t *testing.T, l *library, m meet) {
	c, r := m()
	data := binaryOf(large)
	if err := c.SendBinary(patiently(t), data); err != nil {
		t.Fatal(err)
	}
	r.wantArrived(t, wschannel.Binary, string(data))
	text := strings.Repeat("Grüße, 你好 👋\n", 100_000)
	if err := c.SendText(patiently(t), text); err != nil {
		t.Fatal(err)
	}
	r.wantArrived(t, wschannel.Text, text)
}

func testLargeIn(t *testing.T, l *library, m meet) {
	c, r := m()
	part := binaryOf(1<<16 + 1)
	times := large / len(part)
	r.do(t, command{Do: "send", Binary: true, Parts: [][]byte{part}, Times: times})
	wantMessage(t, c, wschannel.Binary, strings.Repeat(string(part), times))

	// What is longer than the limit can be streamed.
	times = options.MessageLimit/len(part) + 1
	r.do(t, command{Do: "send", Binary: true, Parts: [][]byte{part}, Times: times})
	typ, body, err := c.NextReader(patiently(t))
	if err != nil || typ != wschannel.Binary {
		t.Fatal(typ, err)
	}
	b, err := io.ReadAll(body)
	if want := strings.Repeat(string(part), times); err != nil || string(b) != want {
		t.Errorf("streamed %d bytes, want %d: %v", len(b), len(want), err)
	}
}

// Many messages each way at the same time.
func testOrder(t *testing.T, l *library, m meet) {
	const n = 300
	c, r := m()
	for i := range n {
		r.do(t, command{Do: "send", Parts: [][]byte{fmt.Appendf(nil, "in %d", i)}})
	}
	for i := range n {
		if err := c.SendText(patiently(t), fmt.Sprintf("out %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		wantMessage(t, c, wschannel.Text, fmt.Sprintf("in %d", i))
		r.wantArrived(t, wschannel.Text, fmt.Sprintf("out %d", i))
	}
}

// Fragments of all sizes, with pings in between (§5.4).
func testFragmentsIn(t *testing.T, l *library, m meet) {
	c, r := m()
	parts := [][]byte{[]byte("fragmented \xe2\x98"), []byte("\x95"), {}, []byte(" text"), []byte(strings.Repeat("!", 70_000))}
	if !l.hello.Splits {
		parts[0], parts[1] = []byte("fragmented "), []byte("☕")
	}
	for _, binary := range []bool{false, true} {
		typ := wschannel.Text
		if binary {
			typ = wschannel.Binary
		}
		r.do(t, command{Do: "send", Binary: binary, Parts: parts})
		wantMessage(t, c, typ, "fragmented ☕ text"+strings.Repeat("!", 70_000))
		r.do(t, command{Do: "send", Binary: binary, Parts: parts[:2], Ping: fmt.Sprint("between ", binary)})
		wantMessage(t, c, typ, "fragmented ☕")
		if e := r.await(t, "pong"); e.Text != fmt.Sprint("between ", binary) {
			t.Errorf("the peer has got %+v", e)
		}
	}
}

func testFragmentsOut(t *testing.T, l *library, m meet) {
	c, r := m()
	for _, typ := range []wschannel.Type{wschannel.Text, wschannel.Binary} {
		w, err := c.NextWriter(patiently(t), typ)
		if err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for _, part := range []string{"fragmented \xe2\x98", "\x95", "", strings.Repeat(" text", 30_000), "."} {
			all.WriteString(part)
			if _, err := io.WriteString(w, part); err != nil {
				t.Fatal(err)
			}
		}
		// A ping may come between the fragments.
		if err := pingOnce(t, c); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r.wantArrived(t, typ, all.String())
	}
}

// pingOnce pings while nobody receives.
func pingOnce(t *testing.T, c *wschannel.Channel) error {
	rtt, err := c.Ping(patiently(t))
	if err == nil && rtt <= 0 {
		err = fmt.Errorf("a round trip of %v", rtt)
	}
	return err
}

func testPing(t *testing.T, l *library, m meet) {
	c, _ := m()
	for range 3 {
		if err := pingOnce(t, c); err != nil {
			t.Fatal(err)
		}
	}
}

// §5.5.3: a pong has the ping's payload. Nobody receives.
func testBePinged(t *testing.T, l *library, m meet) {
	_, r := m()
	for _, payload := range []string{"ping", "", strings.Repeat("x", 125)} {
		r.do(t, command{Do: "ping", Text: payload})
		if e := r.await(t, "pong"); e.Text != payload {
			t.Errorf("the peer has got %+v, want %q", e, payload)
		}
	}
}

// §8.1, and the message before it is delivered.
func testNotUTF8(t *testing.T, l *library, m meet) {
	if !l.hello.Splits {
		return // this version sends strings only
	}
	c, r := m()
	r.do(t, command{Do: "send", Parts: [][]byte{[]byte("good")}})
	wantMessage(t, c, wschannel.Text, "good")
	r.do(t, command{Do: "send", Parts: [][]byte{[]byte("bad \xff")}})
	_, err := c.Receive(patiently(t))
	end, ok := errors.AsType[*wschannel.CloseError](err)
	broken, isProtocol := errors.AsType[*wschannel.ProtocolError](err)
	if !ok || end.Code != status.InvalidFramePayloadData || !isProtocol || broken.Section != "8.1" {
		t.Errorf("ended with %v, want 1007 and §8.1", err)
	}
	if e := r.await(t, "closed"); e.Code != int(status.InvalidFramePayloadData) {
		t.Errorf("it ended for the peer with %+v", e)
	}
}

// Each side refuses what is longer than its limit with 1009.
func testTooLong(t *testing.T, l *library, m meet) {
	c, r := m()
	r.do(t, command{Do: "send", Binary: true, Parts: [][]byte{binaryOf(1 << 16)}, Times: options.MessageLimit>>16 + 1})
	wantEndCode(t, c, status.MessageTooBig, false)
	if e := r.await(t, "closed"); e.Code != int(status.MessageTooBig) {
		t.Errorf("it ended for the peer with %+v", e)
	}

	c, _ = m()
	// It may be refused while it is on its way.
	err := c.SendBinary(patiently(t), make([]byte, options.MessageLimit+1))
	if err != nil && !errors.Is(err, wschannel.ErrClosed) {
		t.Fatal(err)
	}
	wantEndCode(t, c, status.MessageTooBig, true)
}

func wantEndCode(t *testing.T, c *wschannel.Channel, code status.Code, remote bool) {
	t.Helper()
	_, err := c.Receive(patiently(t))
	if end, ok := errors.AsType[*wschannel.CloseError](err); !ok || end.Code != code || end.Remote != remote {
		t.Fatalf("ended with %v, want code %d, remote %v", err, code, remote)
	}
}

// closes are codes and reasons that may be sent (§7.4).
var closes = []struct {
	code   status.Code
	reason string
}{
	{status.NormalClosure, ""}, {status.NormalClosure, "bye"}, {status.GoingAway, "Grüße"},
	{status.ProtocolError, ""}, {status.UnsupportedData, "no"}, {status.PolicyViolation, strings.Repeat("x", 123)},
	{status.InternalError, strings.Repeat("你", 41)}, {3000, "registered"}, {4999, "private"},
}

func testClose(t *testing.T, l *library, m meet) {
	for _, cl := range closes {
		c, r := m()
		if err := c.SendText(patiently(t), "before"); err != nil {
			t.Fatal(err)
		}
		if err := c.CloseWith(cl.code, cl.reason); err != nil {
			t.Errorf("CloseWith(%v, %q): %v", cl.code, cl.reason, err)
		}
		r.wantArrived(t, wschannel.Text, "before")
		r.wantClosed(t, cl.code, cl.reason)
		wantEnd(t, c, cl.code, cl.reason, false)
	}
}

func testCloseWithoutCode(t *testing.T, l *library, m meet) {
	c, r := m()
	if err := c.CloseWith(0, ""); err != nil {
		t.Error(err)
	}
	r.wantClosed(t, status.NoStatusReceived, "")
	wantEnd(t, c, status.NoStatusReceived, "", false)
}

func testBeClosed(t *testing.T, l *library, m meet) {
	for _, cl := range closes {
		c, r := m()
		r.do(t, command{Do: "send", Parts: [][]byte{[]byte("before")}})
		r.do(t, command{Do: "close", Code: int(cl.code), Text: cl.reason})
		wantMessage(t, c, wschannel.Text, "before")
		wantEnd(t, c, cl.code, cl.reason, true)
		r.wantClosed(t, cl.code, cl.reason)
	}
}

func testBeClosedWithoutCode(t *testing.T, l *library, m meet) {
	if !l.hello.Codeless {
		return // this library always sends one
	}
	c, r := m()
	r.do(t, command{Do: "close"})
	wantEnd(t, c, status.NoStatusReceived, "", true)
	r.wantClosed(t, status.NoStatusReceived, "")
}

// X01: both sides close at once.
func testBothClose(t *testing.T, l *library, m meet) {
	for range 5 {
		c, r := m()
		r.do(t, command{Do: "close", Code: 4001, Text: "theirs"})
		if err := c.CloseWith(4002, "ours"); err != nil && !errors.Is(err, wschannel.ErrClosed) {
			t.Errorf("CloseWith: %v", err)
		}
		end, ok := errors.AsType[*wschannel.CloseError](c.Err())
		if !ok || end.Remote && end.Code != 4001 || !end.Remote && end.Code != 4002 {
			t.Errorf("ended with %v", c.Err())
		}
		if e := r.await(t, "closed"); e.Code != 4001 && e.Code != 4002 {
			t.Errorf("it ended for the peer with %+v", e)
		}
	}
}

// CloseNow sends no close frame (§7.1.7).
func testHangUp(t *testing.T, l *library, m meet) {
	c, r := m()
	if err := c.CloseNow(); err != nil {
		t.Error(err)
	}
	wantEnd(t, c, status.AbnormalClosure, "", false)
	r.wantClosed(t, status.AbnormalClosure, "")
}

// X11: no close frame is 1006, with a cause.
func testBeHungUpOn(t *testing.T, l *library, m meet) {
	for _, unread := range []bool{false, true} {
		c, r := m()
		if unread { // the peer's socket may be reset for it
			if err := c.SendText(patiently(t), "unread"); err != nil {
				t.Fatal(err)
			}
		}
		r.do(t, command{Do: "terminate"})
		wantLost(t, c)
	}
}

// wantLost receives the error of a lost connection.
func wantLost(t *testing.T, c *wschannel.Channel) {
	t.Helper()
	cause := wantEnd(t, c, status.AbnormalClosure, "", false)
	if !errors.Is(cause, io.ErrUnexpectedEOF) && !errors.Is(cause, syscall.ECONNRESET) && !errors.Is(cause, syscall.EPIPE) {
		t.Errorf("lost by %v, want an unexpected end or a reset", cause)
	}
	if errors.Is(c.Err(), wschannel.ErrLocalClose) {
		t.Errorf("a loss that looks like a local close: %v", c.Err())
	}
}

// testKilled kills the peer's process: the kernel closes its connections.
func testKilled(t *testing.T, l *library) {
	server, _ := meetServer(t, l)
	client, _ := meetClient(t, l)
	if err := l.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	wantLost(t, server)
	wantLost(t, client)
}
