package main

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for what has to happen.
const patience = 30 * time.Second

// A running is the program at work inside the test.
type running struct {
	t              *testing.T
	stdout, stderr *output
	signals        chan os.Signal
	exit           chan int
}

// start runs the program with arguments, and with standard input from in.
func start(t *testing.T, in io.Reader, args ...string) *running {
	t.Helper()
	r := &running{t: t, stdout: newOutput(), stderr: newOutput(), signals: make(chan os.Signal, 2), exit: make(chan int, 1)}
	r.run(in, r.stdout, args)
	return r
}

// run runs the program with another standard output.
func (r *running) run(in io.Reader, out io.Writer, args []string) {
	p := &program{stdin: in, stdout: out, stderr: r.stderr, signals: func() <-chan os.Signal { return r.signals }}
	go func() { r.exit <- p.run(args) }()
}

// wantExit waits for the end of the program and checks its status.
func (r *running) wantExit(want int) {
	r.t.Helper()
	select {
	case got := <-r.exit:
		if got != want {
			r.t.Errorf("exit status %d, want %d; standard error: %s", got, want, r.stderr)
		}
	case <-time.After(patience):
		r.t.Fatalf("still running after %v; standard error: %s", patience, r.stderr)
	}
}

// An output is a standard stream that can be waited for.
type output struct {
	mu      sync.Mutex
	data    bytes.Buffer
	changed chan struct{} // closed and replaced by each write
}

func newOutput() *output { return &output{changed: make(chan struct{})} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.data.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.data.String()
}

// now returns what was written, and a channel that is closed by the next write.
func (o *output) now() (text string, changed <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.data.String(), o.changed
}

// await waits until the output matches a pattern, and returns its first group.
func (o *output) await(t *testing.T, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern + "()")
	timeout := time.After(patience)
	for {
		text, changed := o.now()
		if match := re.FindStringSubmatch(text); match != nil {
			return match[1]
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("no %q after %v in %q", pattern, patience, o)
		}
	}
}

// want checks all of the output.
func (o *output) want(t *testing.T, what, want string) {
	t.Helper()
	if got := o.String(); got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestHelpTexts(t *testing.T) {
	for _, c := range commands() {
		if !strings.Contains(overview(), "\n  "+c.name+" ") {
			t.Errorf("the overview does not list %s", c.name)
		}
		for line := range strings.Lines(c.help()) {
			if n := len(strings.TrimSuffix(line, "\n")); n > 80 {
				t.Errorf("help %s has a line of %d columns: %s", c.name, n, line)
			}
		}
	}
}
