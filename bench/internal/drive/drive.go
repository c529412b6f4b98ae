// Package drive is what the clients under measurement share: they connect to an
// echo server, have messages echoed when they are asked to, answer questions about
// themselves, and end with their standard input.
package drive

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"sync"
	"time"

	"github.com/wschannel/wschannel/bench/internal/process"
)

// A Config is what a cell asks of a client.
type Config struct {
	Addr        string // host and port of the server
	Connections int
	Depth       int    // messages in flight on each connection
	Payload     []byte // of each message, binary
}

// A Result is an answer to "run": what was echoed, and in which time.
type Result struct {
	Messages int
	Elapsed  time.Duration
}

// A Conn has messages echoed: Depth are sent at first, and one more for each
// reply, until all are back. It compares replies with [Config.Check].
type Conn interface{ Echo(messages int) error }

// Check compares a reply, one in 16 in full. n counts the replies of a connection.
func (c *Config) Check(n int, reply []byte) error {
	if len(reply) != len(c.Payload) || n%16 == 0 && !bytes.Equal(reply, c.Payload) {
		return fmt.Errorf("a reply of %d bytes differs from the %d that were sent", len(reply), len(c.Payload))
	}
	return nil
}

// Blocking is a Conn of functions that send the payload and wait for the next
// reply.
type Blocking struct {
	Config  *Config
	Send    func() error
	Receive func() ([]byte, error)
}

// Echo implements [Conn].
func (b Blocking) Echo(messages int) error {
	sent := min(b.Config.Depth, messages)
	for range sent {
		if err := b.Send(); err != nil {
			return err
		}
	}
	for n := range messages {
		reply, err := b.Receive()
		if err != nil {
			return err
		}
		if err := b.Config.Check(n, reply); err != nil {
			return err
		}
		if sent < messages {
			sent++
			if err := b.Send(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Events is a Conn for a library that calls a function for each reply. That
// function calls Reply.
type Events struct {
	Config *Config
	Send   func() error

	sent, received, messages int
	over                     chan error
}

// Echo implements [Conn].
func (e *Events) Echo(messages int) error {
	e.over = make(chan error, 1)
	e.received, e.messages = 0, messages
	e.sent = min(e.Config.Depth, messages)
	for range e.sent {
		if err := e.Send(); err != nil {
			return err
		}
	}
	return <-e.over
}

// Reply takes a reply. Calls must not be concurrent.
func (e *Events) Reply(reply []byte) {
	if e.received == e.messages {
		return // it has failed
	}
	err := e.Config.Check(e.received, reply)
	e.received++
	if err == nil && e.sent < e.messages {
		e.sent++
		err = e.Send()
	}
	if err != nil {
		e.received = e.messages
	}
	if e.received == e.messages {
		e.over <- err
	}
}

// Main runs a client, of which dial opens a connection.
func Main(modes []string, dial func(mode string, c *Config) (Conn, error)) {
	mode := flag.String("mode", modes[0], fmt.Sprint("one of ", modes))
	profile := flag.String("cpuprofile", "", "write a CPU profile to this file")
	flag.Parse()
	log.SetFlags(0)
	defer process.Profile(*profile)()
	var cfg Config
	var conns []Conn
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 16<<20)
	for in.Scan() {
		command, rest, _ := bytes.Cut(in.Bytes(), []byte(" "))
		switch string(command) {
		case "open":
			if err := json.Unmarshal(rest, &cfg); err != nil {
				log.Fatal(err)
			}
			for range cfg.Connections {
				c, err := dial(*mode, &cfg)
				if err != nil {
					log.Fatal(err)
				}
				conns = append(conns, c)
			}
			fmt.Println("open")
		case "run":
			var messages int
			if err := json.Unmarshal(rest, &messages); err != nil {
				log.Fatal(err)
			}
			process.Answer(run(conns, messages))
		case "stats":
			process.AnswerStats()
		}
	}
}

// run has messages echoed, the same number on each connection.
func run(conns []Conn, messages int) Result {
	each := max(messages/len(conns), 1)
	began := time.Now()
	var echoing sync.WaitGroup
	for _, c := range conns {
		echoing.Go(func() {
			if err := c.Echo(each); err != nil {
				log.Fatal(err)
			}
		})
	}
	echoing.Wait()
	return Result{each * len(conns), time.Since(began)}
}
