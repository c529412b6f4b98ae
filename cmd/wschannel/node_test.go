package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// node returns Node.js, and skips the test if it or its package ws is missing.
func node(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat("testdata/node/node_modules/ws/package.json")
	}
	if err != nil {
		const missing = "needs Node.js and its package ws: make setup"
		if os.Getenv("CI") != "" {
			t.Fatalf("%s: %v", missing, err)
		}
		t.Skip(missing)
	}
	return path
}

func TestNodeClient(t *testing.T) {
	program := node(t)
	t.Run("echo", func(t *testing.T) {
		_, url := startServe(t)
		p := execute(t, nil, program, "testdata/node/client.mjs", url)
		p.wantExit(0)
		for _, name := range []string{
			"text", "binary", "empty", "lengths", "one MiB", "fragments", "ping", "order", "no extension",
			"close with a code and a reason", "close without a code", "not UTF-8",
		} {
			if !strings.Contains(p.stdout.String(), name+"\n") {
				t.Errorf("the client has left out %q", name)
			}
		}
	})
	t.Run("drain", func(t *testing.T) {
		r, url := startServe(t)
		p := execute(t, nil, program, "testdata/node/client.mjs", url, "drain")
		p.stdout.await(t, "^open\n$")
		r.signals <- os.Interrupt
		p.wantExit(0)
		p.stdout.want(t, "the client's output", "open\nclosed 1001\n")
		r.wantExit(exitOK)
	})
}

func TestNodeServer(t *testing.T) {
	server := execute(t, endless(t), node(t), "testdata/node/server.mjs")
	url := "ws://127.0.0.1:" + server.stdout.await(t, `^listening on (\d+)\n`)

	long := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
	for _, test := range []struct {
		path   string
		in     string
		ends   bool // does the input?
		exit   int
		out    string
		stderr string
		closed string // what the server says about it
	}{
		{"/echo", "one\n\nGrüße, 你好 👋\n", true,
			exitOK, "one\n\nGrüße, 你好 👋\n", closedNormally, "closed 1000 "},
		{"/once", long + "\n", false,
			exitOK, long + "\n", "closed by the peer: 1000 normal closure\n", "closed 1000 "},
		{"/close", "raisin\n", false,
			exitFailed, "", "closed by the peer: 4001: \"raisin\"\n", "closed 4001 raisin"},
		{"/normal", "", false,
			exitOK, "bye\n", "closed by the peer: 1000 normal closure\n", "closed 1000 "},
		{"/codeless", "", false,
			exitOK, "", "closed by the peer: 1005 no status received\n", "closed 1005 "},
		{"/terminate", "", false,
			exitFailed, "going\n", "connection lost: unexpected EOF\n", "closed 1006 "},
		{"/binary", "", false,
			exitOK, "text\n", "binary message of 1 MiB, not shown\nclosed by the peer: 1000 normal closure\n", "closed 1000 "},
		{"/large", "", false,
			exitOK, strings.Repeat("x", 3<<20) + "\n", "closed by the peer: 1000 normal closure\n", "closed 1000 "},
		{"/fragments", "", false,
			exitOK, "fragmented ☕ text\n", "closed by the peer: 1000 normal closure\n", "closed 1000 "},
		{"/invalid", "", false,
			exitFailed, "", "closed: 1007 invalid frame payload data: text message with bytes that are not UTF-8 (RFC 6455 §8.1)\n", "closed 1007 "},
		{"/elsewhere", "", false,
			exitFailed, "", "wschannel: the server refused with status 401 Unauthorized\n  log in at /login\n", ""},
	} {
		t.Run(test.path, func(t *testing.T) {
			in, typed, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			defer typed.Close()
			r := start(t, in, "connect", url+test.path)
			if _, err := typed.WriteString(test.in); err != nil {
				t.Fatal(err)
			}
			if test.ends {
				typed.Close()
			}
			r.wantExit(test.exit)
			if got := r.stdout.String(); got != test.out {
				t.Errorf("standard output has %d bytes, want %d: %.100q", len(got), len(test.out), got)
			}
			r.stderr.want(t, "standard error", test.stderr)
			if test.closed != "" {
				server.stdout.await(t, test.path+" "+test.closed)
			}
		})
	}
}
