//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/wschannel/wschannel/bench/internal/load"
)

// loadMain is the load generator as a process of its own: it reads a load.Config,
// connects, and then obeys lines: "run N" and "connect N".
func loadMain() error {
	runtime.LockOSThread()
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 16<<20)
	var d *load.Driver
	for in.Scan() {
		switch command, rest, _ := strings.Cut(in.Text(), " "); command {
		case "open":
			var cfg load.Config
			if err := json.Unmarshal([]byte(rest), &cfg); err != nil {
				return err
			}
			var err error
			if d, err = load.Open(cfg); err != nil {
				return err
			}
			fmt.Println("open")
		case "connect", "run":
			n, err := strconv.Atoi(rest)
			if err != nil {
				return err
			}
			if command == "connect" {
				if err := d.Connect(n); err != nil {
					return err
				}
				fmt.Println("connected")
				continue
			}
			r, err := d.Run(n)
			if err != nil {
				return err
			}
			fmt.Println(load.MarshalResult(r))
		}
	}
	return in.Err()
}

// respondMain is the echo server for clients as a process of its own: it reads a
// payload, prints its address, and ends with its standard input.
func respondMain() error {
	in := bufio.NewReader(os.Stdin)
	var payload []byte
	if err := json.NewDecoder(in).Decode(&payload); err != nil {
		return err
	}
	over := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		over <- load.Respond(payload, func(addr string) { fmt.Println(addr) })
	}()
	go func() {
		for {
			if _, err := in.ReadByte(); err != nil {
				over <- nil
				return
			}
		}
	}()
	return <-over
}
