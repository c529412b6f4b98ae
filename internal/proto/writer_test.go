package proto

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/wschannel/wschannel/internal/wire"
	"github.com/wschannel/wschannel/status"
)

// key is the one of the examples in RFC 6455 §5.7.
var key = [4]byte{0x37, 0xFA, 0x21, 0x3D}

// A call is one call of a Writer. Each method has a function that makes one.
type call func(w *Writer, dst []byte) []byte

func message(op wire.Opcode, payload string) call {
	return func(w *Writer, dst []byte) []byte { return w.AppendMessage(dst, op, []byte(payload), key) }
}

func fragment(op wire.Opcode, fin bool, payload string) call {
	return func(w *Writer, dst []byte) []byte { return w.AppendFragment(dst, op, fin, []byte(payload), key) }
}

func header(op wire.Opcode, fin bool, n int) call {
	return func(w *Writer, dst []byte) []byte { return w.AppendHeader(dst, op, fin, n, key) }
}

func control(op wire.Opcode, payload string) call {
	return func(w *Writer, dst []byte) []byte { return w.AppendControl(dst, op, []byte(payload), key) }
}

func closing(code status.Code, reason string) call {
	return func(w *Writer, dst []byte) []byte { return w.AppendClose(dst, code, reason, key) }
}

// Each call with the line that it leads to.
type line struct {
	call
	server, client string
}

var writings = []struct {
	name  string
	lines []line
}{
	{"5.7 text", []line{{
		message(wire.Text, "Hello"),
		`81 05 48 65 6c 6c 6f`,
		`81 85 37 fa 21 3d 7f 9f 4d 51 58`,
	}}},
	{"5.7 fragments", []line{
		{fragment(wire.Text, false, "Hel"), `01 03 "Hel"`, `01 83 37fa213d 7f9f4d`},
		{fragment(wire.Text, true, "lo"), `80 02 "lo"`, `80 82 37fa213d 5b95`},
	}},
	{"5.7 ping and pong", []line{
		{control(wire.Ping, "Hello"), `89 05 "Hello"`, `89 85 37fa213d 7f9f4d5158`},
		{control(wire.Pong, "Hello"), `8a 05 "Hello"`, `8a 85 37fa213d 7f9f4d5158`},
	}},
	{"5.2 lengths", []line{
		{message(wire.Binary, ""), `82 00`, `82 80 37fa213d`},
		{header(wire.Binary, true, 125), `82 7d`, `82 fd 37fa213d`},
		{header(wire.Binary, true, 126), `82 7e 007e`, `82 fe 007e 37fa213d`},
		{header(wire.Binary, true, 65535), `82 7e ffff`, `82 fe ffff 37fa213d`},
		{header(wire.Binary, true, 65536), `82 7f 0000000000010000`, `82 ff 0000000000010000 37fa213d`},
	}},
	{"5.4 payload that the caller sends", []line{
		{header(wire.Text, false, 3), `01 03`, `01 83 37fa213d`},
		{header(wire.Text, false, 0), `00 00`, `00 80 37fa213d`},
		{header(wire.Text, true, 2), `80 02`, `80 82 37fa213d`},
		{header(wire.Text, true, 1), `81 01`, `81 81 37fa213d`},
	}},
	{"5.4 control frames between fragments", []line{
		{fragment(wire.Binary, false, ""), `02 00`, `02 80 37fa213d`},
		{control(wire.Ping, ""), `89 00`, `89 80 37fa213d`},
		{fragment(wire.Binary, false, ""), `00 00`, `00 80 37fa213d`},
		{control(wire.Pong, ""), `8a 00`, `8a 80 37fa213d`},
		{fragment(wire.Binary, true, ""), `80 00`, `80 80 37fa213d`},
		{message(wire.Text, ""), `81 00`, `81 80 37fa213d`},
	}},
	{"5.5 longest control frame", []line{{
		control(wire.Ping, strings.Repeat("\x00", 125)),
		`89 7d "\x00"*125`, `89 fd 37fa213d "\x37\xfa\x21\x3d"*31 37`,
	}}},
	{"5.5.1 close", []line{
		{closing(status.NoStatusReceived, ""), `88 00`, `88 80 37fa213d`},
		{closing(status.NormalClosure, ""), `88 02 03e8`, `88 82 37fa213d 3412`},
		{closing(status.GoingAway, "é"), `88 04 03e9 c3a9`, `88 84 37fa213d 3413e294`},
		{closing(4000, strings.Repeat("r", 123)), `88 7d 0fa0 "r"*123`, ``},
	}},
	{"5.5.1 close inside a message", []line{
		{fragment(wire.Text, false, ""), `01 00`, `01 80 37fa213d`},
		{closing(status.PolicyViolation, ""), `88 02 03f0`, `88 82 37fa213d 340a`},
	}},
}

func TestWriter(t *testing.T) {
	for _, tt := range writings {
		t.Run(tt.name, func(t *testing.T) {
			server, client := NewWriter(true), NewWriter(false)
			if server.Masked() || !client.Masked() {
				t.Error("a client masks, a server does not")
			}
			for i, line := range tt.lines {
				for w, text := range map[*Writer]string{&server: line.server, &client: line.client} {
					if text == "" {
						continue
					}
					want := "before" + string(literal(t, text))
					if got := line.call(w, []byte("before")); string(got) != want {
						t.Errorf("line %d, masked %t:\n got %x\nwant %x", i, w.Masked(), got, want)
					}
				}
			}
		})
	}
}

// The payload is the caller's, and stays as it was.
func TestWriterCopiesPayload(t *testing.T) {
	payload := []byte("Hello")
	w := NewWriter(false)
	dst := make([]byte, 0, 100)
	dst = w.AppendMessage(dst, wire.Text, payload, key)
	w.AppendControl(dst, wire.Ping, payload, key)
	if string(payload) != "Hello" {
		t.Errorf("payload became %x", payload)
	}
}

func TestWriterPanics(t *testing.T) {
	begin := fragment(wire.Text, false, "")
	for _, tt := range []struct {
		name   string
		before call
		call   call
	}{
		{"5.4 message inside a message", begin, message(wire.Text, "")},
		{"5.5 control frame of 126 bytes", nil, control(wire.Ping, strings.Repeat("a", 126))},
		{"5.5.1 close as AppendControl", nil, control(wire.Close, "\x03")},
		{"5.5.1 reason of 124 bytes", nil, closing(1000, strings.Repeat("r", 124))},
		{"5.5.1 reason without a code", nil, closing(status.NoStatusReceived, "bye")},
		{"8.1 reason that is not UTF-8", nil, closing(1000, "\xC3")},
		{"7.4 no code", nil, closing(0, "")},
		{"7.4 code that is never sent", nil, closing(status.AbnormalClosure, "")},
		{"7.4 code out of range", nil, closing(5000, "")},
	} {
		t.Run(tt.name, func(t *testing.T) { panics(t, tt.before, tt.call) })
	}
	for op := range wire.Opcode(17) {
		if op != wire.Text && op != wire.Binary {
			t.Run(fmt.Sprintf("5.2 data frame with opcode 0x%X", op), func(t *testing.T) {
				panics(t, nil, message(op, ""))
				panics(t, nil, fragment(op, false, ""))
				panics(t, begin, fragment(op, false, ""))
				panics(t, nil, header(op, true, 0))
			})
		}
		if op != wire.Ping && op != wire.Pong {
			t.Run(fmt.Sprintf("5.2 control frame with opcode 0x%X", op), func(t *testing.T) {
				panics(t, nil, control(op, ""))
			})
		}
	}
}

// panics fails unless the call panics and leaves the Writer as it was.
func panics(t *testing.T, before, misuse call) {
	t.Helper()
	w := NewWriter(true)
	if before != nil {
		before(&w, nil)
	}
	was := w
	defer func() {
		t.Helper()
		if recover() == nil {
			t.Error("no panic")
		}
		if w != was {
			t.Errorf("%+v, was %+v", w, was)
		}
	}()
	misuse(&w, nil)
}

// Every length at a boundary, in both roles and appended to a dst with and
// without capacity, comes out of a Reader as it went in.
func TestWriterThenReader(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 127, 65535, 65536, 65537} {
		for _, server := range []bool{false, true} {
			payload := bytes.Repeat([]byte("0123456789abc"), n/13+1)[:n]
			w := NewWriter(server)
			for _, dst := range [][]byte{nil, make([]byte, 0, n+wire.MaxHeader)} {
				cfg := Config{Server: !server, MessageLimit: n, FragmentLimit: 1}
				tr := newTransport(t, cfg, MinBuffer, collectNew)
				tr.feed(w.AppendMessage(dst, wire.Binary, payload, key), whole)
				if len(tr.got) != 1 || tr.got[0] != (record{"message binary", string(payload)}) {
					t.Errorf("%d bytes, server %t: %.100q", n, server, tr.got)
				}
			}
		}
	}
}
