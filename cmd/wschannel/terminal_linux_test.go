package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/hinshun/vt10x"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

// terminal returns the two ends of a new terminal: what its user sees and
// types, and what a program has as its standard streams.
func terminal(t *testing.T, columns, rows uint16) (user, streams *os.File) {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { user.Close() })
	var locked, number uint32
	size := struct{ rows, columns, x, y uint16 }{rows, columns, 0, 0}
	for request, arg := range map[uintptr]unsafe.Pointer{
		syscall.TIOCSPTLCK: unsafe.Pointer(&locked),
		syscall.TIOCGPTN:   unsafe.Pointer(&number),
		syscall.TIOCSWINSZ: unsafe.Pointer(&size),
	} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, user.Fd(), request, uintptr(arg)); errno != 0 {
			t.Fatal(errno)
		}
	}
	streams, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { streams.Close() })
	return user, streams
}

// modes returns the settings of a terminal.
func modes(t *testing.T, f *os.File) syscall.Termios {
	t.Helper()
	var m syscall.Termios
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), syscall.TCGETS, uintptr(unsafe.Pointer(&m))); errno != 0 {
		t.Fatal(errno)
	}
	return m
}

// A seat is a person in front of a terminal in which the program runs.
type seat struct {
	t       *testing.T
	user    *os.File
	streams *os.File
	before  syscall.Termios
	process *process
	raw     *output // all that the program has written

	mu      sync.Mutex
	screen  vt10x.Terminal
	changed chan struct{}
}

// sit runs the program in a new terminal.
func sit(t *testing.T, args ...string) *seat {
	t.Helper()
	user, streams := terminal(t, 60, 16)
	s := &seat{t: t, user: user, streams: streams, before: modes(t, streams), raw: newOutput(),
		screen: vt10x.New(vt10x.WithSize(60, 16)), changed: make(chan struct{})}
	go io.Copy(s, user)
	p := newProcess(t, streams, "wschannel", args...)
	p.cmd.Stdout, p.cmd.Stderr = streams, streams
	p.cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "NO_COLOR=") }), "TERM=xterm")
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	p.start()
	s.process = p
	return s
}

// Write is called with what the program writes.
func (s *seat) Write(p []byte) (int, error) {
	s.raw.Write(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.screen.Write(p)
	close(s.changed)
	s.changed = make(chan struct{})
	return len(p), nil
}

// types types text, as fast as can be.
func (s *seat) types(text string) {
	s.t.Helper()
	if _, err := s.user.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

// shows returns the lines of the screen, those at the end that are empty left
// out.
func (s *seat) shows() string {
	var lines []string
	for line := range strings.SplitSeq(s.screen.String(), "\n") {
		lines = append(lines, strings.TrimRight(line, " \x00"))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

// sees waits until all of the screen matches a pattern.
func (s *seat) sees(pattern string) {
	s.t.Helper()
	re := regexp.MustCompile("^" + pattern + "$")
	timeout := time.After(patience)
	for {
		s.mu.Lock()
		shown, changed := s.shows(), s.changed
		s.mu.Unlock()
		if re.MatchString(shown) {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			s.t.Fatalf("after %v the screen shows\n%s\n\nwant\n%s", patience, shown, pattern)
		}
	}
}

// leaves waits for the end of the program, which has to leave the terminal as
// it was.
func (s *seat) leaves(exit int) {
	s.t.Helper()
	s.process.wantExit(exit)
	if after := modes(s.t, s.streams); after != s.before {
		s.t.Errorf("the terminal is left with the modes %+v, was %+v", after, s.before)
	}
}

const greeting = `\* connected in \S+; /help lists commands, Ctrl-D ends\n`

func TestTerminalTalk(t *testing.T) {
	s := sit(t, "connect", serveChannels(t, echo))
	s.sees(greeting + `>`)
	s.types("hello\r")
	s.sees(greeting + `> hello\n< hello\n>`)
	// Left, left, left, end, and the line before.
	s.types("wrld\x1b[D\x1b[D\x1b[Do\x1b[F!")
	s.sees(greeting + `> hello\n< hello\n> world!`)
	s.types("\r\x1b[A\x1b[A")
	s.sees(greeting + `> hello\n< hello\n> world!\n< world!\n> hello`)
	s.types("\x15//x\r")
	s.sees(greeting + `(.*\n){4}> //x\n< /x\n>`)
	s.types("/ping\r")
	s.sees(greeting + `(.*\n){6}> /ping\n\* pong after \S+s\n>`)
	s.types("/close 4001 had enough\r")
	s.sees(greeting + `(.*\n){8}> /close 4001 had enough\nclosed: 4001: "had enough"`)
	s.leaves(exitOK)
}

func TestTerminalCommands(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("file", []byte("\x00\x01\xffmore than sixteen bytes"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ typed, want string }{
		{"/binary file", `(\* sent 26 bytes\n?|< binary, 26 bytes: 00 01 ff 6d 6f [0-9a-f \n]+ …\n?){2}`},
		{"/binary", `\* expected /binary FILE`},
		{"/binary /nowhere", `\* not sent: open /nowhere: no such file or directory`},
		{"/binary /", `\* not sent: / is a directory`},
		{"/close 1005", `\* "1005": expected a close code of 1000-1003, 1007-1014 or 3\n000-4999`},
		{"/what is it", `\* unknown command /what: /help lists them, and //what is it\n ?sends it as a message`},
		{"/json\r{\"a\":[1]}", `\* JSON is shown with indentation\n> {"a":\[1\]}\n< {\n    "a": \[\n      1\n    \]\n  }`},
		{"/timestamps\rx", `\* timestamps are on\n> x\n\d\d:\d\d:\d\d\.\d{3} < x`},
		{"/help", `\* /ping(.*\n)+\* /help(.*\n)+\* //TEXT .*`},
	} {
		t.Run(test.typed, func(t *testing.T) {
			s := sit(t, "connect", serveChannels(t, echo))
			s.sees(greeting + `>`)
			first, _, two := strings.Cut(test.typed, "\r")
			s.types(first + "\r")
			if two {
				s.sees(greeting + `(.*\n)*\* .*\n>`)
				s.types(strings.TrimPrefix(test.typed, first+"\r") + "\r")
			}
			s.sees(greeting + `> ` + regexp.QuoteMeta(first[:min(50, len(first))]) + `(.*\n)+` + test.want + `\n>`)
			s.types("\x03")
			s.sees(`(.*\n)+closed: 1000 normal closure`)
			s.leaves(exitOK)
		})
	}
}

// What comes in does not get into the line that is being edited, and nothing of
// it is taken for more than text.
func TestTerminalHostileServer(t *testing.T) {
	messages := make(chan string)
	url := serveChannels(t, func(ctx context.Context, c *wschannel.Channel) {
		for m := range messages {
			c.SendText(ctx, m)
		}
		c.CloseWith(4000, "\x1b]0;title\a\u009b2J\u202e")
	})
	s := sit(t, "connect", url)
	s.sees(greeting + `>`)
	long := strings.Repeat("0123456789", 7)
	s.types(long + "\x1b[D\x1b[D")
	// The line takes two rows.
	editing := "> " + long[:58] + "\n" + long[58:]
	s.sees(greeting + editing)
	messages <- "plain"
	s.sees(greeting + "< plain\n" + editing)
	messages <- "\x1b[2J\x1b]0;title\a\r\u009b31m\u202e\b"
	s.sees(greeting + "< plain\n" + `< \\x1b\[2J\\x1b\]0;title\\a\\r\\u009b31m\\u202e\\b` + "\n" + editing)
	messages <- "two\n* lines"
	s.sees(greeting + "(.*\n){2}< two\n  [*] lines\n" + editing)
	s.types("X")
	s.sees(greeting + "(.*\n){4}> " + long[:58] + "\n" + long[58:68] + "X" + long[68:])
	close(messages)
	s.sees(greeting + "(.*\n){4}" + `closed by the peer: 4000: "\\x1b\]0;title\\a\\u009b2J\\u202e"`)
	s.leaves(exitFailed)
	// Only what the editor and the colours need was written.
	if unknown := regexp.MustCompile(`\x1b(\[[0-9;]*[^GJKAm0-9;]|[^\[])|[\x00-\x07\x0b\x0c\x0e-\x1a\x1c-\x1f]|\x{9b}|\x{202e}`).FindString(s.raw.String()); unknown != "" {
		t.Errorf("the terminal got %q", unknown)
	}
}

// A line that is pasted is sent as it was, also into another line.
func TestTerminalPaste(t *testing.T) {
	received := make(chan string)
	s := sit(t, "connect", serveChannels(t, func(ctx context.Context, c *wschannel.Channel) {
		for m := range c.Messages(ctx) {
			received <- string(m.Data)
		}
		close(received)
	}))
	s.sees(greeting + `>`)
	long := strings.Repeat("Grüße, 你好, and\ttabs; ", 100)
	go s.user.WriteString("[]\x1b[D" + long + "\r" + long + "\rshort\r\x1b" + strings.Repeat("b", 40) + "\r\x04")
	for i, want := range []string{"[" + long + "]", long, "short", strings.Repeat("b", 39)} {
		select {
		case got := <-received:
			if got != want {
				t.Errorf("line %d has %d bytes, want %d: %.100q", i+1, len(got), len(want), got)
			}
		case <-time.After(patience):
			t.Fatalf("line %d does not come", i+1)
		}
	}
	s.leaves(exitOK)
}

func TestTerminalLongMessage(t *testing.T) {
	url := serveChannels(t, func(ctx context.Context, c *wschannel.Channel) {
		c.SendText(ctx, strings.Repeat("x", maxShown+5))
		w, err := c.NextWriter(ctx, wschannel.Text)
		if err != nil {
			return
		}
		// A message that does not come to its end.
		io.WriteString(w, strings.Repeat("y", 5000))
		c.Receive(ctx)
		c.CloseNow()
	})
	s := sit(t, "connect", url)
	s.raw.await(t, `\* 5 bytes more, not shown`)
	s.types("go on\r")
	s.raw.await(t, `yyy[^y]+\* the message was cut off here`)
	s.leaves(exitFailed)
}

func TestTerminalEnds(t *testing.T) {
	for _, test := range []struct {
		name, typed, shown string
		code               status.Code
	}{
		{"Ctrl-D", "\x04", `>\nclosed: 1000 normal closure`, status.NormalClosure},
		{"Ctrl-C in a line", "half a line\x03", `> half a line\nclosed: 1000 normal closure`, status.NormalClosure},
	} {
		t.Run(test.name, func(t *testing.T) {
			ended := make(chan error, 1)
			s := sit(t, "connect", "-wait", "0", serveChannels(t, func(ctx context.Context, c *wschannel.Channel) {
				_, err := c.Receive(ctx)
				ended <- err
			}))
			s.sees(greeting + `>`)
			s.types(test.typed)
			s.sees(greeting + test.shown)
			s.leaves(exitOK)
			wantPeerClose(t, <-ended, test.code)
		})
	}
	t.Run("SIGTERM in a line", func(t *testing.T) {
		s := sit(t, "connect", serveChannels(t, echo))
		s.sees(greeting + `>`)
		s.types("half")
		s.sees(greeting + `> half`)
		s.process.signal(syscall.SIGTERM)
		s.sees(greeting + `closed: 1000 normal closure`)
		s.leaves(exitOK)
	})
}

// The other streams being no terminals, there is nothing to edit with.
func TestTerminalInputOnly(t *testing.T) {
	user, streams := terminal(t, 60, 16)
	r := start(t, streams, "connect", serveChannels(t, echo))
	r.stderr.await(t, "^connected: .*\n$")
	user.WriteString("typed\n")
	r.stdout.await(t, "^typed\n$")
	user.WriteString("\x04")
	r.wantExit(exitOK)
}

func TestTerminalWithoutColours(t *testing.T) {
	for _, test := range []struct{ variable, want string }{
		{"NO_COLOR=1", "\b> "},
		{"NO_COLOR=", "\x1b[1m> \x1b[0m"},
	} {
		t.Run(test.variable, func(t *testing.T) {
			user, streams := terminal(t, 60, 16)
			seen := newOutput()
			go io.Copy(seen, user)
			cmd := exec.CommandContext(t.Context(), "wschannel", "connect", serveChannels(t, echo))
			cmd.Env = append(os.Environ(), "TERM=xterm", test.variable)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = streams, streams, streams
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			seen.await(t, "(?s)connected.*"+regexp.QuoteMeta(test.want))
			user.WriteString("\x03")
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
			if coloured := regexp.MustCompile(`\x1b\[[0-9;]*m`).MatchString(seen.String()); coloured != (test.variable == "NO_COLOR=") {
				t.Errorf("with %s the terminal got %q", test.variable, seen)
			}
		})
	}
}
