package wasmtest

import (
	"strings"
	"testing"

	"github.com/wschannel/wschannel"
)

// Every message comes back as it was sent, in a browser through Connect as
// everywhere else.
func TestEchoes(t *testing.T) {
	hello := strings.Repeat("Hello World!", 10_000)
	bytes := strings.Repeat("\x00\xff", 500_000)
	const text, binary = wschannel.Text, wschannel.Binary
	type message struct {
		t    wschannel.Type
		data string
	}
	for _, tt := range []struct {
		name     string
		messages []message
	}{
		{"empty text, T024 T044", []message{{text, ""}}},
		{"no bytes, T025 T045", []message{{binary, ""}}},
		{"text, T026 T046 T067", []message{{text, "Hello World!"}}},
		{"bytes, T027 T047 T068", []message{{binary, "\x01\x02\x03\x04\x05"}}},
		{"long text, T028", []message{{text, hello}}},
		{"many bytes, T029", []message{{binary, bytes}}},
		{"emoji, T030", []message{{text, "\U0001F600 \U0001F9D1\u200D\U0001F680"}}},
		{"four at once, T031", []message{{binary, "\x01"}, {text, "Hello!"}, {binary, "\x01\x02"}, {text, "Hello World!"}}},
		{"four at once, T048 T051", []message{{text, "a"}, {binary, "b"}, {text, "c"}, {binary, "d"}}},
		{"every byte", []message{{binary, everyByte()}}},
		{"a byte order mark", []message{{text, "\uFEFFtext\uFEFF"}, {text, "\uFEFF"}}},
		{"NUL and line ends", []message{{text, "\x00\r\n\x00\u2028"}}},
		{"the edges of UTF-8", []message{{text, "\x7f\u0080\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff"}}},
		{"characters across 64 KiB, of 2 bytes", []message{{text, "x" + strings.Repeat("é", 50_000)}}},
		{"characters across 64 KiB, of 3 bytes", []message{{text, strings.Repeat("€", 50_000)}, {text, "x" + strings.Repeat("€", 50_000)}}},
		{"characters across 64 KiB, of 4 bytes", []message{{text, "xy" + strings.Repeat("\U0001F600", 50_000)}, {text, "xyz" + strings.Repeat("\U0001F600", 50_000)}}},
		{"64 KiB to the byte", []message{{text, strings.Repeat("x", 1<<16)}, {text, strings.Repeat("x", 1<<16-3)}, {binary, strings.Repeat("x", 1<<16)}}},
		{"as long as the limit", []message{{text, strings.Repeat("x", 1<<20)}, {binary, strings.Repeat("x", 1<<20)}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := connect(t, "/echo", nil)
			for _, m := range tt.messages {
				if err := c.Send(patiently(t), wschannel.Message{Type: m.t, Data: []byte(m.data)}); err != nil {
					t.Fatal(err)
				}
			}
			for _, m := range tt.messages {
				wantMessage(t, c, m.t, m.data)
			}
			if err := c.Close(); err != nil { // T043 T065
				t.Errorf("Close: %v", err)
			}
		})
	}
}

func everyByte() string {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return string(b)
}

// The memory of a message is the caller's before and after.
func TestMessagesShareNoMemory(t *testing.T) {
	c := connect(t, "/echo", nil)
	data := []byte("first")
	for _, s := range []string{"first", "other"} {
		copy(data, s)
		if err := c.SendBinary(patiently(t), data); err != nil {
			t.Fatal(err)
		}
	}
	clear(data)
	first, err := c.Receive(patiently(t))
	if err != nil {
		t.Fatal(err)
	}
	wantMessage(t, c, wschannel.Binary, "other")
	if string(first.Data) != "first" {
		t.Errorf("the first message is %q now", first.Data)
	}
}

// What must not be sent is refused, and the channel is as before.
func TestRefusedMessages(t *testing.T) {
	c := connect(t, "/echo", nil)
	for _, tt := range []struct {
		name string
		m    wschannel.Message
		want error
	}{
		{"the zero Message", wschannel.Message{}, wschannel.ErrInvalidType},
		{"a type that is none", wschannel.Message{Type: 3}, wschannel.ErrInvalidType},
		{"5.6: text that is not UTF-8", wschannel.Message{Type: wschannel.Text, Data: []byte("\xff")}, wschannel.ErrInvalidUTF8},
		{"5.6: a surrogate", wschannel.Message{Type: wschannel.Text, Data: []byte("\xed\xa0\x80")}, wschannel.ErrInvalidUTF8},
	} {
		if err := c.Send(patiently(t), tt.m); err != tt.want {
			t.Errorf("%s: %v; want %v", tt.name, err, tt.want)
		}
	}
	sendText(t, c, "fine")
	wantMessage(t, c, wschannel.Text, "fine")
}

// Many senders, one order: nothing is lost, nothing comes twice, and what one
// sends stays in order.
func TestConcurrentSenders(t *testing.T) {
	c := connect(t, "/echo", nil)
	const senders, each = 8, 50
	failed := make(chan error, senders)
	for s := range senders {
		go func() {
			for i := range each {
				if err := c.SendBinary(patiently(t), []byte{byte(s), byte(i)}); err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
	}
	var next [senders]byte
	for range senders * each {
		m, err := c.Receive(patiently(t))
		if err != nil {
			t.Fatal(err)
		}
		s, i := m.Data[0], m.Data[1]
		if i != next[s] {
			t.Fatalf("message %d of sender %d came; want %d", i, s, next[s])
		}
		next[s]++
	}
	for range senders {
		if err := wait(t, "a sender", failed); err != nil {
			t.Error(err)
		}
	}
}
