package main

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

const (
	// programGrace is how long a program may go on after its channel has ended,
	// and again after it was asked to end.
	programGrace = 2 * time.Second
	// outputGrace is how long output may fail to come from a program that has
	// ended: a process that it has left behind may keep its output open.
	outputGrace = time.Second
)

// A client is what a program is told of the one who has connected.
type client struct{ remote, uri string }

type clientKey struct{}

// withClient is an Upgrade of a wschannel.Server. It lets everybody in.
func withClient(r *http.Request) (context.Context, error) {
	return context.WithValue(r.Context(), clientKey{}, client{r.RemoteAddr, r.RequestURI}), nil
}

// programs runs a program for each channel of a server.
type programs struct {
	command string // for the shell
	grace   time.Duration
	stderr  io.Writer
	log     *log.Logger

	mu      sync.Mutex
	killed  bool
	running map[*exec.Cmd]struct{}
}

// start starts a program, which kill knows of until it is forgotten.
func (ps *programs) start(cmd *exec.Cmd) error {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.killed {
		return errors.New("the server is exiting")
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	if ps.running == nil {
		ps.running = map[*exec.Cmd]struct{}{}
	}
	ps.running[cmd] = struct{}{}
	return nil
}

func (ps *programs) forget(cmd *exec.Cmd) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	delete(ps.running, cmd)
}

// kill ends all programs that are left. From then on none is started.
func (ps *programs) kill() {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.killed = true
	for cmd := range ps.running {
		killGroup(cmd.Process)
	}
}

// handle is a Handler of a wschannel.Server. It returns when the program has
// ended, and the channel with it.
func (ps *programs) handle(ctx context.Context, c *wschannel.Channel) {
	who, _ := ctx.Value(clientKey{}).(client)
	cmd := shell(ps.command)
	cmd.Stderr = ps.stderr
	cmd.WaitDelay = outputGrace
	cmd.Env = append(os.Environ(),
		"WSCHANNEL_REMOTE="+who.remote, "WSCHANNEL_URI="+who.uri, "WSCHANNEL_PROTOCOL="+c.Protocol())
	if err := ps.run(ctx, c, cmd, who); err != nil {
		ps.log.Printf("wschannel: %s: %v", who.remote, err)
		c.CloseWith(status.InternalError, "")
	}
}

// run runs a program to its end. The error says why it could not be run.
func (ps *programs) run(ctx context.Context, c *wschannel.Channel, cmd *exec.Cmd, who client) error {
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, itsStdout, err := os.Pipe()
	if err != nil {
		stdin.Close()
		return err
	}
	defer stdout.Close()
	cmd.Stdout = itsStdout
	err = ps.start(cmd)
	itsStdout.Close()
	if err != nil {
		stdin.Close()
		return err
	}

	out := &programOutput{file: stdout}
	var talking sync.WaitGroup
	defer talking.Wait()
	talking.Go(func() { feed(ctx, c, stdin) })
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		ps.send(ctx, c, out, who)
	}()

	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	err = ps.await(ctx, cmd.Process, exited)
	ps.forget(cmd)
	// What it has left behind. As long as there is any, no other process gets
	// the number of the group.
	killGroup(cmd.Process)
	out.ended()
	<-sent
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it has ended well
	}
	switch {
	case err == nil:
		c.Close()
	case c.CloseWith(status.InternalError, cmd.ProcessState.String()) == nil:
		ps.log.Printf("wschannel: %s: the program failed: %v", who.remote, err)
	}
	return nil
}

// await waits for a program, and sees to it that it ends when ctx has ended.
func (ps *programs) await(ctx context.Context, p *os.Process, exited <-chan error) error {
	select {
	case err := <-exited:
		return err
	case <-ctx.Done():
	}
	for _, end := range []func(*os.Process){terminateGroup, killGroup} {
		select {
		case err := <-exited:
			return err
		case <-time.After(ps.grace):
			end(p)
		}
	}
	return <-exited
}

// feed writes messages to a program, each as a line, until the channel ends.
func feed(ctx context.Context, c *wschannel.Channel, stdin io.WriteCloser) {
	defer stdin.Close()
	reads := true
	for {
		m, err := c.Receive(ctx)
		switch {
		case err != nil:
			return
		case m.Type == wschannel.Binary:
			c.CloseWith(status.UnsupportedData, "the program takes text only")
			return
		case reads:
			// One that has closed its input may go on with its output.
			_, err := stdin.Write(append(m.Data, '\n'))
			reads = err == nil
		}
	}
}

// send sends the lines that a program writes. When the channel has ended they
// are dropped, so that the program can come to its end.
func (ps *programs) send(ctx context.Context, c *wschannel.Channel, out io.Reader, who client) {
	lines := newLineReader(out, maxLine)
	for {
		line, err := lines.next()
		if err == nil {
			err = c.Send(ctx, wschannel.Message{Type: wschannel.Text, Data: line})
		}
		switch {
		case err == nil:
		case err == errTooLong:
			ps.log.Printf("wschannel: %s: line %d of the program is longer than %s and was not sent", who.remote, lines.n, size(maxLine))
		case errors.Is(err, wschannel.ErrInvalidUTF8):
			ps.log.Printf("wschannel: %s: line %d of the program is not UTF-8 and was not sent", who.remote, lines.n)
		default:
			io.Copy(io.Discard, lines.in)
			return
		}
	}
}

// A programOutput reads what a program writes. After the program has ended, it
// does not wait long for more.
type programOutput struct {
	file *os.File

	mu   sync.Mutex
	last bool
}

func (o *programOutput) Read(p []byte) (int, error) {
	o.mu.Lock()
	if o.last {
		o.file.SetReadDeadline(time.Now().Add(outputGrace))
	}
	o.mu.Unlock()
	return o.file.Read(p)
}

// ended says that the program has ended.
func (o *programOutput) ended() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = true
	o.file.SetReadDeadline(time.Now().Add(outputGrace))
}
