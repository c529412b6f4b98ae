package proto

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/wschannel/wschannel/internal/wire"
)

// A conversation is a transcript with its name. Its frames are written as a
// server sends them; for the other role they are masked on the way.
type conversation struct{ name, text string }

// conversations are told for messages that are collected. What streaming and
// dropping them leads to follows from it.
var conversations = []conversation{
	{"5.2 every length form", `
		< 82 00
		message binary ""
		< 82 7D "a"*125
		message binary "a"*125
		< 82 7E 007E "b"*126
		message binary "b"*126
		< 82 7E FFFF "c"*65535
		message binary "c"*65535
		< 82 7F 0000000000010000 "d"*65536
		message binary "d"*65536`},
	{"5.2 header in pieces", `
		< 82
		< 7E
		< 01
		< 00
		< "d"*255
		< "e"
		message binary "d"*255 "e"`},
	{"5.2 RSV1", `
		< C1 05 "Hello"
		violation 1002 5.2`},
	{"5.2 RSV2", `
		< 81 02 "hi" A1 00
		message text "hi"
		violation 1002 5.2`},
	{"5.2 RSV3 on a control frame", `
		< 99 00
		violation 1002 5.2`},
	{"5.2 reserved data opcode, before its payload", `
		< 83
		< 05
		violation 1002 5.2
		< "Hello"`},
	{"5.2 reserved control opcode", `
		< 8B 00
		violation 1002 5.2`},
	{"5.2 reserved opcode inside a message", `
		< 01 01 "a" 87 00
		violation 1002 5.2`},
	{"5.2 length not minimal, 16 bits", `
		< 82 7E 00 7D
		violation 1002 5.2`},
	{"5.2 length not minimal, 64 bits", `
		< 82 7F 00 00 00 00 00 00 FF
		< FF
		violation 1002 5.2`},
	{"5.2 most significant bit", `
		< 82 7F 80 00 00 00 00 00 00 00
		violation 1002 5.2`},

	{"5.4 two fragments", `
		< 01 03 "Hel"
		< 80 02 "lo"
		message text "Hello"`},
	{"5.4 fragments of one byte", `
		< 02 01 "a" 00 01 "b" 00 01 "c" 80 01 "d"
		message binary "abcd"`},
	{"5.4 empty fragments", `
		< 01 00 00 00 00 01 "a" 00 00 80 00
		message text "a"`},
	{"5.4 nothing but empty fragments", `
		< 01 00 00 00 80 00
		message text ""`},
	{"5.4 long fragments", `
		< 02 7E 01F4 "a"*500
		< 00 7E 03E8 "b"*1000
		< 80 0A "c"*10
		message binary "a"*500 "b"*1000 "c"*10`},
	{"5.4 control frames in between", `
		< 01 03 "Hel" 89 01 "1"
		ping "1"
		< 00 01 "l" 8A 00
		pong ""
		< 89 00 8A 01 "2"
		ping ""
		pong "2"
		< 80 01 "o"
		message text "Hello"`},
	{"5.4 control frames between long fragments", `
		< 02 7E 0100 "a"*256 89 7D "p"*125
		ping "p"*125
		< 00 7E 0100 "b"*256 8A 7D "q"*125
		pong "q"*125
		< 80 7E 0100 "c"*256
		message binary "a"*256 "b"*256 "c"*256`},
	{"5.4 message after message", `
		< 01 01 "a" 80 01 "b" 82 01 "c" 02 01 "d" 80 01 "e"
		message text "ab"
		message binary "c"
		message binary "de"`},
	{"5.4 nothing to continue", `
		< 80 01 "a"
		violation 1002 5.4`},
	{"5.4 nothing to continue after a message", `
		< 01 01 "a" 80 01 "b" 00 01 "c"
		message text "ab"
		violation 1002 5.4`},
	{"5.4 nothing to continue after a single frame", `
		< 81 01 "a" 80 00
		message text "a"
		violation 1002 5.4`},
	{"5.4 interleaved text", `
		< 01 01 "a" 81 01 "b"
		violation 1002 5.4`},
	{"5.4 interleaved binary", `
		< 02 01 "a" 89 00 02 01 "b"
		ping ""
		violation 1002 5.4`},

	{"5.5 long control frame, before its payload", `
		< 89 7E 00 7E
		violation 1002 5.5
		< "a"*126`},
	{"5.5 fragmented ping", `
		< 09 00
		violation 1002 5.5`},
	{"5.5 fragmented close", `
		< 08 02 03E8
		violation 1002 5.5`},

	{"5.5.1 empty close", `
		< 88 00
		close 1005 ""`},
	{"5.5.1 code", `
		< 88 02 03
		< E8
		close 1000 ""`},
	{"5.5.1 code and reason", `
		< 88 05 0FA0 "bye"
		close 4000 "bye"`},
	{"5.5.1 longest reason", `
		< 88 7D 03E9 "r"*123
		close 1001 "r"*123`},
	{"5.5.1 body of one byte", `
		< 88 01 03
		violation 1002 5.5.1`},
	{"5.5.1 what follows is ignored", `
		< 81 01 "a" 88 02 03E8 81 01 "b" 88 02 03E9 FF FF
		message text "a"
		close 1000 ""
		< "anything"*1000`},
	{"5.5.1 inside a message", `
		< 01 03 "Hel" 88 02 03E8
		close 1000 ""
		< 80 02 "lo"`},
	{"5.5.1 inside a message of long fragments", `
		< 02 7E 0100 "a"*256 88 00
		close 1005 ""
		< 80 02 "lo"`},
	{"7.4 code that is never sent", `
		< 88 02 03ED
		violation 1002 7.4`},
	{"7.4 code out of range", `
		< 88 02 1388
		violation 1002 7.4`},
	{"8.1 close reason", `
		< 88 04 03E8 C3 28
		violation 1007 8.1`},

	{"5.5.2 pings", `
		< 89 00
		ping ""
		< 89 04 00 FF C3 0A
		ping "\x00\xff\xc3\n"
		< 89 7D "p"*124
		< "q"
		ping "p"*124 "q"
		< 89 01 "1" 89 01 "2" 89 01 "3"
		ping "1"
		ping "2"
		ping "3"`},
	{"5.5.3 pongs nobody asked for", `
		< 8A 00 8A 05 "Hello"
		pong ""
		pong "Hello"`},

	{"5.6 text and binary", `
		< 81 05 "Hello" 82 05 "Hello"
		message text "Hello"
		message binary "Hello"`},
	{"5.6 binary is anything", `
		< 82 04 FF C0 ED 80
		message binary "\xff\xc0\xed\x80"`},
	{"5.6 binary ends inside a character", `
		< 82 01 E2 81 02 C3 A9
		message binary "\xe2"
		message text "é"`},

	{"5.7 unmasked text", `
		< 81 05 48 65 6c 6c 6f
		message text "Hello"`},
	{"5.7 fragments", `
		< 01 03 48 65 6c
		< 80 02 6c 6f
		message text "Hello"`},
	{"5.7 ping", `
		< 89 05 48 65 6c 6c 6f
		ping "Hello"`},
	{"5.7 256 bytes", `
		< 82 7E 0100 "a"*256
		message binary "a"*256`},
}

// asServer are the examples whose frames are masked, and what only a server
// refuses.
var asServer = []conversation{
	{"5.7 masked text", `
		< 81 85 37 fa 21 3d 7f 9f 4d 51 58
		message text "Hello"`},
	{"5.7 masked pong", `
		< 8a 85 37 fa 21 3d 7f 9f 4d 51 58
		pong "Hello"`},
	{"5.3 key of zeros", `
		< 81 85 00 00 00 00 "Hello"
		message text "Hello"`},
	{"5.3 each frame with its own key", `
		< 01 83 37 fa 21 3d 7f 9f 4d
		< 80 82 01 02 03 04 6d 6d
		message text "Hello"`},
	{"5.3 key without payload", `
		< 81 80 01 02 03
		< 04
		message text ""`},
	{"5.1 unmasked text", `
		< 81 05
		violation 1002 5.1
		< "Hello"`},
	{"5.1 unmasked ping", `
		< 89 00
		violation 1002 5.1`},
	{"5.1 unmasked close", `
		< 88 00
		violation 1002 5.1`},
}

var asClient = []conversation{
	{"5.1 masked text", `
		< 81 85 37 fa 21
		< 3d
		violation 1002 5.1
		< 7f 9f 4d 51 58`},
	{"5.1 masked close", `
		< 88 80 01 02 03 04
		violation 1002 5.1`},
}

func TestConversations(t *testing.T) {
	for _, c := range conversations {
		t.Run(c.name, func(t *testing.T) { testBothRoles(t, unlimited, c.text) })
	}
	for _, c := range asServer {
		t.Run("server: "+c.name, func(t *testing.T) {
			cfg := unlimited
			cfg.Server = true
			testTranscript(t, cfg, parseTranscript(t, c.text))
		})
	}
	for _, c := range asClient {
		t.Run("client: "+c.name, func(t *testing.T) {
			testTranscript(t, unlimited, parseTranscript(t, c.text))
		})
	}
}

var unlimited = Config{MessageLimit: -1, FragmentLimit: -1}

// testBothRoles runs a transcript as it stands for a client, and with its
// frames masked for a server.
func testBothRoles(t *testing.T, cfg Config, text string) {
	t.Helper()
	steps := parseTranscript(t, text)
	testTranscript(t, cfg, steps)
	cfg.Server = true
	testTranscript(t, cfg, maskSteps(steps))
}

// testTranscript runs a transcript of collected messages in every way in which
// messages can be asked for.
func testTranscript(t *testing.T, cfg Config, steps []step) {
	t.Helper()
	same := func(records []record) []record { return records }
	testMode(t, "collect in new memory", cfg, steps, collectNew, same)
	testMode(t, "collect ahead", cfg, steps, collectAhead, same)
	// Text that is wrong may be noticed later than its line.
	testMode(t, "collect in place", cfg, steps, collectInPlace, func(records []record) []record {
		return without(records, lineEnd.what)
	})
	for _, room := range []int{0, 3, 300, 1 << 17} {
		testMode(t, fmt.Sprintf("collect into %d bytes", room), cfg, steps, collectInto(room), same)
	}
	sent := 0
	for _, s := range steps {
		sent += len(s.bytes)
	}
	for _, size := range []int{1, 5, MinBuffer, 1 << 17} {
		if sent > 10000 && size < MinBuffer {
			continue // for the sake of time
		}
		testMode(t, fmt.Sprintf("stream in %d bytes", size), cfg, steps, streamIn(size), collected)
	}
	testMode(t, "skip", cfg, steps, skip, func(records []record) []record {
		return without(records, "start", "message")
	})
}

// testMode runs a transcript in one mode, whole, line by line, byte by byte
// and in random chunks. The records that are expected and those that come are
// compared after reduce.
func testMode(t *testing.T, name string, cfg Config, steps []step, m mode, reduce func([]record) []record) {
	t.Helper()
	var all []byte
	var want, lines []record
	for _, s := range steps {
		all = append(all, s.bytes...)
		want = append(want, s.events...)
		lines = append(append(lines, s.events...), lineEnd)
	}
	for _, buffer := range []int{MinBuffer, 4096} {
		check := func(chunks string, got, want []record) {
			t.Helper()
			got, want = reduce(coalesce(got)), reduce(coalesce(want))
			if !slices.Equal(got, want) {
				t.Fatalf("%s, server %t, buffer of %d, %s:\n got %.1000q\nwant %.1000q", name, cfg.Server, buffer, chunks, got, want)
			}
		}
		for chunks, chunk := range map[string]func() int{"line by line": whole, "byte by byte": one} {
			tr := newTransport(t, cfg, buffer, m)
			for _, s := range steps {
				long := s.bytes[:max(0, len(s.bytes)-2000)]
				tr.feed(long, upTo(1000, 0)) // for the sake of time
				tr.feed(s.bytes[len(long):], chunk)
				tr.got = append(tr.got, lineEnd)
			}
			check(chunks, tr.got, lines)
		}
		chunkings := []func() int{whole}
		for seed := range uint64(4) {
			chunkings = append(chunkings, upTo(10+len(all)/100, seed), upTo(300+len(all)/100, seed), upTo(10000, seed))
		}
		for i, chunk := range chunkings {
			tr := newTransport(t, cfg, buffer, m)
			tr.feed(all, chunk)
			check(fmt.Sprintf("chunking %d", i), tr.got, want)
		}
	}
}

// maskSteps masks the frames of a transcript as a client has to.
func maskSteps(steps []step) (masked []step) {
	var m masker
	for _, s := range steps {
		masked = append(masked, step{m.mask(s.bytes), s.events})
	}
	return masked
}

// A masker adds keys to the frames that pass through it in pieces, another key
// for each.
type masker struct {
	plain bool   // does not mask at all
	head  []byte // of the next frame, as far as it has come
	key   [4]byte
	left  uint64 // bytes to mask
	pos   int
}

func (m *masker) mask(b []byte) (masked []byte) {
	if m.plain {
		return b
	}
	for _, c := range b {
		if m.left > 0 {
			masked = append(masked, c^m.key[m.pos%4])
			m.left--
			m.pos++
			continue
		}
		if m.head = append(m.head, c); len(m.head) == 2 {
			c |= 0x80
		}
		masked = append(masked, c)
		if h, n, err := wire.ParseHeader(m.head); err == nil && n == len(m.head) {
			for i := range m.key {
				m.key[i] += byte(37*i + 11)
			}
			masked = append(masked, m.key[:]...)
			m.head, m.left, m.pos = nil, h.Length, 0
		}
	}
	return masked
}

func TestMasker(t *testing.T) {
	plain := []byte("\x81\x05Hello\x82\x7E\x00\x7E" + string(make([]byte, 126)) + "\x89\x00")
	var m masker
	masked := m.mask(plain)
	for _, payload := range []string{"Hello", string(make([]byte, 126)), ""} {
		h, n, err := wire.ParseHeader(masked)
		if err != nil || !h.Masked {
			t.Fatalf("%+v, %v", h, err)
		}
		body := bytes.Clone(masked[n : n+int(h.Length)])
		if wire.Mask(body, h.Key, 0); string(body) != payload {
			t.Fatalf("%q, want %q", body, payload)
		}
		masked = masked[n+int(h.Length):]
	}
	if len(masked) > 0 {
		t.Errorf("%x at the end", masked)
	}
}
