package interop

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/wschannel/wschannel"
)

// patience is how long a test waits for what has to come. Nothing is measured
// with it.
const patience = 30 * time.Second

// A library is a running program that uses another WebSocket library. See
// testdata/peers.md.
type library struct {
	authority
	cmd     *exec.Cmd
	hello   event
	mu      sync.Mutex
	in      io.WriteCloser
	events  map[string]chan event // of the connections, by id
	last    int                   // id
	stopped chan struct{}
}

// An event is a line that a peer has printed.
type event struct {
	ID         string
	Event      string
	Code       int
	Text       string
	Binary     bool
	Size       int
	SHA256     string
	Protocol   string
	Extensions string
	Origin     string

	Port, TLSPort    int
	Splits, Codeless bool
}

// A command is a line that a peer reads.
type command struct {
	Do        string   `json:"do"`
	ID        string   `json:"id"`
	URL       string   `json:"url,omitempty"`
	Protocols []string `json:"protocols,omitempty"`
	Origin    string   `json:"origin,omitempty"`
	Trust     bool     `json:"trust,omitempty"`
	Binary    bool     `json:"binary,omitempty"`
	Parts     [][]byte `json:"parts,omitempty"`
	Times     int      `json:"times,omitempty"`
	Ping      string   `json:"ping,omitempty"`
	Code      int      `json:"code,omitempty"`
	Text      string   `json:"text,omitempty"`
}

// missing skips the test, for a machine need not have everything. In CI it
// must.
func missing(t *testing.T, what string, err error) {
	t.Helper()
	what = "needs " + what + ": make setup"
	if ci := os.Getenv("CI"); ci != "" && ci != "0" && ci != "false" {
		t.Fatalf("%s: %v", what, err)
	}
	t.Skip(what)
}

func startNode(t *testing.T) *library {
	t.Helper()
	node, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat("testdata/node/node_modules/ws/package.json")
	}
	if err != nil {
		missing(t, "Node.js and its package ws", err)
	}
	return startLibrary(t, node, "testdata/node/peer.mjs")
}

func startPython(t *testing.T) *library {
	t.Helper()
	// The first is the one of make setup, the second that of Debian.
	var err error
	for _, python := range []string{"../.bin/python/bin/python", "/usr/bin/python3", "python3"} {
		if err = exec.Command(python, "-c", "import websockets").Run(); err == nil {
			return startLibrary(t, python, "testdata/python/peer.py")
		}
	}
	missing(t, "Python 3 and its package websockets", err)
	return nil
}

// startLibrary starts a peer. It is stopped at the end of the test.
func startLibrary(t *testing.T, args ...string) *library {
	t.Helper()
	l := &library{authority: newAuthority(t), events: map[string]chan event{}, stopped: make(chan struct{})}
	l.cmd = exec.Command(args[0], append(args[1:], l.certFile, l.keyFile, l.caFile)...)
	l.cmd.Stderr = t.Output()
	var err error
	if l.in, err = l.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(l.stopped)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var e event
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				e = event{Event: "nonsense", Text: lines.Text()}
			}
			l.of(e.ID) <- e
		}
	}()
	t.Cleanup(func() {
		l.in.Close() // it ends with that
		force := time.AfterFunc(patience, func() { l.cmd.Process.Kill() })
		<-l.stopped
		err := l.cmd.Wait()
		if !force.Stop() {
			t.Errorf("%v has not ended with its standard input: %v", l.cmd, err)
		}
	})
	l.hello = (&remote{lib: l}).await(t, "listening")
	return l
}

// of returns the events of a connection.
func (l *library) of(id string) chan event {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.events[id] == nil {
		l.events[id] = make(chan event, 1000)
	}
	return l.events[id]
}

// newRemote returns the peer's end of a connection to come.
func (l *library) newRemote() *remote {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	return &remote{lib: l, id: fmt.Sprint(l.last)}
}

// url returns where the peer accepts r.
func (l *library) url(scheme string, r *remote) string {
	port := l.hello.Port
	if scheme == "wss" {
		port = l.hello.TLSPort
	}
	return fmt.Sprintf("%s://127.0.0.1:%d/accept/%s", scheme, port, r.id)
}

// A remote is the peer's end of one connection.
type remote struct {
	lib *library
	id  string
}

// do makes the peer do something.
func (r *remote) do(t *testing.T, c command) {
	t.Helper()
	c.ID = r.id
	line, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	r.lib.mu.Lock()
	defer r.lib.mu.Unlock()
	if _, err := r.lib.in.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
}

// await returns the next event of the kind. Messages and the end are not passed
// over on the way.
func (r *remote) await(t *testing.T, kind string) event {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case e := <-r.lib.of(r.id):
			switch {
			case e.Event == kind:
				return e
			case e.Event != "ping" && e.Event != "pong" && e.Event != "error":
				t.Fatalf("the peer says %+v, want %s", e, kind)
			}
		case <-r.lib.stopped:
			t.Fatalf("the peer has ended, want %s", kind)
		case <-late:
			t.Fatalf("waited in vain for %s", kind)
		}
	}
}

// patiently returns a ctx for what has to come.
func patiently(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// options are those of all channels here that need no others: they allow the
// largest message that the tests send.
var options = wschannel.Options{MessageLimit: large + 1<<20, HandshakeTimeout: patience, WriteTimeout: patience, CloseTimeout: patience}
