//go:build unix

package main

import (
	"context"
	"errors"
	"log"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

// serveProgram runs a server that runs a program for each channel, and returns
// its URL. ended gets a value when a program and its channel have come to an
// end.
func serveProgram(t *testing.T, command string, grace time.Duration) (url string, ended <-chan struct{}, complaints *output) {
	t.Helper()
	complaints = newOutput()
	ps := &programs{command: command, grace: grace, stderr: complaints, log: log.New(complaints, "", 0)}
	done := make(chan struct{}, 16)
	server := httptest.NewServer(&wschannel.Server{
		Upgrade: withClient,
		Handler: func(ctx context.Context, c *wschannel.Channel) {
			ps.handle(ctx, c)
			done <- struct{}{}
		},
	})
	t.Cleanup(func() {
		ps.kill()
		server.Close()
	})
	return "ws" + strings.TrimPrefix(server.URL, "http"), done, complaints
}

// receiveText receives a text message.
func receiveText(t *testing.T, c *wschannel.Channel) string {
	t.Helper()
	m, err := c.Receive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return string(m.Data)
}

func wait(t *testing.T, ended <-chan struct{}) {
	t.Helper()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatalf("the program goes on after %v", patience)
	}
}

// wantGone checks that a process has ended and was reaped.
func wantGone(t *testing.T, pid string) {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(n, 0); err != syscall.ESRCH {
		t.Errorf("process %d: %v, want it gone", n, err)
	}
}

// When the channel ends, the program does, one way or the other.
func TestProgramEndsWithChannel(t *testing.T) {
	for _, test := range []struct {
		name, command string
		grace         time.Duration
	}{
		{"at the end of its input", `echo $$; cat >/dev/null`, patience},
		{"by SIGTERM", `echo $$; trap "exit 0" TERM; while :; do sleep 1 & wait $!; done`, time.Millisecond},
		{"by SIGKILL", `trap "" TERM; echo $$; while :; do sleep 1000; done`, time.Millisecond},
		{"while it writes", `echo $$; yes`, time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			url, ended, complaints := serveProgram(t, test.command, test.grace)
			c := dial(t, url)
			pid := receiveText(t, c)
			c.Close()
			wait(t, ended)
			wantGone(t, pid)
			if said := complaints.String(); strings.Contains(said, "wschannel") { // the shell may say something
				t.Errorf("complaints: %s", said)
			}
		})
	}
}

// What a program has started ends with it, even if it does not want to.
func TestProgramLeavesNobody(t *testing.T) {
	url, ended, _ := serveProgram(t, `sh -c 'trap "" TERM HUP; echo $$; while :; do sleep 1000; done' & wait`, time.Millisecond)
	c := dial(t, url)
	pid := receiveText(t, c)
	c.CloseNow()
	wait(t, ended)
	// Its parent has ended before it, so that init has to reap it.
	awaitGone(t, pid)
}

// awaitGone waits until a process that is not our child has ended.
func awaitGone(t *testing.T, pid string) {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	timeout := time.After(patience)
	for {
		state, _ := os.ReadFile("/proc/" + pid + "/stat")
		if syscall.Kill(n, 0) == syscall.ESRCH || strings.Contains(string(state), ") Z ") {
			return
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-timeout:
			t.Fatalf("process %d goes on after %v: %s", n, patience, state)
		}
	}
}

// What arrived before the close reaches the program.
func TestProgramGetsAll(t *testing.T) {
	file := t.TempDir() + "/all"
	url, ended, _ := serveProgram(t, "cat >"+file, patience)
	c := dial(t, url)
	var want strings.Builder
	for i := range 1000 {
		line := strings.Repeat("x", i)
		want.WriteString(line + "\n")
		if err := c.SendText(t.Context(), line); err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	wait(t, ended)
	got, err := os.ReadFile(file)
	if err != nil || string(got) != want.String() {
		t.Errorf("the program got %d bytes and %v, want %d", len(got), err, want.Len())
	}
}

// All that a program has written is sent before its end closes the channel,
// however slow the client is.
func TestProgramSendsAll(t *testing.T) {
	const n = 20_000
	url, ended, _ := serveProgram(t, "seq "+strconv.Itoa(n), patience)
	c := dial(t, url)
	for i := range n {
		if got := receiveText(t, c); got != strconv.Itoa(i+1) {
			t.Fatalf("got %q, want %d", got, i+1)
		}
	}
	_, err := c.Receive(t.Context())
	wantPeerClose(t, err, status.NormalClosure)
	wait(t, ended)
}

// A program that does not read makes the client wait, and the server does not
// keep what it has not read.
func TestProgramPushesBack(t *testing.T) {
	url, ended, _ := serveProgram(t, "echo $$; exec sleep 1000", time.Millisecond)
	c, err := wschannel.Connect(t.Context(), url, &wschannel.Options{WriteTimeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	pid, err := strconv.Atoi(receiveText(t, c))
	const most = 64
	block, sent := strings.Repeat("x", 1<<20), 0
	for sent < most && err == nil {
		if err = c.SendText(t.Context(), block); err == nil {
			sent++
		}
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the server has taken %d messages of 1 MiB, then: %v", sent, err)
	}
	// The server cannot see that the client has gone: that lies behind what it
	// has not read.
	syscall.Kill(pid, syscall.SIGKILL)
	wait(t, ended)
}

// Programs that have come and gone leave nothing open.
func TestProgramsLeakNothing(t *testing.T) {
	open := func() int {
		files, err := os.ReadDir("/dev/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	url, ended, _ := serveProgram(t, "cat; exit 1", patience)
	one := func(end func(*wschannel.Channel) error) {
		c := dial(t, url)
		if err := c.SendText(t.Context(), "here"); err != nil {
			t.Fatal(err)
		}
		receiveText(t, c)
		end(c)
		wait(t, ended)
	}
	one((*wschannel.Channel).Close)
	before := open()
	const n = 20
	for i := range n {
		if i%2 == 0 {
			one((*wschannel.Channel).Close)
		} else {
			one((*wschannel.Channel).CloseNow)
		}
	}
	timeout := time.After(patience)
	for open() >= before+n {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-timeout:
			t.Fatalf("%d files are open, and %d were before %d programs", open(), before, n)
		}
	}
}

func TestProgramLongLine(t *testing.T) {
	url, ended, complaints := serveProgram(t, "head -c "+strconv.Itoa(maxLine+1)+" /dev/zero | tr '\\0' x; echo; echo short", patience)
	c := dial(t, url)
	if got := receiveText(t, c); got != "short" {
		t.Errorf("got %.20q, want the short line", got)
	}
	wait(t, ended)
	complaints.await(t, `^wschannel: 127\.0\.0\.1:\d+: line 1 of the program is longer than 16 MiB and was not sent\n$`)
}

func TestProgramCannotStart(t *testing.T) {
	complaints := newOutput()
	ps := &programs{command: "echo", stderr: complaints, log: log.New(complaints, "", 0)}
	ps.kill()
	client, server := pipe(t)
	go ps.handle(t.Context(), server)
	_, err := client.Receive(t.Context())
	wantPeerClose(t, err, status.InternalError)
	complaints.await(t, `^wschannel: : the server is exiting\n$`)
}

// Programs do not outlive the server, not even one that exits at once.
func TestProgramsEndWithServer(t *testing.T) {
	for _, signals := range []int{1, 2} {
		t.Run(strconv.Itoa(signals)+" signals", func(t *testing.T) {
			p := execute(t, nil, "wschannel", "serve", "-listen", "127.0.0.1:0", "-exec", `trap "" TERM; echo $$; while :; do sleep 1000; done`)
			c := dial(t, p.stderr.await(t, `^listening on (\S+)\n`))
			pid := receiveText(t, c)
			p.signal(syscall.SIGINT)
			_, err := c.Receive(t.Context())
			wantPeerClose(t, err, status.GoingAway)
			exit := exitOK
			if signals == 2 {
				p.signal(syscall.SIGINT)
				exit = exitFailed
			}
			p.wantExit(exit)
			awaitGone(t, pid)
		})
	}
}

// A program gets the signals as programs do: one that writes to a pipe which
// nobody reads ends, as in "yes | head".
func TestProgramDiesOfSIGPIPE(t *testing.T) {
	p := execute(t, nil, "wschannel", "serve", "-listen", "127.0.0.1:0", "-exec", "kill -PIPE $$; echo alive")
	c := dial(t, p.stderr.await(t, "listening on (.*)\n"))
	m, err := c.Receive(t.Context())
	if err == nil {
		t.Fatalf("received %q, want the program's end", m.Data)
	}
	wantPeerClose(t, err, status.InternalError)
	p.signal(os.Interrupt)
	p.wantExit(exitOK)
}
