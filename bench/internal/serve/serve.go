// Package serve is what the servers under measurement share: they listen on a
// free port of this machine, say so, answer questions about themselves, and end
// with their standard input.
package serve

import (
	"bufio"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"runtime/debug"

	"github.com/wschannel/wschannel/bench/internal/process"
)

// Paths of the two services.
const (
	Echo      = "/echo"      // every message comes back
	Broadcast = "/broadcast" // every message goes to everybody connected
)

// MessageLimit is the longest message in bytes that is sent to a server.
const MessageLimit = 4 << 20

// Options are what a cell asks of a server.
type Options struct {
	Mode    string // one of the modes that the server was started with
	Deflate bool   // compress with permessage-deflate, without context takeover
}

// Main runs a server. start must not block.
func Main(modes []string, start func(l net.Listener, o Options)) {
	var o Options
	flag.StringVar(&o.Mode, "mode", modes[0], fmt.Sprint("one of ", modes))
	flag.BoolVar(&o.Deflate, "deflate", false, "compress")
	profile := flag.String("cpuprofile", "", "write a CPU profile to this file")
	flag.Parse()
	defer process.Profile(*profile)()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	start(l, o)
	fmt.Println(l.Addr())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		switch in.Text() {
		case "stats":
			process.AnswerStats()
		case "free": // give what is not in use back to the system
			debug.FreeOSMemory()
			fmt.Println("freed")
		}
	}
}

// HTTP serves the two services with net/http.
func HTTP(l net.Listener, echo, broadcast http.HandlerFunc) {
	mux := http.NewServeMux()
	mux.HandleFunc(Echo, echo)
	mux.HandleFunc(Broadcast, broadcast)
	go http.Serve(l, mux)
}
