package rules

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The programs of README's quick start: the second one is the server of the
// first. They use another port here, since 8080 may be taken.
func TestQuickStart(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(rootDir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var programs []string
	for _, code := range codeBlocks(string(text)) {
		if strings.HasPrefix(code, "package main\n") {
			programs = append(programs, code)
		}
	}
	if len(programs) != 2 {
		t.Fatalf("there are %d programs, not a client and a server", len(programs))
	}
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()

	dir := t.TempDir()
	var commands []*exec.Cmd
	for i, name := range []string{"client", "server"} {
		if !strings.Contains(programs[i], "localhost:8080") {
			t.Fatalf("the %s is not at localhost:8080", name)
		}
		source := filepath.Join(dir, name+".go")
		if err := os.WriteFile(source, []byte(strings.Replace(programs[i], "localhost:8080", address, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		program := filepath.Join(dir, name)
		if out, err := exec.Command("go", "build", "-o", program, source).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		commands = append(commands, exec.Command(program))
	}

	var log bytes.Buffer
	server := commands[1]
	server.Stderr = &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		server.Process.Kill()
		server.Wait()
		if t.Failed() {
			t.Logf("the server said %q", log.String())
		}
	}()
	listening(t, address)
	out, err := commands[0].Output()
	if string(out) != "hello <nil>\n" || err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			out = append(out, exit.Stderr...)
		}
		t.Errorf("the client: %v\n%s", err, out)
	}
}

// listening waits until somebody listens at an address.
func listening(t *testing.T, address string) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(30 * time.Second); ; {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n")
			io.Copy(io.Discard, conn) // until the server has answered
			conn.Close()
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatal(err)
		}
	}
}
