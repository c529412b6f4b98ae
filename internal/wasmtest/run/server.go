package main

import (
	"embed"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/wschannel/wschannel/internal/wasmtest/servers"
)

//go:embed page
var pages embed.FS

// A server has the pages that run the tests, and the servers that the tests
// connect to.
type server struct {
	listener net.Listener
	http     http.Server
	exit     chan int   // the exit code, when the tests are over
	failed   chan error // why they cannot be run
}

// serve serves a program, which gets these arguments.
func serve(args []string) (*server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	files, err := fs.Sub(pages, "page")
	if err != nil {
		return nil, err
	}
	s := &server{listener: l, exit: make(chan int, 1), failed: make(chan error, 1)}
	mux := http.NewServeMux()
	mux.Handle("/", servers.Handler())
	mux.Handle("/run/", http.StripPrefix("/run", http.FileServerFS(files)))
	file := func(path, name string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, name) })
	}
	file("/run/test.wasm", args[0])
	file("/run/wasm_exec.js", filepath.Join(goRoot(), "lib", "wasm", "wasm_exec.js"))
	mux.HandleFunc("/run/config", func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{
			"args": args,
			"env":  map[string]string{"WASMTEST_ORIGIN": s.origin()},
		})
	})
	mux.HandleFunc("POST /run/output", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(os.Stdout, r.Body)
	})
	mux.HandleFunc("POST /run/exit", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		code, err := strconv.Atoi(string(body))
		if err != nil {
			code = 1
		}
		s.exit <- code
	})
	mux.HandleFunc("POST /run/failed", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		select {
		case s.failed <- errors.New(string(body)):
		default: // one reason will do
		}
	})
	s.http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/run/") {
			w.Header().Set("Content-Security-Policy", policy)
		}
		mux.ServeHTTP(w, r)
	})
	go s.http.Serve(l)
	return s, nil
}

// policy is as strict as pages may be that use the library: no code made of
// text. Tests rely on that ws://forbidden.invalid is not in it.
const policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; " +
	"connect-src 'self' ws://127.0.0.1:* ws://unknown.invalid"

// origin is where the tests find their servers.
func (s *server) origin() string { return "ws://" + s.listener.Addr().String() }

// page returns the URL of a page.
func (s *server) page(name string) string {
	return "http://" + s.listener.Addr().String() + "/run/" + name
}

func (s *server) close() { s.http.Close() }
